"""A simulated trial: its values have the moments that were asked for, and its allocation is the study's."""

import math
import tomllib
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from study.allocation_rehearsal import rehearse
from study.analysis.outcomes import values
from study.analysis.tables import SCORES
from study.analysis.tables import table as table_of
from study.errors import StudyError
from study.power.assumptions import Assumptions
from study.power.trial import simulate
from study.protocol import Protocol, understood
from tests.analysing import BEGIN, synthetic
from tests.power import KIAN, kian, two_arms

MANY = 3000
"""Participants, so that a moment is known to a few percent."""

PLAIN = Assumptions(
    effects={},
    sd_between=10,
    sd_within=6,
    sd_slope=0.8,
    autocorrelation=0.4,
    baseline_correlation=0.6,
    dropout=0,
    missed=0,
)


def table(frame: pd.DataFrame) -> np.ndarray:
    """(participants, days) of values."""
    return frame["value"].to_numpy().reshape(-1, 15)


def test_levels_slopes_and_days_vary_as_they_were_asked_to() -> None:
    values = table(simulate(kian(), PLAIN, MANY).frame)
    days = np.arange(1, 16) - 8.0
    # The variance of a mean of 15 values of a first-order autoregression (Brockwell and Davis, 1991, section 7.1).
    lags = np.arange(1, 15)
    of_mean = 6**2 / 15 * (1 + 2 * float(((1 - lags / 15) * 0.4**lags).sum()))
    assert values.mean(axis=1).std(ddof=1) == pytest.approx(math.sqrt(10**2 + of_mean), rel=0.05)
    # On day d a value varies by the level, the slope times the distance from the middle, and the day's own part.
    for place in (0, 7, 14):
        expected = math.sqrt(10**2 + (0.8 * days[place]) ** 2 + 6**2)
        assert values[:, place].std(ddof=1) == pytest.approx(expected, rel=0.05)
    # Two days' covariance is that of the level and of the slope, and what the autocorrelation leaves of the day's part.
    found = np.cov(values[:, 6], values[:, 8])[0, 1]
    assert found == pytest.approx(10**2 - 0.8**2 + 6**2 * 0.4**2, rel=0.08)
    found = np.cov(values[:, 0], values[:, 14])[0, 1]
    assert found == pytest.approx(10**2 - 0.8**2 * 49 + 6**2 * 0.4**14, rel=0.12)


def test_the_baseline_has_the_correlation_with_one_visit_and_the_variance_of_one() -> None:
    frame = simulate(kian(), PLAIN, MANY).frame
    middle = frame[frame["day"] == 8]
    assert middle["baseline"].corr(middle["value"]) == pytest.approx(0.6, abs=4 / math.sqrt(MANY))
    assert middle["baseline"].std() == pytest.approx(math.hypot(10, 6), rel=0.05)


def test_participants_leave_and_visits_are_missed_as_often_as_was_asked() -> None:
    frame = simulate(kian(), Assumptions(effects={}, dropout=0.3, missed=0), MANY).frame
    gone = np.isnan(table(frame))
    assert gone[:, -1].mean() == pytest.approx(0.3, abs=0.034)  # four standard errors
    assert not gone[:, 0].any()
    assert (np.diff(gone.astype(int), axis=1) >= 0).all()  # nobody comes back
    first = Counter(gone[gone[:, -1]].argmax(axis=1) + 1)
    assert set(first) == set(range(2, 16))
    assert max(first.values()) < 2 * min(first.values())  # every day alike, 64 on average

    missed = np.isnan(table(simulate(kian(), Assumptions(effects={}, dropout=0, missed=0.08), MANY).frame))
    assert missed.mean() == pytest.approx(0.08, abs=0.006)
    both = table(simulate(kian(), Assumptions(effects={}, dropout=0.3, missed=0.08), 1000).frame)
    assert np.isnan(both[:, -1]).mean() == pytest.approx(0.3 + 0.7 * 0.08, abs=0.06)


def test_an_effect_is_the_only_difference_between_the_same_trial_with_and_without() -> None:
    null = simulate(kian(), Assumptions(effects={"robot": -5.0}), 60, scale=0).frame
    whole = simulate(kian(), Assumptions(effects={"robot": -5.0}), 60).frame
    double = simulate(kian(), Assumptions(effects={"robot": -5.0}), 60, scale=2).frame
    robot = (null["arm"] == "robot").to_numpy()
    for frame, effect in ((whole, -5.0), (double, -10.0)):
        difference = (frame["value"] - null["value"]).to_numpy()
        seen = ~np.isnan(difference)
        assert np.allclose(difference[seen & robot], effect)
        assert np.allclose(difference[seen & ~robot], 0)
    pd.testing.assert_frame_equal(null.drop(columns="value"), whole.drop(columns="value"))


