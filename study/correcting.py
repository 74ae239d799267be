"""Putting right a value that was given wrongly: a slip of the finger, a paper form entered a line too low.

What was given stays where it stands, and beside it who put what in its place, when and why. Whoever reads values reads
the views `rating_now` and `answer_now`, so a correction reaches every page, export and analysis. What was decided on
the value as it was given stays decided: eligibility, the stratum, the arm. An answer that should have raised an alarm
raises it now.
"""

from dataclasses import dataclass
from typing import Any

from study import safety
from study.eligibility import excluded_by
from study.errors import NotDue, OutOfRange, StudyError, UnknownCode
from study.forms import SCREENING, check_answers, known, measure_of
from study.measure import Alert
from study.records import Write, stamp
from study.study import Study

__all__ = ["Given", "as_given", "correct", "corrections", "excluded_now", "find", "values"]


@dataclass(frozen=True, slots=True)
class Given:
    """One value that somebody gave."""

    name: str
    """`rating/12` or `answer/34`: by which it is named when it is corrected."""
    person: str
    visit: int | None
    form: int | None
    day: int | None
    """The study day; None before the enrolment."""
    occasion: str
    measure: str
    item: str
    value: int | None
    """As it holds now; None for an item that was left out."""
    choice: str | None
    """The words chosen, for a question of the screening that has words to choose from."""
    given_at: str
    corrected: int
    """How often it was corrected."""

    @property
    def shown(self) -> str:
        """The value as it is shown and typed: the words chosen, the number, or nothing for an item left out."""
        return _shown(self.value, self.choice)


_RATINGS = (
    "SELECT 'rating/' || t.id AS name, visit.participant AS person, t.visit, NULL AS form, visit.day, t.occasion,"
    " t.measure, t.measure AS item, t.value, NULL AS choice, t.given_at, t.corrected"
    " FROM rating_now t JOIN visit ON visit.id = t.visit"
)
_ANSWERS = (
    "SELECT 'answer/' || t.id AS name, form.person, form.visit, form.id AS form, visit.day, form.occasion,"
    " form.measure, t.item, t.value, t.choice, form.given_at, t.corrected"
    " FROM answer_now t JOIN form ON form.id = t.form LEFT JOIN visit ON visit.id = form.visit"
)


def values(study: Study, code: str) -> list[Given]:
    """Everything that somebody rated and answered, as it holds now, in the order in which it was given."""
    study.person(code)
    rows = study.records.rows(f"{_RATINGS} WHERE visit.participant = ? ORDER BY t.id", code)
    rows += study.records.rows(f"{_ANSWERS} WHERE form.person = ? ORDER BY t.id", code)
    return sorted((Given(**row) for row in rows), key=lambda one: one.given_at)


def find(study: Study, code: str, name: str) -> Given:
    """The value of `code` that is called `name`. Raises `UnknownCode`."""
    found = next((one for one in values(study, code) if one.name == name), None)
    if found is None:
        raise UnknownCode(f"{code} has no value {name}; `bedside correct` without a value lists them.")
    return found


def corrections(study: Study, code: str) -> list[dict[str, Any]]:
    """The corrections of somebody's values, oldest first."""
    return study.records.rows("SELECT * FROM correction WHERE person = ? ORDER BY id", code)


def as_given(study: Study, given: Given) -> str:
    """What stood there before anybody corrected it, as it is shown."""
    kind, key = given.name.split("/")
    row = study.records.row(f"SELECT * FROM {kind} WHERE id = ?", int(key))  # noqa: S608 - rating or answer
    if row is None:
        raise UnknownCode(f"{given.name} is not there any more.")
    return _shown(row["value"], row.get("choice"))


