"""The secondary outcomes: what else the plan compares. They support the primary answer and cannot replace it."""

from study.analysis.compare import Comparison, adjusted, compare
from study.analysis.data import AnalysisData
from study.analysis.outcomes import outcomes
from study.analysis.results import Section
from study.analysis.sections.primary import Row, adjusted_by, sensitivity, sensitivity_table
from study.analysis.telling import (
    contrast_table,
    contrast_words,
    means_table,
    residual_table,
    test_table,
    variance_table,
)
from study.errors import CannotEstimate

__all__ = ["section"]


def section(data: AnalysisData) -> Section:
    """What the planned models say of the secondary outcomes. What cannot be estimated is a warning."""
    plan = data.plan
    if not plan.secondary:
        return Section("secondary", "Secondary outcomes", ("The plan has no secondary outcomes.",))
    found: list[Comparison] = []
    warnings: list[str] = []
    rows: list[Row] = []
    try:
        whole = outcomes(data)[1]
    except CannotEstimate as error:
        return Section("secondary", "Secondary outcomes", warnings=(str(error),))
    for outcome, one in zip(plan.secondary, whole, strict=True):
        try:
            found.append(compare(one, plan))
        except CannotEstimate as error:
            warnings.append(str(error) if one.title in str(error) else f"{one.title}: {error}")
            continue
        more, missed = sensitivity(data, outcome, found[-1], imputes=False)
        rows += more
        warnings += [f"{one.title}: {note}" for note in (*found[-1].notes, *missed)]
    found = adjusted(found, plan)
    text = [
        f"{each.title}: {contrast_words(one, each, plan.alpha, plan.multiplicity)}"
        for each in found
        for one in each.contrasts
    ]
    tables = (
        contrast_table("secondary_contrasts", "Contrasts between arms", found, adjusted_by(data, "secondary")),
        means_table("secondary_means", "Means by arm", found),
        test_table("secondary_tests", "Tests of all arms", found),
        sensitivity_table("secondary_sensitivity", rows),
        variance_table("secondary_variances", "Variance components", found),
        residual_table("secondary_residuals", "Residuals", found),
    )
    return Section("secondary", "Secondary outcomes", tuple(text), tables if found else (), tuple(warnings))
