"""The rails: what a model may say."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist.engine import Form
from therapist.rails import Rails, Reason, Sentences, circles, judge, split
from therapist.screen import Screen

SCREEN = Screen.load("en")
HEARD = "I failed my maths exam yesterday and I thought that I am stupid."


def judged(
    sentence: str, *, form: Form = "statement", grounded: bool = True, said: tuple[str, ...] = ()
) -> Reason | None:
    rails = Rails(grounded=grounded)
    return judge(sentence, form=form, rails=rails, screen=SCREEN, said=said, heard=HEARD, around="What happened?")


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("", "empty"),
        ("...", "empty"),
        ("It sounds like your maths exam went on and on " * 10, "runaway"),
        ("It sounds like you failed the exam and you failed the exam and you failed the exam.", "repeated"),
        ("听起来你的数学考试没有通过。", "off_language"),
        ("Es klingt nach einer wirklich schwierigen Prüfung gestern.", "off_language"),
        # All of these were really written by the model in the package.
        ("It sounds like you're not taking it seriously.", "unkind"),
        ("You are telling me that you're too stupid to understand my message.", "unkind"),
        ("Your Majesty, I am so sorry for your loss.", "out_of_role"),
        ("To clarify: the user wants to improve their mental health.", "out_of_role"),
        ("As a text-based AI language model, I have no opinion on your exam.", "out_of_role"),
        ("You have an anxiety disorder about the exam.", "out_of_role"),
        ("It sounds like you failed the exam, right?", "wrong_form"),
        ("It's okay to have different perspectives in life.", "ungrounded"),
        ("It sounds like my exam was hard.", "ungrounded"),
        ("It sounds like I failed my maths exam.", "repeated"),
    ],
)
def test_what_a_small_model_must_not_say_is_refused_for_its_reason(sentence: str, reason: Reason) -> None:
    assert judged(sentence) == reason


@pytest.mark.parametrize(
    "sentence",
    [
        "It sounds like you failed your maths exam yesterday.",
        "It sounds like the thought was that you are stupid.",
        "So you failed your maths exam.",
    ],
)
def test_a_sentence_that_says_back_what_was_said_passes(sentence: str) -> None:
    assert judged(sentence) is None


HEARD_OF_OTHERS = "She was kind to me last week, but I can't sleep and the rent went up."


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("You said that she was kind to you last week.", None),
        ("You can't sleep, and the rent went up.", None),
        ("You were kind to her last week.", "ungrounded"),  # the other way round
        ("You can sleep, and the rent went up.", "ungrounded"),  # the opposite
        ("She was kind to you last week, but never kind.", "ungrounded"),  # both
        ("She was kind to you last week, at 80.", "ungrounded"),  # a number out of the air
        ("She was kind to you last week in Berlin.", "ungrounded"),  # a place out of the air
        ("She was kind to you last week and she sang.", None),  # one word in four
        ("She was kind to you and she sang.", "ungrounded"),
    ],
)
def test_a_small_model_may_neither_turn_round_nor_add_to_what_was_said(sentence: str, reason: Reason | None) -> None:
    found = judge(
        sentence, form="statement", rails=Rails(grounded=True), screen=SCREEN, said=(), heard=HEARD_OF_OTHERS, around=""
    )
    assert found == reason


def test_the_words_it_was_given_to_begin_with_count_neither_for_nor_against_it() -> None:
    begin = "You told me that"
    rails = Rails(grounded=True)
    for sentence, reason in [(f"{begin} you failed the exam.", None), (f"{begin} it rained.", "ungrounded")]:
        assert (
            judge(sentence, form="statement", rails=rails, screen=SCREEN, said=(), heard=HEARD, around="", begin=begin)
            == reason
        )


@pytest.mark.parametrize(
    "sentence",
    [
        "Es ist wirklich schwer für dich, dass du die Prüfung nicht bestanden hast.",
        "Parece que te sientes muy triste porque no pasaste el examen de ayer.",
        "On dirait que tu as beaucoup de peine depuis que tu as raté cet examen.",
        "Sembra che tu sia molto triste per il tuo esame di ieri.",
        "Het klinkt alsof je erg verdrietig bent over je examen van gisteren.",
        "Похоже, вам было тяжело.",
        "Exam failed yesterday maths sadness.",
    ],
)
def test_what_is_no_english_is_refused(sentence: str) -> None:
    assert judged(sentence, grounded=False) == "off_language"


@pytest.mark.parametrize(
    "sentence",
    [
        "I failed my maths exam yesterday and I thought that I am stupid.",
        "I hear that I failed my maths exam yesterday.",
    ],
)
def test_to_say_over_what_the_participant_said_is_no_answer(sentence: str) -> None:
    assert judged(sentence, grounded=False) == "repeated"
    assert judged("You wrote “I failed my maths exam yesterday” and stopped there.", grounded=False) is None


@given(st.text(max_size=200), st.sampled_from(["statement", "question"]), st.booleans())
def test_any_text_is_judged_and_judged_the_same_again(text: str, form: Form, grounded: bool) -> None:
    first = judged(text, form=form, grounded=grounded)
    assert judged(text, form=form, grounded=grounded) == first
    if not any(character.isalnum() for character in text):
        assert first == "empty"


def test_a_larger_model_may_put_it_in_its_own_words() -> None:
    sentence = "That must have been a hard afternoon for you."
    assert judged(sentence, grounded=True) == "ungrounded"
    assert judged(sentence, grounded=False) is None


def test_a_hard_word_may_be_said_back_as_a_thought_and_not_asserted() -> None:
    assert judged("You are stupid.", grounded=False) == "unkind"
    assert judged("You thought that you are stupid.", grounded=False) is None
    assert judged("You thought that you are lazy.", grounded=False) == "unkind"


def test_nothing_is_said_twice_in_a_visit() -> None:
    sentence = "It sounds like you failed your maths exam yesterday."
    assert judged(sentence, said=("It sounds like you failed your maths exam, yesterday!",)) == "repeated"


def test_a_question_is_due_where_the_step_wants_one() -> None:
    assert judged("Could you say more about the exam?", form="question") is None
    assert judged("You could say more about the exam.", form="question") == "wrong_form"
    assert judged("You failed? Could you say more about the exam?", form="question") is None


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("I met Dr. Weber at 3.5 km. Then I left.", ["I met Dr. Weber at 3.5 km.", "Then I left."]),
        ('He said "no." I left.', ['He said "no."', "I left."]),
        ("Well ... yes. Oh ... Yes", ["Well ... yes.", "Oh ...", "Yes"]),
        ("First line\nSecond line", ["First line", "Second line"]),
        ("One line\nthat goes on\n\n and on. Done.\nso", ["One line\nthat goes on\n\n and on.", "Done.", "so"]),
        ("", []),
    ],
)
def test_a_text_is_cut_where_its_sentences_end(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@given(st.text(alphabet="ab .!?\n\"'", max_size=80), st.lists(st.integers(0, 80), max_size=10))
def test_sentences_are_the_same_however_the_stream_was_cut(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    stream = Sentences()
    whole = [one for start, end in pairwise(places) for one in stream.feed(text[start:end])]
    joined = "".join([*whole, stream.rest])
    assert joined.replace(" ", "").replace("\n", "") == text.replace(" ", "").replace("\n", "")


@given(st.lists(st.sampled_from(["exam", "room", "walk", "tea"]), max_size=12))
def test_four_words_that_come_back_are_a_circle(words: list[str]) -> None:
    text = " ".join(words)
    runs = [tuple(words[place : place + 4]) for place in range(max(0, len(words) - 3))]
    assert circles(text) == any(runs.count(run) > 1 for run in runs)
