"""Every figure: the same bytes each time, readable without colour, with words and numbers beside it."""

import re
from dataclasses import replace
from itertools import chain
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis.outcomes import values
from study.analysis.results import Provenance, Results
from study.errors import CannotEstimate
from study.report.build import draw
from study.report.figure import Figure
from study.report.figures import drawings
from study.report.figures.latency import curve
from study.report.figures.residuals import effects
from study.report.style import arm_styles, themed
from study.statistics.design import build
from study.statistics.mixed import fit_mixed
from tests.analysing import synthetic
from tests.reporting import QUICK, analysed, drawn, lacking, whole

NAMES = tuple(drawings())

HASHES = Provenance("1", "2", "3")

Figures = dict[str, Figure]


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.fixture(scope="module")
def figures() -> Figures:
    found, undrawn = drawn()
    assert undrawn == {}
    return {figure.name: figure for figure in found}


def test_there_is_every_figure(figures: Figures) -> None:
    assert tuple(figures) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_vector_graphics_with_text_as_paths_and_ids_of_its_own(figures: Figures, name: str) -> None:
    svg = figures[name].svg
    root = ElementTree.fromstring(svg)  # noqa: S314 - ours
    kinds = {element.tag.partition("}")[2] for element in root.iter()}
    assert not kinds & {"image", "text", "style", "script", "metadata"}
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(one.startswith(f"{name}-") for one in ids)
    for target in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg):
        assert "".join(target) in ids


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_the_same_bytes_each_time(figures: Figures, name: str) -> None:
    again = drawings()[name][1](*whole())
    assert again == figures[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_in_words_what_it_shows(figures: Figures, name: str) -> None:
    figure = figures[name]
    assert len(figure.alt) > 60
    assert re.search(r"\d", figure.alt)
    assert figure.title
    assert figure.note


def test_every_figure_has_its_numbers_in_a_table(figures: Figures) -> None:
    elsewhere = {"flow": "flow_arms", "survival": "adherence_survival"}
    for name, figure in figures.items():
        table = figure.table or whole()[1].tables[elsewhere[name]]
        assert table.rows


@pytest.mark.parametrize("lacks", lacking())
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_drawn_is_a_sentence(lacks: str) -> None:
    data = synthetic(**lacking()[lacks])
    figures, undrawn = draw(data, analysed(data))
    assert len(figures) + sum(map(len, undrawn.values())) == len(NAMES)
    for sentence in chain.from_iterable(undrawn.values()):
        assert sentence.endswith(".")
        assert "nan" not in sentence.lower().split()
    for figure in figures:
        assert "nan" not in figure.alt.lower().split()
        assert not re.search(r"[ML ]nan\b|\binf\b", figure.svg)


def test_an_arm_has_its_own_colour_marker_and_line() -> None:
    styles = list(arm_styles([str(place) for place in range(8)]).values())
    for part in ("colour", "marker", "line"):
        assert len({getattr(style, part) for style in styles}) == 8
    for style in styles[:3]:  # graphics: WCAG 1.4.11 asks for 3:1
        assert 1.05 / (luminance(style.colour) + 0.05) >= 3


def test_an_arm_looks_the_same_whoever_else_is_there() -> None:
    assert arm_styles(["robot", "chat"])["chat"] == arm_styles(["robot", "chat", "worksheet"])["chat"]


def test_on_the_page_ink_and_arms_follow_the_readers_light_or_dark(figures: Figures) -> None:
    svg = themed(figures["course"].svg)
    assert "var(--ink)" in svg
    assert {"var(--arm-1)", "var(--arm-2)", "var(--arm-3)"} <= set(re.findall(r"var\(--[a-z0-9-]+\)", svg))
    assert not re.findall(r"#[0-9a-f]{6}", svg)


def test_the_numbers_beside_the_course_are_the_means_of_what_was_observed(figures: Figures) -> None:
    data, _ = whole()
    scores = data.scores[data.scores["measure"] == "distress"].dropna(subset=["day"])
    table = figures["course"].table
    assert table is not None
    for arm, day, n, mean, low, high in table.rows:
        own = scores[(scores["arm"] == arm) & (scores["day"] == day)].pivot(
            index="participant", columns="occasion", values="score"
        )
        changes = (own["after"] - own["before"]).dropna()
        assert n == len(changes)
        assert mean == pytest.approx(np.mean(changes))
        if n > 1:
            half = stats.t.ppf(0.975, n - 1) * changes.sem()
            assert (low, high) == (pytest.approx(mean - half), pytest.approx(mean + half))


@pytest.mark.parametrize("name", ["course", "sessions"])
def test_intervals_of_means_are_of_the_plans_level(name: str) -> None:
    data = synthetic(9, days=2, seed=2)
    wide, narrow = (
        drawings()[name][1](replace(data, plan=data.plan.model_copy(update={"alpha": alpha})), Results("", HASHES))
        for alpha in (0.05, 0.2)
    )
    assert wide.table is not None
    assert narrow.table is not None
    assert [column.title for column in narrow.table.columns][-2:] == ["80% CI, low", "80% CI, high"]
    assert "80% intervals" in narrow.note
    held = 0
    for one, other in zip(wide.table.rows, narrow.table.rows, strict=True):
        *_, n, mean, _, high = (cell for cell in other if not isinstance(cell, str))
        top = one[-1]
        if n is not None and mean is not None and high is not None and not isinstance(top, str) and top is not None:
            ninth, highest = stats.t.ppf((0.9, 0.975), n - 1)
            assert (high - mean) * highest == pytest.approx((top - mean) * ninth)
            held += 1
    assert held > 4


def test_the_flow_diagram_has_a_box_for_each_stage_of_each_arm(figures: Figures) -> None:
    alt = figures["flow"].alt
    data, _ = whole()
    for arm in data.arms:
        assert f"{arm}: {(data.participants['arm'] == arm).sum()} allocated" in alt
    assert f"{len(data.people)} came" in alt


def test_the_forest_begins_each_contrast_with_the_plan(figures: Figures) -> None:
    forest = figures["forest"].table
    assert forest is not None
    rows = forest.rows
    planned = {row[0]: row[2:] for row in rows if row[1] == "Planned analysis"}
    firsts: dict[object, object] = {}
    for row in rows:
        firsts.setdefault(row[0], row[1])
    assert set(firsts.values()) == {"Planned analysis"}
    table = whole()[1].tables["primary_contrasts"]
    names = [column.name for column in table.columns]
    for row in table.rows:
        cells = dict(zip(names, row, strict=True))
        assert planned[f"{cells['arm']} - {cells['compared_with']}"] == (
            cells["difference"],
            cells["low"],
            cells["high"],
        )


def test_the_forest_of_a_plan_that_compares_slopes_has_slopes_alone() -> None:
    """The analysis of covariance compares the last day, in points: it stands in the table of other models, and not on
    an axis of points a day."""
    data = synthetic(15, days=4, seed=2, plan=QUICK | {"estimate": "trend"})
    results = analysed(data)
    forest = drawings()["forest"][1](data, results)
    assert forest.table is not None
    names = {str(row[1]) for row in forest.table.rows}
    assert "Mixed model for repeated measures" in names
    assert not [name for name in names if "covariance" in name]
    assert forest.table.note == "In the units of the primary outcome, a day."
    assert "Analyses that compare no change a day" in forest.note
    models = {str(row[3]) for row in results.tables["primary_sensitivity"].rows}
    assert "analysis of covariance" in models
    # A plan that compares means has all of them: each is in points.
    means = drawings()["forest"][1](*whole()).table
    assert means is not None
    assert [row for row in means.rows if "covariance" in str(row[1])]


@pytest.mark.parametrize("count", [1, 2, 4, 199, 200, 201, 5000])
def test_the_curve_of_waits_is_the_share_that_had_come(count: int) -> None:
    """Against scipy's empirical distribution: every point is on it, and the last one is all."""
    waits = np.random.default_rng(count).lognormal(6, 1, count)
    times, shares = curve(pd.Series(waits))
    assert shares == pytest.approx(stats.ecdf(waits).cdf.evaluate(times))
    assert len(times) == min(count, 200)
    assert (times[-1], shares[-1]) == (waits.max(), 1.0)
    if count <= 200:
        assert times.tolist() == sorted(waits)
    assert np.diff(shares, prepend=0.0).max() <= 1 / min(count, 200) + 1 / count


def test_predicted_random_effects_solve_hendersons_equations() -> None:
    """The mixed model equations (Henderson 1950) give the same predictions by another way, for all participants at once."""
    data = synthetic(9, days=6, seed=4)
    frame = values(data, data.plan.primary).frame
    design = build(frame, "value", ["arm", "day"], participant="participant", occasion="day")
    fit = fit_mixed(design, random="slope")
    found = effects(fit)
    n = fit.n_participants
    times = np.asarray(design.times, dtype=float)[design.occasions]
    z = np.zeros((fit.n_values, 2 * n))
    for row, who in enumerate(design.participants):
        z[row, 2 * who : 2 * who + 2] = 1, times[row]
    g = np.array(
        [
            [fit.variances["intercept"], fit.variances["covariance"]],
            [fit.variances["covariance"], fit.variances["slope"]],
        ]
    ) + 1e-9 * np.eye(2)
    x, y, residual = design.matrix, design.values, fit.variances["residual"]
    left = np.block([[x.T @ x, x.T @ z], [z.T @ x, z.T @ z + residual * np.kron(np.eye(n), np.linalg.inv(g))]])
    solved = np.linalg.solve(left, np.concatenate([x.T @ y, z.T @ y]))[x.shape[1] :].reshape(n, 2)
    assert found["intercept"] == pytest.approx(solved[:, 0], abs=1e-4)
    assert found["slope"] == pytest.approx(solved[:, 1], abs=1e-4)


def test_a_figure_of_nothing_says_why() -> None:
    data = synthetic(0, ineligible=0, declined=0)
    with pytest.raises(CannotEstimate, match="nobody has opened the door"):
        drawings()["flow"][1](data, analysed(data))
