"""How often the analyses of the kian2024 design find a difference where there is none, and how often their intervals
have the truth in them, by simulation.

Each case is a truth (what values are like) and a plan (how they are analysed): first those in which the plan's model is
true, then those in which it is not. Trials are simulated by `bedside power`, with its own assumptions unless the case
says otherwise, and kept in a folder, so that a run that was stopped goes on.

    python benchmarks/type_one_error.py [--replicates 2000] [--participants 38] [--only WORD] [--folder DIR] [--jobs N]
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from study.parallel import cores, each
from study.power.assumptions import Assumptions, contrasts_of
from study.power.curves import Share, points
from study.power.running import Request, run
from study.power.trial import simulate
from study.protocol import Protocol, understood
from study.statistics.randomisation import adjusted, contrasts
from study.statistics.reallocation import Enrolled, Scheme, reallocate


@dataclass(frozen=True)
class Case:
    truth: str
    analysed: str
    plan: dict[str, Any]


SLOPES = "random intercept and slope"
CS = "random intercept (compound symmetry)"
AR = "AR(1) of 0.7, nothing else"
BOTH = "random intercept and AR(1) of 0.5"
TRUTHS: dict[str, dict[str, Any]] = {
    SLOPES: {},
    CS: {"sd_slope": 0.0},
    AR: {"sd_slope": 0.0, "sd_between": 0.0, "sd_within": 14.4, "autocorrelation": 0.7, "baseline_correlation": 0.0},
    BOTH: {"sd_slope": 0.0, "autocorrelation": 0.5},
}

KR, SATTERTHWAITE = {"df": "kenward-roger"}, {"df": "satterthwaite"}
MIXED, INTERCEPT = {"model": "mixed"}, {"model": "mixed", "random": "intercept"}


def mmrm(covariance: str) -> dict[str, Any]:
    return {"model": "mmrm", "covariance": [covariance]}


CASES = [
    Case(SLOPES, "mixed, random slope, Kenward-Roger (the plan)", MIXED | KR),
    Case(SLOPES, "mixed, random slope, Satterthwaite", MIXED | SATTERTHWAITE),
    Case(CS, "mixed, random intercept, Kenward-Roger", INTERCEPT | KR),
    Case(CS, "mmrm, compound symmetry, Kenward-Roger", mmrm("compound_symmetry") | KR),
    Case(CS, "mmrm, compound symmetry, Satterthwaite", mmrm("compound_symmetry") | SATTERTHWAITE),
    Case(AR, "mmrm, AR(1), Kenward-Roger", mmrm("ar1") | KR),
    Case(AR, "mmrm, AR(1), Satterthwaite", mmrm("ar1") | SATTERTHWAITE),
    Case(SLOPES, "ancova, last day", {"model": "ancova"}),
    Case(SLOPES, "mixed, random intercept, Kenward-Roger", INTERCEPT | KR),
    Case(SLOPES, "mmrm, compound symmetry, Kenward-Roger", mmrm("compound_symmetry") | KR),
    Case(SLOPES, "mmrm, AR(1), Kenward-Roger", mmrm("ar1") | KR),
    Case(AR, "mixed, random slope, Kenward-Roger (the plan)", MIXED | KR),
    Case(AR, "mixed, random intercept, Kenward-Roger", INTERCEPT | KR),
    Case(BOTH, "mixed, random slope, Kenward-Roger (the plan)", MIXED | KR),
]


def protocol_of(plan: dict[str, Any]) -> Protocol:
    """The kian2024 design with `plan` in place of what its own says."""
    data = tomllib.loads(files("study").joinpath("templates", "kian2024.toml").read_text(encoding="utf-8"))
    data["analysis"] |= plan
    return understood(data)


def percent(share: Share | None) -> str:
    if share is None or share.value is None or share.interval is None:
        return ""
    low, high = share.interval
    return f"{100 * share.value:.1f} ({100 * low:.1f}-{100 * high:.1f})"


@dataclass(frozen=True)
class Draws:
    """Some trials to which the randomisation test is put."""

    truth: str
    participants: int
    seed: int
    numbers: tuple[int, ...]


def randomised(draws: Draws) -> list[tuple[float, float]]:
    """Of each trial: the p value of the first contrast, and the least one adjusted for the largest of all contrasts.

    The study's own allocation is run 999 times anew. The statistic is |t| of an analysis of covariance of each
    participant's mean over the days, each day less its mean over everybody.
    """
    protocol = protocol_of({})
    arms = [arm.name for arm in protocol.arms]
    pairs = [(arms.index(one), arms.index(other)) for one, other in contrasts_of(protocol)]
    sizes = tuple(protocol.allocation.block_sizes)
    schemes = {0: Scheme("blocks", tuple(range(len(arms))), tuple(arm.ratio for arm in protocol.arms), sizes)}
    assumed = Assumptions(effects={}, **TRUTHS[draws.truth])
    found = []
    for number in draws.numbers:
        frame = simulate(protocol, assumed, draws.participants, seed=draws.seed, replicate=number).frame
        everyday = frame["value"] - frame.groupby("day")["value"].transform("mean")
        means = everyday.groupby(frame["participant"]).mean()
        people = frame.drop_duplicates("participant")
        severe = people["severity"].cat.codes
        basis = adjusted(means.to_numpy(), np.column_stack([people["baseline"], severe]))
        given = people["arm"].cat.codes.to_numpy().astype(np.int8)
        enrolled = Enrolled(given.tolist(), [0] * len(people), people["severity"].astype(str).tolist(), {})
        drawn = reallocate(schemes, enrolled, 999, np.random.default_rng([draws.seed, number]))
        tests = contrasts(basis, drawn, given, pairs, arms=len(arms))
        found.append((tests.tests[0].p, min(one.p for one in tests.largest)))
    return found


def randomisation(truth: str, participants: int, replicates: int, seed: int, jobs: int) -> str:
    """The row of the randomisation test."""
    work = [
        Draws(truth, participants, seed, tuple(range(start, min(start + 50, replicates))))
        for start in range(0, replicates, 50)
    ]
    values = [one for _, some in each(randomised, work, jobs=jobs) for one in some]
    first, either = (Share(sum(one[place] <= 0.05 for one in values), len(values)) for place in (0, 1))
    return f"| {truth} | {RANDOMISATION} | {percent(first)} | {percent(either)} (largest) | | 0 | | |"


RANDOMISATION = "randomisation test, ancova of means, 999 re-allocations"


@click.command()
@click.option("--replicates", default=2000, show_default=True)
@click.option("--participants", default=38, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--only", default="", help="Cases whose names have this word.")
@click.option("--folder", default=Path("type-one-error"), show_default=True, type=click.Path(path_type=Path))
@click.option("--jobs", default=cores(), show_default="as many as cores")
def main(replicates: int, participants: int, seed: int, only: str, folder: Path, jobs: int) -> None:
    chosen = [case for case in CASES if only in f"{case.truth} {case.analysed}"]
    rows = []
    with Progress(
        *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    ) as bar:
        for case in chosen:
            task = bar.add_task(case.analysed, total=None)
            assumed = Assumptions(effects={}, **TRUTHS[case.truth])
            request = Request(protocol_of(case.plan), assumed, (participants,), (0.0,), replicates, seed)
            assumed.check(request.protocol)
            made = run(
                request, folder, jobs=jobs, progress=lambda done, of, t=task: bar.update(t, completed=done, total=of)
            )
            first, *_, either = points(request, made)
            rows.append(
                f"| {case.truth} | {case.analysed} | {percent(first.raw)} | {percent(either.adjusted)} "
                f"| {percent(first.coverage)} | {first.failed} | {first.fell_back} | {first.singular} |"
            )
    rows += [
        randomisation(truth, participants, replicates, seed, jobs)
        for truth in (SLOPES, BOTH)
        if only in f"{truth} {RANDOMISATION}"
    ]
    print(f"{replicates} trials of {participants} participants, without effect; percent (95 % Monte-Carlo interval)\n")
    print("| truth | analysed by | one contrast | any, after Holm | coverage | failed | fell back | singular |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
