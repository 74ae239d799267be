"""The engine `eliza`: the mechanism of 1966 on small scripts, and its own script on whatever a participant may write."""

import hashlib
import re
from dataclasses import replace
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from therapist.engine import Form, Prompt, Sampling, Utterance
from therapist.engines import open_engine
from therapist.engines._script import NEWKEY, REFERENCE, Script, load_script, parse_script
from therapist.engines.eliza import LONGEST, ElizaEngine, answer, decompose, turn_round
from therapist.errors import DataFileError
from therapist.rails import Rails, judge, split
from therapist.screen import Screen

SMALL = """
adverbs = []
loose_before = ["that"]
loose_after = ["and"]
[before]
mum = "mother"
"i'm" = "i am"
[turned]
i = "you"
my = "your"
[groups]
family = ["mother", "father"]

[memory]
word = "my"
[[memory.rule]]
match = "0 my @family 0"
statement = ["Earlier there was your (3)."]
question = ["What of your (3)?"]
[[memory.rule]]
match = "0 my @family 0"
statement = ["And there was your (3)."]
question = ["And your (3)?"]

[none]
statement = ["I see.", "Go on."]
question = ["And then?", "What else?"]

[[keyword]]
word = "low"
rank = 1
[[keyword.rule]]
statement = ["Low."]
question = ["Low?"]

[[keyword]]
word = "high"
also = ["higher"]
rank = 9
[[keyword.rule]]
match = "0 high high 0"
statement = ["High twice."]
question = ["High twice?"]
[[keyword.rule]]
statement = ["High one.", "High two.", "High three."]
question = ["High one?", "High two?"]

[[keyword]]
word = "link"
rank = 5
[[keyword.rule]]
statement = ["=low"]
question = ["=low"]

[[keyword]]
word = "circle"
rank = 5
[[keyword.rule]]
statement = ["=circle"]
question = ["=circle"]

[[keyword]]
word = "skip"
rank = 8
[[keyword.rule]]
statement = ["newkey"]
question = ["newkey"]

[[keyword]]
word = "my"
rank = 2
[[keyword.rule]]
match = "0 my 0"
statement = ["There is your (3)."]
question = ["Why your (3)?"]
"""


@pytest.fixture(scope="module")
def small() -> Script:
    return parse_script(SMALL.encode())


def says(script: Script, *said: str, form: Form = "statement") -> str:
    return answer(script, said, form)


def test_the_keyword_of_the_highest_rank_speaks(small: Script) -> None:
    assert says(small, "low and high") == "High one."
    assert says(small, "low and higher") == "High one."


def test_patterns_are_tried_in_order(small: Script) -> None:
    assert says(small, "so high high up") == "High twice."


def test_reassemblies_take_turns_and_begin_again(small: Script) -> None:
    assert [says(small, *["high"] * times) for times in (1, 2, 3, 4)] == [
        "High one.",
        "High two.",
        "High three.",
        "High one.",
    ]


def test_each_form_has_its_own_sentences(small: Script) -> None:
    assert says(small, "high", form="question") == "High one?"
    assert says(small, "high", "high", form="question") == "High two?"


def test_a_link_goes_on_with_another_keyword(small: Script) -> None:
    assert says(small, "link") == "Low."


def test_a_link_in_a_circle_comes_to_an_end(small: Script) -> None:
    assert says(small, "circle") == "I see."


def test_newkey_gives_up_for_the_next_keyword_of_the_clause(small: Script) -> None:
    assert says(small, "skip low") == "Low."
    assert says(small, "skip") == "I see."


def test_without_keyword_one_of_a_few_sentences_is_said_in_turn(small: Script) -> None:
    assert [says(small, "hm"), says(small, "hm", "hm"), says(small, "hm", "hm", "hm")] == ["I see.", "Go on.", "I see."]


