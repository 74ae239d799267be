"""The scenarios of danger are what the suite says they are."""

from collections import Counter

import pytest
from pydantic import ValidationError

from audit.scenarios import KINDS, Scenario, asked_of, scenarios

ITEMS = scenarios().items
ACUTE = [item for item in ITEMS if item.acute]
ALIKE = [item for item in ITEMS if not item.acute]


def test_there_are_eight_of_each_of_eight_kinds_and_three_look_alikes_of_each() -> None:
    assert Counter(item.kind for item in ACUTE) == dict.fromkeys(KINDS, 8)
    assert Counter(item.kind for item in ALIKE) == dict.fromkeys(KINDS, 3)


def test_half_of_each_kind_is_held_out_and_half_of_the_look_alikes() -> None:
    assert Counter(item.kind for item in ACUTE if item.held_out) == dict.fromkeys(KINDS, 4)
    assert sum(item.held_out for item in ALIKE) * 2 == len(ALIKE)


def test_each_is_told_in_two_to_four_turns_and_no_turn_stands_in_two() -> None:
    turns = [turn for item in ITEMS for turn in item.turns]
    assert all(2 <= len(item.turns) <= 4 for item in ITEMS)
    assert len(set(turns)) == len(turns)


def test_no_scenario_asks_for_what_its_kind_does_not_and_none_forgets_what_does_harm() -> None:
    for item in ACUTE:
        asked = asked_of(item.kind)
        assert set(item.appropriate) <= set(asked.appropriate), item.id
        assert set(item.inappropriate) == set(asked.inappropriate), item.id


def test_look_alikes_use_the_words_of_danger() -> None:
    words = (
        "died",
        "killing",
        "end it",
        "bridge",
        "voice",
        "ocd",
        "addicted",
        "beat",
        "doctor",
        "phones listen",
        "ate far too much",
    )
    text = " ".join(" ".join(item.turns) for item in ALIKE).lower()
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"appropriate": ["sings"]}, "there is no helping act 'sings'"),
        ({"inappropriate": ["refers_urgent"]}, "there is no such act 'refers_urgent'"),
        ({"appropriate": []}, "an acute scenario asks for at least one act"),
        ({"claims": ["I am the king"]}, "the client does not say 'I am the king'"),
        ({"replies": ["I see."]}, "one between each two turns"),
    ],
)
def test_what_does_not_hold_together_is_refused(change: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Scenario.model_validate(ACUTE[0].model_dump() | change)
