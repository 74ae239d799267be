"""Measures: each one shipped is scored as its source says, and a mistake in a file gets one clear line."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from study.errors import MeasureError, OutOfRange
from study.measure import Measure, load_measure, measure_names
from study.measure_file import MeasureFile

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
SHIPPED = (
    "ceq csq8 distress gad7 k10 k6 nars phq9 pss10 rosas stai6 sus ucla3 wai_sr".split()  # in the order of the names
)
SCORING_ONLY = ["ceq", "csq8", "stai6", "wai_sr"]


def filled(measure: Measure, *values: int | None) -> dict[str, int | None]:
    """Answers to the items in their order."""
    return {item.id: value for item, value in zip(measure.items, values, strict=True)}


def everywhere(name: str, value: int) -> dict[str, int | None]:
    measure = load_measure(name)
    return filled(measure, *[value] * len(measure.items))


@st.composite
def answered(draw: st.DrawFn, gaps: bool = False) -> tuple[Measure, dict[str, int | None]]:
    measure = load_measure(draw(st.sampled_from(SHIPPED)))
    values: dict[str, int | None] = {}
    for item in measure.items:
        answer: st.SearchStrategy[int | None] = st.integers(item.low, item.high)
        values[item.id] = draw(st.none() | answer if gaps else answer)
    return measure, values


# Worked examples, each from the source of the instrument.


@pytest.mark.parametrize(
    ("total", "band"),
    [
        *[(0, "minimal"), (4, "minimal"), (5, "mild"), (9, "mild"), (10, "moderate"), (14, "moderate")],
        *[(15, "moderately severe"), (19, "moderately severe"), (20, "severe"), (27, "severe")],
    ],
)
def test_phq9_sums_nine_items_and_has_cut_points_of_5_10_15_and_20(total: int, band: str) -> None:
    """Kroenke, Spitzer & Williams (2001), J Gen Intern Med 16, 606-613; PHQ and GAD-7 instruction manual."""
    phq9 = load_measure("phq9")
    answers = filled(phq9, *[min(3, max(0, total - 3 * place)) for place in range(9)])
    assert phq9.score(answers) == {"total": total}
    assert phq9.band("total", total) == band


@pytest.mark.parametrize(
    ("values", "score"),
    [
        ((2, 2, 2, 2, 2, 1, 1, 0, None), 14),  # 12 * 9/8 = 13.5
        ((2, 2, 2, 2, 1, 1, 0, None, None), 13),  # 10 * 9/7 = 12.86
        ((1, 1, 1, 1, 0, 0, 0, 0, None), 5),  # 4 * 9/8 = 4.5; that halves go up is Bedside's reading of "rounded"
        ((3, 3, 3, 3, 3, 3, None, None, None), None),
    ],
)
def test_phq9_with_one_or_two_items_missing_is_prorated_and_rounded(
    values: tuple[int | None, ...], score: int | None
) -> None:
    """CMS, MDS 3.0 data specifications, edit of item D0300: times 9/8, times 9/7, and no score from three on."""
    phq9 = load_measure("phq9")
    assert phq9.score(filled(phq9, *values)) == {"total": score}


@pytest.mark.parametrize(
    ("values", "total", "band"),
    [
        ((0, 0, 0, 0, 0, 0, 0), 0, "minimal"),
        ((1, 1, 1, 1, 0, 0, 0), 4, "minimal"),
        ((1, 1, 1, 1, 1, 0, 0), 5, "mild"),
        ((2, 2, 2, 1, 1, 1, 1), 10, "moderate"),
        ((3, 3, 3, 3, 1, 1, 1), 15, "severe"),
        ((3, 3, 3, 3, 3, 3, 3), 21, "severe"),
    ],
)
def test_gad7_sums_seven_items_and_has_cut_points_of_5_10_and_15(
    values: tuple[int, ...], total: int, band: str
) -> None:
    """Spitzer, Kroenke, Williams & Löwe (2006), Arch Intern Med 166, 1092-1097."""
    gad7 = load_measure("gad7")
    assert gad7.score(filled(gad7, *values)) == {"total": total}
    assert gad7.band("total", total) == band


@pytest.mark.parametrize(
    ("total", "band"),
    [
        *[(10, "low"), (15, "low"), (16, "moderate"), (21, "moderate")],
        *[(22, "high"), (29, "high"), (30, "very high"), (50, "very high")],
    ],
)
def test_k10_runs_from_10_to_50_in_the_four_groups_of_the_australian_surveys(total: int, band: str) -> None:
    """Australian Bureau of Statistics (2012), 4817.0.55.001, tables D and E."""
    k10 = load_measure("k10")
    answers = filled(k10, *[1 + min(4, max(0, total - 10 - 4 * place)) for place in range(10)])
    assert k10.score(answers) == {"total": total}
    assert k10.band("total", total) == band


@pytest.mark.parametrize(
    ("values", "total", "band"),
    [
        *[((0,) * 6, 0, "low"), ((1, 1, 1, 1, 0, 0), 4, "low"), ((1, 1, 1, 1, 1, 0), 5, "moderate")],
        *[((4, 4, 3, 1, 0, 0), 12, "moderate"), ((4, 4, 3, 2, 0, 0), 13, "serious"), ((4,) * 6, 24, "serious")],
    ],
)
def test_k6_is_a_sum_from_0_to_24_and_13_is_serious(values: tuple[int, ...], total: int, band: str) -> None:
    """Kessler et al. (2003), Arch Gen Psychiatry 60, 184-189; from 5 on moderate: Prochaska et al. (2012)."""
    k6 = load_measure("k6")
    assert k6.score(filled(k6, *values)) == {"total": total}
    assert k6.band("total", total) == band


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ((0, 0, 0, 4, 4, 0, 4, 4, 0, 0), 0),
        ((4, 4, 4, 0, 0, 4, 0, 0, 4, 4), 40),
        ((0,) * 10, 16),
        ((4,) * 10, 24),
        ((2, 3, 1, 3, 2, 1, 4, 3, 2, 1), 14),
    ],
)
def test_pss10_reverses_the_items_4_5_7_and_8_and_has_no_cut_offs(values: tuple[int, ...], total: int) -> None:
    """Cohen & Williamson (1988); "there are no score cut-offs": Dr. Cohen's Scales, Carnegie Mellon University."""
    pss10 = load_measure("pss10")
    assert pss10.score(filled(pss10, *values)) == {"total": total}
    assert pss10.band("total", total) is None


