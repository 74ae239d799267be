"""Minimisation: as described, as published, and balanced."""

import hashlib
import math
import random
import statistics
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from study.allocation import minimise, preferred_among

ARMS = ["robot", "chat", "worksheet"]
FEW = ["fal", "mbh", "fbh", "fbl", "mal", "mah", "fah", "mbl", "fal", "mbh"]


def rebuilt(seed, n, arms, ratios, history, person, tenths, percent):  # type: ignore[no-untyped-def]
    """The documented procedure once more, from its description alone, in whole numbers.

    `tenths` are the weights times ten and `percent` the chance times a hundred, so that nothing has to be divided.
    """

    def drawn(purpose: str, tickets: list[int]) -> int:
        """The place in `tickets` on which u falls, each as wide as its number."""
        digest = hashlib.sha256(f"{seed}/minimise/{n}/{purpose}".encode()).hexdigest()
        point = int(digest, 16) * sum(tickets) >> 256
        place = 0
        while point >= tickets[place]:
            point -= tickets[place]
            place += 1
        return place

    everybody = math.prod(ratios)
    totals = []
    for candidate in arms:
        total = 0
        for factor, weight in tenths.items():
            same = [arm for arm, theirs in history if theirs[factor] == person[factor]] + [candidate]
            shares = [same.count(arm) * (everybody // ratio) for arm, ratio in zip(arms, ratios, strict=True)]
            total += weight * (max(shares) - min(shares))
        totals.append(total)
    preferred = drawn("tie", [ratio * (total == min(totals)) for ratio, total in zip(ratios, totals, strict=True)])
    rest, whole, smallest = 100 - percent, sum(ratios), min(ratios)
    tickets = [rest * ratio for ratio in ratios]
    tickets[preferred] = 100 * (whole - smallest) - rest * (whole - ratios[preferred])
    return arms[drawn("arm", tickets)]


people = st.fixed_dictionaries(
    {"sex": st.sampled_from("fmo"), "site": st.sampled_from("abcd"), "k10": st.sampled_from("lh")}
)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=12),
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.lists(people, min_size=1, max_size=25),
    st.lists(st.integers(1, 40), min_size=3, max_size=3),
    st.integers(51, 99),
)
@example("sums of tenths tie", [1, 1], [{"sex": s, "site": c, "k10": k} for s, c, k in FEW], [1, 2, 3], 80)
def test_the_arms_are_those_that_the_description_gives(seed, ratios, newcomers, tenths, percent) -> None:  # type: ignore[no-untyped-def]
    arms = [*ARMS, "waiting"][: len(ratios)]
    named = dict(zip(("sex", "site", "k10"), tenths, strict=True))
    weights = {factor: weight / 10 for factor, weight in named.items()}
    history: list[tuple[str, dict[str, str]]] = []
    for number, person in enumerate(newcomers):
        ours = minimise(seed, number, arms, ratios, history, person, weights, percent / 100)
        assert ours.arm == rebuilt(seed, number, arms, ratios, history, person, named, percent)
        assert (ours.position, ours.block) == (number, None)
        history.append((ours.arm, person))


def test_weights_are_the_decimal_numbers_that_were_written() -> None:
    """A tenth and two tenths weigh as much as three tenths, though not in binary: so the two arms tie."""
    history = [("robot", {"a": "x", "b": "x", "c": "o"}), ("chat", {"a": "o", "b": "o", "c": "x"})]
    weights = {"a": 0.1, "b": 0.2, "c": 0.3}
    _, least = preferred_among(["robot", "chat"], [1, 1], history, dict.fromkeys("abc", "x"), weights)
    assert least == ["robot", "chat"]


def history_with(counts: dict[str, tuple[int, int]]) -> list[tuple[str, dict[str, str]]]:
    """Participants of two arms of whom `counts`, for each factor, share the newcomer's level."""
    return [
        (arm, {name: "hers" if number < count[place] else "other" for name, count in counts.items()})
        for place, arm in enumerate(("first", "second"))
        for number in range(max(count[place] for count in counts.values()))
    ]


@pytest.mark.parametrize(
    ("counts", "first", "second"),
    [
        # Lim & In 2019, Korean J Anesthesiol 72:221, table 4: the 15th patient; first is control, second treatment.
        ({"site": (3, 5), "sex": (3, 3), "age": (3, 3)}, 3, 5),
        # Ivers et al. 2012, Trials 13:120, table 3, after Scott et al. 2002: first is intervention, second control.
        ({"baseline rate": (2, 2), "covariate rate": (3, 1)}, 4, 2),
    ],
)
def test_published_examples(counts: dict[str, tuple[int, int]], first: int, second: int) -> None:
    weights = dict.fromkeys(counts, 1.0)
    imbalance, least = preferred_among(
        ["first", "second"], [1, 1], history_with(counts), dict.fromkeys(counts, "hers"), weights
    )
    assert imbalance == {"first": first, "second": second}
    assert least == ["first" if first < second else "second"]


def test_an_example_worked_by_hand() -> None:
    """Two arms, four factors. Those who share the newcomer's level: 10, 11, 8, 5 in one arm and 8, 9, 9, 4 in the other.

    With the newcomer in the first, the differences are |11-8|, |12-9|, |9-9|, |6-4|: 8 in all; in the second |10-9|,
    |11-10|, |8-10|, |5-5|: 4. So the second is preferred, which also has the smaller sum of counts (30 beside 34), as the
    method of Taves has it for two arms.
    """
    counts = {"age": (10, 8), "stage": (11, 9), "time": (8, 9), "ability": (5, 4)}
    history = history_with(counts)
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
        history.append(
            (minimise(f"s{seed}", number, ARMS[: len(ratios)], ratios, history, person, weights, chance).arm, person)
        )
    return history


@pytest.mark.parametrize("ratios", [[1, 2], [1, 2, 3], [2, 1, 1], [1, 1, 4]])
def test_the_mean_of_many_trials_is_the_ratio(ratios: list[int]) -> None:
    """Two hundred trials of 48: the mean number in each arm is within four Monte-Carlo standard errors of its share."""
    trials = [Counter(arm for arm, _ in allocated(ratios, 0.8, 48, seed)) for seed in range(200)]
    for arm, ratio in zip(ARMS, ratios, strict=False):
        numbers = [trial[arm] for trial in trials]
        error = statistics.stdev(numbers) / len(trials) ** 0.5
        assert abs(statistics.mean(numbers) - 48 * ratio / sum(ratios)) < 4 * error


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
