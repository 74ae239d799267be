"""Forms as pages: what a measure, or the screening's questions, looks like, and what somebody sent."""

from dataclasses import dataclass
from typing import Any

from study import forms
from study.errors import OutOfRange
from study.forms import SCREENING, Due
from study.moments import direction
from study.study import Person, Study
from study.texts import texts

__all__ = ["Field", "Form", "answers", "shown"]

LEFT_OUT = "none"
"""What is sent for an item that somebody would rather not answer."""


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form."""

    name: str
    question: str
    options: list[tuple[str, str]]
    """What is sent and what is shown; empty for a number."""
    low: int | None = None
    high: int | None = None
    low_text: str = ""
    high_text: str = ""
    may_be_left_out: bool = True


@dataclass(frozen=True, slots=True)
class Form:
    title: str
    instruction: str
    language: str
    direction: str
    fields: list[Field]


def shown(study: Study, person: Person, due: Due) -> Form:
    """The form that is due, with its wording. Raises `MeasureError` when a measure has none in its language."""
    if due.measure == SCREENING:
        said = texts(due.language, "screens")["consent"]
        yes_no = {"yes": said["yes"], "no": said["no"]}
        fields = [
            Field(
                question.name,
                question.ask,
                [(answer, yes_no[answer] if question.kind == "yes-no" else answer) for answer in question.answers],
                question.low,
                question.high,
                may_be_left_out=False,
            )
            for question in person.protocol.screening
        ]
        return Form("", "", due.language, direction(due.language), fields)
    measure = forms.measure_of(study, due.measure)
    wording = measure.wording(due.language)
    fields = [
        Field(
            item.id,
            wording.question(item.id),
            [(str(value), text) for value, text in wording.options(item.id)],
            item.low,
            item.high,
            wording.low(item.id),
            wording.high(item.id),
        )
        for item in measure.items
    ]
    return Form(measure.title, wording.instruction, due.language, wording.direction, fields)


def answers(form: Form, sent: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What was answered, by the field's name, and the names of fields that were not answered as they have to be."""
    given: dict[str, Any] = {}
    wrong = set()
    for field in form.fields:
        value = str(sent.get(f"item-{field.name}", "")).strip()
        if value == LEFT_OUT and field.may_be_left_out:
            given[field.name] = None
        elif field.options:
            allowed = {one for one, _ in field.options}
            if value not in allowed:
                wrong.add(field.name)
            elif field.may_be_left_out:
                given[field.name] = int(value)
            else:
                given[field.name] = value
        else:
            try:
                given[field.name] = _number(field, value)
            except OutOfRange:
                wrong.add(field.name)
    return given, wrong


def _number(field: Field, value: str) -> int:
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 8):
        raise OutOfRange("not a whole number")
    number = int(value)
    if (field.low is not None and number < field.low) or (field.high is not None and number > field.high):
        raise OutOfRange("outside the bounds")
    return number