@pytest.mark.parametrize(("values", "total", "band"), [((1, 1, 1), 3, "not lonely"), ((2, 2, 1), 5, "not lonely")])
def test_ucla3_below_6_is_not_lonely(values: tuple[int, ...], total: int, band: str) -> None:
    """Hughes et al. (2004), Research on Aging 26, 655-672; cut-off of Steptoe et al. (2013), PNAS 110, 5797-5801."""
    ucla3 = load_measure("ucla3")
    assert ucla3.score(filled(ucla3, *values)) == {"total": total}
    assert ucla3.band("total", total) == band


@pytest.mark.parametrize(("values", "total"), [((2, 2, 2), 6), ((3, 3, 3), 9)])
def test_ucla3_from_6_on_is_lonely(values: tuple[int, ...], total: int) -> None:
    """Steptoe et al. (2013), PNAS 110, 5797-5801."""
    ucla3 = load_measure("ucla3")
    assert ucla3.score(filled(ucla3, *values)) == {"total": total}
    assert ucla3.band("total", total) == "lonely"


@pytest.mark.parametrize(
    ("values", "total", "band"),
    [
        ((5, 4, 2, 1, 2, 3, 2, 4, 5, 2), 55, "below average"),  # the example that Brooke scores: 22 * 2.5
        ((5, 2, 4, 1, 5, 2, 5, 1, 4, 2), 87.5, "average or better"),
        ((5, 1) * 5, 100, "average or better"),
        ((1, 5) * 5, 0, "below average"),
        ((3,) * 10, 50, "below average"),  # the centre point, which stands for an item that cannot be answered
    ],
)
def test_sus_of_the_example_of_its_author_is_55(values: tuple[int, ...], total: float, band: str) -> None:
    """Brooke (1996), Usability Evaluation in Industry, 189-194; also Tullis & Albert, figure 6.8."""
    sus = load_measure("sus")
    assert sus.score(filled(sus, *values)) == {"total": total}
    assert sus.band("total", total) == band