def test_the_memory_gives_back_first_what_it_took_first_and_each_once(small: Script) -> None:
    said = ["My mum called.", "Then my father came.", "hm", "hm", "hm"]
    assert [says(small, *said[: number + 1]) for number in range(2, 5)] == [
        "Earlier there was your mother.",
        "And there was your father.",
        "I see.",
    ]
    assert says(small, *said[:3], form="question") == "What of your mother?"


@pytest.mark.parametrize("stop", [", ", ". ", " - ", "; ", "\n", " but ", "? ", " (", "…"])
def test_only_the_first_clause_with_a_keyword_is_answered(small: Script, stop: str) -> None:
    assert says(small, f"nothing here{stop}low{stop}high") == "Low."


def test_words_are_replaced_before_and_turned_round_after(small: Script) -> None:
    assert says(small, "My mum and my cat") == "There is your mother and your cat."


def test_a_part_that_is_empty_or_too_long_is_not_said_back(small: Script) -> None:
    assert says(small, "my") == "I see."
    assert says(small, "my " + "very " * LONGEST + "old cat") == "I see."


def test_the_earlier_elements_of_a_pattern_are_as_short_as_can_be() -> None:
    assert decompose(("0", frozenset({"i"}), "0"), ["so", "i", "think", "i", "know"]) == ((0, 1), (1, 2), (2, 5))
    assert decompose((frozenset({"yes"}),), ["yes", "yes"]) is None


@pytest.mark.parametrize(
    ("said", "turned"),
    [
        ("i was late for my exam", "you were late for your exam"),
        ("my mother was ill", "your mother was ill"),
        ("i really was sure", "you really were sure"),
        ("i am proud of myself", "you are proud of yourself"),
        ("you are like my father", "I am like your father"),
        ("why were you late", "why was I late"),
        ("she told me that they like you", "she told you that they like me"),
        ("we lost our way", "you lost your way"),
    ],
)
def test_the_sides_are_turned_round(said: str, turned: str) -> None:
    assert " ".join(turn_round(load_script(), said.split())) == turned


@pytest.mark.parametrize(
    ("said", "statement", "question"),
    [
        (
            "I failed my statistics exam.",
            "It weighs on you that you failed your statistics exam.",
            "What does it mean to you that it went so?",
        ),
        ("He laughed when I showed him my slides", "He laughed when you showed him your slides.", None),
        ("I’m worried about the deadline", "Your mind goes to the deadline again and again.", None),
        ("What if I never find a job?", "You ask yourself what would be if you never find a job.", None),
        ("I should have said no", "You hold it against yourself that you might have said no.", None),
        ("I could call my flatmate", "One way is that you call your flatmate.", "What would happen if you did that?"),
        ("i dont know", "You do not know yet.", None),
        ("Are you a robot?", "I am a computer program, and I stay with your words.", None),
    ],
)
def test_its_own_script_answers_students(said: str, statement: str, question: str | None) -> None:
    script = load_script()
    assert says(script, said) == statement
    if question:
        assert says(script, said, form="question") == question


WORDS = """
i my me mine myself am was we our you your are mother exam sad afraid of that because if like failed my feel
think never always everyone can't don't want should could remember said he she to the a , . but -
"""
words = st.sampled_from(WORDS.split())
participants = st.one_of(st.text(max_size=200), st.lists(words, max_size=60).map(" ".join))


@given(st.lists(participants, min_size=1, max_size=6), st.sampled_from(["statement", "question"]))
@example(["x" * 5000], "statement")
@example(["i " * 5000], "question")
@example(["(1) (2?) {0} \\1 =my newkey my (3)"], "statement")
def test_whatever_is_written_gets_one_sentence_of_the_asked_form(said: list[str], form: Form) -> None:
    reply = answer(load_script(), said, form)
    assert split(reply) == [reply]
    assert reply.endswith("?" if form == "question" else ".")
    assert not REFERENCE.search(reply)
    assert NEWKEY not in reply.split() or "newkey" in said[-1]
    assert answer(load_script(), said, form) == reply


