"""What somebody gave on paper, looked at as a whole before any of it is entered.

A slip of the researcher's pen must not leave half a person in the record: they would be counted as assessed for
eligibility, and CONSORT's flow would not add up.
"""

from collections.abc import Collection, Mapping
from typing import Any

from study.eligibility import excluded_by
from study.errors import StudyError
from study.forms import SCREENING, check_answers, measure_of, scores_of
from study.protocol import Protocol
from study.study import Study

__all__ = ["check"]


def check(
    study: Study,
    answers: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, int | None]],
    permissions: Collection[str],
) -> None:
    """Raises `StudyError` unless these are the answers, items and permissions that lead through to the enrolment.

    Of somebody whom the rules exclude, nothing is needed that comes after the screening.
    """
    protocol = study.protocol
    _check_names(protocol, answers, scores, permissions)
    known: dict[str, Any] = dict(answers)
    if protocol.screening:
        check_answers(study, protocol, SCREENING, answers)
    for due in protocol.due(SCREENING):
        known |= _score(study, due.measure, scores)
    if excluded_by(protocol.eligibility, known):
        return
    for due in protocol.due("baseline"):
        _score(study, due.measure, scores)


def _check_names(
    protocol: Protocol,
    answers: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, int | None]],
    permissions: Collection[str],
) -> None:
    kinds = {
        "question of the screening": (answers, [question.name for question in protocol.screening]),
        "measure due before the enrolment": (scores, [due.measure for due in protocol.due(SCREENING, "baseline")]),
        "permission of the consent": (
            permissions,
            [permission.name for permission in protocol.consent.permissions] if protocol.consent else [],
        ),
    }
    for kind, (given, allowed) in kinds.items():
        for name in given:
            if name not in allowed:
                raise StudyError(f"{name!r} is no {kind}; allowed: {', '.join(allowed) or 'none'}.")


def _score(study: Study, name: str, scores: Mapping[str, Mapping[str, int | None]]) -> dict[str, float | None]:
    if name not in scores:
        raise StudyError(f"The answers to {name} are missing: --item {name}.ITEM=NUMBER for each of its items.")
    check_answers(study, study.protocol, name, scores[name])
    whole = {item.id: scores[name].get(item.id) for item in measure_of(study, name).items}
    return scores_of(study, name, whole)
