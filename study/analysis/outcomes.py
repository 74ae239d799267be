"""The values of an outcome: one for each participant, or one for each participant and day."""

from dataclasses import dataclass

import pandas as pd

__all__ = ["Values"]


@dataclass(frozen=True)
class Values:
    """An outcome, ready to be modelled."""

    name: str
    """As in file names and JSON: distress_after_change, k10_day_15."""
    title: str
    """As people read it: Distress, change from before to after each visit."""
    unit: str
    """What one point is: points (0-100)."""
    repeated: bool
    """Whether it is measured every day."""
    frame: pd.DataFrame
    """One row for each participant who was allocated (and, when repeated, each study day), also where the value is
    missing: participant, arm (an ordered category), day (int; when repeated), value (NaN where missing), baseline (NaN
    where missing), and one column for each covariate, named by its factor (a category)."""
    covariates: tuple[str, ...]
    """The factors of the plan's covariates."""
    has_baseline: bool
    """Whether there is a baseline to adjust for: the measure at the occasion from which the change is counted, if that
    is before the enrolment; otherwise the measure at baseline or screening; otherwise the rating before the exercise of
    day 1, which comes before any treatment (an outcome that is itself rated before the exercise then begins at day
    2)."""
