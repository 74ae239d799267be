"""How often the interval of an imputed difference holds the true one, in a study like kian2024.

Trials of 38 participants in three arms over 15 days are simulated: random intercepts and slopes, independent errors,
5 % of the visits missed, and a dropout that depends on what was seen: whoever rated high is likelier to be lost the
next day, in one arm more than in the others. In each, missing values are imputed at random from the model of the study,
and the difference between two arms of the mean over the days is estimated. Coverage is the share of the trials in which
the 95 % interval holds the difference that was simulated.
"""

import sys

import click
import numpy as np

from study.errors import CannotEstimate
from study.statistics.imputation import Imputer, Repeated, compare, summary_weights

PARTICIPANTS, DAYS = 38, 15
TRUE = -5.0
"""Points by which the first arm is lower than the second, on each day."""
TIMES = np.arange(1.0, DAYS + 1)


def simulated(rng: np.random.Generator) -> Repeated:
    """One trial."""
    arms = rng.permutation(np.arange(PARTICIPANTS) % 3)
    baseline = rng.normal(0, 12, size=PARTICIPANTS)
    own = 0.3 * baseline + rng.normal(0, 5, size=PARTICIPANTS)
    slope = rng.normal(0, 0.3, size=PARTICIPANTS)
    values = own[:, None] + slope[:, None] * (TIMES - 8) + TRUE * (arms == 0)[:, None]
    values = values + rng.normal(0, 9, size=(PARTICIPANTS, DAYS))
    lost = np.zeros(PARTICIPANTS, dtype=bool)
    seen = values.copy()
    seen[rng.random(values.shape) < 0.05] = np.nan
    for day in range(1, DAYS):
        high = np.nan_to_num(seen[:, day - 1], nan=-99.0) > 8
        lost |= rng.random(PARTICIPANTS) < np.where(high, np.where(arms == 1, 0.12, 0.06), 0.005)
        seen[lost, day] = np.nan
    return Repeated(seen, arms, baseline[:, None], TIMES, "linear")


@click.command()
@click.option("--trials", default=1000, show_default=True)
@click.option("--imputations", default=50, show_default=True)
@click.option("--check", is_flag=True, help="Fail when coverage is more than four Monte-Carlo errors from 95 %.")
def main(trials: int, imputations: int, check: bool) -> None:
    """Print coverage, bias and width of the interval."""
    inside, values, errors, missing = [], [], [], []
    with click.progressbar(range(trials), file=sys.stderr) as bar:
        for seed in bar:
            data = simulated(np.random.default_rng([20260301, seed]))
            missing.append(float(data.missing.mean()))
            try:
                imputer = Imputer(data, "slope", imputations=imputations, rng=np.random.default_rng(seed))
            except CannotEstimate as error:
                click.echo(f"trial {seed}: {error}")
                continue
            weights = summary_weights(data.times, "mean")
            one = compare(imputer.imputed("mar"), data, weights, [(0, 1)], ["difference"])[0]
            inside.append(one.low <= TRUE <= one.high)
            values.append(one.value)
            errors.append(one.se)
    share, count = float(np.mean(inside)), len(inside)
    error = (share * (1 - share) / count) ** 0.5
    click.echo(f"{count} of {trials} trials, {np.mean(missing):.1%} of the values missing, {imputations} imputations")
    click.echo(f"coverage {share:.1%} (Monte-Carlo error {error:.1%})")
    click.echo(f"bias {np.mean(values) - TRUE:+.3f} (Monte-Carlo error {np.std(values) / count**0.5:.3f})")
    click.echo(f"mean standard error {np.mean(errors):.3f}, standard deviation of the estimates {np.std(values):.3f}")
    if check and abs(share - 0.95) > 4 * (0.95 * 0.05 / count) ** 0.5:
        sys.exit("Coverage is not 95 %.")


if __name__ == "__main__":
    main()
