"""The numbers of the flow diagram, counted from a record that real commands wrote, and from invented ones."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.analysis.attendance import attendance
from study.analysis.sections.flow import count, section
from tests.analysing import synthetic


def test_everybody_who_came_is_counted_once() -> None:
    flow = count(synthetic(20, ineligible=5, declined=2, days=3))
    assert flow.before == {
        "came": 27,
        "not_assessed": 0,
        "ineligible": 5,
        "declined": 2,
        "pending": 0,
        "allocated": 20,
        "assessed": 27,
        "excluded": 7,
    }
    assert flow.reasons == {"Too distressed.": 5}
    assert flow.total("allocated") == 20


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 12),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.integers(1, 4),
    st.integers(0, 50),
)
def test_the_numbers_add_up(n: int, dropout: float, missing: float, days: int, seed: int) -> None:
    flow = count(synthetic(n, dropout=dropout, missing=missing, days=days, seed=seed))
    before = flow.before
    assert before["came"] == before["not_assessed"] + before["excluded"] + before["pending"] + before["allocated"]
    for arm in flow.arms.values():
        not_began = arm["not_began_withdrew"] + arm["not_began_missed"] + arm["not_began_other"]
        assert arm["allocated"] == arm["began"] + not_began
        assert arm["allocated"] == arm["analysed"] + arm["not_analysed"] + arm["not_analysed_erased"]
        ended = arm["completed"] + arm["lost"] + arm["unfinished"]
        assert ended <= arm["allocated"] <= ended + arm["withdrew"] + arm["held"] + arm["under_way"]
        assert arm["stopped"] <= arm["completed"]
        assert all(value >= 0 for value in arm.values())


def changed(**columns: Any) -> Any:
    """Six participants of whom the first is otherwise."""
    data = synthetic(6, days=3, dropout=0.0, missing=0.0, stopped=0)
    people = data.participants.copy()
    for name, value in columns.items():
        people.loc[0, name] = value
    return replace(data, participants=people), str(people.loc[0, "participant"]), str(people.loc[0, "arm"])


def test_who_left_who_was_halted_and_who_was_lost_are_told_apart() -> None:
    data, who, arm = changed(status="withdrawn", withdrawal_reason_given=True)
    left = count(data).arms[arm]
    assert (left["withdrew"], left["withdrew_reason"], left["lost"]) == (1, 1, 0)
    data, who, arm = changed()
    visits = data.visits.copy()
    visits.loc[(visits["participant"] == who) & (visits["day"] == 3), "state"] = "missed"
    lost = count(replace(data, visits=visits)).arms[arm]
    assert (lost["lost"], lost["withdrew"], lost["completed"]) == (1, 0, lost["allocated"] - 1)
    gone = count(replace(data, visits=visits[(visits["participant"] != who) | (visits["day"] < 3)])).arms[arm]
    assert (gone["under_way"], gone["lost"]) == (1, 0)
    data, who, arm = changed(status="held")
    halted = replace(data, visits=visits)
    assert (count(halted).arms[arm]["held"], count(halted).arms[arm]["lost"]) == (1, 0)


def test_a_last_visit_that_was_stopped_or_not_finished_is_not_lost() -> None:
    """It is what it is in the section on adherence, where one that the study stopped for safety was made."""
    data = synthetic(30, dropout=0, missing=0, stopped=0, events=0)
    visits = data.visits.copy()
    first = visits["participant"].isin(data.participants["participant"][:4]) & (visits["day"] == 15)
    visits.loc[first, "state"] = ["stopped", "stopped", "unfinished", "missed"]
    data = replace(data, visits=visits)
    flow = count(data)
    told = {name: flow.total(name) for name in ("completed", "stopped", "unfinished", "lost", "under_way")}
    assert told == {"completed": 28, "stopped": 2, "unfinished": 1, "lost": 1, "under_way": 0}
    days = attendance(data)
    made = days[(days["day"] == 15) & days["made"]].groupby("arm")["participant"].count()
    assert {arm: one["completed"] for arm, one in flow.arms.items()} == made.to_dict()
    text = section(data).text[1]
    assert "1 missed the last study day without having left, 1 began its visit and did not finish it, and" in text
    people = data.participants.copy()
    people.loc[2, "status"] = "held"  # whose visit was not finished: they are told once
    halted = count(replace(data, participants=people))
    assert (halted.total("held"), halted.total("unfinished")) == (1, 0)


def test_who_has_no_value_is_not_analysed_and_erased_data_are_told_apart() -> None:
    data, who, arm = changed(status="withdrawn", erased=True)
    data = replace(data, scores=data.scores[data.scores["participant"] != who])
    counted = count(data).arms[arm]
    assert (counted["not_analysed_erased"], counted["not_analysed"]) == (1, 0)
    assert counted["analysed"] == counted["allocated"] - 1


@pytest.mark.parametrize("n", [0, 1, 4])
def test_the_sentences_say_the_numbers(n: int) -> None:
    flow = section(synthetic(n, days=2, dropout=0.0, ineligible=0, declined=0))
    if n == 0:
        assert flow.text == ("Nobody has opened the door of the study yet.",)
    else:
        was = "was" if n == 1 else "were"
        assert (
            f"{n} {'person' if n == 1 else 'people'} opened the door of the study: {n} {was} allocated" in flow.text[0]
        )


def test_the_tables_have_a_column_for_each_arm_and_the_sum() -> None:
    data = synthetic(9, days=2)
    table = section(data).tables[-1]
    assert [column.name for column in table.columns] == ["step", *data.arms, "all"]
    for row in table.rows:
        assert sum(int(cell or 0) for cell in row[1:-1]) == row[-1]
