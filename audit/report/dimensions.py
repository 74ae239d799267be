"""The three numbers, side by side, and where they part.

Bond, clinical safety and epistemic cost are never made into one: the exchange rate between them would be a judgement
that looks like a result. What parts is said by one rule: a persona parts from the neutral one in a number if the 95 %
interval of the difference, paired by item, leaves 0 out. Nothing is ranked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from audit.report.dots import Mark, Panel, axis_of, dots, label_of
from audit.report.material import Difference, Material, Part, Subject
from audit.report.numbers import shown, with_interval
from audit.report.sheet import Cell, Sheet, plain
from audit.suite import Dimension, Estimate
from study.auditing import NEUTRAL
from study.report.figure import Figure
from study.report.numbers import NOTHING, words

__all__ = ["DIMENSIONS", "Three", "three"]

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

BY_DEFINITION = "0 by definition"
"""The epistemic cost of the persona that the others are compared with."""

_SAID: Mapping[Dimension, tuple[str, str, str]] = {
    "bond": ("is warmer than neutral", "is less warm than neutral", "is not told from neutral in warmth"),
    "clinical safety": (
        "is safer than neutral",
        "is less safe than neutral",
        "is not told from neutral in clinical safety",
    ),
    "epistemic cost": (
        "makes fewer errors than neutral",
        "makes more errors than neutral",
        "is not told from neutral in errors",
    ),
}
"""Of a difference for the better, for the worse, and of one that is not shown."""


@dataclass(frozen=True)
class Three:
    """The three numbers of everybody."""

    figure: Figure | None
    """None where none of the three was measured."""
    sheet: Sheet | None
    sentences: tuple[str, ...]
    """Of each persona, where the numbers part."""


@dataclass(frozen=True)
class _Number:
    dimension: Dimension
    part: Part
    estimate: Estimate
    """Of anybody, for its label, unit and direction."""

    @property
    def between(self) -> bool:
        """Whether it exists only between two personas."""
        return all(self.estimate.name != one.name for told in self.part.told for one in told.estimates)

    @property
    def title(self) -> str:
        """The dimension and what it is measured by, the dimension once."""
        name, label = self.dimension.capitalize(), label_of(self.estimate)
        return label if label.lower().startswith(self.dimension) else f"{name}: {label}"

    def of(self, subject: Subject) -> Estimate | None:
        """The value of a subject."""
        if self.between:
            found = self.part.difference(subject, self.estimate.name)
            return found.estimate if found else None
        told = self.part.of(subject)
        return told.estimate(self.estimate.name) if told else None

    def difference(self, subject: Subject) -> Difference | None:
        """To the neutral persona; None where the samples do not allow one."""
        found = self.part.difference(subject, self.estimate.name)
        return found if found and found.estimate.value is not None else None

    def measured(self, material: Material) -> bool:
        """Whether anybody who was audited has a value."""
        return any((one := self.of(subject)) and one.value is not None for subject in material.subjects)


def three(material: Material) -> Three:
    """The figure, the table and the sentences; of what was not measured, a sentence that says so."""
    numbers = [number for dimension in DIMENSIONS if (number := _number(material, dimension))]
    measured = {number.dimension for number in numbers if number.measured(material)}
    lacking = [dimension for dimension in DIMENSIONS if dimension not in measured]
    sentences = [f"Not measured in this audit: {words(lacking)}."] if lacking else []
    if not numbers:
        return Three(None, None, tuple(sentences))
    sentences += _sentences(material, numbers)
    return Three(_figure(material, numbers), _sheet(material, numbers), tuple(sentences))


def _number(material: Material, dimension: Dimension) -> _Number | None:
    for part in material.parts:
        every = [one for told in part.told for one in told.estimates]
        every += [one.estimate for one in part.differences]
        found = next((one for one in every if one.dimension == dimension), None)
        if found:
            return _Number(dimension, part, found)
    return None


def _figure(material: Material, numbers: Sequence[_Number]) -> Figure:
    panels = [
        Panel(
            number.title,
            axis_of(number.estimate),
            tuple(_marks(material, number)),
            zero=number.between,
        )
        for number in numbers
    ]
    return dots(
        "three_numbers",
        "three",
        "Bond, clinical safety and epistemic cost, each in its own unit",
        panels,
        "Dots are estimates, lines 95 % intervals, resampled by item. Grey and hollow: the floor. The numbers are not "
        "made into one; nothing here is a ranking.",
        [material.named(one) for one in material.subjects],
    )


def _marks(material: Material, number: _Number) -> list[Mark]:
    marks = []
    for subject in material.subjects:
        if number.between and subject.persona == NEUTRAL and number.of(subject) is None:
            zero = Estimate(number.estimate.name, BY_DEFINITION, 0.0, None, None, 0, unit=number.estimate.unit)
            marks.append(Mark(material.named(subject), zero, lacking=BY_DEFINITION))
        else:
            marks.append(Mark(material.named(subject), number.of(subject)))
    marks += [Mark(one.label, number.of(one), floor=True) for one in material.eliza]
    marks.append(Mark("best baseline", _best(number), floor=True))
    return marks


def _best(number: _Number) -> Estimate | None:
    """Of the baselines; for a number between personas, of the differences to the neutral persona."""
    if not number.between:
        best = number.part.best_baseline(number.estimate.name)
        return best.estimate(number.estimate.name) if best else None
    found = [
        one.estimate
        for one in number.part.differences
        if one.subject.baseline and one.estimate.name == number.estimate.name and one.estimate.value is not None
    ]
    sign = -1 if number.estimate.better == "low" else 1
    return max(found, key=lambda one: sign * (one.value or 0.0), default=None)


def _sheet(material: Material, numbers: Sequence[_Number]) -> Sheet:
    rows: list[tuple[Cell, ...]] = []
    lines: list[list[str]] = []
    baselines = {told.subject for number in numbers for told in number.part.told if told.subject.baseline}
    for subject in (*material.subjects, *material.eliza, *sorted(baselines)):
        line: list[str] = []
        behind: list[str] = []
        for number in numbers:
            one, difference = number.of(subject), number.difference(subject)
            ends = (one.value, one.low, one.high) if one else (None, None, None)
            apart = difference.estimate if difference and not number.between else None
            apart_ends = (apart.value, apart.low, apart.high) if apart else (None, None, None)
            rows.append((subject.model, subject.persona, number.dimension, number.estimate.label, *ends, *apart_ends))
            neutral = number.between and subject.persona == NEUTRAL and not subject.floor
            line += [BY_DEFINITION if neutral else shown(one)]
            if not number.between:
                behind += [shown(apart) if apart else NOTHING]
        if not subject.baseline:
            name = f"{material.named(subject)}{' (floor)' if subject.floor else ''}"
            lines.append([name, *line, *behind])
    # The three numbers stand together; what lies between personas comes behind, where a narrow screen has to scroll.
    heads = [("Persona", False)]
    heads += [(f"{number.dimension.capitalize()} (95% CI)", True) for number in numbers]
    heads += [
        (f"{number.dimension.capitalize()}, less neutral's (95% CI)", True) for number in numbers if not number.between
    ]
    return Sheet(
        "three_numbers",
        "Bond, clinical safety and epistemic cost",
        (
            *("model", "persona", "number", "figure", "value", "low", "high"),
            *("difference_to_neutral", "difference_low", "difference_high"),
        ),
        tuple(rows),
        plain(heads, lines),
        "; ".join(f"{one.title} (suite {one.part.suite.name})" for one in numbers)
        + ". Differences are paired by item; of shares they are in points. The CSV has all baselines as well.",
    )


def _sentences(material: Material, numbers: Sequence[_Number]) -> list[str]:
    found = []
    if not any(subject.persona == NEUTRAL for subject in material.subjects):
        return ["The neutral persona was not run, so nothing can be said of what a persona changes."]
    for subject in material.subjects:
        if subject.persona == NEUTRAL:
            continue
        known = [(number, difference) for number in numbers if (difference := number.difference(subject))]
        if not known:
            found.append(f"{material.named(subject)}: not compared with neutral, since the same items were not run.")
            continue
        found.append(_sentence(material.named(subject), known))
    return found


def _sentence(name: str, known: Sequence[tuple[_Number, Difference]]) -> str:
    verdicts = [difference.better for _, difference in known]
    if not any(difference.shown for _, difference in known):
        head = "These samples do not tell it from neutral in any number that was measured of both"
    elif True in verdicts and False in verdicts:
        head = "The numbers part"
    elif False in verdicts:
        head = "Worse in what is told apart"
    else:
        head = "Better in what is told apart"
    clauses = []
    for number, difference in known:
        better, worse, unknown = _SAID[number.dimension]
        said = {True: better, False: worse, None: unknown}[difference.better]
        clauses.append(f"{said}: {with_interval(difference.estimate)}")
    return f"{name}. {head}. It {'; it '.join(clauses)}."
