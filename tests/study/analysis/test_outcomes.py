"""The values of an outcome: what was measured when, less what was measured before, for each participant."""

from dataclasses import replace

import pandas as pd
import pytest

from study.analysis.data import AnalysisData
from study.analysis.outcomes import outcomes, values
from study.analysis.tables import SCORES, table
from study.errors import CannotEstimate
from study.grammar import Outcome
from tests.analysing import synthetic

CHANGE = Outcome(measure="distress", when="after", change_from="before")


def with_scores(data: AnalysisData, *rows: tuple[int | None, str, str, float | None]) -> AnalysisData:
    """The data with these scores (day, occasion, measure, score) of the first participant, and no others."""
    first = data.participants.iloc[0]
    scales = {"distress": "distress"}
    known = [
        (first.participant, first.arm, day, occasion, measure, scales.get(measure, "total"), score, first.enrolled_at)
        for day, occasion, measure, score in rows
    ]
    return replace(data, scores=table(SCORES, known))


def of_first(data: AnalysisData, outcome: Outcome) -> pd.DataFrame:
    found = values(data, outcome).frame
    return found[found["participant"] == data.participants["participant"].iloc[0]]


def test_a_daily_outcome_has_a_row_for_each_participant_and_study_day_also_where_it_is_missing() -> None:
    data = synthetic(n=7, days=5)
    found = values(data, CHANGE)
    assert found.repeated
    assert found.frame.groupby("participant", sort=False)["day"].apply(list).to_dict() == {
        code: [1, 2, 3, 4, 5] for code in data.participants["participant"]
    }
    assert list(found.frame.columns) == ["participant", "arm", "day", "value", "baseline", "severity"]
    assert list(found.frame["arm"].cat.categories) == list(data.arms)
    assert found.frame["arm"].cat.ordered


def test_the_change_within_a_visit_is_after_minus_before_and_missing_where_either_is() -> None:
    data = with_scores(
        synthetic(n=2, days=3),
        (None, "baseline", "distress", 50),
        (1, "before", "distress", 60),
        (1, "after", "distress", 45),
        (2, "before", "distress", 70),  # a visit that was stopped, or is under way
        (3, "after", "distress", 30),
    )
    found = of_first(data, CHANGE)
    assert found["value"].tolist()[0] == -15
    assert found["value"].isna().tolist() == [False, True, True]
    assert found["baseline"].tolist() == [50, 50, 50]
    assert of_first(data, Outcome(measure="distress", when="before"))["value"].dropna().tolist() == [60, 70]


def test_a_change_of_one_occasion_is_counted_from_the_occasion_named() -> None:
    data = with_scores(
        synthetic(n=2),
        (None, "screening", "k10", 22),
        (None, "baseline", "k10", 25),
        (8, "day 8", "k10", 20),
        (15, "day 15", "k10", 17),
        (15, "before", "distress", 61),
    )
    change = Outcome(measure="k10", when="day 15", change_from="screening")
    assert (of_first(data, change)["value"].item(), of_first(data, change)["baseline"].item()) == (-5, 22)
    middle = Outcome(measure="k10", when="day 15", change_from="day 8")
    assert (of_first(data, middle)["value"].item(), of_first(data, middle)["baseline"].item()) == (-3, 25)
    assert of_first(data, Outcome(measure="k10.total", when="day 8"))["value"].item() == 20
    assert not values(data, change).repeated
    assert "day" not in values(data, change).frame


def test_a_single_change_from_before_is_counted_from_the_rating_of_the_same_day() -> None:
    data = with_scores(
        synthetic(n=2), (14, "before", "distress", 10), (15, "before", "distress", 61), (15, "day 15", "distress", 40)
    )
    on_the_day = Outcome(measure="distress", when="day 15", change_from="before")
    assert of_first(data, on_the_day)["value"].item() == -21
    with pytest.raises(CannotEstimate, match="says not of which day"):
        values(data, Outcome(measure="distress", when="month", change_from="before"))


def test_a_daily_change_from_screening_is_counted_from_the_same_value_each_day() -> None:
    data = with_scores(
        synthetic(n=2, days=2),
        (None, "screening", "distress", 50),
        (1, "after", "distress", 45),
        (2, "after", "distress", 30),
    )
    assert of_first(data, Outcome(measure="distress", when="after", change_from="screening"))["value"].tolist() == [
        -5,
        -20,
    ]


def test_without_a_measure_before_the_enrolment_the_first_rating_of_day_1_is_the_baseline() -> None:
    data = with_scores(
        synthetic(n=2, days=3),
        (1, "before", "distress", 60),
        (1, "after", "distress", 45),
        (2, "before", "distress", 50),
    )
    assert of_first(data, CHANGE)["baseline"].tolist() == [60, 60, 60]
    before = of_first(data, Outcome(measure="distress", when="before"))
    assert before["day"].tolist() == [2, 3]  # day 1 is the baseline and no outcome
    assert before["value"].tolist()[0] == 50


def test_a_measure_that_was_never_taken_before_the_treatment_has_no_baseline() -> None:
    found = values(with_scores(synthetic(n=3), (15, "day 15", "sus", 70)), Outcome(measure="sus", when="day 15"))
    assert not found.has_baseline
    assert found.frame["baseline"].isna().all()
    assert found.frame["value"].notna().sum() == 1


def test_names_and_titles_say_what_an_outcome_is() -> None:
    primary, secondary = outcomes(synthetic())
    assert (primary.name, primary.title) == (
        "distress_after_change",
        "Distress, change from before to after each visit",
    )
    assert [(one.name, one.title, one.unit) for one in secondary] == [
        ("k10_day_15_change", "K10 on day 15, change from screening", "points (10-50)"),
        ("gad7_day_15_change", "GAD-7 on day 15, change from baseline", "points (0-21)"),
        ("phq9_day_15_change", "PHQ-9 on day 15, change from baseline", "points (0-27)"),
    ]
    assert values(synthetic(), Outcome(measure="k10", when="month")).title == "K10 at month"


def test_two_outcomes_that_differ_in_their_start_alone_have_two_names() -> None:
    plan = {
        "secondary": [
            {"measure": "k10", "when": "day 15", "change_from": "screening"},
            {"measure": "k10", "when": "day 15", "change_from": "day 8"},
        ]
    }
    assert [one.name for one in outcomes(synthetic(plan=plan))[1]] == [
        "k10_day_15_change_from_screening",
        "k10_day_15_change_from_day_8",
    ]


def test_an_outcome_whose_measure_is_gone_cannot_be_estimated() -> None:
    data = replace(synthetic(n=2), scales={})
    with pytest.raises(CannotEstimate, match="distress has no score"):
        values(data, CHANGE)


@pytest.mark.parametrize("n", [0, 1])
def test_there_are_values_of_nobody_and_of_one(n: int) -> None:
    primary, secondary = outcomes(synthetic(n=n))
    assert len(primary.frame) == 15 * n
    assert all(len(one.frame) == n for one in secondary)