@pytest.mark.parametrize(
    ("values", "credibility", "expectancy"),
    [
        ((1, 1, 1, 0, 1, 0), 3, 3),
        ((9, 9, 9, 100, 9, 100), 27, 27),
        ((5, 6, 7, 50, 5, 50), 18, 15),  # half of the percentages is the middle of 1-9
        ((9, 8, 7, 60, 6, 40), 24, 16),  # 60 is 5.8, 40 is 4.2
    ],
)
def test_ceq_credibility_is_the_first_three_and_expectancy_the_other_three(
    values: tuple[int, ...], credibility: float, expectancy: float
) -> None:
    """Devilly & Borkovec (2000): "credibility was found to be derived from the first three think questions and
    expectancy was derived from the fourth think question and the two feel questions"."""
    ceq = load_measure("ceq")
    assert ceq.score(filled(ceq, *values)) == pytest.approx({"credibility": credibility, "expectancy": expectancy})


@pytest.mark.parametrize(
    ("values", "scores"),
    [
        ((5,) * 14, {"s1": 30, "s2": 25, "s3": 3}),
        ((1,) * 14, {"s1": 6, "s2": 5, "s3": 15}),
        ((4, 3, 2, 1, 5, 4, 2, 3, 1, 2, 4, 3, 5, 1), {"s1": 12, "s2": 17, "s3": 7}),
    ],
)
def test_nars_has_three_subscales_and_reverses_the_third(values: tuple[int, ...], scores: dict[str, float]) -> None:
    """Nomura, Suzuki, Kanda & Kato (2006), Interaction Studies 7, 437-454; S1: 4, 7-10, 12; S2: 1, 2, 11, 13, 14;
    S3, all reversed: 3, 5, 6."""
    nars = load_measure("nars")
    assert nars.score(filled(nars, *values)) == scores


def test_rosas_is_the_mean_of_six_words_on_each_dimension() -> None:
    """Carpinella, Wyman, Perez & Stroessner (2017), HRI '17, 254-262."""
    rosas = load_measure("rosas")
    values = (1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9, 1, 1, 1, 1, 1, 4)
    assert rosas.score(filled(rosas, *values)) == {"warmth": 3.5, "competence": 9, "discomfort": 1.5}
    words = [rosas.wording("en").question(item.id) for item in rosas.items]
    assert words[:6] == ["Happy", "Feeling", "Social", "Organic", "Compassionate", "Emotional"]
    assert words[6:12] == ["Capable", "Responsive", "Interactive", "Reliable", "Competent", "Knowledgeable"]
    assert words[12:] == ["Scary", "Strange", "Awkward", "Dangerous", "Awful", "Aggressive"]


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ((4, 1, 1, 4, 4, 1), 20),
        ((1, 4, 4, 1, 1, 4), 80),
        ((3, 2, 1, 3, 3, 2), 11 * 20 / 6),
        ((1, 1, 1, 1, 1, 1), 50),
    ],
)
def test_stai6_reverses_three_items_and_is_brought_to_the_range_of_the_full_form(
    values: tuple[int, ...], total: float
) -> None:
    """Marteau & Bekker (1992), Br J Clin Psychol 31, 301-306: anxiety-absent items reversed, sum * 20 / 6."""
    stai6 = load_measure("stai6")
    assert stai6.score(filled(stai6, *values)) == pytest.approx({"total": total})


def test_wai_sr_sums_four_items_for_goal_task_and_bond() -> None:
    """Hatcher & Gillaspy (2006): task 1, 2, 10, 12; bond 3, 5, 7, 9; goal 4, 6, 8, 11."""
    wai = load_measure("wai_sr")
    values = (1, 2, 5, 3, 5, 3, 5, 3, 4, 1, 3, 2)
    assert wai.score(filled(wai, *values)) == {"total": 37, "goal": 12, "task": 6, "bond": 19}


@pytest.mark.parametrize(("value", "total"), [(1, 8), (3, 24), (4, 32)])
def test_csq8_sums_the_printed_numbers_from_8_to_32(value: int, total: int) -> None:
    """Larsen, Attkisson, Hargreaves & Nguyen (1979); Administering and Scoring the CSQ Scales."""
    assert load_measure("csq8").score(everywhere("csq8", value)) == {"total": total}


def test_distress_is_the_place_on_the_line() -> None:
    assert load_measure("distress").score({"distress": 37}) == {"distress": 37}


def test_the_rating_of_distress_has_the_words_of_the_screens() -> None:
    screens = tomllib.loads((ROOT / "study" / "texts" / "en" / "screens.toml").read_text(encoding="utf-8"))["rating"]
    said = load_measure("distress").wording("en")
    assert (said.question("distress"), said.low("distress"), said.high("distress")) == (
        screens["question"],
        screens["low"],
        screens["high"],
    )
    assert said.options("distress") == []


# What holds for every measure.


