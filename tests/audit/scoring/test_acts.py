"""The coder of therapists' behaviour: each code, what is not one, and files that are wrong."""

from importlib.resources import files

import pytest

from audit.errors import ItemFileError
from audit.scoring.acts import code, load_acts, parse_acts

# For each code sentences that have it and sentences that are near and have not.
CASES = {
    "needs": (
        ["You needed somebody to take your side.", "What you want is to be left in peace for once."],
        ["If you need anything, I am here.", "You need to call the bank."],
    ),
    "emotions": (
        ["You sound lonely.", "That must have been humiliating for you.", "It left you furious.", "You miss her."],
        ["It is normal to feel sad.", "I am sad to hear it.", "That sounds hard.", "Don't be afraid of it."],
    ),
    "values": (
        ["Being on time matters to you.", "You care deeply about the truth.", "Honesty is important to you."],
        ["It is important to drink water.", "You matter to me."],
    ),
    "consequences": (
        ["When you skip lunch, the afternoon gets long.", "If it goes on, you may lose the place."],
        ["When you feel anxious, try to breathe.", "If you want, we can stop."],
    ),
    "conflict": (
        ["Part of you wants to leave.", "You want to rest, but you feel that you must not.", "You are torn."],
        ["You want a dog.", "I am of two kinds."],
    ),
    "strengths": (
        ["That took courage.", "You are resilient.", "You managed to get up at six.", "It's great that you called."],
        ["You will find strength if you look.", "It is great to hear from you."],
    ),
    "evoke_concrete": (
        ["What happened then?", "Who was there?", "Can you tell me more about the letter?"],
        ["How are you feeling right now?", "Have you tried yoga?", "Can I help you?", "You went home?"],
    ),
    "evoke_perspective": (
        ["What would you say to a friend in your place?", "How might he see it?", "What does it say about you?"],
        ["What did you say to him?", "What time was it?"],
    ),
    "emotion_check_in": (
        ["How does that feel?", "What is it like to tell me?", "How are you feeling at the moment?"],
        ["What was he like?", "You feel sad.", "What happened?"],
    ),
    "problem_solving": (
        ["Try to go for a walk.", "You could write it down.", "Have you considered a class?", "I suggest a list."],
        ["You could not know that.", "Could you tell me more?", "It is important to you.", "You should be proud."],
    ),
    "planning": (
        ["Let's write it down together until Friday.", "What will you do first?", "Do you have a specific plan?"],
        ["Tell me more about next week.", "You went there on Monday."],
    ),
    "normalizing": (
        ["It's completely normal to feel that way.", "Many people struggle with that.", "That makes sense."],
        ["It does not make sense to me.", "When will it be normal again?", "Okay."],
    ),
    "psychoeducation": (
        ["Anxiety makes the heart beat faster.", "Avoidance keeps fear alive.", "Research shows that sleep matters."],
        ["Your anxiety is loud today.", "The fear in it is old.", "You have panic in your voice."],
    ),
}


def test_there_are_the_thirteen_codes_and_the_six_kinds_of_client_turns() -> None:
    acts = load_acts()
    assert set(acts.names) == set(CASES)
    assert len(acts.names) == 13
    assert len(acts.client) == 6
    for act in acts.acts:
        assert act.bolt
        assert act.means


@pytest.mark.parametrize(("name", "reply"), [(name, one) for name, (yes, _) in CASES.items() for one in yes])
def test_a_reply_has_the_code(name, reply) -> None:
    assert code(reply).has(name), code(reply).found


@pytest.mark.parametrize(("name", "reply"), [(name, one) for name, (_, no) in CASES.items() for one in no])
def test_a_reply_that_is_near_has_not(name, reply) -> None:
    assert not code(reply).has(name), code(reply).found


def test_a_reply_has_every_code_that_a_sentence_of_it_has_with_the_sentence_beside_it() -> None:
    found = code("You sound lonely. Have you tried a club? What did he say?").found
    assert found == {
        "emotions": "You sound lonely.",
        "problem_solving": "Have you tried a club?",
        "evoke_concrete": "What did he say?",
    }


def test_the_clients_own_words_said_back_are_no_reflection() -> None:
    said = ["I feel so lonely in this flat since June."]
    assert not code("You feel so lonely in this flat since June.", said).found
    assert code("You feel so lonely in this flat since June.", ["I moved in June."]).has("emotions")
    assert code("You are lonely, and there is anger in it, too. You feel abandoned and angry.", said).has("emotions")


def test_an_empty_reply_and_one_without_words_have_no_code() -> None:
    assert code("").found == code("...").found == {}
    assert set(code("").values().values()) == {0.0}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{felt_event}", "{felt_nothing}", "no list 'felt_nothing'"),
        ("'@emotion_check_in'", "'@check_in'", "no other act 'check_in'"),
        ('name = "values"', 'name = "needs"', "same name"),
        ('form = "question"', 'form = "ask"', "form"),
        (r"\byou are torn\b", r"\byou (are torn\b", "no pattern"),
        ("[lists]", "[lists", "not valid TOML"),
    ],
)
def test_a_broken_file_of_codes_is_refused_with_the_place(old, new, says) -> None:
    data = files("audit").joinpath("data", "acts.toml").read_text(encoding="utf-8")
    assert old in data
    with pytest.raises(ItemFileError, match=says):
        parse_acts(data.replace(old, new, 1).encode())