@pytest.mark.parametrize("estimate", ["mean", "last", "trend"])
def test_a_growing_effect_is_as_large_as_was_asked_in_what_the_plan_compares(estimate: str) -> None:
    protocol = kian(estimate=estimate)
    assumed = Assumptions(effects={"robot": -5.0}, course="linear", dropout=0, missed=0)
    null = simulate(protocol, assumed, 30, scale=0).frame
    added = (simulate(protocol, assumed, 30).frame["value"] - null["value"]).to_numpy().reshape(-1, 15)
    course = added[(null["arm"] == "robot").to_numpy().reshape(-1, 15)[:, 0]][0]
    compared = {"mean": course.mean(), "last": course[-1], "trend": np.polyfit(np.arange(1, 16), course, 1)[0]}
    assert compared[estimate] == pytest.approx(-5)
    assert np.allclose(np.diff(course), course[0])  # equal steps from nothing


def test_a_factor_of_the_strata_shifts_its_levels() -> None:
    assumed = Assumptions(effects={}, factors={"severity": 7.0}, dropout=0, missed=0)
    frame = simulate(kian(), assumed, 60).frame
    without = simulate(kian(), Assumptions(effects={}, dropout=0, missed=0), 60).frame
    added = frame["value"] - without["value"]
    assert np.allclose(added, np.where(frame["severity"] == "22 or more", 7.0, 0.0))


def test_the_allocation_is_the_studys_procedure() -> None:
    frame = simulate(kian(), PLAIN, 90, seed=5, replicate=3).frame.drop_duplicates("participant")
    rebuilt = list(rehearse(kian(), "5/90/3", 90))
    assert frame["arm"].tolist() == [one.arm for one in rebuilt]
    assert frame["severity"].tolist() == [one.levels["severity"] for one in rebuilt]
    # Blocks of 3 and 6: in each stratum the arms are never further apart than the largest block allows.
    for _, stratum in frame.groupby("severity", observed=True):
        counts = stratum["arm"].value_counts()
        assert counts.max() - counts.min() <= 2
    another = simulate(kian(), PLAIN, 90, seed=5, replicate=4).frame.drop_duplicates("participant")
    assert frame["arm"].tolist() != another["arm"].tolist()


def test_minimisation_and_ratios_are_the_studys() -> None:
    data = tomllib.loads(KIAN)
    data["allocation"]["method"] = "minimisation"
    del data["allocation"]["block_sizes"]
    frame = simulate(understood(data), PLAIN, 60).frame.drop_duplicates("participant")
    balance = frame.groupby(["severity", "arm"], observed=True).size().unstack()
    assert (balance.max(axis=1) - balance.min(axis=1)).max() <= 4
    data = tomllib.loads(KIAN)
    data["arms"][0]["ratio"] = 2
    data["allocation"] |= {"block_sizes": [4], "strata": []}
    data["analysis"]["covariates"] = []
    frame = simulate(understood(data), PLAIN, 80).frame.drop_duplicates("participant")
    assert frame["arm"].value_counts().to_dict() == {"robot": 40, "chatbot": 20, "worksheet": 20}


def test_a_rating_before_the_exercise_that_is_its_own_baseline_begins_on_day_2() -> None:
    data = tomllib.loads(KIAN)
    data["analysis"]["primary"] = {"measure": "distress", "when": "before"}
    assert simulate(understood(data), PLAIN, 12).frame["day"].min() == 1
    data["measures"][0]["when"] = ["before", "after"]
    frame = simulate(understood(data), Assumptions(effects={}, dropout=0.5, missed=0), 200).frame
    assert sorted(frame["day"].unique()) == list(range(2, 16))
    assert frame[frame["day"] == 2]["value"].notna().all()
    assert frame[frame["day"] == 15]["value"].isna().mean() == pytest.approx(0.5, abs=0.14)


