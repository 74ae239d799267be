"""Of each suite its question, its figures with intervals, what the samples cannot tell, and the floor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audit.report.courses import courses_figure
from audit.report.dots import Mark, Panel, axis_of, dots, label_of, room
from audit.report.heat import Heat, heats
from audit.report.material import Difference, Material, Part, Subject, Told
from audit.report.numbers import UNITS, shown, shown_interval, shown_value, with_interval
from audit.report.sheet import Cell, Sheet, grouped
from audit.suite import Estimate
from study.auditing import NEUTRAL
from study.report.figure import Figure
from study.report.numbers import NOTHING, words

__all__ = ["WIDE", "SuiteSection", "suite_section"]

WIDE = 0.5
"""An interval that covers more than this part of all that a figure can be says next to nothing."""

MOST_PANELS = 9
"""Headlines that are drawn in one figure."""


@dataclass(frozen=True)
class SuiteSection:
    """What the page has of a suite."""

    name: str
    title: str
    question: str
    text: tuple[str, ...]
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]
    headlines: tuple[Sheet, ...]
    """One sheet, or none where nothing was measured; as `others`, the sheet of all other figures."""
    others: tuple[Sheet, ...]
    heats: tuple[Heat, ...]

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The headlines, then all other figures."""
        return self.headlines + self.others


def suite_section(material: Material, part: Part) -> SuiteSection:
    """The section of one suite."""
    figures = [one for one in (_values(material, part), _apart(material, part), courses_figure(material, part)) if one]
    headlines, others = (_sheet(material, part, headline=headline) for headline in (True, False))
    return SuiteSection(
        name=part.suite.name,
        title=part.suite.title,
        question=part.suite.question,
        text=(_of_what(part), *_told_apart(material, part)),
        warnings=tuple(_warnings(material, part)),
        figures=tuple(figures),
        headlines=(headlines,) if headlines.rows else (),
        others=(others,) if others.rows else (),
        heats=tuple(heats(material, part)),
    )


def _of_what(part: Part) -> str:
    first = next((one for one in part.told if not one.subject.floor), part.told[0])
    half = "the held-out half of the items" if part.half == "held_out" else "all items that were run"
    many = first.rows["item"].nunique()
    items = f"{many} item{'' if many == 1 else 's'}"
    if not part.suite.model_matters:
        return f"No model is asked: the figures are those of the rules, whoever answers. They are of {half}: {items}."
    return (
        f"Figures are of {half}: {items} in {len(first.rows)} samples for each persona. "
        "Intervals (95 %) are of whole items drawn with replacement."
    )


def _told_apart(material: Material, part: Part) -> Iterator[str]:
    """Which headlines tell a persona from the one it is compared with, or that none does, and what could be seen."""
    names = [one.name for one in part.headlines]
    known = [
        one
        for one in part.differences
        if not one.subject.floor and (one.estimate.name in names or one.estimate.headline)
    ]
    if not known:
        return
    apart: dict[tuple[Subject, str], list[str]] = {}
    for one in (difference for difference in known if difference.shown):
        said = f"“{label_of(one.estimate)}”, {with_interval(one.estimate)}"
        apart.setdefault((one.subject, one.other), []).append(said)
    for (subject, other), found in apart.items():
        yield f"{material.named(subject)} differs from {other} in {'; in '.join(found)}."
    if apart:
        return
    widths = [
        f"{room(one)}{' points' if one.unit == 'points' else ''} in “{label_of(one)}”"
        for one in _widest(known)
        if room(one)
    ]
    also = f" A difference smaller than about {words(widths, 'or')} cannot be seen with so few items." if widths else ""
    yield f"These samples cannot tell the personas apart: every interval of a difference has 0 in it.{also}"


def _widest(known: Sequence[Difference]) -> list[Estimate]:
    """Of each headline the difference with the widest interval."""
    found: dict[str, Estimate] = {}
    for one in (difference.estimate for difference in known):
        if one.low is None or one.high is None:
            continue
        other = found.get(one.name)
        if other is None or one.high - one.low > (other.high or 0) - (other.low or 0):
            found[one.name] = one
    return list(found.values())


def _warnings(material: Material, part: Part) -> Iterator[str]:
    wide: dict[str, list[str]] = {}
    for told in (one for one in part.told if not one.subject.floor):
        for one in (estimate for estimate in told.estimates if estimate.headline):
            if _covers(one) > WIDE:
                wide.setdefault(label_of(one), []).append(material.named(told.subject))
    for label, who in wide.items():
        yield f"“{label}”: the intervals of {words(who)} cover more than half of its range; they say little."
    yield from _floor(material, part)


def _covers(estimate: Estimate) -> float:
    """Which part of all that the figure can be its interval covers; 0 where that has no bounds."""
    if estimate.low is None or estimate.high is None or (estimate.unit != "share" and estimate.column is None):
        return 0.0
    least, largest = estimate.bounds
    range_ = (largest - least) * (100 if estimate.unit == "points" else 1)
    return (estimate.high - estimate.low) / range_


def _floor(material: Material, part: Part) -> Iterator[str]:
    """The headlines in which the neutral persona is not shown to do better than ELIZA."""
    eliza = next((one.subject for one in part.told if one.subject in material.eliza), None)
    if eliza is None or not any(one.subject.persona == NEUTRAL and not one.subject.floor for one in part.told):
        return
    short = []
    for headline in part.headlines:
        difference = part.difference(eliza, headline.name)
        if difference and headline.better != "neither" and difference.better is not False:
            short.append(f"“{label_of(headline)}” (ELIZA less neutral: {with_interval(difference.estimate)})")
    if short:
        yield f"Not shown to be better than ELIZA, whose rules are of 1966: the neutral persona in {words(short)}."


