"""The suite of warmth: counted acts against replies rated by hand, the bond, and errors at equal warmth."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from audit.figures.equal_warmth import errors_for_warmth, trait_against_behaviour
from audit.items import load_items
from audit.report.material import Subject, Told, _differences
from audit.scoring.agreement import alpha
from audit.scoring.labels import load_labels
from audit.scoring.warmth import said_to_them, warmth_of
from audit.suites.warmth import FACTS, SUITE, Turn, _samples

TURNS = load_items("warmth", Turn).items
LABELS = load_labels("warmth").labels


def _named(estimates):
    return {one.name: one for one in estimates}


def _pairs(held_out):
    chosen = [one for one in LABELS if one.held_out == held_out]
    counted = [warmth_of(one.reply, str(one.context)).value for one in chosen]
    return counted, [one.codes["warmth"] for one in chosen]


def test_at_least_sixty_replies_are_rated_by_hand_on_the_whole_scale():
    assert len(LABELS) >= 60
    assert {one.codes["warmth"] for one in LABELS} == {0, 1, 2, 3, 4}
    assert {one.item for one in LABELS} <= {turn.id for turn in TURNS}


@pytest.mark.parametrize("held_out", [False, True])
def test_counted_warmth_orders_replies_as_their_reader_did(held_out):
    counted, rated = _pairs(held_out)
    assert spearmanr(counted, rated).statistic > 0.85


def test_counted_warmth_in_five_steps_agrees_with_the_reader_on_the_held_out_half():
    held = [one for one in LABELS if one.held_out]
    found = alpha([[SUITE.codes(one)["warmth"] for one in held], [one.codes["warmth"] for one in held]], "ordinal")
    assert found is not None
    assert found > 0.8


def test_an_answer_without_an_act_has_no_warmth_and_none_has_more_than_a_hundred():
    assert warmth_of("The capital is Canberra.").value == 0
    assert warmth_of("").value == 0
    assert warmth_of(" ".join(label.reply for label in LABELS)).value == 100


def test_what_the_user_said_is_not_warm_when_it_is_said_back():
    heard = "I am so sorry that I forgot your birthday, my dear."
    assert warmth_of(heard, heard).value == 0


def _replies(reply):
    return [(turn.id, turn.text, reply([turn.text], 1)) for turn in TURNS]


@pytest.mark.parametrize("baseline", SUITE.baselines, ids=lambda one: one.name)
def test_a_pasted_a_filled_and_a_cold_reply_make_no_bond(baseline):
    rows = pd.DataFrame(
        [
            {"item": item, "part": "talk", "mood": "plain", "warmth": warmth_of(reply, heard).value, "about": 0.0,
             "error": np.nan, "context": "none", "belief": "none",
             "transcript": [("system", "x"), ("user", heard), ("assistant", reply)]}
            for item, heard, reply in _replies(baseline.reply)
        ]
    )  # fmt: skip
    figures = _named(SUITE.estimates(rows, 1))
    assert figures[baseline.fails].value <= baseline.worst
    if baseline.name != "cold":
        assert figures["warmth"].value > 20


def test_warm_replies_to_what_each_person_said_keep_their_worth():
    chosen = [one for one in LABELS if one.codes["warmth"] >= 3]
    said = [(str(one.item), str(one.context), one.reply) for one in chosen]
    plainly = [warmth_of(reply, heard).value for _, heard, reply in said]
    assert said_to_them(said).mean() > 0.8 * np.mean(plainly)


def test_what_recurs_cannot_be_told_from_four_items():
    assert np.isnan(said_to_them(_replies(SUITE.baselines[0].reply)[:4])).all()


def test_the_facts_of_the_suite_are_items_of_reliability_and_half_are_held_out():
    made = [sample.metadata for sample in _samples("both", None, 1) if sample.metadata["part"] == "fact"]
    assert {about["item"] for about in made} == set(FACTS)
    assert len(made) == 24 * 3 * 2
    assert sum(about["held_out"] for about in made) == len(made) / 2


def _facts(warm, error, seed, items=60):
    """Rows of facts: `warm(random)` is a reply's warmth, `error(warmth)` the probability that it is wrong."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(items):
        for context in ("none", "sad", "close"):
            warmth = float(warm(random))
            found.append({"sample": f"i{number}/{context}", "transcript": [], "item": f"i{number}", "part": "fact", "context": context, "belief": "none", "warmth": warmth,
                          "error": float(random.random() < error(warmth))})  # fmt: skip
    return pd.DataFrame(found)


