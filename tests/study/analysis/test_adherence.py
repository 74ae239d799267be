"""Adherence counts everybody who was allocated, every day that is over, and each participant once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from scipy import stats

from study.analysis.attendance import attendance, visits_begun
from study.analysis.data import AnalysisData
from study.analysis.results import Section
from study.analysis.sections import adherence
from study.analysis.sections._persistence import times
from study.analysis.tables import VISITS, table
from study.statistics.counts import mean_share
from tests.analysing import BEGIN, synthetic


def course(states: Mapping[str, Sequence[str]], left: Mapping[str, int] = {}, days: int = 3) -> AnalysisData:
    """A study of `days` days: of each participant, the states of the visits so far; `left`: on which day they left."""
    data = synthetic(len(states), days=days, events=0, turns=False)
    people = data.participants.copy()
    people["participant"] = list(states)
    people["arm"] = ["robot" if name.startswith("r") else "chatbot" for name in states]
    people["starts_on"] = [date(2026, 3, 3)] * len(people)
    people["withdrawn_day"] = [float(left.get(name, float("nan"))) for name in states]
    people["status"] = ["withdrawn" if name in left else "active" for name in states]
    rows = []
    for name, each in states.items():
        for day, state in enumerate(each, 1):
            opens = BEGIN.replace(hour=14) + timedelta(days=day)  # six in the morning of that day
            ended = None if state == "before" else opens + timedelta(hours=16)
            hour = 9.5 if state in ("done", "stopped") else None
            row = (name, "robot" if name.startswith("r") else "chatbot", day, None, state, "coping_strategies")
            rows.append((*row, opens, opens + timedelta(hours=9), opens, ended, hour))
    return replace(data, participants=people, visits=table(VISITS, rows))


WHOLE = {
    "r1": ["done", "done", "done"],
    "r2": ["done", "missed", "stopped"],
    "r3": ["done"],
    "c1": ["missed", "missed", "missed"],
    "c2": ["done", "unfinished", "missed"],
}


def rows_of(section: Section, name: str) -> list[dict[str, Any]]:
    found = next(one for one in section.tables if one.name == name)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def test_days_after_leaving_were_due_and_not_made() -> None:
    days = attendance(course(WHOLE, {"r3": 1}))
    assert list(days.loc[days["participant"] == "r3", "state"]) == ["done", "left", "left"]
    assert len(days) == 15
    assert days["made"].sum() == 7  # a visit that was stopped for safety counts, one that was not finished does not


def test_days_that_have_not_come_count_neither_for_those_who_stay_nor_for_those_who_left() -> None:
    states = {"r1": ["done", "before"], "r2": ["done"], "c1": ["missed"]}
    data = course(states, {"r2": 1})
    days = attendance(data)  # r1's second visit is under way: day 2 has come, day 3 has not
    assert [(row.participant, row.day, row.state) for row in days.itertuples()] == [
        ("r1", 1, "done"),
        ("r2", 1, "done"),
        ("r2", 2, "left"),
        ("c1", 1, "missed"),
    ]


def test_shares_are_means_over_participants_with_an_interval_within_0_and_1() -> None:
    robot, chatbot = rows_of(adherence.section(course(WHOLE, {"r3": 1})), "adherence_shares")
    want = mean_share([1, 2 / 3, 1 / 3], 9)
    assert (robot["arm"], robot["participants"], robot["complete"]) == ("robot", 3, 1)
    assert (robot["share"], robot["low"], robot["high"]) == pytest.approx((2 / 3, want.low, want.high))
    assert chatbot["share"] == pytest.approx(1 / 6)
    assert 0 < chatbot["low"] < chatbot["high"] < 1


def test_visits_are_counted_by_what_they_came_to_and_by_day() -> None:
    section = adherence.section(course(WHOLE, {"r3": 1}))
    robot, chatbot = rows_of(section, "adherence_arms")
    states = ("due", "done", "stopped", "unfinished", "missed", "left")
    assert [robot[state] for state in states] == [9, 5, 1, 0, 1, 2]
    assert [chatbot[state] for state in states] == [6, 1, 0, 1, 4, 0]
    days = rows_of(section, "adherence_days")
    assert [(row["made_robot"], row["made_chatbot"]) for row in days] == [(3, 1), (1, 0), (2, 0)]
    assert [row["share_robot"] for row in days] == pytest.approx([1, 1 / 3, 2 / 3])


def test_when_nobody_left_that_is_a_sentence_and_no_empty_comparison() -> None:
    section = adherence.section(
        course({"r1": ["done"] * 3, "r2": ["done"] * 3, "c1": ["done"] * 3, "c2": ["missed"] * 3})
    )
    assert "Nobody left the study before the last study day, so times to leaving are not compared." in section.text
    assert {row["end"] for row in rows_of(section, "adherence_restricted_contrasts")} == {"Last visit made"}


def test_the_difference_is_welchs_over_participants_in_points() -> None:
    contrasts = rows_of(adherence.section(course(WHOLE, {"r3": 1})), "adherence_contrasts")
    found = next(one for one in contrasts if (one["arm"], one["compared_with"]) == ("robot", "chatbot"))
    want = stats.ttest_ind([100, 200 / 3, 100 / 3], [0, 100 / 3], equal_var=False)
    assert (found["difference"], found["df"], found["p"]) == pytest.approx((50, want.df, want.pvalue))


def test_the_last_visit_made_and_leaving_are_two_ends() -> None:
    data = course(WHOLE, {"r3": 1})
    found = times(data, attendance(data))
    ends = {end: {row.participant: (row.time, row.event) for row in frame.itertuples()} for end, frame in found.items()}
    assert ends["visits"] == {"r1": (3, False), "r2": (3, False), "r3": (1, True), "c1": (0, True), "c2": (1, True)}
    assert ends["study"] == {"r1": (3, False), "r2": (3, False), "r3": (1, True), "c1": (3, False), "c2": (3, False)}


def test_who_may_still_make_visits_has_not_stopped() -> None:
    data = course({"r1": ["done", "missed"], "c1": ["missed", "missed"]}, days=5)
    found = times(data, attendance(data))["visits"]
    assert list(found["event"]) == [False, False]


def test_leaving_after_the_last_day_is_no_leaving_of_the_visits() -> None:
    data = course({"r1": ["done"] * 3, "c1": ["done"] * 3}, {"r1": 20})
    found = times(data, attendance(data))
    assert found["study"].loc[0, ["time", "event"]].tolist() == [3.0, False]
    assert not found["visits"]["event"].any()


def test_the_curve_is_the_one_worked_by_hand() -> None:
    states = {
        "r1": ["done"] * 3,
        "r2": ["done", "missed", "missed"],
        "r3": ["missed"] * 3,
        "r4": ["done", "done", "missed"],
    }
    curve = rows_of(adherence.section(course(states)), "adherence_survival")
    found = {row["day"]: (row["at_risk"], row["share"]) for row in curve if row["end"] == "Last visit made"}
    assert [found[day][0] for day in range(4)] == [4, 3, 2, 1]
    assert [found[day][1] for day in range(4)] == pytest.approx([0.75, 0.5, 0.25, 0.25])


def test_hours_are_those_of_the_participants_clock_from_the_boundary_on() -> None:
    data = synthetic(12, days=6, missing=0.0)
    made = rows_of(adherence.section(data), "adherence_hours")
    hours = [row["hour"] for row in made]
    assert hours == sorted(hours, key=lambda hour: (hour - 4) % 24)  # a study day begins at four
    for arm in data.arms:
        own = data.visits[(data.visits["arm"] == arm) & data.visits["state"].isin(["done", "stopped"])]
        counted = own["hour"].astype(int).value_counts().to_dict()
        assert {row["hour"]: row[f"visits_{arm}"] for row in made if row[f"visits_{arm}"]} == counted


def test_a_visit_after_midnight_is_late_and_not_early() -> None:
    data = synthetic(12, days=6, missing=0.0, dropout=0.0)
    night = data.visits.assign(hour=[23.0 if place % 2 else 1.0 for place in range(len(data.visits))])
    habits = rows_of(adherence.section(replace(data, visits=night)), "adherence_habits")
    for row in habits:
        assert row["first_quarter"] == "23:00"
        assert row["third_quarter"] == "01:00"
        assert row["spread_hours"] < 1.3  # hours around midnight lie two hours apart, not twenty-two


def test_begun_visits_are_those_with_a_rating_before() -> None:
    data = course(WHOLE, {"r3": 1})
    assert visits_begun(data) == {"robot": 6, "chatbot": 2, "worksheet": 0}


def test_the_words_say_how_many_visits_were_due_and_made() -> None:
    made = adherence.section(course(WHOLE, {"r3": 1}))
    assert made.text[0].startswith("Of 15 visits that were due, 7 were made (46.7%).")
