"""What was asked: the screening and each measure, with their items, answers and scores, as codebooks describe them.

It is what all versions of the protocol ask for and what stands in the record. Where a measure's file is gone or another
one by now, its recorded items are described by their names alone, and `Instrument.trouble` says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from study.errors import StudyError
from study.export.reading import Reading
from study.forms import SCREENING
from study.grammar import Question
from study.measure import Measure, load_measure
from study.protocol import DISTRESS
from study.study import Study

__all__ = ["Field", "Instrument", "Score", "instruments"]


@dataclass(frozen=True, slots=True)
class Field:
    """One item, or one question of the screening."""

    id: str
    question: str = ""
    low: int | None = None
    high: int | None = None
    options: tuple[tuple[int, str], ...] = ()
    """The answers to choose from; none for a line or a number."""
    ends: tuple[str, str] = ("", "")
    """What the low and the high end mean, where single answers have no words."""
    line: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    id: str
    title: str
    low: float
    high: float
    rule: str
    """How it is computed, in words."""
    bands: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Instrument:
    name: str
    title: str
    fields: tuple[Field, ...]
    scores: tuple[Score, ...] = ()
    occasions: tuple[str, ...] = ()
    version: str = ""
    language: str = ""
    licence: str = ""
    citation: str = ""
    instruction: str = ""
    measure: Measure | None = None
    trouble: str = ""


def instruments(study: Study, reading: Reading) -> list[Instrument]:
    """The screening first, then the measures in the order of the protocol."""
    recorded: dict[str, list[str]] = {}
    for measure, item in reading.connection.execute(
        "SELECT DISTINCT t.measure, a.item FROM form t JOIN forms USING (id) JOIN answer a ON a.form = t.id"
    ):
        recorded.setdefault(measure, []).append(item)
    found = list(_screening(reading, recorded.pop(SCREENING, [])))
    due: dict[str, tuple[dict[str, None], str]] = {}
    for protocol in reading.protocols:
        for one in protocol.measures:
            occasions, language = due.setdefault(one.measure, ({}, one.language or protocol.language))
            occasions.update(dict.fromkeys(one.when))
    for name in [*due, *sorted(set(recorded) - set(due))]:
        occasions, language = due.get(name, ({}, "en"))
        found.append(_measure(study, name, tuple(occasions), language, recorded.get(name, [])))
    return found


def _screening(reading: Reading, recorded: list[str]) -> Iterator[Instrument]:
    questions = {question.name: _question(question) for one in reading.protocols for question in one.screening}
    fields = _with_recorded(list(questions.values()), recorded)
    if fields:
        yield Instrument(SCREENING, "Screening", fields, occasions=(SCREENING,), language="en")


def _question(question: Question) -> Field:
    options = tuple(enumerate(question.answers, 1))
    return Field(question.name, question.ask, question.low, question.high, options)


def _measure(study: Study, name: str, occasions: tuple[str, ...], language: str, recorded: list[str]) -> Instrument:
    try:
        measure = load_measure(name, study.folder)
    except StudyError as error:
        trouble = f"{name}: no scores: {error}"
        return Instrument(name, name, _with_recorded([], recorded), occasions=occasions, trouble=trouble)
    if measure.languages and language not in measure.languages:
        language = "en" if "en" in measure.languages else measure.languages[0]
    fields = _with_recorded([_field(measure, item.id, language) for item in measure.items], recorded)
    return Instrument(
        name=name,
        title=measure.title,
        fields=fields,
        scores=() if name == DISTRESS else tuple(_score(measure, scale.name) for scale in measure.scales),
        occasions=occasions,
        version=measure.version,
        language=language,
        licence=measure.licence,
        citation=measure.citation,
        instruction=measure.wording(language).instruction if measure.languages else "",
        measure=measure,
    )


def _with_recorded(fields: list[Field], recorded: list[str]) -> tuple[Field, ...]:
    known = {field.id for field in fields}
    return (*fields, *(Field(item) for item in sorted(set(recorded) - known)))


def _field(measure: Measure, id: str, language: str) -> Field:
    item = next(item for item in measure.items if item.id == id)
    line = item.kind == "line"
    if not measure.languages:
        return Field(
            id, "", item.low, item.high, tuple((value, str(value)) for value in item.alternatives()), line=line
        )
    words = measure.wording(language)
    ends = (words.low(id), words.high(id))
    return Field(id, words.question(id), item.low, item.high, tuple(words.options(id)), ends, line)


def _score(measure: Measure, name: str) -> Score:
    scale = next(scale for scale in measure.scales if scale.name == name)
    reverse = [item.id for item in measure.items if item.reverse and item.id in scale.items]
    rule = f"{scale.how} of {', '.join(scale.items)}"
    if reverse:
        rule += f"; {', '.join(reverse)} reversed"
    if scale.rescale:
        rule += f"; items brought to {scale.rescale.low}-{scale.rescale.high}"
    if (scale.subtract, scale.times, scale.divided_by) != (0, 1, 1):
        rule += f"; then (it - {scale.subtract:g}) * {scale.times:g} / {scale.divided_by:g}"
    most = scale.missing.at_most
    rule += f"; with up to {most} missing, by the mean of the others" if most else "; none if an item is missing"
    low, high = measure.bounds(name)
    return Score(name, scale.title, low, high, rule, tuple((band.at_least, band.label) for band in scale.bands))
