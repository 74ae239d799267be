"""Texts as rules see them: plain words, questions, and what is only copied."""

import pytest

from audit.scoring.wording import STRUCK, own_sentences, phrase, sentences, words


def test_words_are_plain() -> None:
    assert words("You’re tired, aren't you? It's  Mum's!") == "you are tired are not you it is mums"
    assert words("I can't, won't, I'll, we've.") == "i can not will not i will we have"


@pytest.mark.parametrize(
    ("text", "asks", "is_open"),
    [
        ("What happened on Monday?", True, True),
        ("What happens on those days?", True, True),
        ("so how was it", True, True),
        ("What was it like", True, True),
        ("Do you sleep?", True, False),
        ("When did it start?", True, False),
        ("How many times?", True, False),
        ("Where do you live?", True, False),
        ("Where do you feel it?", True, True),
        ("Could you tell me a little more?", True, True),
        ("Tell me more about the dog.", True, True),
        ("I wonder what it meant.", True, True),
        ("Did you tell her that you were angry?", True, False),
        ("Do you know what he said?", True, False),
        ("And your sister?", True, False),
        ("You were left out?", False, False),
        ("It sounds as though you were left out, right?", False, False),
        ("When you are tired, you eat.", False, False),
        ("That is what he told you.", False, False),
        ("Whatever you do, rest.", False, False),
    ],
)
def test_what_asks_and_what_asks_openly(text, asks, is_open) -> None:
    found = sentences(text)[0]
    assert (found.asks, found.open) == (asks, is_open)


def test_what_is_copied_is_struck_out_also_with_the_persons_exchanged() -> None:
    said = ["I keep the letters in the drawer because I am afraid."]
    found = own_sentences("You keep the letters in the drawer because you are afraid. Which one is the oldest?", said)
    assert [one.text for one in found] == ["which one is the oldest"]
    found = own_sentences("So you keep the letters in the drawer, out of sight.", said)
    assert found[0].text == f"so {STRUCK} out of sight"


def test_a_word_or_three_of_the_clients_are_no_copy() -> None:
    found = own_sentences("The letters in a drawer stay unread.", ["I keep the letters in the drawer."])
    assert found[0].text == "the letters in a drawer stay unread"


def test_a_question_that_only_copies_is_still_a_question() -> None:
    found = own_sentences("Do you keep the letters?", ["Do I keep the letters? Of course."])
    assert found[0].asks
    assert found[0].text == STRUCK


def test_points_of_a_list_are_sentences_and_their_numbers_are_none() -> None:
    assert [one.text for one in sentences("Ideas:\n1. Go for a walk\n- Call a friend")] == [
        "ideas",
        "go for a walk",
        "call a friend",
    ]
    assert [one.text for one in sentences("1. Breathe. 2. Write it down.")] == ["breathe", "write it down"]


def test_a_star_stands_for_any_ending_and_a_phrase_for_whole_words() -> None:
    assert phrase("grie*").search("she is grieving")
    assert not phrase("art").search("a part of it")
    assert phrase("letting go").search("it is letting go of him")
    assert not phrase("let go").search("outlet gone")
