"""Permuted blocks: balanced, reproducible, different for each seed."""

import hashlib
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.allocation import sequence
from study.errors import ProtocolError
from study.protocol import load
from tests import trial

ARMS = ["robot", "chat", "worksheet"]


def rebuilt(seed: str, stratum: str, ratios: list[int], sizes: list[int], length: int) -> list[str]:
    """The documented procedure once more, written from its description alone."""

    def number(text: str) -> int:
        return int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16)

    arms: list[str] = []
    block = 0
    while len(arms) < length:
        size = sizes[number(f"{seed}/{stratum}/{block}/size") % len(sizes)]
        slots: list[str] = []
        for arm, ratio in zip(ARMS, ratios, strict=True):
            slots.extend([arm] * (size * ratio // sum(ratios)))
        keyed = sorted((number(f"{seed}/{stratum}/{block}/{place}"), arm) for place, arm in enumerate(slots))
        arms.extend(arm for _, arm in keyed)
        block += 1
    return arms[:length]


designs = st.lists(st.integers(1, 4), min_size=3, max_size=3).flatmap(
    lambda ratios: st.tuples(
        st.just(ratios),
        st.lists(st.integers(1, 4).map(lambda times: times * sum(ratios)), min_size=1, max_size=3),
    )
)


@given(st.text(max_size=20), st.sampled_from(["all", "women", "men"]), designs)
def test_the_sequence_is_the_one_that_its_description_gives(seed: str, stratum: str, design) -> None:  # type: ignore[no-untyped-def]
    ratios, sizes = design
    ours = [slot.arm for slot in islice(sequence(seed, stratum, ARMS, ratios, sizes), 60)]
    assert ours == rebuilt(seed, stratum, ratios, sizes, 60)


@given(st.integers(), designs)
def test_every_block_has_its_arms_in_the_ratio(seed: int, design) -> None:  # type: ignore[no-untyped-def]
    ratios, sizes = design
    slots = list(islice(sequence(str(seed), "all", ARMS, ratios, sizes), 200))
    for block in range(slots[-1].block):
        counts = Counter(slot.arm for slot in slots if slot.block == block)
        assert len({counts[arm] / ratio for arm, ratio in zip(ARMS, ratios, strict=True)}) == 1


def test_every_order_of_a_block_is_equally_likely() -> None:
    """Chi-squared over the six orders of 3 arms in 6,000 blocks; the bound is the 0.999 quantile at 5 df."""
    slots = islice(sequence("fairness", "all", ARMS, [1, 1, 1], [3]), 18_000)
    arms = [slot.arm for slot in slots]
    orders = Counter(tuple(arms[start : start + 3]) for start in range(0, 18_000, 3))
    assert len(orders) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in orders.values()) < 20.5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "block_sizes = [3] ",
            'method = "minimisation"\nchance = 0.3 ',
            "allocation.chance is 0.3, so the arm that balances best would be avoided; allowed: more than 0.333",
        ),
        ("block_sizes = [3] ", 'method = "minimisation"\nchance = 1.0 ', "allocation.chance is 1.0"),
        ("cuts = [20]", "cuts = [nan]", "allocation.strata[2].cuts[1] is nan"),
        ("cuts = [20]", "cuts = [20, inf]", "allocation.strata[2].cuts[2] is inf"),
        ('"male", "other"]', '"male; k10: below 20"]', "reads like two factors of a stratum"),
    ],
)
def test_a_protocol_by_which_nobody_could_be_allocated_well_is_refused(
    folder: Path, old: str, new: str, said: str
) -> None:
    trial.write(folder, (old, new))
    with pytest.raises(ProtocolError) as refused:
        load(folder / "study.toml")
    assert said in str(refused.value)


def test_a_chance_that_favours_the_best_arm_only_a_little_is_taken(folder: Path) -> None:
    trial.write(folder, ("block_sizes = [3] ", 'method = "minimisation"\nchance = 0.34 '))
    assert load(folder / "study.toml")[0].allocation.chance == 0.34