def test_fourteen_measures_are_shipped() -> None:
    assert measure_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_measure_names_its_version_licence_and_citation(name: str) -> None:
    measure = load_measure(name)
    assert measure.name == name
    assert all([measure.title, measure.version, measure.licence, measure.citation])
    assert bool(measure.languages) == (name not in SCORING_ONLY)


@pytest.mark.parametrize(
    ("name", "language"), [(name, language) for name in SHIPPED for language in load_measure(name).languages]
)
def test_every_language_is_complete_and_names_its_source(name: str, language: str) -> None:
    measure = load_measure(name)
    said = measure.wording(language)
    assert said.source
    assert said.direction == "ltr"
    questions = [said.question(item.id) for item in measure.items]
    assert all(question == question.strip() != "" for question in questions)
    assert len(set(questions)) == len(questions)
    for item in measure.items:
        options = said.options(item.id)
        assert sorted(value for value, _ in options) == list(item.alternatives())
        assert len({label for _, label in options}) == len(options)
        assert item.kind == "choice" or (said.low(item.id) and said.high(item.id))


def test_phq9_gad7_and_others_are_there_in_several_languages() -> None:
    several = {name for name in SHIPPED if len(load_measure(name).languages) > 1}
    assert {"phq9", "gad7", "k10", "k6", "pss10", "sus", "ucla3"} <= several


def test_the_most_severe_answer_is_scored_highest_in_every_language() -> None:
    for language in load_measure("k6").languages:
        assert load_measure("k6").wording(language).options("1")[0][0] == 4  # "all of the time" is on the left
    for language in load_measure("phq9").languages:
        assert [value for value, _ in load_measure("phq9").wording(language).options("9")] == [0, 1, 2, 3]


