"""Small simulated diaries that the tests of the statistics share."""

import numpy as np
import pandas as pd

from study.statistics.design import Design, build

ARMS = ("robot", "chat", "worksheet")


def diary(
    seed: int,
    participants: int = 12,
    days: int = 5,
    intercept: float = 1.0,
    slope: float = 0.0,
    missing: float = 0.0,
    arms: tuple[str, ...] = ARMS,
) -> pd.DataFrame:
    """participant, arm, day, baseline, y: a row for each participant and day, y NaN where missing."""
    draw = np.random.default_rng(seed)
    who, day = np.repeat(np.arange(participants), days), np.tile(np.arange(1, days + 1), participants)
    own = draw.normal(0, 1, (participants, 2)) * [intercept, slope]
    y = own[who, 0] + own[who, 1] * day - 0.2 * day + draw.normal(0, 1, participants * days)
    y[draw.random(len(y)) < missing] = np.nan
    return pd.DataFrame(
        {
            "participant": [f"P{place:02}" for place in who],
            "arm": np.array(arms)[who % len(arms)],
            "day": day,
            "baseline": draw.normal(0, 1, participants)[who],
            "y": y,
        }
    )


def design(frame: pd.DataFrame, *terms: str, outcome: str = "y") -> Design:
    terms = terms or ("baseline", "arm", "day", "arm:day")
    present = [arm for arm in ARMS if arm in set(frame["arm"])]
    return build(frame, outcome, terms, participant="participant", occasion="day", factors={"arm": present})
