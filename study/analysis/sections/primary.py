"""The answer to the study's question: the primary outcome, by the planned model, and beside it by others."""

from study.analysis.compare import Comparison, Model, compare, planned_model
from study.analysis.data import AnalysisData
from study.analysis.imputing import planned
from study.analysis.outcomes import Values, values
from study.analysis.populations import per_protocol
from study.analysis.results import INTERVAL, Column, Section, Table, cell
from study.analysis.telling import (
    OUTCOME,
    TESTED,
    contrast_table,
    contrast_words,
    means_table,
    residual_table,
    test_table,
    tested,
    variance_table,
)
from study.errors import CannotEstimate
from study.grammar import Outcome

__all__ = ["adjusted_by", "section", "sensitivity"]


def section(data: AnalysisData) -> Section:
    """What the planned model says of the primary outcome. What cannot be estimated is a warning."""
    plan = data.plan
    try:
        outcome = values(data, plan.primary)
        seen = compare(outcome, plan)
    except CannotEstimate as error:
        return Section("primary", "Primary outcome", warnings=(str(error),))
    found, lacking = seen, []
    try:
        found = planned(seen, plan)
    except CannotEstimate as error:
        lacking = [
            f"Missing values could not be imputed under {plan.missing.replace('_', ' ')}, as planned: {error} What "
            "stands here takes them to be missing at random."
        ]
    n = found.fit.n_participants
    of = len(data.participants)
    text = [
        f"{found.title}, in {outcome.unit}: {found.fit.n_values} values of {n} of the {of} participants allocated, "
        f"each in the arm of their allocation; {found.how}; what is compared is {found.compares}.",
        *(contrast_words(one, found, plan.alpha, plan.multiplicity) for one in found.contrasts),
    ]
    if found is not seen:
        text.append(
            "Adjusted means, tests of all arms, variances and residuals are of the observed values, with missing ones "
            f"taken to be missing at random: {seen.how}."
        )
    rows, warnings = sensitivity(data, plan.primary, found, imputes=True)
    tables = (
        contrast_table("primary_contrasts", "Contrasts between arms", [found], adjusted_by(data, "primary")),
        means_table("primary_means", "Means by arm", [found]),
        test_table("primary_tests", "Tests of all arms", [found]),
        sensitivity_table("primary_sensitivity", rows),
        variance_table("primary_variances", "Variance components", [found]),
        residual_table("primary_residuals", "Residuals", [found]),
    )
    return Section("primary", "Primary outcome", tuple(text), tables, (*lacking, *found.notes, *warnings))


def adjusted_by(data: AnalysisData, which: str) -> str:
    """How p values are adjusted, in words."""
    if data.plan.multiplicity == "none":
        return "none, as planned"
    if which == "secondary" and data.plan.families == "secondary":
        return "Holm, over all contrasts of all secondary outcomes"
    return "Holm, over the contrasts of the outcome"


Row = tuple[str, str, str, Comparison]
"""What is otherwise, whose values, what is compared, and what came out."""


def sensitivity(
    data: AnalysisData, outcome: Outcome, found: Comparison, *, imputes: bool
) -> tuple[list[Row], list[str]]:
    """The planned analysis, and others beside it; sentences on those that could not be made.

    `imputes`: whether missing values are imputed where the plan imputes, as they are of the primary outcome alone.
    """
    plan = data.plan
    everybody = found.values
    rows: list[Row] = [("as planned", "everybody allocated", found.compares, found)]
    warnings = []
    others: list[tuple[str, Values, Model | None, bool]] = []
    if everybody.repeated:
        models: tuple[Model, ...] = ("mixed", "mmrm", "ancova")
        own = planned_model(everybody, plan)
        others += [("another model", everybody, model, True) for model in models if model != own]
    if everybody.has_baseline or everybody.covariates:
        others.append(("without baseline and covariates", everybody, None, False))
    keepers = per_protocol(data)
    if len(keepers) < len(data.participants):
        others.append(("as planned", values(data.of(keepers), outcome), None, True))
    for what, whose, model, adjust in others:
        who = "everybody allocated" if whose is everybody else f"per protocol ({plan.per_protocol:.0%} of the visits)"
        try:
            one = compare(whose, plan, model, adjust=adjust)
            one = planned(one, plan) if imputes and what == "as planned" else one
        except CannotEstimate as error:
            warnings.append(f"Sensitivity analysis, {what}, {who}: {error}")
            continue
        rows.append((what, who, one.compares, one))
    return rows, warnings


def sensitivity_table(name: str, rows: list[Row]) -> Table:
    """A row for each contrast of each analysis; p values are not adjusted."""
    columns = (
        OUTCOME,
        Column("analysis", "Analysis"),
        Column("population", "Of"),
        Column("model", "Model"),
        Column("compares", "Compared is"),
        Column("participants", "Participants", "count"),
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number"),
        *INTERVAL,
        *TESTED,
    )
    cells = []
    for what, who, compares, found in rows:
        for one in found.contrasts:
            numbers = (one.estimate.value, one.estimate.low, one.estimate.high)
            head = (found.title, what, who, found.how, compares, found.fit.n_participants, *one.arms)
            cells.append((*head, *map(cell, numbers), *tested(one.estimate)))
    note = "Beside the planned analysis, to see whether its answer hangs on one choice. p values are not adjusted."
    return Table(name, "Other models and populations", columns, tuple(cells), note)
