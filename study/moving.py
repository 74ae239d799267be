"""A participant moves to another time zone."""

from study.errors import StudyError
from study.protocol import check_zone
from study.study import Study

__all__ = ["move"]


def move(study: Study, code: str, timezone: str, *, by: str, why: str) -> None:
    """From now on this person's days follow the clock of `timezone`, an IANA name. Recorded with old and new.

    Visits that are opened already keep their windows. Raises `StudyError` for a zone that does not exist or without a
    reason, and `UnknownCode`.
    """
    if not why.strip():
        raise StudyError("Say why: --why REASON.")
    try:
        check_zone(timezone)
    except ValueError as error:
        raise StudyError(f"The time zone {error}{'' if str(error).endswith('?') else '.'}") from None
    study.person(code)
    now = study.clock.now()
    with study.records.write() as write:
        if write.value("SELECT timezone FROM person WHERE code = ?", code) != timezone:
            write.update("person", code, {"timezone": timezone})
            write.log(now, by, "moved", code, person=code, why=why)