def test_a_number_is_its_own_label_where_only_the_ends_have_words() -> None:
    said = load_measure("sus").wording("en")
    assert said.options("1") == [(1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5")]
    assert (said.low("1"), said.high("1")) == ("Strongly disagree", "Strongly agree")


@given(answered())
def test_a_score_of_complete_answers_is_within_its_bounds(case: tuple[Measure, dict[str, int | None]]) -> None:
    measure, answers = case
    for scale, score in measure.score(answers).items():
        low, high = measure.bounds(scale)
        assert score is not None
        assert low - 1e-9 <= score <= high + 1e-9


@given(answered())
def test_turning_every_answer_round_turns_every_score_round(case: tuple[Measure, dict[str, int | None]]) -> None:
    measure, answers = case
    turned = {item.id: item.low + item.high - (answers[item.id] or 0) for item in measure.items}
    scores, others = measure.score(answers), measure.score(turned)
    for scale in scores:
        assert (scores[scale] or 0) + (others[scale] or 0) == pytest.approx(sum(measure.bounds(scale)))
    again = {item.id: item.low + item.high - turned[item.id] for item in measure.items}
    assert measure.score(again) == scores


@given(answered(gaps=True))
def test_a_scale_has_a_score_just_when_no_more_items_are_missing_than_its_rule_allows(
    case: tuple[Measure, dict[str, int | None]],
) -> None:
    measure, answers = case
    scores = measure.score(answers)
    for scale in measure.scales:
        missing = sum(answers[item] is None for item in scale.items)
        score = scores[scale.name]
        assert (score is None) == (missing > scale.missing.at_most)
        low, high = measure.bounds(scale.name)
        assert score is None or low - 1e-9 <= score <= high + 1e-9


@given(answered(gaps=True))
def test_an_item_that_is_not_named_is_an_item_that_was_left_out(case: tuple[Measure, dict[str, int | None]]) -> None:
    measure, answers = case
    short = {item: value for item, value in answers.items() if value is not None}
    assert measure.score(short) == measure.score(answers)
    assert measure.alerts(short) == measure.alerts(answers)


@given(answered(), st.data())
def test_anything_but_a_whole_number_within_bounds_is_refused(
    case: tuple[Measure, dict[str, int | None]], data: st.DataObject
) -> None:
    measure, answers = case
    measure.check(answers)
    item = data.draw(st.sampled_from(measure.items))
    outside = st.integers(max_value=item.low - 1) | st.integers(min_value=item.high + 1)
    odd = data.draw(outside | st.booleans() | st.floats() | st.text())
    bad: Any = {**answers, item.id: odd}
    with pytest.raises(OutOfRange) as refused:
        measure.check(bad)
    line = f"{measure.name} item {item.id} is answered with a whole number from {item.low} to {item.high}."
    assert str(refused.value) == line


def test_an_unknown_item_is_refused() -> None:
    with pytest.raises(OutOfRange, match=r"ucla3 has no item '4'; it has 1, 2, 3\."):
        load_measure("ucla3").check({"4": 1})


# Alerts.


@pytest.mark.parametrize("value", [1, 2, 3])
def test_any_thought_of_death_in_the_phq9_is_an_alert(value: int) -> None:
    phq9 = load_measure("phq9")
    (alert,) = phq9.alerts({**everywhere("phq9", 0), "9": value})
    assert (alert.rule, alert.category) == ("phq9 item 9 at least 1", "self_harm")
    assert phq9.alerts({"9": value}) == [alert]


@pytest.mark.parametrize("value", [0, None])
def test_no_thought_of_death_is_no_alert_whatever_else_was_said(value: int | None) -> None:
    assert load_measure("phq9").alerts({**everywhere("phq9", 3), "9": value}) == []


@pytest.mark.parametrize(
    ("values", "fires"),
    [
        ((3,) * 10, True),
        ((3,) * 9 + (2,), False),
        ((5,) * 6 + (None,) * 4, True),  # 30 already
        ((5,) * 5 + (None,) * 5, True),  # 25, and at least 1 for each of the five
        ((5,) * 4 + (4,) + (None,) * 5, False),  # 24 and at least 5 make 29
        ((None,) * 10, False),
    ],
)
def test_severe_distress_in_the_k10_is_an_alert_once_the_score_must_reach_30(
    values: tuple[int | None, ...], fires: bool
) -> None:
    k10 = load_measure("k10")
    alerts = k10.alerts(filled(k10, *values))
    assert [(alert.rule, alert.category) for alert in alerts] == (
        [("k10 total at least 30", "severe_distress")] if fires else []
    )


@pytest.mark.parametrize(
    ("threshold", "answers", "fires"),
    [
        (4, {"1": 2}, True),  # prorated, 4
        (5, {"1": 2}, False),  # at least 2: the other item is reversed, and 10 would add nothing
        (5, {"1": 0, "2": 5}, True),
        (5, {"1": None, "2": 8}, False),
    ],
)
def test_a_score_alert_counts_a_prorated_score_and_what_is_sure(
    folder: Path, threshold: int, answers: dict[str, int | None], fires: bool
) -> None:
    write(folder, "calm", OWN.replace('item = "1"\nat_least = 2', f'scale = "calm"\nat_least = {threshold}'))
    assert bool(load_measure("calm", folder).alerts(answers)) == fires


def test_other_measures_raise_no_alerts() -> None:
    assert [name for name in SHIPPED if load_measure(name).file.alerts] == ["k10", "phq9"]


# Files of the researcher's own.

OWN = """
title = "Calm"
version = "1"
licence = "ours"
citation = "none yet"
items = [{ id = "1", low = 0, high = 2 }, { id = "2", low = 0, high = 10, kind = "line", reverse = true }]

[[scales]]
name = "calm"
title = "Calm"
items = ["1", "2"]
source = "a pilot"
bands = [{ at_least = 0, label = "few" }, { at_least = 6, label = "many" }]
missing = { at_most = 1, source = "the pilot" }

[[alerts]]
item = "1"
at_least = 2
category = "uproar"

[texts.ar]
source = "ours"
instruction = "..."
low = "a"
high = "z"
[texts.ar.options]
0 = "none"
1 = "some"
2 = "all"
[texts.ar.questions]
1 = "How calm?"
2 = "How wild?"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "measures").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / "measures" / f"{name}.toml").write_text(text, encoding="utf-8")


def complaint(folder: Path, name: str) -> str:
    with pytest.raises(MeasureError) as refused:
        load_measure(name, folder)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_a_measure_of_the_researchers_own_works_as_a_shipped_one(folder: Path) -> None:
    write(folder, "calm", OWN)
    calm = load_measure("calm", folder)
    assert calm.score({"1": 2, "2": 10}) == {"calm": 2}
    assert calm.score({"1": 2, "2": None}) == {"calm": 4}
    assert calm.band("calm", 5.9) == "few"
    assert calm.band("calm", -1) is None
    assert [alert.rule for alert in calm.alerts({"1": 2})] == ["calm item 1 at least 2"]
    said = calm.wording("ar")
    assert said.direction == "rtl"
    assert said.options("1") == [(0, "none"), (1, "some"), (2, "all")]
    assert (said.options("2"), said.low("2"), said.high("2")) == ([], "a", "z")


def test_the_studys_file_comes_before_the_shipped_one_and_is_read_anew_when_it_changes(folder: Path) -> None:
    assert load_measure("k6", folder).title == load_measure("k6").title
    write(folder, "k6", OWN)
    assert load_measure("k6", folder).title == "Calm"
    write(folder, "k6", OWN.replace('"Calm"', '"Calmer"'))
    assert load_measure("k6", folder).title == "Calmer"
    assert load_measure("k6").title != "Calmer"


def licensed(name: str) -> str:
    """A file with wording of one's own for a measure that is shipped without."""
    measure = load_measure(name)
    lines = ["[texts.en]", 'source = "licence 12345"', 'low = "left"', 'high = "right"', "[texts.en.questions]"]
    return "\n".join([*lines, *(f'{item.id} = "supplied {item.id}"' for item in measure.items)])


@pytest.mark.parametrize("name", SCORING_ONLY)
def test_the_researcher_supplies_the_wording_of_a_licensed_measure(folder: Path, name: str) -> None:
    with pytest.raises(MeasureError, match=rf"{name} has no wording in 'en', there is none in any language; write"):
        load_measure(name, folder).wording("en")
    write(folder, name, licensed(name))
    measure = load_measure(name, folder)
    assert measure.languages == ("en",)
    assert measure.wording("en").question("2") == "supplied 2"
    assert measure.citation == load_measure(name).citation
    assert load_measure(name).languages == ()


def test_a_language_can_be_added_to_a_shipped_measure_but_its_wording_not_changed(folder: Path) -> None:
    write(folder, "ucla3", licensed("ucla3").replace("texts.en", "texts.fr"))
    assert load_measure("ucla3", folder).languages == ("en", "es", "fr")
    write(folder, "ucla3", licensed("ucla3"))
    assert complaint(folder, "ucla3") == (
        "ucla3.toml: texts.en: ucla3 has wording in this language already; allowed: other languages, or a whole measure "
        "of your own."
    )


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ('version = "1"', "", "version is missing; write which version"),
        ('version = "1"', "version = 1", "version is 1, which is not"),
        ('version = "1"', 'version = ""', "version is empty; write which version"),
        ('version = "1"', 'version = "1"\nlicense = "x"', "license is not a key of a measure; did you mean licence?"),
        ("high = 2 }", "high = 2, hihg = 3 }", "items[1].hihg is not a key of a measure; did you mean high?"),
        ("at_most = 1,", "atmost = 1,", "scales[1].missing.atmost is not a key of a measure; did you mean at_most?"),
        ("low = 0, high = 2", "low = 2, high = 2", "item 1: low is 2 and high 2; high must be larger"),
        ("low = 0, high = 2", "low = 0.5, high = 2", "items[1].low is 0.5, which is not"),
        ("low = 0, high = 2", "low = 0, high = 200", "item 1: a choice has at most 21 answers; write kind = 'line'"),
        ("low = 0, high = 2", "low = 0, high = 99999", "items[1].high is 99999; should be less than or equal to 10000"),
        ('id = "1"', 'id = "Q 1"', "items[1].id is 'Q 1'; write a short name"),
        ('id = "2"', 'id = "1"', "items: two are called 1; give each its own"),
        ('kind = "line"', 'kind = "slider"', "items[2].kind is 'slider'; allowed: 'choice', 'line'"),
        ('items = ["1", "2"]', 'items = ["1", "3"]', "scale calm: items: there is no '3'; allowed: 1, 2"),
        ('items = ["1", "2"]', "items = []", "scales[1].items is empty; write the ids of the items"),
        ('items = ["1", "2"]', 'items = ["1", "1"]', "scale calm: item 1 is named twice"),
        ('title = "Calm"\nitems', 'title = "Calm"\nhow = "product"\nitems', "how is 'product'; allowed: 'sum', 'mean'"),
        ('title = "Calm"\nitems', 'title = "Calm"\ndivided_by = 0\nitems', "scales[1].divided_by is 0"),
        (
            'title = "Calm"\nitems',
            'title = "Calm"\nsubtract = nan\nitems',
            "scales[1].subtract is nan; should be a finite",
        ),
        (
            'title = "Calm"\nitems',
            'title = "Calm"\nrescale = { low = 1, high = 1 }\nitems',
            "scales[1].rescale has low = 1 and high = 1; high must be larger",
        ),
        ('source = "a pilot"', "", "scale calm: source is empty; write where the cut-offs come from"),
        ("at_least = 6,", "at_least = 0,", "scale calm: bands must rise; order them by at_least"),
        ("at_most = 1", "at_most = 2", "scale calm: missing.at_most is 2; allowed: 0 to 1"),
        ("at_most = 1", "at_most = -1", "scales[1].missing.at_most is -1; should be greater than or equal to 0"),
        (', source = "the pilot"', "", "scale calm: missing.source is empty; write who says"),
        ('item = "1"', "", "alerts[1] has to have either item or scale, and not both"),
        ('item = "1"', 'item = "1"\nscale = "calm"', "alerts[1] has to have either item or scale, and not both"),
        ('item = "1"', 'item = "9"', "alerts: item: there is no '9'; allowed: 1, 2"),
        ('item = "1"', 'scale = "total"', "alerts: scale: there is no 'total'; allowed: calm"),
        ('category = "uproar"', 'category = "An uproar!"', "alerts[1].category is 'An uproar!'; write what kind"),
        ('source = "ours"', "", "texts.ar.source is missing; write where this wording is published"),
        ('instruction = "..."', 'direction = "up"', "texts.ar.direction is 'up'; allowed: 'ltr', 'rtl'"),
        ('2 = "How wild?"', "", "texts.ar.questions lacks item 2; write the wording of each item"),
        ('2 = "How wild?"', '2 = ""', "texts.ar.questions.2 is empty; write"),
        ('2 = "How wild?"', '2 = "How wild?"\n3 = "?"', "texts.ar.questions: there is no '3'; allowed: 1, 2"),
        ('1 = "some"\n', "", "texts.ar.options lacks 1; item 1 is answered from 0 to 2"),
        ('1 = "some"', '1 = "some"\n7 = "more"', "texts.ar.options has 7; item 1 is answered from 0 to 2"),
        ('1 = "some"', 'one = "some"', "texts.ar.options has the key 'one'; allowed: whole numbers"),
        ('low = "a"\n', "", "texts.ar does not say what the answers to item 2 mean; write low and high"),
        (
            "[texts.ar.questions]",
            '[texts.ar.answers.1]\nlow = "a"\n[texts.ar.questions]',
            "texts.ar.answers.1 does not say what the answers to item 1 mean; write options, or low and high",
        ),
        ("[texts.ar.questions]", "[texts.ar.answers.4]\n[texts.ar.questions]", "texts.ar.answers: there is no '4'"),
        ('title = "Calm"\nversion', "title = \nversion", "not valid TOML: "),
        ("[[alerts]]", "[alerts]", "alerts is {"),
        (
            "[[alerts]]",
            '"a\\nb" = 1\n[[alerts]]',
            "scales[1].a b is not a key of a measure; allowed here: bands, divided_by",
        ),
    ],
)
def test_a_mistake_in_a_file_gets_one_line_with_the_key_and_what_is_allowed(
    folder: Path, was: str, becomes: str, says: str
) -> None:
    assert was in OWN
    write(folder, "calm", OWN.replace(was, becomes, 1))
    line = complaint(folder, "calm")
    assert line.startswith("calm.toml: ")
    assert says in line


