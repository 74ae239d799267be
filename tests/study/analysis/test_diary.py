"""The diary's models find what was put into the data, and agree with statsmodels' mixed model."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from study.analysis.daily import daily
from study.analysis.data import AnalysisData
from study.analysis.results import Section
from study.analysis.sections import diary
from study.analysis.tables import SCORES, table
from tests.analysing import synthetic

WITHIN, BETWEEN, DAY_TO_DAY = -0.6, -0.1, 0.5


@cache
def planted() -> AnalysisData:
    """Change falls with the day's distress by 0.6 and with the person's by 0.1; distress lingers by 0.5 a day."""
    data = synthetic(60, days=14, missing=0.08, dropout=0.1)
    random = np.random.default_rng(11)
    rows: list[tuple[Any, ...]] = []
    rated = data.scores[(data.scores["occasion"] == "before") & (data.scores["measure"] == "distress")]
    for _, own in rated.groupby("participant", sort=False):
        person, lasting = random.normal(0, 12), random.normal(0, 3)
        course, last = {}, random.normal(0, 8)
        for day in range(1, 15):
            last = DAY_TO_DAY * last + random.normal(0, 8 * np.sqrt(1 - DAY_TO_DAY**2))
            course[day] = last
        for one in own.itertuples(index=False):
            before = 50 + person + course[int(one.day)]
            change = -5 + BETWEEN * person + WITHIN * course[int(one.day)] + lasting + random.normal(0, 4)
            for occasion, score in (("before", before), ("after", before + change)):
                rows.append((one.participant, one.arm, one.day, occasion, "distress", "distress", score, one.given_at))
    return replace(data, scores=table(SCORES, rows))


@cache
def made() -> Section:
    return diary.section(planted())


def rows_of(name: str) -> list[dict[str, Any]]:
    found = next(one for one in made().tables if one.name == name)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def split() -> pd.DataFrame:
    """The frame, centred in another way than the code does it."""
    frame = daily(planted()).dropna(subset=["change"]).copy()
    frame["arm"] = frame["arm"].astype(str)
    means = frame.groupby("participant")["before"].mean()
    frame["own"] = [means[name] for name in frame["participant"]]
    frame["within"] = frame["before"] - frame["own"]
    return frame


def test_the_slopes_within_and_between_people_are_found_and_told_apart() -> None:
    within, between, difference = rows_of("diary_within_between")[:3]
    assert within["low"] < WITHIN < within["high"]
    assert between["low"] < BETWEEN < between["high"]
    assert difference["p"] < 0.001
    assert within["high"] < between["low"]


def test_the_slopes_are_those_of_statsmodels() -> None:
    fit = smf.mixedlm("change ~ arm + day + within + own", split(), groups="participant").fit(reml=True)
    within, between = rows_of("diary_within_between")[:2]
    assert within["estimate"] == pytest.approx(fit.params["within"], abs=1e-4)
    assert between["estimate"] == pytest.approx(fit.params["own"], abs=1e-4)


def test_each_arm_has_its_slope_and_there_is_one_test_of_them() -> None:
    fit = smf.mixedlm("change ~ arm*within + day + own", split(), groups="participant").fit(reml=True)
    rows = rows_of("diary_within_between")[3:]
    assert [row["arm"] for row in rows] == ["robot", "chatbot", "worksheet", "All arms"]
    base = fit.params["within"]  # of chatbot, the first in the alphabet
    want = [base + fit.params["arm[T.robot]:within"], base, base + fit.params["arm[T.worksheet]:within"]]
    assert [row["estimate"] for row in rows[:3]] == pytest.approx(want, abs=1e-4)
    assert rows[3]["what"].startswith("Equal slopes: F(2, ")
    assert rows[3]["p"] > 0.05  # they were planted alike


def test_that_a_fall_from_a_chance_high_is_to_be_expected_is_said() -> None:
    assert "to be expected without any treatment" in made().text[0]


def test_the_correlation_of_a_day_with_the_next_is_found() -> None:
    whole = next(row for row in rows_of("diary_correlation") if row["rating"] == "Distress before")
    assert whole["arm"] == "All arms"
    assert whole["lag1_low"] < DAY_TO_DAY < whole["lag1_high"]
    assert whole["lag1_low"] > 0.3


def test_the_dose_is_what_was_missed_and_not_the_day() -> None:
    frame = split()
    frame["missed"] = frame["day"] - 1 - frame["made_so_far"]
    means = frame.groupby("participant")["missed"].mean()
    frame["missed_own"] = [means[name] for name in frame["participant"]]
    frame["missed_within"] = frame["missed"] - frame["missed_own"]
    fit = smf.mixedlm("change ~ arm + day + missed_within + missed_own", frame, groups="participant").fit(reml=True)
    within, between = rows_of("diary_dose_response")[:2]
    assert within["estimate"] == pytest.approx(-fit.params["missed_within"], abs=1e-4)
    assert between["estimate"] == pytest.approx(-fit.params["missed_own"], abs=1e-4)
    title = next(one.title for one in made().tables if one.name == "diary_dose_response")
    assert "observational" in title


def test_visits_made_so_far_are_those_of_earlier_days() -> None:
    data = planted()
    frame = daily(data)
    visits = data.visits[data.visits["state"].isin(["done", "stopped"])]
    for one in frame.iloc[::37].itertuples():
        own = visits[(visits["participant"] == one.participant) & (visits["day"] < one.day)]
        assert one.made_so_far == len(own)


def test_when_everybody_made_every_visit_there_is_no_dose_and_that_is_said() -> None:
    section = diary.section(synthetic(18, days=6, missing=0.0, dropout=0.0, stopped=0))
    assert "Visits made so far, each: the same on all visits, so that nothing can be said of it." in section.warnings


def test_variability_is_a_ratio_of_geometric_means() -> None:
    data = planted()
    scores = data.scores.copy()
    robot = (scores["arm"] == "robot") & (scores["occasion"] == "before")
    mean = scores[robot].groupby("participant")["score"].transform("mean")
    scores.loc[robot, "score"] = mean + 3 * (scores.loc[robot, "score"] - mean)  # three times the ups and downs
    section = diary.section(replace(data, scores=scores))
    columns = next(one for one in section.tables if one.name == "diary_variability_contrasts")
    names = [column.name for column in columns.columns]
    found = [dict(zip(names, row, strict=True)) for row in columns.rows]
    plain = rows_of("diary_variability_contrasts")
    for row, before in zip(found, plain, strict=True):
        times = {("robot", "chatbot"): 3.0, ("robot", "worksheet"): 3.0}.get((row["arm"], row["compared_with"]), 1.0)
        assert row["ratio"] == pytest.approx(times * before["ratio"])


def test_a_blinded_reader_is_shown_no_words() -> None:
    section = diary.section(synthetic(18, days=6, blinded=True))
    assert not any("Words" in str(cell) for one in section.tables for row in one.rows for cell in row)
    assert any("Words said are not shown" in sentence for sentence in section.text)
