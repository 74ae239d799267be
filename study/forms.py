"""Forms: a measure, or the screening's questions, as one person answers it on one occasion.

A form is given whole, once. With its answers, in the same transaction, go what they bring about: an item alert raises a
safety event, and the last form of the screening decides about eligibility.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from study import safety, unrecorded
from study.eligibility import Known, excluded_by
from study.errors import NotDue, OutOfRange, RecordError
from study.measure import Measure, load_measure
from study.protocol import DISTRESS, Protocol
from study.records import Write, stamp
from study.study import Person, Study
from study.visits import Visit, closed, find, finish_follow_up_within, stop_for_item
from study.withdrawal import is_withdrawn, refuse_after_withdrawal

__all__ = [
    "SCREENING",
    "Due",
    "check_answers",
    "due_before_enrolment",
    "due_in_visit",
    "given",
    "hear_refused",
    "known",
    "measure_of",
    "scores_of",
    "submit",
]

SCREENING = "screening"
"""The name under which the answers to the screening's questions are kept."""


@dataclass(frozen=True, slots=True)
class Due:
    """A form that is to be filled in."""

    measure: str
    occasion: str
    language: str
    visit: int | None = None


def measure_of(study: Study, name: str) -> Measure:
    """The measure `name`, with what the study's folder says of it."""
    return load_measure(name, study.folder)


def due_before_enrolment(study: Study, person: Person) -> Due | None:
    """The next form of somebody who is not enrolled yet; None when they have given all that their stage asks."""
    if person.state not in ("screening", "baseline"):
        return None
    wanted = [
        Due(due.measure, person.state, due.language or person.protocol.language)
        for due in person.protocol.due(person.state)
    ]
    if person.state == "screening" and person.protocol.screening:
        wanted.insert(0, Due(SCREENING, SCREENING, person.protocol.language))
    done = _done(study, person.code, None)
    return next((due for due in wanted if (due.measure, due.occasion) not in done), None)


def due_in_visit(study: Study, visit: Visit) -> Due | None:
    """The next form of a visit at its present point; None when there is none, the visit is closed or they are held.

    Before the exercise come the measures due on this day and before each visit; after it those due after each visit.
    The rating of distress is no form: `visits.rate` takes it.
    """
    participant = study.participant(visit.participant)
    if participant.status == "held" or closed(study, visit):
        return None
    return _next_in_visit(study, visit, participant.protocol)


def _next_in_visit(study: Study, visit: Visit, protocol: Protocol) -> Due | None:
    if visit.follow_up:
        occasions = [visit.follow_up] if visit.state == "before" else []
    elif visit.state == "before":
        occasions = [f"day {visit.day}", "before"]
    elif visit.state == "done":
        occasions = ["after"]
    else:
        occasions = []
    done = _done(study, visit.participant, visit.id) if occasions else set()
    for occasion in occasions:
        for due in protocol.due(occasion):
            fresh = (due.measure, occasion) not in done
            if fresh and not (due.measure == DISTRESS and occasion in ("before", "after")):
                return Due(due.measure, occasion, due.language or protocol.language, visit.id)
    return None


def submit(study: Study, code: str, due: Due, answers: Mapping[str, Any]) -> None:
    """Record one form. The same form given again changes nothing: the first one stands.

    `answers` has a whole number, or None for an item that was left out, for each item of the measure; for the
    screening's questions a number or the words chosen. Raises `OutOfRange` naming what is wrong, and `NotDue`; an
    answer that alarms is heard also in a form that is refused.
    """
    now = study.clock.now()
    person = study.person(code)
    measure = None if due.measure == SCREENING else measure_of(study, due.measure)
    try:
        rows = check_answers(study, person.protocol, due.measure, answers)
    except OutOfRange:
        hear_refused(study, code, due, answers)
        raise
    version = f"{measure.version}+{measure.sha256[:12]}" if measure else person.protocol.sha256[:12]
    try:
        _record(study, person, due, measure, version, rows, now)
    except RecordError:
        with suppress(RecordError):
            hear_refused(study, code, due, answers)
        raise