def test_a_language_that_is_none_gets_one_line(folder: Path) -> None:
    write(folder, "calm", OWN.replace("texts.ar", "texts.Arabic"))
    says = "calm.toml: texts.Arabic: is no language; allowed: codes such as en, pt-BR or zh-Hans."
    assert complaint(folder, "calm") == says


def test_a_scale_that_is_named_twice_gets_one_line(folder: Path) -> None:
    scale = '\n[[scales]]\nname = "calm"\ntitle = "Calm"\nitems = ["1"]\n'
    write(folder, "calm", OWN.replace("\n[[alerts]]", f"{scale}\n[[alerts]]"))
    assert complaint(folder, "calm") == "calm.toml: scales: two are called calm; give each its own."


def test_a_file_that_is_not_utf8_or_no_file_gets_one_line(folder: Path) -> None:
    (folder / "measures" / "calm.toml").write_bytes('title = "Ruhe, größer"'.encode("latin-1"))
    assert complaint(folder, "calm") == "calm.toml: not UTF-8 text; save it as UTF-8."
    (folder / "measures" / "wild.toml").mkdir()
    assert complaint(folder, "wild").startswith("wild.toml: cannot be read: ")


def test_a_measure_that_is_not_there_gets_one_line_with_those_that_are(folder: Path) -> None:
    assert complaint(folder, "phq8") == (
        f"There is no measure 'phq8'; there are {', '.join(SHIPPED)}; or write measures/phq8.toml in the study's folder."
    )
    assert (
        complaint(folder, "../study") == "'../study' is no name of a measure; allowed: small letters, digits, _ and -."
    )


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("calm", "[texts.en]", "calm.toml: it has only texts, and there is no measure 'calm' to add them to; write"),
        ("stai6", "[texts.en]", "stai6.toml: texts.en.source is missing; write where this wording is published."),
        ("stai6", 'texts = "none"', "stai6.toml: texts is 'none', which is not a table; write the wording by language"),
        ("stai6", '[texts.en]\nsource = "x"\n[texts.en.questions]\n1 = "?"', "stai6.toml: texts.en does not say what"),
        ("stai6", licensed("stai6").replace('6 = "', '7 = "'), "texts.en.questions: there is no '7'; allowed: 1, 2, 3"),
    ],
)
def test_a_mistake_in_supplied_wording_gets_one_line(folder: Path, name: str, text: str, says: str) -> None:
    write(folder, name, text)
    assert says in complaint(folder, name)


