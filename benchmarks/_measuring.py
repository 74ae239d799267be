"""What several benchmarks share: what they ran on, their statistics, and the rows that the documents show."""

import json
import math
import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

import click

__all__ = ["give", "line", "machine", "markdown", "percentile", "ratio"]


def machine() -> dict[str, Any]:
    """The processor, how many of them this process may use, and the load there is before anything is measured."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return {
        "processor": named[1] if named else platform.processor() or platform.machine(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def line(about: dict[str, Any]) -> str:
    """`machine()` in a line."""
    return f"{about['processor']}, {about['processors']} processors, load {about['load']:.2f} before"


def percentile(values: Iterable[float], percent: int = 95) -> float:
    """Infinite where nothing was measured, which is no proof of anything."""
    values = list(values)
    if not values:
        return math.inf
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def ratio(one: float, other: float) -> float:
    """`one` in terms of `other`; 0 where there is no other."""
    return one / other if other else 0.0


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as the documents write it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)


def give(summary: dict[str, Any], table: str, file: Path | None, misses: Sequence[str], check: bool) -> None:
    """Print the table, and what was missed of what is promised; with `check`, end with status 1 where anything was.

    The whole summary goes into `file`, as JSON with the misses in it.
    """
    print(table)
    for miss in misses:
        print(f"Missed: {miss}")
    if file is not None:
        file.write_text(json.dumps({**summary, "table": table, "missed": list(misses)}, indent=1) + "\n")
    if check and misses:
        raise click.exceptions.Exit(1)
