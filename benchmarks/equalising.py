"""What `[engine] equalise = true` makes of media that answer at unlike speed: waits as they are, and as they are held.

Simulated, with the code that holds answers in a study: three arms that answer in turn, each hold computed from what was
answered before, as the record would have it. Nobody waits, so that thousands of answers take a second.
"""

import sys
from collections.abc import Callable

import click
import numpy as np
from scipy import stats

from study.equalising import ENOUGH, SAMPLE, Waits, hold_ms

Draw = Callable[[np.random.Generator], tuple[float, float]]
"""Draws an answer: milliseconds until it is ready, and until it is noticed when nothing is held."""


def _shown(median: float, spread: float) -> Draw:
    def draw(rng: np.random.Generator) -> tuple[float, float]:
        ready = float(median * rng.lognormal(0, spread))
        return ready, ready

    return draw


def _spoken(median: float, spread: float) -> Draw:
    """A robot: the pause by which it knows the end of speech, recognition and its voice come on top."""

    def draw(rng: np.random.Generator) -> tuple[float, float]:
        ready = float(median * rng.lognormal(0, spread))
        return ready, ready + float(rng.normal(850, 120))

    return draw


CASES: dict[str, dict[str, Draw]] = {
    "one engine, the robot slower by its ear and its voice": {
        "chat": _shown(600, 0.45),
        "worksheet": _shown(450, 0.35),
        "robot": _spoken(600, 0.45),
    },
    "the chat has rules that answer at once": {"chat": _shown(0.4, 0.2), "robot": _spoken(600, 0.45)},
    "distributions that cross: the chat is faster, and now and then much slower": {
        "chat": _shown(900, 0.9),
        "robot": _spoken(300, 0.2),
    },
}


@click.command()
@click.option("--answers", default=1500, show_default=True, help="Answers of each arm.")
@click.option("--seed", default=1, show_default=True)
@click.option("--check", is_flag=True, help=f"Fail when arms still differ after {SAMPLE} answers: a distance over 0.2.")
def main(answers: int, seed: int, check: bool) -> None:
    """Print the Kolmogorov-Smirnov distance of the arms' waits, and their medians, without and with equalise."""
    worst = 0.0
    for title, arms in CASES.items():
        before, after, held = _run(arms, answers, np.random.default_rng(seed))
        click.echo(f"\n{title}\n\n| arm | median, p95 as it is | as it is held | held, median |\n|---|---|---|---|")
        for arm in arms:
            own = [np.quantile(waits[arm][ENOUGH:], (0.5, 0.95)) for waits in (before, after)]
            told = [f"{middle:.0f}, {late:.0f} ms" for middle, late in own]
            click.echo(f"| {arm} | {told[0]} | {told[1]} | {np.median(held[arm][ENOUGH:]):.0f} ms |")
        click.echo("\n| answers of each arm | distance as it is | as it is held |\n|---|---|---|")
        for first, last in ((ENOUGH, 100), (100, SAMPLE), (SAMPLE, answers)):
            if last > first:
                apart = [_distance({arm: of[first:last] for arm, of in waits.items()}) for waits in (before, after)]
                click.echo(f"| {first + 1} to {last} | {apart[0]:.2f} | {apart[1]:.2f} |")
                worst = max(worst, apart[1]) if first == SAMPLE else worst
    if check and worst > 0.2:
        sys.exit(f"The arms are still {worst:.2f} apart.")


Of = dict[str, list[float]]


def _run(arms: dict[str, Draw], answers: int, rng: np.random.Generator) -> tuple[Of, Of, Of]:
    """The waits of each arm without holding, with it, and what was held."""
    known: dict[str, list[tuple[float, float]]] = {arm: [] for arm in arms}
    before: Of = {arm: [] for arm in arms}
    after: Of = {arm: [] for arm in arms}
    held: Of = {arm: [] for arm in arms}
    waits: dict[str, Waits] = {}
    for number in range(answers):
        if number % 10 == 0:  # as in the portal, what is known is read again now and then
            waits = {arm: Waits.of(one[-SAMPLE:]) for arm, one in known.items()}
        for arm, draw in arms.items():
            ready, noticed = draw(rng)
            hold = hold_ms(arm, ready, waits, chance=float(rng.random()))
            before[arm].append(noticed)
            after[arm].append(noticed + hold)
            held[arm].append(hold)
            known[arm].append((ready, noticed))
    return before, after, held


def _distance(waits: Of) -> float:
    """The largest Kolmogorov-Smirnov distance of two arms: 0 for the same distribution, 1 where none overlap."""
    names = list(waits)
    return max(
        float(stats.ks_2samp(waits[one], waits[other]).statistic)
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    )


if __name__ == "__main__":
    main()