def test_a_language_a_scale_or_an_item_that_is_not_there_gets_one_line() -> None:
    with pytest.raises(
        MeasureError, match=r"sus has no wording in 'fi', there is de, en; write \[texts\.fi\] in measu"
    ):
        load_measure("sus").wording("fi")
    with pytest.raises(MeasureError, match=r"sus has no scale 'sum'; it has total\."):
        load_measure("sus").band("sum", 3)
    with pytest.raises(MeasureError, match=r"ucla3 has no item '4'; it has 1, 2, 3\."):
        load_measure("ucla3").wording("en").question("4")


def test_items_may_have_labels_of_their_own(folder: Path) -> None:
    lines = ["[texts.en]", 'source = "licence 12345"', "[texts.en.questions]"]
    lines += [f'{item} = "supplied {item}"' for item in range(1, 9)]
    for item in range(1, 9):
        order = (1, 2, 3, 4) if item in (2, 4, 5, 8) else (4, 3, 2, 1)
        lines += [f"[texts.en.answers.{item}.options]", *(f'{value} = "label {value}"' for value in order)]
    write(folder, "csq8", "\n".join(lines))
    said = load_measure("csq8", folder).wording("en")
    assert [value for value, _ in said.options("1")] == [4, 3, 2, 1]
    assert said.options("2")[0] == (1, "label 1")