@pytest.mark.parametrize(
    ("primary", "due"),
    [
        ({"measure": "sus", "when": "day 15"}, None),
        ({"measure": "sus", "when": "day 15"}, ["screening", "day 15"]),
        ({"measure": "gad7", "when": "day 15"}, None),
        ({"measure": "gad7", "when": "day 15"}, ["day 1", "day 15"]),
        ({"measure": "ucla3", "when": "after"}, ["after"]),
        ({"measure": "distress", "when": "after"}, ["before", "after"]),
        ({"measure": "distress", "when": "after", "change_from": "before"}, ["before", "after"]),
        ({"measure": "distress", "when": "before"}, ["before", "after"]),
    ],
)
def test_a_trial_has_a_baseline_where_the_analysis_would_find_one(primary: dict, due: list[str] | None) -> None:
    """Against the analysis itself, of a record in which everything that is due was given."""
    whole = kian().model_dump()
    whole["analysis"] |= {"primary": primary, "secondary": []}
    for one in whole["measures"]:
        if one["measure"] == primary["measure"] and due:
            one["when"] = due
    protocol = Protocol.model_validate(whole)
    when = next(list(one.when) for one in protocol.measures if one.measure == primary["measure"])
    record = synthetic(6, dropout=0, missing=0, stopped=0)
    assert protocol.analysis is not None
    scale = record.scales[primary["measure"]].scale
    rows = [
        (who, arm, day, occasion, primary["measure"], scale, float(place), BEGIN)
        for place, (who, arm) in enumerate(record.participants[["participant", "arm"]].to_numpy())
        for occasion in when
        for day in (range(1, 16) if occasion in ("before", "after") else [{"day 1": 1, "day 15": 15}.get(occasion)])
    ]
    found = values(replace(record, plan=protocol.analysis, scores=table_of(SCORES, rows)), protocol.analysis.primary)
    made = simulate(protocol, PLAIN, 6)
    assert made.has_baseline == found.has_baseline
    assert made.frame["baseline"].notna().all() == found.has_baseline
    if found.repeated:
        assert sorted(made.frame["day"].unique()) == sorted(found.frame["day"].unique())
    stated = {one.name for one in PLAIN.stated(protocol)}
    assert ("--baseline-correlation" in stated) == found.has_baseline
    if not found.has_baseline:  # then no correlation is too large for the standard deviations
        Assumptions(effects={}, sd_between=1.0).check(protocol)


def test_an_outcome_of_one_occasion_has_one_value_each() -> None:
    values = simulate(two_arms(), PLAIN, MANY)
    assert not values.repeated
    assert len(values.frame) == MANY
    assert values.frame["value"].std() == pytest.approx(math.hypot(10, 6), rel=0.05)
    missing = simulate(two_arms(), Assumptions(effects={}, dropout=0.3, missed=0.1), MANY).frame["value"].isna().mean()
    assert missing == pytest.approx(0.3 + 0.7 * 0.1, abs=0.036)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"effects": {"robo": 1.0}}, "--effect names the arm 'robo'; allowed: robot, worksheet."),
        ({"effects": {"chatbot": 1.0}}, "--effect names chatbot, the reference"),
        ({"factors": {"age": 1.0}}, "--factor names 'age'; allowed: severity."),
        ({"sd_between": -1.0}, "--sd-between is -1; a standard deviation is 0 or more."),
        ({"sd_within": 0.0}, "--sd-within is 0"),
        ({"sd_slope": math.nan}, "--sd-slope is nan; it must be a number."),
        ({"dropout": 1.0}, "--dropout is 1; it is a share, from 0 to less than 1."),
        ({"missed": -0.1}, "--missed is -0.1"),
        ({"autocorrelation": 1.0}, "--autocorrelation is 1; it must lie between -1 and 1."),
        ({"baseline_correlation": 0.9}, "--baseline-correlation is 0.9; with these standard deviations it can be at most 0.832"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused(changed: dict, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        Assumptions(**({"effects": {"robot": -5.0}} | changed)).check(kian())
    assert said in str(caught.value)


def test_a_plan_that_cannot_be_simulated_is_refused() -> None:
    assumed = Assumptions(effects={"robot": -5.0})
    for plan, said in (
        ({"estimate": "trend"}, "--course linear"),
        ({"missing": "jump_to_reference"}, "analysis.missing is 'jump_to_reference'"),
    ):
        with pytest.raises(StudyError, match=said):
            assumed.check(kian(**plan))
    data = tomllib.loads(KIAN)
    del data["analysis"]
    with pytest.raises(StudyError, match=r"no \[analysis\]"):
        assumed.check(understood(data))


def test_every_assumption_is_stated_with_its_source() -> None:
    assumed = Assumptions(effects={"robot": -5.0}, factors={"severity": 4.0}, dropout=0.2)
    stated = {one.name: one for one in assumed.stated(kian())}
    options = {"--" + name.replace("_", "-") for name in Assumptions.__dataclass_fields__} - {"--effects", "--factors"}
    assert set(stated) == options | {"--effect robot", "--factor severity"}
    assert stated["--dropout"].source == "chosen"
    assert stated["--missed"].source == "assumption"
    assert stated["--sd-between"].value == "12 points"