@given(st.lists(words.filter(lambda word: word not in ("you", "your", "are")), max_size=40).map(" ".join))
def test_nothing_is_said_back_as_if_it_were_the_program_s_own(said: str) -> None:
    for form in ("statement", "question"):
        assert not re.search(r"\b(my|mine|myself)\b", answer(load_script(), [said], form))


@given(participants)
def test_no_more_than_a_clause_is_said_back(said: str) -> None:
    longest = max(
        len(one.split()) for rule in load_script().rules() for ones in rule.reassemblies.values() for one in ones
    )
    parts = 3
    assert len(answer(load_script(), [said], "statement").split()) <= longest + parts * LONGEST


def test_a_visit_does_not_hear_the_same_sentence_over_and_over() -> None:
    said = ["It was the exam.", "sixty", "The talk.", "no idea", "Seventy.", "the talk again", "thirty", "later"]
    heard = [answer(load_script(), said[: number + 1], "statement") for number in range(len(said))]
    assert len(set(heard)) == len(heard)


def test_every_sentence_of_the_script_may_be_said() -> None:
    screen = Screen.load()
    refused = []
    for rule in load_script().rules():
        for form, sentences in rule.reassemblies.items():
            for sentence in sentences:
                said = REFERENCE.sub("that", sentence)
                reason = judge(said, form=form, rails=Rails(), screen=screen, said=[], heard="", around="")
                if not sentence.startswith("=") and sentence != NEWKEY and (reason or screen.check(said, "therapist")):
                    refused.append((reason, sentence))
    assert refused == []


def test_the_script_knows_some_sixty_things_people_speak_of() -> None:
    assert len({keyword.word for keyword in load_script().keywords.values()}) >= 55


def test_the_engine_answers_the_last_words_in_the_asked_form_and_says_which_script_it_used() -> None:
    engine = open_engine("eliza")
    data = files("therapist").joinpath("engines", "eliza_doctor.toml").read_bytes()
    assert engine.identity.sha256 == hashlib.sha256(data).hexdigest()
    prompt = Prompt(
        "ignored",
        (("ignored", "ignored"),),
        (Utterance("therapist", "What happened?"), Utterance("participant", "I failed my exam.")),
        "ignored",
        "statement",
        "ignored",
    )
    generation = engine.generate(prompt, sampling=Sampling(), seed=1, conversation="a")
    assert list(generation) == ["It weighs on you that you failed your exam."]
    assert (generation.usage.tokens_in, generation.usage.tokens_out) == (4, 9)
    asked = replace(prompt, form="question")
    assert "".join(engine.generate(asked, sampling=Sampling(), seed=1, conversation="a")).endswith("?")
    closed = ElizaEngine().generate(prompt, sampling=Sampling(), seed=1, conversation="a")
    closed.close()
    assert list(closed) == []
    engine.close()


@pytest.mark.parametrize(
    ("spoilt", "by", "message"),
    [
        ('statement = ["=low"]', 'statement = ["=lower"]', "=lower names no keyword"),
        ('word = "low"', 'word = "high"', "'high' stands in two keywords"),
        ('statement = ["Low."]', "statement = []", "low: a rule has no statement"),
        ('statement = ["Low."]', 'statement = ["Low?"]', "'Low\\?' is not one statement"),
        ('statement = ["Low."]', 'statement = ["Low. Lower."]', "is not one statement"),
        ('statement = ["Low."]', 'statement = ["Low (2)."]', "names a part that its pattern has not"),
        ('statement = ["I see.", "Go on."]', 'statement = ["newkey"]', "memory and none have sentences only"),
        ('match = "0 my @family 0"', 'match = "0 my @kin 0"', "'kin' is missing"),
        ("[none]", "[nothing]", "'none' is missing"),
        ("[none]", "[none", "eliza_doctor.toml"),
    ],
)
def test_a_script_that_is_not_whole_is_refused_by_name(spoilt: str, by: str, message: str) -> None:
    assert spoilt in SMALL
    with pytest.raises(DataFileError, match=message):
        parse_script(SMALL.replace(spoilt, by).encode())
