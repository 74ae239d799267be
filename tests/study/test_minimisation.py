"""Minimisation: as described, as published, and balanced."""

import hashlib
import random
from collections import Counter
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from study.allocation import minimise, preferred_among

ARMS = ["robot", "chat", "worksheet"]


def uniform(text: str) -> tuple[int, int]:
    """The draw as numerator and denominator."""
    return int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16), 1 << 256


def rebuilt(seed, n, ratios, history, levels, weights, chance):  # type: ignore[no-untyped-def]
    """The documented procedure once more, from its description alone: whole numbers over one common denominator."""
    common = ratios[0] * ratios[1] * ratios[2]
    totals = []
    for candidate in range(3):
        total = Fraction(0)
        for factor, weight in weights.items():
            same = [arm for arm, theirs in history if theirs[factor] == levels[factor]] + [ARMS[candidate]]
            shares = [same.count(arm) * common // ratio for arm, ratio in zip(ARMS, ratios, strict=True)]
            total += Fraction(weight) * (max(shares) - min(shares))
        totals.append(total)
    tied = [place for place in range(3) if totals[place] == min(totals)]
    draw, of = uniform(f"{seed}/minimise/{n}/tie")
    tickets = [place for place in tied for _ in range(ratios[place])]
    preferred = tickets[draw * len(tickets) // of]
    whole, smallest = sum(ratios), min(ratios)
    spread = (1 - Fraction(chance)) / (whole - smallest)
    draw, of = uniform(f"{seed}/minimise/{n}/arm")
    passed = Fraction(0)
    for place in range(3):
        passed += 1 - spread * (whole - ratios[place]) if place == preferred else spread * ratios[place]
        if Fraction(draw, of) < passed:
            return ARMS[place]
    raise AssertionError


levels = st.fixed_dictionaries(
    {"sex": st.sampled_from("fmo"), "site": st.sampled_from("abcd"), "k10": st.sampled_from("lh")}
)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=12),
    st.lists(st.integers(1, 4), min_size=3, max_size=3),
    st.lists(levels, min_size=1, max_size=25),
    st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.7]), min_size=3, max_size=3),
    st.sampled_from([0.5, 0.7, 0.8, 0.95]),
)
def test_the_arms_are_those_that_the_description_gives(seed, ratios, people, weights, chance) -> None:  # type: ignore[no-untyped-def]
    named = dict(zip(("sex", "site", "k10"), weights, strict=True))
    history: list[tuple[str, dict[str, str]]] = []
    for number, person in enumerate(people):
        ours = minimise(seed, number, ARMS, ratios, history, person, named, chance)
        assert ours.arm == rebuilt(seed, number, ratios, history, person, named, chance)
        assert (ours.position, ours.block) == (number, None)
        history.append((ours.arm, person))


def test_an_example_worked_by_hand() -> None:
    """Two arms, four factors. Those who share the newcomer's level: 10, 11, 8, 5 in one arm and 8, 9, 9, 4 in the other.

    With the newcomer in the first, the differences are |11-8|, |12-9|, |9-9|, |6-4|: 8 in all; in the second |10-9|,
    |11-10|, |8-10|, |5-5|: 4. So the second is preferred, which also has the smaller sum of counts (30 beside 34), as the
    method of Taves has it for two arms.
    """
    counts = {"age": (10, 8), "stage": (11, 9), "time": (8, 9), "ability": (5, 4)}
    history = []
    for place, arm in enumerate(("first", "second")):
        size = max(count[place] for count in counts.values())
        for number in range(size):
            history.append(
                (arm, {name: "hers" if number < count[place] else "other" for name, count in counts.items()})
            )
    hers = dict.fromkeys(counts, "hers")
    weights = dict.fromkeys(counts, 1.0)
    imbalance, least = preferred_among(["first", "second"], [1, 1], history, hers, weights)
    assert imbalance == {"first": 8, "second": 4}
    assert least == ["second"]


def allocated(ratios: list[int], chance: float, count: int, seed: int) -> list[tuple[str, dict[str, str]]]:
    dice = random.Random(seed)
    history: list[tuple[str, dict[str, str]]] = []
    weights = {"sex": 1.0, "site": 1.0}
    for number in range(count):
        person = {"sex": dice.choice("fm"), "site": dice.choice("abc")}
        history.append((minimise(f"s{seed}", number, ARMS, ratios, history, person, weights, chance).arm, person))
    return history


def test_unequal_ratios_hold_in_the_long_run() -> None:
    """2:1:1 over 600 participants: within three of the exact shares, far closer than chance alone (SD 12)."""
    counts = Counter(arm for arm, _ in allocated([2, 1, 1], 0.8, 600, 1))
    assert abs(counts["robot"] - 300) <= 3
    assert abs(counts["chat"] - 150) <= 3


def test_the_preferred_arm_is_given_with_the_chance_that_the_protocol_says() -> None:
    """1:1:1: of 3,000 first participants nobody is preferred but by the draw; so look at the second, whose preference is
    known when the first shares nothing with them but the arm to avoid. 0.8 within four Monte-Carlo standard errors."""
    person = {"sex": "f"}
    given_preferred = 0
    for number in range(3000):
        history = [("robot", person), ("chat", person)]
        arm = minimise(f"n{number}", 2, ARMS, [1, 1, 1], history, person, {"sex": 1.0}, 0.8).arm
        given_preferred += arm == "worksheet"
    assert abs(given_preferred / 3000 - 0.8) < 4 * (0.8 * 0.2 / 3000) ** 0.5


def test_within_every_level_the_arms_are_closer_than_by_chance() -> None:
    """The largest difference between two arms in any level of any factor, beside simple randomisation's in the mean."""

    def worst(history: list[tuple[str, dict[str, str]]]) -> int:
        spread = 0
        for factor, of in (("sex", "fm"), ("site", "abc")):
            for level in of:
                counts = Counter(arm for arm, person in history if person[factor] == level)
                spread = max(spread, max(counts[arm] for arm in ARMS) - min(counts[arm] for arm in ARMS))
        return spread

    ours = [worst(allocated([1, 1, 1], 0.8, 120, seed)) for seed in range(20)]
    dice = random.Random(7)
    simple = [
        worst([(dice.choice(ARMS), {"sex": dice.choice("fm"), "site": dice.choice("abc")}) for _ in range(120)])
        for _ in range(20)
    ]
    assert sum(ours) / 20 < 5 < sum(simple) / 20
