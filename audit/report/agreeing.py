"""How far the rules of the suites agree with hand labels, computed anew from the label files that are installed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.agreeing import Compared, compared
from audit.errors import ItemFileError
from audit.items import Half
from audit.report.material import Subject
from audit.report.sheet import Cell, Sheet, grouped, plain
from audit.scoring.agreement import Agreement
from audit.scoring.labels import load_labels
from audit.suite import Suite
from audit.suites.grading import Trial, reader_of
from study.report.numbers import NOTHING, interval, number, percent

__all__ = ["Agreeing", "agreeing"]


@dataclass(frozen=True, slots=True)
class Agreeing:
    """The table, and sentences about it."""

    sheet: Sheet | None
    text: tuple[str, ...]
    graders: Sheet | None = None
    """The same of grading models, where one was tried."""


def agreeing(suites: Iterable[Suite], graders: Mapping[Subject, Sequence[Trial]] | None = None) -> Agreeing:
    """The agreement of every suite's rules with the held-out half of its labels, and of the labels' two readers; and of
    grading models with a reader's grades (`Material.graders`)."""
    found: list[tuple[Suite, Compared]] = []
    readers: dict[str, None] = {}
    lacking = []
    for suite in suites:
        if suite.codes is None:
            lacking.append(suite.title)
            continue
        try:
            labels = load_labels(suite.name)
        except ItemFileError:
            continue
        half: Half = "held_out" if labels.half("held_out") else "both"
        found += [(suite, one) for one in compared(suite, labels, half)]
        if labels.second:
            readers[labels.readers[labels.second]] = None
    text = []
    if found:
        text.append(
            "Alpha is Krippendorff's: 1 is always the same, 0 is as by chance, below 0 is worse than chance. "
            "Intervals: replies drawn with replacement. The labels have one author, who read the replies before the "
            "rules were run on them. Figures are of the held-out half."
        )
    if readers:
        text.append(
            f"The second reader is {' or '.join(readers)}. Where both readers agree and the rules do not, the rules "
            "fall short; where the readers do not agree, the code means too little to be relied on. How far two people "
            "agree is not known."
        )
    if lacking:
        text.append(f"Without hand labels: {', '.join(lacking)}.")
    tried = {subject: trials for subject, trials in (graders or {}).items() if trials}
    return Agreeing(_sheet(found) if found else None, tuple(text), _of_graders(tried) if tried else None)


def _sheet(found: list[tuple[Suite, Compared]]) -> Sheet:
    rows: list[tuple[Cell, ...]] = []
    groups: dict[str, list[list[str]]] = {}
    for suite, one in found:
        rules = one.rules
        share = None if rules.n == 0 else rules.agree
        three = (rules, one.readers, one.rules_and_reader)
        alphas = (cell for each in three for cell in _cells(each))
        rows.append((suite.name, rules.code, rules.level, rules.n, *alphas, share, *_means(rules)))
        groups.setdefault(suite.title, []).append(
            [
                rules.code.replace("_", " "),
                f"{rules.n:,}",
                *(shown for each in three for shown in _shown(each)),
                NOTHING if share is None else percent(share, 0),
            ]
        )
    heads = [("Code", False), ("Replies", True)]
    for title in ("Rules and labels", "Two readers", "Rules and second reader"):
        heads += [(title, True), ("95% CI", True)]
    heads.append(("Agree", True))
    columns = [f"{end}{of}" for of in ("", "_readers", "_rules_and_reader") for end in ("alpha", "low", "high")]
    return Sheet(
        "agreement",
        "The rules against hand labels, and the labels against a second reader",
        ("suite", "code", "level", "replies", *columns, "agree", "mean_labels", "mean_rules"),
        tuple(rows),
        grouped(heads, list(groups.items())),
        f"Agree is of rules and labels, whose means the CSV has. {NOTHING}: neither varies, or nobody else read it.",
    )


def _of_graders(graders: Mapping[Subject, Sequence[Trial]]) -> Sheet:
    rows: list[tuple[Cell, ...]] = []
    shown: list[list[str]] = []
    for subject, found in sorted(graders.items(), key=lambda one: (one[0].floor, one[0].model)):
        for trial in found:
            one = trial.agreement
            rows.append((subject.model, trial.rubric, trial.asked, one.n, *_cells(one), *_means(one)))
            means = (NOTHING if mean is None else number(mean) for mean in _means(one))
            name = subject.label if subject.floor else subject.model
            counts = (f"{trial.asked:,}", f"{one.n:,}")
            shown.append([name, trial.rubric.replace("_", " "), *counts, *_shown(one), *means])
    heads = [("Grader", False), ("Rubric", False), ("Replies", True), ("Graded", True), ("Alpha", True)]
    heads += [("95% CI", True), ("Mean, reader", True), ("Mean, grader", True)]
    rubrics = sorted({trial.rubric for found in graders.values() for trial in found})
    readers = " or ".join(dict.fromkeys(reader_of(rubric) for rubric in rubrics))
    return Sheet(
        "grader_agreement",
        "The grading model against a reader",
        ("grader", "rubric", "replies", "graded", "alpha", "low", "high", "mean_reader", "mean_grader"),
        tuple(rows),
        plain(heads, shown),
        "By the same rubric, of the held-out half; alpha is ordinal. Graded: replies that it gave a grade of the "
        f"scale. {NOTHING}: not defined. The reader is {readers}.",
    )


def _cells(one: Agreement | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if one is None else (one.alpha, one.low, one.high)


def _shown(one: Agreement | None) -> tuple[str, str]:
    alpha, low, high = _cells(one)
    return (
        NOTHING if alpha is None else number(alpha),
        NOTHING if low is None or high is None else interval(low, high),
    )


def _means(one: Agreement) -> tuple[float | None, float | None]:
    return (None, None) if one.n == 0 else (one.first, one.second)
