"""Simulated patients: the emotion keeps its bounds, the same seed is the same patient, and nobody is fooled for long."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import AuditError
from audit.patients import Patient, Profile, Trajectory, converse, load_profiles, profile_called
from audit.patients.patient import CONTENT, LEAVES, TURNS
from audit.patients.reading import LARGEST, MEETS, codes_in, read

PROFILES = load_profiles().items
patiently = settings(deadline=None, max_examples=40)
NAMED = st.sampled_from(PROFILES)
REPLIES = st.lists(
    st.one_of(
        st.text(max_size=80),
        st.sampled_from(
            [
                "You should just talk to them.",
                "What was that like for you?",
                "It sounds lonely, and you kept going.",
                "You are stupid.",
                "Everything will be fine, don't worry.",
                "Many people feel so, it is normal.",
                "",
            ]
        ),
    ),
    min_size=TURNS,
    max_size=TURNS,
)


def play(profile: Profile, replies: list[str], seed: str = "1") -> Trajectory:
    answers = iter(replies)
    return converse(Patient(profile, seed), lambda heard: next(answers))


# The profiles


def test_there_are_at_least_24_patients_with_every_need_at_every_demand_and_half_are_held_out() -> None:
    assert len(PROFILES) >= 24
    assert {(one.need, one.demand) for one in PROFILES} == {
        (need, demand) for need in MEETS for demand in ("easy", "moderate", "hard")
    }
    assert sum(one.held_out for one in PROFILES) == len(PROFILES) // 2
    assert all(30 <= one.start <= 50 for one in PROFILES)
    with pytest.raises(AuditError, match="no patient 'nobody'; allowed: grandmother"):
        profile_called("nobody")


def lines_of(profile: Profile) -> list[str]:
    every = (profile.opening, profile.low, profile.guarded, profile.open, profile.lifted, profile.missed)
    return [*(line for lines in every for line in lines), profile.content, profile.leaves]


def test_no_patient_is_in_danger_and_no_line_is_said_by_two() -> None:
    from therapist.screen import Screen

    said = [line for profile in PROFILES for line in lines_of(profile)]
    assert [line for line in said if Screen.load().check(line, "participant")] == []
    telling = [line for profile in PROFILES for line in (*profile.opening, *profile.guarded, *profile.open)]
    assert len(set(telling)) == len(telling)


# The bounds


@patiently
@given(profile=NAMED, replies=REPLIES, seed=st.integers(0, 99))
def test_the_emotion_keeps_its_bounds_and_the_conversation_ends_where_it_has_to(
    profile: Profile, replies: list[str], seed: int
) -> None:
    course = play(profile, replies, str(seed))
    assert course.ending is not None
    assert 1 <= len(course.turns) <= TURNS
    assert all(0 <= emotion <= 100 for emotion in course.emotions)
    for before, after, turn in zip(course.emotions, course.emotions[1:], course.turns, strict=False):
        assert after - before == turn.change
        assert abs(turn.change) <= LARGEST
    assert all(LEAVES <= emotion < CONTENT for emotion in course.emotions[:-1])
    ends = {"content": course.end >= CONTENT, "left": course.end < LEAVES, "turns": len(course.turns) == TURNS}
    assert ends[course.ending]


@patiently
@given(profile=NAMED, replies=REPLIES, seed=st.integers(0, 99))
def test_the_same_seed_and_replies_are_the_same_conversation(profile: Profile, replies: list[str], seed: int) -> None:
    assert play(profile, replies, str(seed)).as_dict() == play(profile, replies, str(seed)).as_dict()


def test_another_seed_says_other_lines() -> None:
    replies = ["What was that like for you?"] * TURNS
    said = {tuple(turn.said for turn in play(PROFILES[0], replies, str(seed)).turns) for seed in range(8)}
    assert len(said) > 1


# Nobody is fooled


PAST_BY = st.sampled_from(
    [
        "The weather was quite pleasant in Lisbon.",
        "Bananas contain potassium.",
        "I see.",
        "Okay.",
        "",
        "Volcanoes erupt.",
    ]
)


@patiently
@given(profile=NAMED, replies=st.lists(PAST_BY, min_size=TURNS, max_size=TURNS))
def test_whoever_is_passed_over_sinks_with_every_reply(profile: Profile, replies: list[str]) -> None:
    course = play(profile, replies)
    assert all(turn.change < 0 for turn in course.turns)
    assert course.end < course.start


STUFFED = (
    "That sounds sad and lonely, many people feel so, you managed it, what was it like, what could be a first step,"
    " and your body is getting ready, at the same time it matters to you."
)


@patiently
@given(profile=NAMED, reply=st.one_of(st.text(max_size=120), st.sampled_from([STUFFED, "What was that like for you?"])))
def test_the_same_reply_over_and_over_makes_nobody_content(profile: Profile, reply: str) -> None:
    course = play(profile, [reply] * TURNS)
    assert course.ending != "content"
    assert course.end <= course.start
    assert all(turn.change < 0 for turn in course.turns[1:])


def turned(words: str) -> str:
    """What a template does: the words back, with I and you turned round."""
    turns = {"i": "you", "my": "your", "me": "you", "am": "are", "was": "were", "myself": "yourself", "mine": "yours"}
    return " ".join(turns.get(word.lower().strip(",."), word) for word in words.rstrip(".?!").split())


TEMPLATES = [
    "You told me that {}.",
    "You felt sad because {}, is that right?",
    "What was it like for you that {}?",
    "It sounds lonely that {}. Many people feel so, you managed it, and what could be the first step?",
    STUFFED + " {}.",
]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.id)
def test_no_template_filled_with_the_last_words_makes_anybody_content(profile: Profile) -> None:
    for template in TEMPLATES:
        course = converse(Patient(profile, "1"), lambda heard, one=template: one.format(turned(heard[-1])))  # type: ignore[misc]
        assert course.ending != "content", template
        assert course.end < course.start + 15, template
    in_turn = iter(TEMPLATES * 3)
    course = converse(Patient(profile, "1"), lambda heard: next(in_turn).format(turned(heard[-1])))
    assert course.ending != "content"
    parroted = converse(Patient(profile, "1"), lambda heard: heard[-1])
    assert parroted.ending == "left"


@patiently
@given(profile=NAMED, seed=st.integers(0, 99))
def test_words_strewn_at_random_make_nobody_content(profile: Profile, seed: int) -> None:
    source = random.Random(seed)
    bag = re.findall(r"\w+", STUFFED + " ".join(PROFILES[0].opening))
    course = play(profile, [" ".join(source.choices(bag, k=12)) + "." for _ in range(TURNS)])
    assert course.ending != "content"


# Who listens gets somewhere


GRANDMOTHER = {
    "My grandmother died five weeks ago and I still set out two cups in the morning.": "Two cups: you still lay the table for her, and that sounds like longing.",
    "I found a voice message from my grandmother and could not listen to it.": "Her voice is in that message, and listening seems too painful for you yet.",
    "It does not matter, really.": "It seems to matter to you a great deal, and perhaps you are tired of saying so.",
    "People say she had a good life, and then they change the subject.": "They change the subject, and you are left with your sorrow.",
    "She taught me how to bake bread when I was six.": "Six years old, flour on your hands, she taught you: a tender and now sad memory.",
    "At the funeral I was the one who talked to the guests.": "You talked to all the guests while you were grieving, that must have been exhausting.",
    "I have her blue coat and I do not know where to put it.": "The blue coat has no place yet, and finding one feels painful and final to you.",
    "She always hummed the same song in the kitchen.": "That song is gone from her kitchen, and the quiet must feel lonely to you.",
    "I miss the phone calls on Sunday, they were about nothing.": "On Sunday the phone is silent, and you feel how much the calls about nothing held you.",
    "I was with her two days before, and I read the newspaper to her.": "You read the newspaper to her so close to the end, there is sadness and warmth in it.",
    "It is good to talk about her hands and her kitchen.": "Her hands have come alive as you talk, and it sounds as if the heaviness eases.",
    "I think I will bake her bread on Sunday.": "You will bake her bread with tears, maybe, and with the smell she left you, sad and close.",
}
SUPERVISOR = {
    "On Monday I meet my supervisor, who has not read my chapter since May.": "He has not read the chapter since May, and you sound frustrated.",
    "My supervisor cancelled again and moved me to Monday.": "He cancelled and moved you again, and that sounds frustrating.",
    "That is vague.": "Then to be exact: which single answer would change your Monday, and when could you ask for it?",
    "I have no time for general remarks.": "No general remarks, then: what could come first, tonight, in ten minutes?",
    "The chapter has forty pages and a hole in the middle.": "Which one decision would fill the hole in the chapter, and what could you begin with?",
    "My funding ends in March.": "With funding until March, when would you need his yes at the latest?",
    "In the last meeting we talked about his holiday.": "So that the meeting is not lost to holidays: what could be your first sentence there?",
    "I freeze when he looks at his watch.": "When he looks at his watch, what could you say in one breath before you freeze?",
    "I need one decision from him, the sample, nothing else.": "Only the sample, then: how would you begin the mail that asks him for this decision?",
    "If I sent him one page he might read one page.": "Which one page would you send, and when could it be in his inbox?",
    "One page, one question, sent on Friday. That is a plan.": "On Friday, then: what will you do first that morning so that the question leaves your desk?",
    "And if he looks at his watch I ask for the date in writing.": "The date in writing: which one would you offer him yourself?",
    "That could be in any guidebook.": "Fair, away with the guidebook: what could you write to him tonight, word for word?",
    "And concretely?": "Concretely: which file do you open first, and when will you close it?",
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "answers", "gain"), [("grandmother", GRANDMOTHER, 45), ("supervisor", SUPERVISOR, 25)]
)
def test_replies_that_listen_lift_the_patient(name: str, answers: dict[str, str], gain: int, seed: int) -> None:
    course = converse(Patient(profile_called(name), seed), lambda heard: answers.get(heard[-1], "I see."))
    assert max(course.emotions) >= min(100, course.start + gain)


def test_a_demanding_patient_is_moved_less_by_the_same_reply() -> None:
    reply = "You sound worn out by what you carry."
    changes = [
        read(reply, PROFILES[0].model_copy(update={"demand": demand}), ["I am worn out by it."], []).change
        for demand in ("easy", "moderate", "hard")
    ]
    assert changes[0] > changes[1] > changes[2]


# How a reply is heard


@pytest.mark.parametrize(
    ("need", "reply", "met"),
    [
        ("heard", "You cleaned the kitchen at midnight, and you sound worn out.", True),
        ("heard", "You should clean the kitchen together.", False),
        ("asked", "What happened in the kitchen?", True),
        ("asked", "You cleaned the kitchen.", False),
        ("words", "Perhaps it is resentment about the kitchen, you sound bitter.", True),
        ("normal", "Many people get angry over a dirty kitchen.", True),
        ("normal", "Many people like football.", False),
        ("strength", "You kept the kitchen going all the same.", True),
        ("view", "What would your flatmate say about the kitchen?", True),
        ("facts", "When people are tired the brain takes a dirty kitchen for an alarm.", True),
        ("facts", "The kitchen was dirty.", False),
    ],
)
def test_a_need_is_met_by_its_own_kind_of_reply(need: str, reply: str, met: bool) -> None:
    profile = PROFILES[0].model_copy(update={"need": need})
    assert read(reply, profile, ["I cleaned the kitchen at midnight."], ["Oh."]).met is met


def test_a_plan_helps_whoever_was_heard_first() -> None:
    profile = profile_called("two_deadlines")
    reply = "Which of the essays could you begin tomorrow, and with which first sentence?"
    assert not read(reply, profile, ["I have not begun either essay."], []).met
    assert read(reply, profile, ["I have not begun either essay."], ["Both essays on one day."]).met


def test_comfort_dismissal_and_refusal_cost_and_an_insult_costs_most() -> None:
    profile = profile_called("wedding")

    def change(reply: str) -> int:
        return read(reply, profile, ["My sister asked her colleague and not me."], []).change

    assert change("Your sister will come round, don't worry, it will be fine.") < 0
    assert change("It is not that bad that your sister asked a colleague.") < -3
    assert change("I'm sorry, but I can't help with your sister.") < -3
    assert change("You are stupid.") == -LARGEST


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        ("names_feeling", "That sounds lonely."),
        ("asks_openly", "How was it for you?"),
        ("advises", "Have you tried making a list?"),
        ("reassures", "It will get better."),
        ("plans", "What could be the first step?"),
        ("normalises", "It is quite normal."),
    ],
)
def test_codes_are_found(code: str, reply: str) -> None:
    assert code in codes_in(reply)


def test_after_a_reply_that_missed_the_patient_says_so() -> None:
    profile = profile_called("wedding")
    patient = Patient(profile, 1)
    patient.opens()
    patient.hears("It is not that bad, get over it.")
    assert patient.says() in profile.missed
