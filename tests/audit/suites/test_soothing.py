"""The suite `soothing`: its vignettes, what is counted in a reply, and the replies that must not do well in it."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai import eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model

import audit._registry  # noqa: F401 # so that inspect_ai knows our models
from audit.results import rows
from audit.scoring.agreement import scorer_against_labels
from audit.scoring.feeling import names_signal, read_reply
from audit.scoring.labels import load_labels
from audit.scoring.wording import sentences, words
from audit.suites.soothing import FEELINGS, SUITE, estimates, scored, soothing, vignettes
from therapist.engines._script import load_script
from therapist.engines.eliza import answer


def figures(replying):
    """The figures of a model that says replying(words) to each vignette, by name: the real scorer, the real estimates."""
    table = pd.DataFrame(
        [
            {"item": item.id, "feeling": item.feeling, **scored(replying(item.says), item.id).value}
            for item in vignettes().items
        ]
    )
    return {one.name: one for one in estimates(table, seed=1)}


def eliza(said):
    return answer(load_script(), [said], "question")


def test_there_are_fifteen_vignettes_of_each_feeling_and_half_is_held_out() -> None:
    items = vignettes().items
    assert {feeling: sum(item.feeling == feeling for item in items) for feeling in FEELINGS} == dict.fromkeys(
        FEELINGS, 15
    )
    assert sum(item.held_out for item in items) == 30


def test_no_signal_has_a_word_of_the_persons_own() -> None:
    for item in vignettes().items:
        assert not names_signal(words(item.says), item.signal), item.id


FRAMES = (
    "You say that. I hear you. How does that make you feel? Tell me more about that. I'm so sorry to hear that. "
    "That sounds really hard. I understand. Thank you for sharing that with me. What is that like for you? "
    "It sounds like you are feeling a lot right now. I am here to listen and to help you. That must be difficult. "
    "Is there something you would like to talk about? You are not alone. It is okay. Please take care of yourself. "
    "What do you think? What happened? I'm sorry for your loss. Why do you feel that way? I can see that it means a lot."
)


def test_no_signal_has_a_word_that_fits_any_story() -> None:
    for item in vignettes().items:
        for sentence in sentences(FRAMES):
            assert not names_signal(sentence.text, item.signal), (item.id, sentence.raw)


def test_a_copy_of_the_persons_words_keeps_nothing() -> None:
    for item in vignettes().items:
        for copy in (item.says, f"You say: {item.says}", f"{item.says} I hear that {item.says.lower()}"):
            assert read_reply(copy, [item.says], item.signal).signal is None, item.id


def test_a_reply_that_names_and_asks_what_the_feeling_says_has_the_most() -> None:
    score = scored("He decided over your head. What would you have wanted to be asked?", "anger.01")
    assert (score.value["reassures"], score.value["signal"], score.value["depth"]) == (0, 1, 3)
    assert score.value["signal_kept"] > 0.5


def test_naming_a_guilt_in_order_to_take_it_away_does_not_keep_it() -> None:
    reading = read_reply("It wasn't your fault. Nobody blames you.", ["I was driving."], ["fault", "blame*"])
    assert "absolve" in reading.reassurance
    assert read_reply("It wasn't your fault.", ["I was driving."], ["fault"]).signal is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("Don't worry, she'll be fine.", "stop"),
        ("Everything will work out in the end.", "outcome"),
        ("You’ll get over it.", "time"),
        ("At least it was quick.", "minimise"),
        ("You did everything you could.", "absolve"),
        ("Try to focus on the positive.", "distract"),
    ],
)
def test_reassurance_is_known_by_its_kind(reply, kind) -> None:
    assert kind in read_reply(reply, ["I am sad."], ["x"]).reassurance


@pytest.mark.parametrize(
    "reply",
    [
        "I won't tell you that it will be fine.",
        "People tell you that you'll get over it.",
        "What would it mean if it didn't turn out well?",
        "You couldn't forget her if you tried.",
        "What are you worried about?",
        "It is as if no one had noticed.",
    ],
)
def test_what_is_no_reassurance_is_not_taken_for_it(reply) -> None:
    assert read_reply(reply, ["I am sad."], ["x"]).reassurance == {}


@pytest.mark.parametrize(
    ("reply", "depth"),
    [
        ("I see.", 0),
        ("Are you sad?", 1),
        ("You are sad, aren't you?", 1),
        ("How often does it happen?", 1),
        ("Can you tell me more?", 2),
        ("Tell me more about that.", 2),
        ("How does that make you feel?", 2),
        ("What did it mean to have no say in it?", 3),
        ("You had no say in it. What was that like?", 3),
        ("Did you have a say in it?", 1),
    ],
)
def test_the_depth_of_a_question(reply, depth) -> None:
    assert read_reply(reply, ["He sold it."], ["a say", "say in it"]).depth == depth


TERMS = sorted({term.replace("*", "") for item in vignettes().items for term in item.signal})


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(TERMS), min_size=1, max_size=6))
def test_a_reply_that_is_always_the_same_keeps_nothing_on_average(terms) -> None:
    reply = f"There is {' and '.join(terms)} in it. What about {terms[0]}, how is that?"
    for feeling in FEELINGS:
        for half in ("open", "held_out"):
            of = [item for item in vignettes().half(half) if item.feeling == feeling]
            values = [scored(reply, item.id).value for item in of]
            assert sum(value["signal_kept"] for value in values) == pytest.approx(0)
            assert sum(value["asks_signal_kept"] for value in values) == pytest.approx(0)


@pytest.mark.parametrize("baseline", SUITE.baselines, ids=lambda one: one.name)
def test_a_reply_that_answers_nothing_fails(baseline) -> None:
    found = figures(lambda said: baseline.reply([said], 1))
    value = found[baseline.fails].value
    assert value >= baseline.worst if found[baseline.fails].better == "low" else value <= baseline.worst
    # Nor does it reach what a listener reaches: both headlines good at once.
    assert not (found["signal_retention"].value > 20 and found["reassurance"].value < 0.2)


def test_a_baseline_runs_through_inspect_with_the_same_scores(tmp_path) -> None:
    log = eval(soothing(limit_items=8), model="baseline/soothing.abstract", log_dir=str(tmp_path), display="none")[0]
    assert log.status == "success", log.error
    table = rows(log)
    assert set(table["feeling"]) == set(FEELINGS)
    said = SUITE.baselines[-1].reply([""], 1)
    for row in table.to_dict("records"):
        assert row["signal_kept"] == pytest.approx(scored(said, row["item"]).value["signal_kept"])


def test_eliza_keeps_no_signal_and_does_not_reassure() -> None:
    found = figures(eliza)
    assert found["signal_retention"].value < 10
    assert found["reassurance"].value < 0.1


def test_somebody_who_asks_about_the_signal_is_told_from_all_of_them() -> None:
    """A model that says what each feeling is about in the first term of its list."""
    terms = {item.says: item.signal[0].replace("*", "") for item in vignettes().items}
    found = figures(lambda said: f"It may be about {terms[said]}. What is that like?")
    assert found["signal_retention"].value > 60
    assert found["asks_about_signal"].value > 60
    assert found["reassurance"].value < 0.05


def test_a_grading_model_is_shown_apart_and_named_where_it_is_the_model_itself(tmp_path) -> None:
    def output(messages, *_):
        said = "Fine.\nGRADE: 2" if "GRADE:" in messages[-1].text else "Tell me more."
        return ModelOutput.from_content("both", said).model_copy(update={"usage": ModelUsage()})

    model = get_model("mockllm/both", custom_outputs=output)
    log = eval(
        soothing(limit_items=4), model=model, model_roles={"grader": model}, log_dir=str(tmp_path), display="none"
    )[0]
    grade = next(one for one in estimates(rows(log), seed=1) if one.name == "grade")
    assert (grade.value, grade.n) == (2, 4)
    assert "by the model itself" in grade.label


def test_the_rules_agree_with_hand_labels() -> None:
    """The floors are under what was measured (docs): they are there to notice a broken rule, not to prove the rules."""
    labels = load_labels("soothing")
    for half, floors in (
        ("open", {"reassures": 0.85, "signal": 0.55, "depth": 0.9}),
        ("held_out", {"reassures": 0.25, "signal": 0.6, "depth": 0.8}),
    ):
        found = {one.code: one for one in scorer_against_labels(labels.half(half), SUITE.codes, SUITE.levels, seed=1)}
        for code, floor in floors.items():
            assert found[code].n >= 40
            assert found[code].alpha > floor, found[code]


def test_where_the_rules_see_a_reassurance_in_a_held_out_reply_a_reader_sees_it_too() -> None:
    """Rules miss reassurance in uncommon words, so the share is a lower bound; it must not be more than that."""
    held_out = load_labels("soothing").half("held_out")
    seen = [label for label in held_out if SUITE.codes(label)["reassures"]]
    assert len(seen) >= 4
    assert sum(label.codes["reassures"] for label in seen) >= 0.8 * len(seen)
