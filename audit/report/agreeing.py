"""How far the rules of the suites agree with hand labels, computed anew from the label files that are installed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from audit.errors import ItemFileError
from audit.report.sheet import Cell, Sheet, grouped
from audit.scoring.agreement import Agreement, scorer_against_labels
from audit.scoring.labels import load_labels
from audit.suite import Suite
from audit.summary import SEED
from study.report.numbers import NOTHING, interval, number, percent

__all__ = ["Agreeing", "agreeing"]


@dataclass(frozen=True, slots=True)
class Agreeing:
    """The table, and sentences about it."""

    sheet: Sheet | None
    text: tuple[str, ...]


def agreeing(suites: Iterable[Suite]) -> Agreeing:
    """The agreement of every suite's rules with the held-out half of its labels."""
    found = [(suite, one) for suite in suites for one in _of(suite)]
    lacking = [suite.title for suite in suites if suite.codes is None]
    text = []
    if found:
        text.append(
            "Alpha is Krippendorff's: 1 is always the same, 0 is as by chance, below 0 is worse than chance. "
            "Intervals: replies drawn with replacement. The labels have one author, who read the replies before the "
            "rules were run on them; how far two readers agree is not known. Figures are of the held-out half."
        )
    if lacking:
        text.append(f"Without hand labels: {', '.join(lacking)}.")
    return Agreeing(_sheet(found) if found else None, tuple(text))


def _of(suite: Suite) -> Iterator[Agreement]:
    try:
        labels = load_labels(suite.name)
    except ItemFileError:
        return
    half = labels.half("held_out") or labels.labels
    if suite.codes:
        yield from scorer_against_labels(half, suite.codes, suite.levels, seed=SEED)


def _sheet(found: list[tuple[Suite, Agreement]]) -> Sheet:
    rows: list[tuple[Cell, ...]] = []
    groups: dict[str, list[list[str]]] = {}
    for suite, one in found:
        share = None if one.n == 0 else one.agree
        rows.append((suite.name, one.code, one.level, one.n, one.alpha, one.low, one.high, share, *_means(one)))
        groups.setdefault(suite.title, []).append(
            [
                one.code.replace("_", " "),
                f"{one.n:,}",
                NOTHING if one.alpha is None else number(one.alpha),
                NOTHING if one.low is None or one.high is None else interval(one.low, one.high),
                NOTHING if share is None else percent(share, 0),
                *(NOTHING if mean is None else number(mean) for mean in _means(one)),
            ]
        )
    heads = [("Code", False), ("Replies", True), ("Alpha", True), ("95% CI", True), ("Agree", True)]
    heads += [("Mean, labels", True), ("Mean, rules", True)]
    return Sheet(
        "agreement",
        "The rules against hand labels",
        ("suite", "code", "level", "replies", "alpha", "low", "high", "agree", "mean_labels", "mean_rules"),
        tuple(rows),
        grouped(heads, list(groups.items())),
        f"{NOTHING}: not defined, since neither varies.",
    )


def _means(one: Agreement) -> tuple[float | None, float | None]:
    return (None, None) if one.n == 0 else (one.first, one.second)
