"""Amending a protocol that is locked: who, when, why, and what changed, key by key.

People who came before finish on the version they began on; whoever comes from now on begins on the new one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.clock import Clock, SystemClock
from study.errors import StudyError
from study.keys import StudyKey
from study.protocol import Protocol, load, parse
from study.records import Records, stamp
from study.study import Study

__all__ = ["Change", "amend", "changes_between", "pending", "versions"]


@dataclass(frozen=True, slots=True)
class Change:
    """One key of the protocol; None on the side where it is not there."""

    key: str
    old: Any
    new: Any


def changes_between(old: Protocol, new: Protocol) -> list[Change]:
    """What differs, key by key, in the order of the protocol."""
    before, after = _flat(old.model_dump()), _flat(new.model_dump())
    return [
        Change(key, before.get(key), after.get(key))
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
    ]


def pending(folder: Path) -> list[Change]:
    """What `study.toml` says otherwise than the version that is locked. Raises `StudyError` when none is."""
    return changes_between(*_both(folder)[:2])


def amend(folder: Path, *, by: str, why: str, clock: Clock | None = None) -> int:
    """Record what `study.toml` says now as the next version of the protocol; return its number.

    Raises `ProtocolError` for a file with mistakes, and `StudyError` when there is nothing to amend, no reason is
    given, or the change would leave what happened without meaning.
    """
    if not why.strip() or not by.strip():
        raise StudyError("Say who amends the protocol and why: --by NAME --why REASON.")
    old, new, text, records = _both(folder)
    found = changes_between(old, new)
    if not found:
        raise StudyError(f"{folder / 'study.toml'} says what the locked version says; there is nothing to amend.")
    _check(old, new)
    now = (clock or SystemClock()).now()
    with records.write() as write:
        if new.allocation.method == "list" != old.allocation.method and write.row("SELECT 1 FROM allocation_list"):
            raise StudyError("The places of the list that was uploaded are known by now; they cannot be used again.")
        recorded = [parse(row["text"]) for row in write.rows("SELECT text FROM protocol ORDER BY version")]
        last = write.row("SELECT * FROM protocol ORDER BY version DESC LIMIT 1") or {}
        if recorded[-1] != old:
            raise StudyError("Somebody else amended the protocol meanwhile; look at it again.")
        _check_consent(recorded, new)
        version = last["version"] + 1
        write.insert(
            "protocol",
            {
                "version": version,
                "sha256": new.sha256,
                "text": text,
                "locked_at": stamp(now),
                "locked_by": by,
                "why": why,
                "scheme": last["scheme"] + new.allocates_otherwise(old),
            },
        )
        told = {change.key: [change.old, change.new] for change in found}
        write.log(now, by, "protocol amended", f"version {version}", why=why, keys=told)
    records.close()
    return int(version)


def _both(folder: Path) -> tuple[Protocol, Protocol, str, Records]:
    new, text = load(folder / "study.toml")
    StudyKey.open(folder / "study.key")
    records = Records(folder / "study.sqlite", "study")
    row = records.row("SELECT text FROM protocol ORDER BY version DESC LIMIT 1")
    if row is None:
        raise StudyError(
            f"Nobody came yet, so {folder / 'study.toml'} can simply be edited; nothing is to be recorded."
        )
    return parse(row["text"], "the locked study.toml"), new, text, records


def _check_consent(recorded: list[Protocol], new: Protocol) -> None:
    """A consent is asked for by its version: one that was asked for before is never asked for again."""
    old = recorded[-1].consent
    if new.consent is None or new.consent == old:
        return
    if any(one.consent and one.consent.version == new.consent.version for one in recorded):
        version = new.consent.version
        still = "is still" if old and old.version == version else "was already"
        raise StudyError(f"The consent is another one, and its version {still} {version!r}: raise consent.version.")


def _check(old: Protocol, new: Protocol) -> None:
    if old.allocation.method == "list" and new.allocation.method == "list" and new.allocates_otherwise(old):
        raise StudyError("The arms or strata of an uploaded list cannot be amended: the list was made for these.")


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Every leaf by its key, such as `arms[2].persona`."""
    if isinstance(value, dict):
        items = [(f"{prefix}.{key}".lstrip("."), part) for key, part in value.items()]
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        items = [(f"{prefix}[{number}]", part) for number, part in enumerate(value, 1)]
    else:
        return {prefix: value}
    return {key: leaf for name, part in items for key, leaf in _flat(part, name).items()}


def versions(study: Study) -> list[dict[str, Any]]:
    """Every version with who locked it, when and why, oldest first."""
    return study.records.rows(
        "SELECT version, sha256, locked_at, locked_by, why, scheme FROM protocol ORDER BY version"
    )
