"""One tidy long table: a row for each rating, item and computed score. And the observations it is made from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from study.errors import OutOfRange
from study.export.instruments import Instrument
from study.export.reading import Reading
from study.export.variants import minutes
from study.protocol import DISTRESS

__all__ = ["Observation", "Subject", "long_rows", "observations", "subjects", "written_by_persons"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A person as this export shows them; `own` is their code in the record, which must not be written."""

    own: str
    code: str
    arm: str | None


@dataclass(slots=True)
class Observation:
    """A measure answered once, or one rating. `given_at` is a time or, in a de-identified export, minutes."""

    day: int | None
    visit: int | None
    follow_up: str | None
    occasion: str
    measure: str
    kind: str
    version: str
    language: str
    given_at: str | int
    answers: list[tuple[str, int | None, str | None]]
    """Item, value, and the words chosen."""
    scores: dict[str, float | None]
    bands: dict[str, str]
    corrected: dict[str, int]
    """How often each item was corrected, of those that were."""


def subjects(reading: Reading) -> Iterator[Subject]:
    """Everybody in the export, in its order."""
    yield from (Subject(*row) for row in reading.connection.execute("SELECT code, new, arm FROM people ORDER BY place"))


class _Scorer:
    """Scores; the same answers, which short measures often get, are scored once."""

    def __init__(self, instruments: list[Instrument]) -> None:
        self._measures = {one.name: one.measure for one in instruments if one.measure is not None and one.scores}
        self._known: dict[tuple[str, tuple[tuple[str, int | None], ...]], Any] = {}

    def __call__(self, name: str, answers: list[tuple[str, int | None, str | None]]) -> tuple[Any, dict[str, str]]:
        """The score on each scale, and the names of the bands they lie in; none for items of another version."""
        measure = self._measures.get(name)
        if measure is None:
            return {}, {}
        key = (name, tuple((item, value) for item, value, _ in answers))
        if key not in self._known:
            if len(self._known) > 100_000:
                self._known.clear()
            try:
                scores = measure.score(dict(key[1]))
            except OutOfRange:
                scores = {}
            bands = {scale: measure.band(scale, score) for scale, score in scores.items() if score is not None}
            self._known[key] = scores, {scale: band for scale, band in bands.items() if band}
        found: tuple[Any, dict[str, str]] = self._known[key]
        return found


def observations(reading: Reading, instruments: list[Instrument]) -> Iterator[tuple[Subject, list[Observation]]]:
    """Of each person all ratings and forms: those before the enrolment, then visit by visit."""
    score = _Scorer(instruments)
    rating = next((one for one in instruments if one.name == DISTRESS), None)
    version = rating.version if rating else ""
    language = rating.language if rating else ""
    given_at = minutes("t.given_at") if reading.variant.deidentified else "t.given_at"
    # One person at a time, along the indices: no sorting of the whole, and no more in memory than one person's.
    ratings = (
        f"SELECT visit.day, v.new, visit.follow_up, t.occasion, t.measure, {given_at}, t.value, t.corrected"  # noqa: S608
        " FROM visit JOIN visits v ON v.id = visit.id JOIN rating_now t ON t.visit = visit.id"
        " JOIN people p ON p.code = ?1"
        " WHERE visit.participant = ?1 ORDER BY visit.day, t.id"
    )
    forms = (
        "SELECT t.id, visit.day, v.new, visit.follow_up, t.occasion, t.measure, t.version, t.language,"  # noqa: S608
        f" {given_at}, a.item, a.value, a.choice, a.corrected FROM form t JOIN people p ON p.code = t.person"
        " LEFT JOIN visit ON visit.id = t.visit LEFT JOIN visits v ON v.id = t.visit"
        " JOIN answer_now a ON a.form = t.id WHERE t.person = ?1 ORDER BY t.id, a.id"
    )
    for subject in subjects(reading):
        found: list[tuple[tuple[int, int, int], Observation]] = []
        for day, visit, follow_up, occasion, measure, at, value, times in reading.connection.execute(
            ratings, [subject.own]
        ):
            answers: list[tuple[str, int | None, str | None]] = [(measure, value, None)]
            corrected = {measure: times} if times else {}
            one = Observation(
                day, visit, follow_up, occasion, measure, "rating", version, language, at, answers, {}, {}, corrected
            )
            found.append(((day, 1 if occasion == "before" else 2, 0), one))
        last = None
        for form, day, visit, follow_up, occasion, measure, *rest in reading.connection.execute(forms, [subject.own]):
            if form != last:
                last, answers = form, []
                one = Observation(
                    day, visit, follow_up, occasion, measure, "item", rest[0], rest[1], rest[2], answers, {}, {}, {}
                )
                found.append(((day or 0, 3 if occasion == "after" else 0, form), one))
            answers.append((rest[3], rest[4], rest[5]))
            if rest[6]:
                one.corrected[rest[3]] = rest[6]
        found.sort(key=lambda pair: pair[0])
        for _, one in found:
            if one.kind == "item":
                one.scores, one.bands = score(one.measure, one.answers)
        yield subject, [one for _, one in found]


def written_by_persons(reading: Reading) -> dict[int, int] | None:
    """How many answers a person wrote in each visit that somebody took over; None when that must not be told."""
    if reading.variant.blinded:
        return None
    return dict(
        reading.connection.execute(
            "SELECT v.new, count(*) FROM turn t JOIN visits v ON v.id = t.visit"
            " WHERE t.origin = 'person' AND t.visit IN (SELECT visit FROM takeover) GROUP BY v.new"
        )
    )


def long_rows(
    subject: Subject, observed: list[Observation], by_person: dict[int, int] | None
) -> Iterator[tuple[Any, ...]]:
    """The rows of one person, in the columns of the table `long`."""
    for one in observed:
        persons: tuple[int | None, ...] = ()
        if by_person is not None:
            persons = (None if one.visit is None else by_person.get(one.visit, 0),)
        head = (subject.code, subject.arm, one.day, one.visit, one.occasion, one.measure)
        tail = (one.version, one.language, one.given_at)
        for item, value, choice in one.answers:
            yield (*head, one.kind, item, value, choice, *tail, one.corrected.get(item, 0), *persons)
        for scale, score in one.scores.items():
            yield (*head, "score", scale, score, one.bands.get(scale), *tail, sum(one.corrected.values()), *persons)
