"""The answer in words: the contrasts of the primary outcome, and what keeps anybody from answering."""

from dataclasses import dataclass

from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Results, Table
from study.report.numbers import interval, number, p_value

__all__ = ["CONTRASTS", "IMPUTED", "Answer", "Answers", "answers", "planned", "rows_of"]

PRIMARY = "primary"
"""The section of the primary outcome."""

CONTRASTS = "primary_contrasts"
"""Its table of contrasts: arm, compared_with, difference, low, high, p, p_adjusted."""

IMPUTED = "missing_estimates"
"""The same under assumptions about missing values, named by `assumption`; `main` says which is the plan's."""


CAUTION = (
    "An interval says which differences are compatible with the data; one that has 0 in it does not show that the arms "
    "are alike."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One contrast in words."""

    head: str
    body: str
    by: str


@dataclass(frozen=True, slots=True)
class Answers:
    lead: str
    answers: tuple[Answer, ...]
    unanswered: tuple[str, ...]
    caution: str


def planned(results: Results) -> list[dict[str, Cell]]:
    """The rows, by column, of the contrasts that the plan calls its main analysis."""
    return rows_of(results.tables.get(CONTRASTS))


def rows_of(table: Table | None) -> list[dict[str, Cell]]:
    """Each row as a mapping from the names of columns; none of no table."""
    if table is None:
        return []
    return [dict(zip((column.name for column in table.columns), row, strict=True)) for row in table.rows]


def answers(data: AnalysisData, results: Results) -> Answers:
    """Every planned contrast of the primary outcome, and a sentence for each that could not be estimated."""
    section = next((one for one in results.sections if one.name == PRIMARY), None)
    rows = planned(results)
    found, lacking = [], []
    for cells in rows:
        estimate, low, high = (cells.get(name) for name in ("difference", "low", "high"))
        contrast = f"{cells['arm']} compared with {cells['compared_with']}"
        if not isinstance(estimate, float) or not isinstance(low, float) or not isinstance(high, float):
            lacking.append(f"{contrast}: not estimated; the section on the primary outcome says why.")
            continue
        found.append(_answer(data, contrast, estimate, low, high, cells, len(rows)))
    if not found:
        warnings = section.warnings if section else ()
        return Answers("", (), warnings or tuple(lacking) or ("The primary outcome was not analysed.",), "")
    lead = section.text[0] if section and section.text else ""
    return Answers(lead, tuple(found), tuple(lacking), CAUTION)


def _answer(
    data: AnalysisData, contrast: str, estimate: float, low: float, high: float, cells: dict[str, Cell], family: int
) -> Answer:
    head = f"{contrast}:"
    level = f"{100 * (1 - data.plan.alpha):g}% CI"
    body = f"{number(estimate, 1)} points ({level} {interval(low, high, 1)})"
    p, adjusted = cells.get("p"), cells.get("p_adjusted")
    parts = []
    if isinstance(adjusted, float) and data.plan.multiplicity == "holm" and family > 1:
        parts.append(f"{p_value(adjusted, alone=True)}, adjusted over {family} contrasts (Holm)")
        if isinstance(p, float):
            parts.append(f"{p_value(p, alone=True)} unadjusted")
    elif isinstance(p, float):
        parts.append(p_value(p, alone=True))
    judged = adjusted if isinstance(adjusted, float) else p
    if isinstance(judged, float):
        verdict = "A difference is shown" if judged < data.plan.alpha else "No difference is shown"
        parts[0] = f"{verdict}: {parts[0]}"
    return Answer(head, body, "; ".join(parts))
