"""Designs and reference grids: columns by name, factors coded as in R, means as in emmeans."""

import formulaic
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.statistics.ancova import fit_ancova
from study.statistics.design import build
from study.statistics.means import weights
from tests.study.statistics.diaries import design, diary

TERMS = ["baseline", "arm", "site", "arm:site", "day", "arm:day", "baseline:day", "arm:site:day"]


@pytest.fixture
def frame() -> pd.DataFrame:
    table = diary(7, participants=36, days=3, missing=0.1)
    return table.assign(site=np.array(["east", "west"])[table["participant"].str[1:].astype(int) // 3 % 2])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(TERMS), unique=True, min_size=1, max_size=6))
def test_the_columns_span_what_those_of_another_library_span(terms: list[str]) -> None:
    table = diary(7, participants=36, days=3, missing=0.1)
    table["site"] = np.array(["east", "west"])[table["participant"].str[1:].astype(int) // 3 % 2]
    ours = build(table, "y", terms, participant="participant")
    theirs = np.asarray(formulaic.model_matrix("1 + " + " + ".join(terms), table.dropna()))
    assert ours.matrix.shape == theirs.shape
    fitted = ours.matrix @ np.linalg.lstsq(ours.matrix, theirs)[0]
    assert fitted == pytest.approx(theirs, abs=1e-8)


def test_columns_are_named_by_factor_and_level_and_the_first_level_is_the_reference(frame: pd.DataFrame) -> None:
    made = build(
        frame,
        "y",
        ["arm", "day", "arm:day"],
        participant="participant",
        factors={"arm": ["chat", "worksheet", "robot"]},
    )
    assert made.names == (
        "(Intercept)",
        "arm[worksheet]",
        "arm[robot]",
        "day",
        "arm[worksheet]:day",
        "arm[robot]:day",
    )
    assert made.owners == ("(Intercept)", "arm", "arm", "day", "arm:day", "arm:day")


def test_names_of_columns_may_hold_anything_but_a_colon(frame: pd.DataFrame) -> None:
    names = {"baseline": "bdi.pre", "arm": "what they got (arm)", "y": "log(y) ~ 1", "participant": "id no."}
    made = build(
        frame.rename(columns=names),
        "log(y) ~ 1",
        ["bdi.pre", "what they got (arm)", "bdi.pre:what they got (arm)"],
        participant="id no.",
    )
    plain = design(frame.sort_values("arm"), "baseline")
    assert made.names[:3] == ("(Intercept)", "bdi.pre", "what they got (arm)[robot]")
    assert made.n_values == plain.n_values


def test_categories_keep_their_order_and_text_is_sorted(frame: pd.DataFrame) -> None:
    order = pd.CategoricalDtype(["worksheet", "nobody", "chat", "robot"])
    ordered = build(frame.astype({"arm": order}), "y", ["arm"], participant="participant")
    assert ordered.factors["arm"] == ("worksheet", "chat", "robot")
    assert build(frame, "y", ["arm"], participant="participant").factors["arm"] == ("chat", "robot", "worksheet")
    true = build(frame.assign(late=frame["day"] > 1), "y", ["late"], participant="participant")
    assert true.names == ("(Intercept)", "late[True]")


def test_rows_with_a_missing_value_in_any_column_are_left_out(frame: pd.DataFrame) -> None:
    frame = frame.assign(arm=frame["arm"].astype(object))
    frame.loc[3, "baseline"] = np.nan
    frame.loc[4, "arm"] = None
    frame.loc[5, "participant"] = None
    made = design(frame)
    assert made.rows.tolist() == np.flatnonzero(frame.notna().all(axis=1)).tolist()
    assert made.values.tolist() == frame["y"].to_numpy()[made.rows].tolist()


def test_a_mean_averages_factors_equally_and_holds_numbers_at_their_mean(frame: pd.DataFrame) -> None:
    frame = frame[(frame["site"] == "east") | (frame["day"] == 1)]  # so that sites are unequal
    made = build(frame, "y", ["baseline", "site", "arm", "arm:baseline"], participant="participant")
    row = dict(zip(made.names, weights(made, {"arm": "robot"}).tolist(), strict=True))
    mean = frame.loc[frame["y"].notna(), "baseline"].mean()
    expected = {"(Intercept)": 1, "baseline": mean, "site[west]": 0.5, "arm[robot]": 1, "arm[worksheet]": 0}
    expected |= {"arm[robot]:baseline": mean, "arm[worksheet]:baseline": 0}
    expected |= {"baseline:arm[robot]": mean, "baseline:arm[worksheet]": 0}
    assert row == pytest.approx({name: expected[name] for name in made.names})


def test_several_values_are_averaged_over_and_one_is_held(frame: pd.DataFrame) -> None:
    made = build(
        frame,
        "y",
        ["arm", "day", "arm:day"],
        participant="participant",
        factors={"day": [1, 2, 3], "arm": ["robot", "chat", "worksheet"]},
    )
    fit = fit_ancova(made)
    cells = frame.groupby(["arm", "day"])["y"].mean()
    for days, expected in (([1, 3], (cells["chat"][1] + cells["chat"][3]) / 2), (2, cells["chat"][2])):
        assert fit.estimate(weights(made, {"arm": "chat", "day": days}), "").value == pytest.approx(expected)
    assert fit.estimate(weights(made, {"day": 2}), "").value == pytest.approx(cells.xs(2, level="day").mean())


def test_a_column_that_the_model_does_not_have_is_a_mistake_of_the_caller(frame: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no column 'site'"):
        weights(design(frame), {"site": "east"})