def _record(
    study: Study,
    person: Person,
    due: Due,
    measure: Measure | None,
    version: str,
    rows: Sequence[Mapping[str, Any]],
    now: datetime,
) -> None:
    code = person.code
    with study.records.write() as write:
        if (due.measure, due.occasion) in _done(study, code, due.visit):
            return
        if due.visit is None:
            stage = write.value("SELECT state FROM person WHERE code = ?", code)
            if stage != due.occasion:
                raise NotDue("This form is not due now.")
        refuse_after_withdrawal(write, code)
        form = write.insert(
            "form",
            {
                "person": code,
                "measure": due.measure,
                "version": version,
                "language": due.language,
                "occasion": due.occasion,
                "visit": due.visit,
                "given_at": stamp(now),
            },
        )
        for row in rows:
            write.insert("answer", {"form": form, **row})
        write.log(now, code, "form given", f"form {form}", person=code, measure=due.measure, occasion=due.occasion)
        if measure is not None:
            _hear_alerts(study, write, code, due, measure, {row["item"]: row["value"] for row in rows}, now)
        if due.occasion == SCREENING:
            _decide(study, write, person, now)
        if due.visit is not None:
            _finish_follow_up(study, write, due.visit, now)


def _hear_alerts(
    study: Study,
    write: Write,
    code: str,
    due: Due,
    measure: Measure,
    answers: Mapping[str, int | None],
    now: datetime,
) -> None:
    """Raise an event for each alert, once: a form that was refused at first is given again."""
    heard = {
        row["rule"]
        for row in write.rows(
            "SELECT rule FROM safety_event WHERE participant = ? AND visit IS ? AND source = 'item'"
            # Since the form before this one, where the measure is due on two occasions of one visit.
            " AND raised_at > (SELECT ifnull(max(given_at), '') FROM form WHERE person = ? AND visit IS ?"
            " AND measure = ? AND occasion != ?)",
            code,
            due.visit,
            code,
            due.visit,
            due.measure,
            due.occasion,
        )
    }
    alerts = [alert for alert in measure.alerts(answers) if alert.rule not in heard]
    for alert in alerts:
        safety.raise_event(study, write, code, due.visit, None, "item", alert, now)
    if alerts and due.visit is not None:
        stop_for_item(study, write, due.visit, now)


def _in_range(measure: Measure, answers: Mapping[str, Any]) -> dict[str, int]:
    """Those of the answers that are answers to an item."""
    found = {}
    for item in measure.items:
        value = answers.get(item.id)
        if isinstance(value, int) and not isinstance(value, bool) and item.low <= value <= item.high:
            found[item.id] = value
    return found


def _finish_follow_up(study: Study, write: Write, visit_id: int, now: datetime) -> None:
    """With the last form of a follow-up it is done: nobody has to look at its page once more."""
    visit = find(study, visit_id)
    protocol = study.participant(visit.participant).protocol
    if visit.follow_up and visit.state == "before" and _next_in_visit(study, visit, protocol) is None:
        finish_follow_up_within(write, visit, now)


def hear_refused(study: Study, code: str, due: Due, answers: Mapping[str, Any]) -> bool:
    """Hear of the answers to a form that is refused, whatever the reason; whether one of them alarms.

    Raises `RecordError` when that can't be recorded, and remembers it (`study.unrecorded`).
    """
    if due.measure == SCREENING or is_withdrawn(study, code):
        return False
    measure = measure_of(study, due.measure)
    given = _in_range(measure, answers)
    alerts = measure.alerts(given)
    now = study.clock.now()

    def record() -> None:
        with study.records.write() as write:
            _hear_alerts(study, write, code, due, measure, given, now)

    try:
        if alerts:
            record()
    except RecordError:
        for alert in alerts:
            unrecorded.remember(study, code, alert.category, record)
        raise
    return bool(alerts)