def correct(study: Study, code: str, name: str, new: str, *, was: str, by: str, why: str) -> Given:
    """Put `new` in the place of the value called `name`, which the person who corrects it saw as `was`.

    Values are as `Given.shown`: a number, words to choose from, nothing for an item that was in truth left out. Returns
    the value as it holds now; asked for what holds already, it does nothing. Raises `NotDue` when the value is not the
    one that was seen, `OutOfRange` for one that cannot be given, `StudyError` without a reason, and `UnknownCode`.
    """
    if not why.strip():
        raise StudyError("Say why the value is corrected.")
    new, was = new.strip(), was.strip()
    if new == was:
        raise StudyError("The new value is the one that stands there; nothing is to be corrected.")
    given = find(study, code, name)
    value, choice = _read(study, given, new)
    now = study.clock.now()
    with study.records.write() as write:
        standing = _standing(write, given)
        if standing is None:
            raise UnknownCode(f"{code} has no value {name} any more.")
        if (standing["value"], standing["choice"]) == (value, choice):
            return find(study, code, name)
        if _shown(standing["value"], standing["choice"]) != was:
            raise NotDue("This value was changed since you looked at it. Nothing was done; look at it again.")
        kind, key = name.split("/")
        write.insert(
            "correction",
            {
                "person": code,
                "visit": given.visit,
                "form": given.form,
                "occasion": given.occasion,
                "measure": given.measure,
                "item": given.item,
                kind: int(key),
                "value_before": standing["value"],
                "choice_before": standing["choice"],
                "value": value,
                "choice": choice,
                "corrected_at": stamp(now),
                "corrected_by": by,
                "why": why.strip(),
            },
        )
        told = {"measure": given.measure, "item": given.item, "before": was, "value": _shown(value, choice)}
        write.log(now, by, "corrected", name, person=code, why=why.strip(), **told)
        if given.form is not None and given.measure != SCREENING:
            for alert in _alerts(study, write, given, standing["value"]):
                safety.raise_event(study, write, code, given.visit, None, "item", alert, now)
    return find(study, code, name)


def excluded_now(study: Study, code: str) -> list[str]:
    """The reasons for which the rules would exclude somebody who was let in, by their answers as they hold now."""
    person = study.person(code)
    if person.state not in ("consent", "baseline", "enrolled"):
        return []
    return [rule.reason for rule in excluded_by(person.protocol.eligibility, known(study, code))]


def _shown(value: int | None, choice: str | None) -> str:
    return choice if choice is not None else "" if value is None else str(value)


def _read(study: Study, given: Given, new: str) -> tuple[int | None, str | None]:
    """The value and the words that `new` stands for. Raises `OutOfRange` for what could not have been given."""
    number = int(new) if new.isascii() and new.removeprefix("-").isdigit() and len(new) < 16 else None
    if given.form is None:
        if number is None or not 0 <= number <= 100:
            raise OutOfRange("Distress is rated as a whole number from 0 to 100.")
        return number, None
    if number is None and new and given.measure != SCREENING:
        raise OutOfRange(f"{given.measure} item {given.item} is answered with a whole number, or with nothing.")
    person = study.person(given.person)
    if given.measure != SCREENING:
        measure_of(study, given.measure).check({given.item: number})
        return number, None
    # The others' answers are checked with it, as they stand: they were taken by the same questions.
    stood = {one.item: one for one in values(study, given.person) if one.form == given.form}
    whole: dict[str, Any] = {name: one.value if one.choice is None else one.choice for name, one in stood.items()}
    whole[given.item] = number if given.choice is None else new
    row = next(row for row in check_answers(study, person.protocol, SCREENING, whole) if row["item"] == given.item)
    return row["value"], row["choice"]


def _standing(write: Write, given: Given) -> dict[str, Any] | None:
    """The value as it stands now, inside the transaction that corrects it."""
    kind, key = given.name.split("/")
    choice = "choice" if kind == "answer" else "NULL AS choice"
    return write.row(f"SELECT value, {choice} FROM {kind}_now WHERE id = ?", int(key))  # noqa: S608 - ours


def _alerts(study: Study, write: Write, given: Given, before: int | None) -> list[Alert]:
    """The alerts of the form as it is now that it did not raise before this correction."""
    measure = measure_of(study, given.measure)
    rows = write.rows("SELECT item, value FROM answer_now WHERE form = ?", given.form)
    answers = {row["item"]: row["value"] for row in rows}
    known_already = measure.alerts({**answers, given.item: before})
    return [alert for alert in measure.alerts(answers) if alert not in known_already]
