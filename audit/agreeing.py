"""How far the rules of a suite agree with hand labels, as a table: `python -m audit.agreeing listening`.

With `--bolt FOLDER` (a checkout of BOLT, arXiv 2401.00820) the coder of `listening` is held against BOLT's own labels.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from audit.errors import AuditError
from audit.items import Half
from audit.scoring.agreement import Agreement, scorer_against_labels
from audit.scoring.labels import load_labels
from audit.suite import suite_named

__all__ = ["SEED", "agreements", "main", "table"]

SEED = 1


def agreements(suite: str, half: Half = "held_out", bolt: Path | None = None) -> list[Agreement]:
    """The agreement of the suite's rules with its labels, or with BOLT's. Raises `AuditError`."""
    found = suite_named(suite)
    if found.codes is None:
        raise AuditError(f"The suite {suite!r} has no codes to hold against labels.")
    if bolt is None:
        return scorer_against_labels(load_labels(suite).half(half), found.codes, found.levels, seed=SEED)
    if suite != "listening":
        raise AuditError("BOLT's labels are for the suite 'listening'.")
    from audit.bolt import load_bolt

    labels = [one for one in load_bolt(bolt) if half == "both" or one.held_out == (half == "held_out")]
    return scorer_against_labels(labels, found.codes, seed=SEED)


def table(found: Sequence[Agreement]) -> str:
    """A line for each code: alpha with its interval, the plain share of agreement, and both means."""
    lines = [f"{'code':20} {'n':>4} {'alpha':>6} {'95 % interval':>15} {'agree':>6} {'labels':>7} {'rules':>6}"]
    for one in found:
        alpha = "-" if one.alpha is None else f"{one.alpha:.2f}"
        interval = "-" if one.low is None or one.high is None else f"{one.low:.2f} to {one.high:.2f}"
        lines.append(
            f"{one.code:20} {one.n:4} {alpha:>6} {interval:>15} {one.agree:6.2f} {one.first:7.2f} {one.second:6.2f}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns 1, with one line, for what `AuditError` says."""
    parser = argparse.ArgumentParser(
        prog="python -m audit.agreeing",
        description="How far a suite's rules agree with hand labels (Krippendorff's alpha).",
        epilog="Example: python -m audit.agreeing listening --half held_out",
    )
    parser.add_argument("suite", help="listening, soothing, ...")
    parser.add_argument("--half", choices=get_args(Half), default="held_out", help="which labels (default: held_out)")
    parser.add_argument("--bolt", type=Path, metavar="FOLDER", help="hold it against BOLT's labels in this checkout")
    given = parser.parse_args(arguments)
    try:
        print(table(agreements(given.suite, given.half, given.bolt)))
    except AuditError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
