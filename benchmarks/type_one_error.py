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
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from study.parallel import cores
from study.power.assumptions import Assumptions
from study.power.curves import Share, points
from study.power.running import Request, run
from study.protocol import Protocol, understood


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
    print(f"{replicates} trials of {participants} participants, without effect; percent (95 % Monte-Carlo interval)\n")
    print("| truth | analysed by | one contrast | any, after Holm | coverage | failed | fell back | singular |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
