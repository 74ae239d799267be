"""How long a randomisation test takes: 10,000 re-allocations of 120 participants, and the statistic of each.

For each procedure (permuted blocks of varying size in strata, minimisation over three factors, an uploaded list), the
allocation is run again and three arms are compared by their participants' values, adjusted for a baseline and two
factors: |t| of each pair, the largest |t|, F, and an interval for each pair by inversion of its test.
"""

import sys
import time

import click
import numpy as np

from study.statistics.randomisation import adjusted, contrasts
from study.statistics.reallocation import Enrolled, Scheme, reallocate

LIMIT_S = 30

PAIRS = [(0, 1), (0, 2), (1, 2)]


def measure(draws: int, participants: int) -> dict[str, float]:
    """Seconds for each procedure."""
    rng = np.random.default_rng(20260301)
    levels = {name: [str(one) for one in rng.integers(count, size=participants)] for name, count in LEVELS.items()}
    strata = ["; ".join(pair) for pair in zip(levels["sex"], levels["severity"], strict=True)]
    everybody = ["all"] * participants
    weights = {"sex": 1.0, "severity": 2.0, "site": 1.0}
    procedures = {
        "blocks": (Scheme("blocks", (0, 1, 2), (1, 1, 1), sizes=(3, 6)), strata),
        "minimisation": (Scheme("minimisation", (0, 1, 2), (1, 1, 1), weights=weights), everybody),
        "list": (Scheme("list", (0, 1, 2), (1, 1, 1)), strata),
    }
    baseline = rng.normal(50, 15, size=participants)
    factors = [[one == "0" for one in levels[name]] for name in ("sex", "severity")]
    covariates = np.column_stack([baseline, *factors])
    seconds = {}
    for name, (scheme, places) in procedures.items():
        begin = time.perf_counter()
        enrolled = Enrolled([place % 3 for place in range(participants)], [0] * participants, places, levels)
        observed = reallocate({0: scheme}, enrolled, 1, rng)[0]
        values = 0.5 * baseline - 5 * (observed == 0) + rng.normal(0, 12, size=participants)
        data = adjusted(values, covariates)
        contrasts(data, reallocate({0: scheme}, enrolled, draws, rng), observed, PAIRS, arms=3, level=0.95)
        seconds[name] = time.perf_counter() - begin
    return seconds


LEVELS = {"sex": 2, "severity": 2, "site": 5}


@click.command()
@click.option("--draws", default=10_000, show_default=True)
@click.option("--participants", default=120, show_default=True)
@click.option("--check", is_flag=True, help=f"Fail when a procedure takes more than {LIMIT_S} seconds.")
def main(draws: int, participants: int, check: bool) -> None:
    """Print how long a randomisation test takes under each procedure."""
    found = measure(draws, participants)
    for name, seconds in found.items():
        click.echo(
            f"{name}: {draws} re-allocations of {participants} participants and their statistics, {seconds:.2f} s"
        )
    if check and max(found.values()) > LIMIT_S:
        sys.exit(f"A procedure takes more than {LIMIT_S} s.")


if __name__ == "__main__":
    main()