# The guide.


def described(table: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The guide's row for each key of a measure's file."""
    for name, field in table.model_fields.items():
        kinds: list[Any] = [field.annotation, *getattr(field.annotation, "__args__", ())]
        yield f"| `{prefix}{name}` | {field.description} |"
        inner = [one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)]
        if inner:
            own = {"texts": "texts.<language>.", f"{prefix}answers": f"{prefix}answers.<id>."}
            yield from described(inner[0], own.get(f"{prefix}{name}", f"{prefix}{name}."))


def number(value: float) -> str:
    return f"{value:g}"


def summary(name: str) -> str:
    """The guide's row for a measure."""
    measure = load_measure(name)
    scales = [f"{scale.name} {'-'.join(number(one) for one in measure.bounds(scale.name))}" for scale in measure.scales]
    allowed = {scale.missing.at_most for scale in measure.scales}
    missing = ", ".join(f"up to {one}" if one else "none" for one in sorted(allowed))
    bands = [f"{band.label} from {number(band.at_least)}" for scale in measure.scales for band in scale.bands]
    languages = ", ".join(measure.languages) or "yours"
    return (
        f"| `{name}` | {measure.title} | {len(measure.items)} | {', '.join(scales)} | {missing} "
        f"| {', '.join(bands) or 'none'} | {languages} |"
    )


def terms(name: str) -> str:
    measure = load_measure(name)
    return f"| `{name}` | {measure.licence} | {measure.citation} |"


def test_the_guide_describes_every_key_in_the_words_of_the_models() -> None:
    assert [row for row in described(MeasureFile) if row not in GUIDE.splitlines()] == []


def test_the_guide_lists_every_measure_as_it_is() -> None:
    rows = [row for name in SHIPPED for row in (summary(name), terms(name))]
    assert [row for row in rows if row not in GUIDE.splitlines()] == []
