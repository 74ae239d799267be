"""One simulated trial: the study's own arms, days, strata and allocation procedure, and values as they are assumed.

The value of participant i on day d of D, in arm a with the effect e, is

    y = scale * e[a] * s(d) + factors + u_i + v_i * (d - (D + 1) / 2) + r_id

with u of variance sd_between^2 and v of sd_slope^2, independent; r of variance sd_within^2, first-order autoregressive
over study days; and s(d) the course of an effect. The baseline has the variance of one value and is correlated with u;
there is none where the study measures none. All are normal. An outcome of one occasion has one value, y = e[a] +
factors + u + r. A level and a course that all arms share are left out, since the planned models have a term for each.

Everything follows from the seed, the number of participants and the number of the replicate: a larger effect meets the
same participants, so that curves over effects are smooth.
"""

import numpy as np
import pandas as pd

from study.allocation_rehearsal import levels_of, rehearse
from study.analysis.outcomes import Values
from study.power.assumptions import Assumptions, due_of, has_baseline, plan_of, target_of
from study.protocol import Protocol

__all__ = ["simulate"]


def simulate(
    protocol: Protocol,
    assumed: Assumptions,
    participants: int,
    *,
    scale: float = 1.0,
    seed: int = 1,
    replicate: int = 0,
) -> Values:
    """The primary outcome of one trial; effects are those of `assumed`, times `scale`."""
    outcome = plan_of(protocol).primary
    daily = outcome.is_daily
    days = np.arange(_first_day(protocol), protocol.days + 1, dtype=float) if daily else np.ones(1)
    last = len(days)
    # The procedure is the study's; its seed is of this replicate, so every trial is allocated anew.
    allocated = list(rehearse(protocol, f"{seed}/{participants}/{replicate}", participants))
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(participants, replicate)))

    level = random.standard_normal(participants)
    slope = random.standard_normal(participants) if daily else np.zeros(participants)
    noise = _autoregressive(random.standard_normal((participants, last)), assumed.autocorrelation if daily else 0.0)
    with_level = assumed.baseline_correlation * assumed.sd_of_one / assumed.sd_between if assumed.sd_between else 0.0
    baseline = assumed.sd_of_one * (
        with_level * level + np.sqrt(max(0.0, 1 - with_level**2)) * random.standard_normal(participants)
    )
    added = np.array([assumed.effects.get(one.arm, 0.0) for one in allocated]) * scale
    course = assumed.effect_over_days(days, target_of(protocol))
    value = (
        added[:, None] * course
        + assumed.sd_between * level[:, None]
        + assumed.sd_slope * slope[:, None] * (days - days.mean())
        + assumed.sd_within * noise
    )
    levels = {factor.name: levels_of(protocol, factor) for factor in protocol.allocation.strata}
    for name, step in assumed.factors.items():
        value += step * np.array([levels[name].index(one.levels[name]) for one in allocated])[:, None]

    leaves = random.random(participants) < assumed.dropout
    left_on = random.integers(1, last, participants) if last > 1 else np.zeros(participants)
    value[leaves[:, None] & (np.arange(last) >= left_on[:, None])] = np.nan
    value[random.random((participants, last)) < assumed.missed] = np.nan

    covariates = tuple(plan_of(protocol).covariates)
    arms = [arm.name for arm in protocol.arms]
    columns: dict[str, object] = {
        "participant": np.repeat([f"{number:05}" for number in range(1, participants + 1)], last),
        "arm": pd.Categorical(np.repeat([one.arm for one in allocated], last), categories=arms, ordered=True),
    }
    if daily:
        columns["day"] = np.tile(days.astype(int), participants)
    measured = has_baseline(protocol)
    columns |= {
        "value": value.ravel(),
        "baseline": np.repeat(baseline if measured else np.full(participants, np.nan), last),
    }
    for name in covariates:
        given = np.repeat([one.levels[name] for one in allocated], last)
        columns[name] = pd.Categorical(given, categories=levels[name])
    return Values(
        name="simulated",
        title="Simulated primary outcome",
        unit="points",
        repeated=daily,
        frame=pd.DataFrame(columns),
        covariates=covariates,
        has_baseline=measured,
    )


def _first_day(protocol: Protocol) -> int:
    """The first day that is compared: 2 where the rating before the exercise of day 1 has to serve as the baseline."""
    own = plan_of(protocol).primary.when == "before" and {"screening", "baseline"}.isdisjoint(due_of(protocol))
    return 2 if own else 1


def _autoregressive(noise: np.ndarray, correlation: float) -> np.ndarray:
    """White noise of variance 1 (participants x days) made first-order autoregressive, of variance 1 still."""
    for day in range(1, noise.shape[1]):
        noise[:, day] = correlation * noise[:, day - 1] + np.sqrt(1 - correlation**2) * noise[:, day]
    return noise