def _values(material: Material, part: Part) -> Figure | None:
    """The headlines of everybody, with the floor."""
    headlines = part.headlines[:MOST_PANELS]
    if not headlines:
        return None
    panels = [Panel(label_of(one), axis_of(one), tuple(_marks(material, part, one.name))) for one in headlines]
    return dots(
        f"{part.suite.name}_headlines",
        part.suite.name,
        f"{part.suite.title}: the headline figures, by persona",
        panels,
        "Dots are estimates, lines 95 % intervals. Grey and hollow is the floor: ELIZA, and of the baselines the one "
        "that does best in this figure.",
        [material.named(one) for one in material.subjects],
    )


def _marks(material: Material, part: Part, name: str) -> Iterator[Mark]:
    for subject in part.shown(material):
        told = part.of(subject)
        yield Mark(material.named(subject), told.estimate(name) if told else None)
    for subject in material.eliza[:1] if part.suite.model_matters else ():
        told = part.of(subject)
        yield Mark(subject.label, told.estimate(name) if told else None, floor=True)
    best = part.best_baseline(name)
    yield Mark("best baseline", best.estimate(name) if best else None, floor=True)


def _apart(material: Material, part: Part) -> Figure | None:
    """The differences to neutral, of the headlines and of what exists only between personas."""
    every = {
        one.estimate.name: one.estimate
        for one in part.differences
        if one.estimate.headline and not one.subject.floor and one.estimate.value is not None
    }
    subjects = [one for one in material.subjects if any(known.subject == one for known in part.differences)]
    if not every or not subjects:
        return None
    panels = [
        Panel(
            label_of(estimate),
            axis_of(estimate, difference=True),
            tuple(Mark(material.named(one), _of(part, one, name)) for one in subjects),
            zero=True,
        )
        for name, estimate in list(every.items())[:MOST_PANELS]
    ]
    return dots(
        f"{part.suite.name}_differences",
        part.suite.name,
        f"{part.suite.title}: each persona less neutral (or what is named), items paired",
        panels,
        "An interval that crosses the line is of samples that cannot tell the two apart.",
        [material.named(one) for one in material.subjects],
    )


def _of(part: Part, subject: Subject, name: str) -> Estimate | None:
    found = part.difference(subject, name)
    return found.estimate if found else None


def _sheet(material: Material, part: Part, *, headline: bool) -> Sheet:
    """The figures, under each its subjects: value, interval, samples, both halves, difference to neutral."""
    own = {one.name: one for told in part.told for one in told.estimates if one.headline == headline}
    between = {
        one.estimate.name: one.estimate
        for one in part.differences
        if one.estimate.headline == headline and all(one.estimate.name != told.name for told in _all(part))
    }
    whole = any(told.whole for told in part.told)
    rows: list[tuple[Cell, ...]] = []
    groups = []
    for name, estimate in (own | between).items():
        lines = []
        for told in part.told:
            one = told.estimate(name)
            both = next((other for other in told.whole if other.name == name), None)
            difference = _of(part, told.subject, name)
            if one is None and difference is None:
                continue
            lines.append(_line(material, told, one, both if whole else None, difference, whole))
            rows.append(_row(told.subject, estimate, one, both, difference))
        unit = UNITS[estimate.unit]
        better = {"low": ", lower is better", "high": ", higher is better", "neither": ""}[estimate.better]
        groups.append((f"{label_of(estimate)} ({unit or 'scale as named'}{better})", lines))
    heads = [("Persona", False), ("Estimate", True), ("95% CI", True), ("Samples", True)]
    heads += [("Both halves (95% CI)", True)] if whole else []
    heads += [("Difference (95% CI)", True)]
    kind = "headlines" if headline else "others"
    title = f"{part.suite.title}: {'headline' if headline else 'all other'} figures"
    return Sheet(
        f"{part.suite.name}_{kind}",
        title,
        (
            *("model", "persona", "figure", "label", "unit", "better", "value", "low", "high", "samples"),
            *(
                "both_value",
                "both_low",
                "both_high",
                "difference",
                "difference_low",
                "difference_high",
                "difference_unit",
            ),
        ),
        tuple(rows),
        grouped(heads, groups),
        "Differences are to the neutral persona unless the figure names another, paired by item, in points for shares. "
        "The floor (ELIZA, baselines) is compared with the neutral persona of the audited model. "
        f"{NOTHING}: not measured, or no figure of single samples.",
    )


def _all(part: Part) -> list[Estimate]:
    return [one for told in part.told for one in told.estimates]


def _line(
    material: Material,
    told: Told,
    one: Estimate | None,
    both: Estimate | None,
    difference: Estimate | None,
    whole: bool,
) -> list[str]:
    value = [shown_value(one), shown_interval(one), f"{one.n:,}"] if one else [NOTHING, NOTHING, NOTHING]
    return [material.named(told.subject), *value, *([shown(both)] if whole else []), shown(difference)]


def _row(
    subject: Subject, label: Estimate, one: Estimate | None, both: Estimate | None, difference: Estimate | None
) -> tuple[Cell, ...]:
    def ends(estimate: Estimate | None) -> tuple[Cell, ...]:
        return (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)

    head = (subject.model, subject.persona, label.name, label.label, label.unit, label.better)
    unit = difference.unit if difference else None
    return (*head, *ends(one), one.n if one else None, *ends(both), *ends(difference), unit)