def check_answers(study: Study, protocol: Protocol, measure: str, answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers to a measure, or to the screening's questions, as rows of the record. Raises `OutOfRange`."""
    if measure == SCREENING:
        return _screening_rows(protocol, answers)
    asked = measure_of(study, measure)
    whole = {item.id: answers.get(item.id) for item in asked.items}
    asked.check({**answers, **whole})
    return [{"item": item, "value": value, "choice": None} for item, value in whole.items()]


def _screening_rows(protocol: Protocol, answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for question in protocol.screening:
        answer = answers.get(question.name)
        if question.kind == "number":
            low, high = question.low, question.high
            if isinstance(answer, bool) or not isinstance(answer, int):
                raise OutOfRange(f"{question.name} is answered with a whole number.")
            if (low is not None and answer < low) or (high is not None and answer > high):
                bounds = [f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None)
                raise OutOfRange(f"{question.name} is a number, {' and '.join(bounds)}.")
            rows.append({"item": question.name, "value": answer, "choice": None})
        elif answer in question.answers:
            rows.append({"item": question.name, "value": question.answers.index(answer) + 1, "choice": answer})
        else:
            raise OutOfRange(f"{question.name} is answered with one of: {', '.join(question.answers)}.")
    return rows


def _decide(study: Study, write: Write, person: Person, now: datetime) -> None:
    """When nothing of the screening is left, apply the rules of eligibility."""
    protocol = person.protocol
    done = {
        row["measure"]
        for row in write.rows("SELECT measure FROM form WHERE person = ? AND occasion = 'screening'", person.code)
    }
    wanted = {due.measure for due in protocol.due(SCREENING)} | ({SCREENING} if protocol.screening else set())
    if wanted - done:
        return
    reasons = [rule.reason for rule in excluded_by(protocol.eligibility, known(study, person.code))]
    state = "ineligible" if reasons else "consent" if protocol.consent else "baseline"
    changes = {"state": state, "decided_at": stamp(now), "reasons": json.dumps(reasons, ensure_ascii=False)}
    write.update("person", person.code, changes)
    write.log(now, "bedside", "screened", person.code, person=person.code, eligible=not reasons)


def known(study: Study, code: str) -> Known:
    """Answers and scores of somebody's screening and baseline, by the names that rules and strata use."""
    found: dict[str, str | float | None] = {}
    answers: dict[str, dict[str, Any]] = {}
    for row in study.records.rows(
        "SELECT form.measure, answer.item, answer.value, answer.choice FROM answer_now answer"
        " JOIN form ON form.id = answer.form"
        " WHERE form.person = ? AND form.occasion IN ('screening', 'baseline')"
        " ORDER BY form.occasion DESC, form.id",  # the screening's before the baseline's, which are the later ones
        code,
    ):
        if row["measure"] == SCREENING:
            found[row["item"]] = row["choice"] if row["choice"] is not None else row["value"]
        else:
            answers.setdefault(row["measure"], {})[row["item"]] = row["value"]
    for name, items in answers.items():
        found |= scores_of(study, name, items)
    return found


def scores_of(study: Study, measure: str, answers: Mapping[str, int | None]) -> dict[str, float | None]:
    """The scores of a measure, by the names that rules and strata use: the first scale's also by the measure's."""
    scores = measure_of(study, measure).score(answers)
    return {measure: next(iter(scores.values()), None)} | {f"{measure}.{scale}": one for scale, one in scores.items()}


def given(study: Study, code: str) -> list[dict[str, Any]]:
    """The forms that somebody gave, oldest first."""
    return study.records.rows("SELECT * FROM form WHERE person = ? ORDER BY id", code)


def _done(study: Study, code: str, visit: int | None) -> set[tuple[str, str]]:
    rows = study.records.rows("SELECT measure, occasion FROM form WHERE person = ? AND visit IS ?", code, visit)
    return {(row["measure"], row["occasion"]) for row in rows}
