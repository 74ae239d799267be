"""Days within people: what of a number that is measured every day belongs to the person, and what to the day.

A predictor that is measured every day is two predictors: how a person is on the whole, and how today is for them. A
model with the raw number mixes their effects (Curran and Bauer 2011, Annu Rev Psychol 62:583; Wang and Maxwell 2015,
Psychol Methods 20:63), so it is split here: the deviation from the person's own mean, and the person's mean.
"""

import numpy as np
import pandas as pd

__all__ = ["centred", "variability"]


def centred(frame: pd.DataFrame, column: str, participant: str = "participant") -> pd.DataFrame:
    """`frame` with two columns more, `<column>_within` and `<column>_between`.

    Within is the number minus its participant's own mean. Between is the participant's mean minus the mean of the
    participants' means, so that it is 0 for a typical participant, however many days each gave. A missing number stays
    missing in both.
    """
    own = frame.groupby(participant, observed=True)[column].transform("mean")
    means = frame.groupby(participant, observed=True)[column].mean()
    known = frame[column].notna()
    return frame.assign(
        **{f"{column}_within": frame[column] - own, f"{column}_between": (own - means.mean()).where(known)}
    )


def variability(frame: pd.DataFrame, column: str, *, least: int = 5) -> pd.DataFrame:
    """How much the number of each `participant` goes up and down over each `day`: a row for who has `least` days.

    Columns: participant, days, sd (standard deviation around the participant's own straight line over days, so that a
    steady course is no variability), rmssd (root of the mean squared difference from one day to the next day; NaN where
    no two days follow each other). In the units of the number.
    """
    rows = []
    known = frame.dropna(subset=[column]).sort_values("day", kind="stable")
    for name, one in known.groupby("participant", observed=True):
        if len(one) < max(least, 3):
            continue
        days, values = one["day"].to_numpy(float), one[column].to_numpy(float)
        line = np.polynomial.Polynomial.fit(days, values, 1)(days)
        sd = float(np.sqrt(((values - line) ** 2).sum() / (len(one) - 2)))
        steps = np.diff(values)[np.diff(days) == 1]
        rmssd = float(np.sqrt((steps**2).mean())) if len(steps) else np.nan
        rows.append((name, len(one), sd, rmssd))
    return pd.DataFrame(rows, columns=["participant", "days", "sd", "rmssd"])