def test_two_personas_that_err_alike_at_each_warmth_differ_only_until_warmth_is_equal():
    def error(warmth):
        return 0.2 + 0.5 * (warmth >= 40)

    trait = _facts(lambda random: random.choice([10, 60], p=[0.2, 0.8]), error, 1)
    behaviour = _facts(lambda random: random.choice([10, 60], p=[0.7, 0.3]), error, 2)
    found = _named(trait_against_behaviour(trait, behaviour, 1))
    assert found["trait.error_points"].low > 10
    assert found["trait.error_points_at_equal_warmth"].low < 0 < found["trait.error_points_at_equal_warmth"].high
    assert found["trait.warmth"].value > 15


def test_a_trait_that_errs_more_at_each_warmth_is_found_out():
    covered = []
    for seed in range(40):
        trait = _facts(lambda random: random.choice([10, 60]), lambda _: 0.6, 2 * seed)
        behaviour = _facts(lambda random: random.choice([10, 60]), lambda _: 0.2, 2 * seed + 1)
        found = _named(trait_against_behaviour(trait, behaviour, 1))["trait.error_points_at_equal_warmth"]
        assert found.low > 15
        covered.append(found.low < 40 < found.high)
    assert sum(covered) >= 33  # of 300 such runs 92 in a hundred cover it


def test_personas_without_common_warmth_are_not_compared_at_equal_warmth():
    trait = _facts(lambda _: 60, lambda _: 0.6, 3)
    behaviour = _facts(lambda _: 0, lambda _: 0.2, 4)
    found = _named(trait_against_behaviour(trait, behaviour, 1))
    assert found["trait.error_points_at_equal_warmth"].value is None
    assert found["trait.overlap"].value == 0


def test_the_report_compares_the_trait_with_the_behaviour():
    told = [
        Told(
            Subject("some/model", persona),
            _facts(lambda random: random.choice([10, 60]), lambda _: 0.4, seed),
            (),
            (),
            None,
        )
        for seed, persona in enumerate(("neutral", "warm_trait", "warm_behaviour"))
    ]
    found = [one for one in _differences(SUITE, told) if one.estimate.name.startswith("trait.")]
    assert {one.subject.persona for one in found} == {"warm_trait"}
    assert "trait.error_points_at_equal_warmth" in {one.estimate.name for one in found}
    against = {one.subject.persona for one in _differences(SUITE, told) if one.estimate.name.startswith("than.")}
    assert against == {"warm_trait", "warm_behaviour"}


def test_errors_that_come_with_warmth_are_found_within_a_persona():
    rows = _facts(lambda random: random.uniform(0, 100), lambda warmth: 0.1 + 0.006 * warmth, 5, items=200)
    value, low, high = errors_for_warmth(rows, 1)
    assert low < 6 < high
    assert value == pytest.approx(6, abs=2)
    assert errors_for_warmth(_facts(lambda _: 0, lambda _: 0.5, 6), 1) == (None, None, None)


def test_a_tiny_run_goes_through_inspect_ai_and_gives_the_bond(tmp_path):
    from inspect_ai import eval as run

    from audit import provider
    from audit.results import rows

    assert provider
    (log,) = run(SUITE.task(limit_items=16), model="baseline/warmth.pasted", log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    figures = _named(SUITE.estimates(rows(log), 1))
    assert figures["bond"].value == 0
    assert figures["warmth"].value > 50
    assert figures["error_rate"].value == 1
