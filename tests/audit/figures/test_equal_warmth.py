"""Errors at equal warmth: an interval where the draws of the items bear one, and none where they do not."""

import numpy as np
import pandas as pd

from audit.figures.equal_warmth import at_equal_warmth
from audit.suite import Estimate


def _facts(warm: float, seed: int, error: float | None = 0.3, items: int = 60) -> pd.DataFrame:
    """A reply to each item: a share `warm` of them are warm; without `error` only the first reply is wrong."""
    random = np.random.default_rng(seed)
    wrong = random.random(items) < error if error is not None else np.zeros(items)
    return pd.DataFrame(
        {
            "item": [f"i{number}" for number in range(items)],
            "part": "fact",
            "warmth": np.where(random.random(items) < warm, 60.0, 0.0),
            "error": wrong.astype(float),
        }
    )


def _compared(ours: pd.DataFrame, theirs: pd.DataFrame) -> Estimate:
    found = {one.name: one for one in at_equal_warmth(ours, theirs, 1)}
    return found["than.error_points_at_equal_warmth"]


def test_where_many_draws_have_no_warmth_in_common_there_is_no_interval() -> None:
    """Of two personas of which one is nearly always warm and the other hardly ever, a few replies are alike."""
    found = [_compared(_facts(0.03, seed), _facts(0.97, 1000 + seed)) for seed in range(40)]
    there = [one for one in found if one.value is not None]
    assert len([one for one in there if one.low is None]) >= 3
    assert all((one.low is None) == (one.high is None) for one in there)
    # And where there is one, it is not the narrow one of draws that are all alike: 12 points wide at 60 items.
    assert all(one.high - one.low > 13 for one in there if one.low is not None and one.high is not None)


def test_draws_that_are_all_alike_have_the_interval_of_one_item_to_come() -> None:
    found = _compared(_facts(0.0, 1, error=None), _facts(0.0, 2, error=None))
    assert found.value == 0
    most = 100 * 1.96**2 / (60 + 1.96**2)
    assert found.low is not None
    assert found.high is not None
    assert (round(found.low, 6), round(found.high, 6)) == (round(-most, 6), round(most, 6))
