"""Whether the model of the primary outcome fits: its residuals, against what a normal distribution would have.

The residuals are made uncorrelated by the model's own covariance first (Houseman, Ryan and Coull 2004, J Am Stat Assoc
99:383), since those of one participant are alike. Random effects are the best linear predictions; they are drawn in
towards 0, so that they look more normal than they are (Verbeke and Lesaffre 1996, J Am Stat Assoc 91:217).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.compare import compare
from study.analysis.data import AnalysisData
from study.analysis.outcomes import values
from study.analysis.results import Column, Results, Table
from study.errors import CannotEstimate
from study.report.figure import Figure
from study.report.numbers import number
from study.report.style import INK, PAPER, QUIET, arm_styles, drawing, new_figure, svg_of
from study.statistics.fit import Fit

__all__ = ["effects", "figure"]

Array = NDArray[np.float64]


def figure(data: AnalysisData, results: Results) -> Figure:
    """Residuals against what was fitted, their quantiles, and those of the random effects where there are any."""
    comparison = compare(values(data, data.plan.primary), data.plan)
    fit = comparison.fit
    if fit.n_values < 3:
        raise CannotEstimate("The residuals are not drawn: there are fewer than three.")
    frame = comparison.values.frame
    arms = [str(frame["arm"].iloc[row]) for row in fit.design.rows] if len(frame) else []
    predicted = effects(fit)
    rows = [
        (str(fit.design.labels[who]), arm, _day(fit, when), float(mean), float(plain), float(standard))
        for who, arm, when, mean, plain, standard in zip(
            fit.design.participants,
            arms,
            fit.design.occasions,
            fit.fitted,
            fit.residuals,
            fit.standardised,
            strict=True,
        )
    ]
    return Figure(
        name="residuals",
        section="primary",
        title=f"Residuals of the model of the primary outcome ({comparison.how})",
        svg=_draw(data, fit, arms, predicted),
        alt=_alt(fit, predicted),
        table=Table(
            "figure_residuals",
            "Residuals of the model of the primary outcome",
            (
                Column("participant", "Participant"),
                Column("arm", "Arm"),
                Column("day", "Day", "count"),
                Column("fitted", "Fitted mean", "number"),
                Column("residual", "Residual", "number"),
                Column("standardised", "Standardised residual", "number"),
            ),
            tuple(rows),
            note="Standardised: made uncorrelated and of variance 1 by the covariance of the model.",
        ),
        note="Left: residuals should lie around 0 with the same spread everywhere. Others: points should lie along the "
        "line; whoever lies far off it is unlike what the model takes participants to be.",
    )


def effects(fit: Fit) -> Mapping[str, Array]:
    """The predicted random effects of each participant, by name (intercept, slope), in the order of the labels; empty
    for a model that has none."""
    names = [name for name in ("intercept", "slope") if name in fit.variances]
    if not names:
        return {}
    g = np.diag([fit.variances[name] for name in names])
    if len(names) == 2:
        g[0, 1] = g[1, 0] = fit.variances["covariance"]
    found = np.zeros((fit.n_participants, len(names)))
    times = np.asarray(fit.design.times, dtype=float)
    for who in range(fit.n_participants):
        rows = np.flatnonzero(fit.design.participants == who)
        when = fit.design.occasions[rows]
        z = np.column_stack([np.ones(len(rows)), times[when]])[:, : len(names)]
        v = z @ g @ z.T + fit.variances["residual"] * np.eye(len(rows))
        found[who] = g @ z.T @ np.linalg.solve(v, fit.residuals[rows])
    return {name: found[:, place] for place, name in enumerate(names)}


def _day(fit: Fit, when: int) -> int | None:
    return int(fit.design.times[when]) if fit.design.times and len(fit.design.times) > 1 else None


def _draw(data: AnalysisData, fit: Fit, arms: list[str], predicted: Mapping[str, Array]) -> str:
    styles = arm_styles(data.arms)
    with drawing():
        panels = 2 + len(predicted)
        drawn = new_figure(7.2, 2.9 if panels < 4 else 5.4)
        grid = drawn.subplots(1, panels) if panels < 4 else drawn.subplots(2, 2).ravel()
        for arm in data.arms:
            chosen = np.array([one == arm for one in arms], dtype=bool)
            grid[0].plot(
                fit.fitted[chosen],
                fit.standardised[chosen],
                linestyle="none",
                marker=styles[arm].marker,
                markersize=2.8,
                markeredgewidth=0.5,
                markeredgecolor=styles[arm].colour,
                markerfacecolor="none",
                label=arm,
            )
        grid[0].axhline(0, color=INK, linewidth=0.9)
        grid[0].set(title="Residuals and fitted means", xlabel="Fitted mean, points", ylabel="Standardised residual")
        _quantiles(grid[1], fit.standardised, "Residuals", "Standardised residual")
        for axes, (name, chosen) in zip(grid[2:], predicted.items(), strict=True):
            unit = "points" if name == "intercept" else "points a day"
            _quantiles(axes, chosen, f"Participants, {name}", f"Predicted {name}, {unit}", line=True)
        drawn.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(len(data.arms), 4))
        return svg_of(drawn, "residuals")


def _quantiles(axes: Any, found: Array, title: str, label: str, line: bool = False) -> None:
    """Quantiles against the normal distribution's, with the line y = x, or, with `line`, one through the quartiles."""
    from scipy import stats

    ordered = np.sort(found)
    expected = stats.norm.ppf((np.arange(1, len(ordered) + 1) - 0.5) / len(ordered))
    slope, start = 1.0, 0.0
    if line:
        low, high = np.quantile(ordered, [0.25, 0.75])
        slope = float(high - low) / float(stats.norm.ppf(0.75) - stats.norm.ppf(0.25))
        start = float(low + high) / 2
    ends = np.array([expected[0], expected[-1]])
    axes.plot(ends, start + slope * ends, color=INK, linewidth=0.9)
    axes.plot(
        expected,
        ordered,
        linestyle="none",
        marker="o",
        markersize=2.8,
        markeredgewidth=0.6,
        markeredgecolor=QUIET,
        markerfacecolor=PAPER,
    )
    axes.set(title=title, xlabel="Normal quantile", ylabel=label)


def _alt(fit: Fit, predicted: Mapping[str, Array]) -> str:
    outside = float(np.mean(np.abs(fit.standardised) > 2))
    most = float(np.max(np.abs(fit.standardised)))
    more = f" Then the quantiles of the participants' {' and '.join(predicted)}." if predicted else ""
    return (
        "Standardised residuals against fitted means, and their quantiles against those of a normal distribution. "
        f"{number(100 * outside, 1)}% lie beyond 2 (a normal distribution has 4.6%); the largest is "
        f"{number(most, 1)}.{more}"
    )
