"""How far the rules of a suite agree with hand labels, as a table: `python -m audit.agreeing listening`.

With `--bolt FOLDER` (a checkout of BOLT, arXiv 2401.00820) the coder of `listening` is held against BOLT's own labels.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from audit.errors import AuditError
from audit.items import Half
from audit.scoring.agreement import Agreement, scorer_against_labels
from audit.scoring.labels import LabelSet, load_labels
from audit.suite import Suite, suite_named

__all__ = ["SEED", "Compared", "agreements", "compared", "main", "table"]

SEED = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """One code: the rules against the labels, and both against what a further reader found."""

    rules: Agreement
    readers: Agreement | None = None
    """The labels against the further reader. None where nobody else read the replies."""
    rules_and_reader: Agreement | None = None
    """The further reader against the rules."""


def agreements(suite: str, half: Half = "held_out", bolt: Path | None = None) -> list[Compared]:
    """The agreement of the suite's rules with its labels, or with BOLT's. Raises `AuditError`."""
    found = suite_named(suite)
    if found.codes is None:
        raise AuditError(f"The suite {suite!r} has no codes to hold against labels.")
    if bolt is None:
        return compared(found, load_labels(suite), half)
    if suite != "listening":
        raise AuditError("BOLT's labels are for the suite 'listening'.")
    from audit.bolt import load_bolt

    labels = [one for one in load_bolt(bolt) if half == "both" or one.held_out == (half == "held_out")]
    return [Compared(one) for one in scorer_against_labels(labels, found.codes, found.levels, seed=SEED)]


def compared(suite: Suite, labels: LabelSet, half: Half) -> list[Compared]:
    """Of each code of a suite that has `codes`, how far rules, labels and the first further reader agree."""
    if suite.codes is None:
        return []
    rules = scorer_against_labels(labels.half(half), suite.codes, suite.levels, seed=SEED)
    second = labels.read_by(labels.second, half) if labels.second else ()
    if not second:
        return [Compared(one) for one in rules]
    given = {label.id: label.codes for label in second}
    readers = scorer_against_labels(labels.half(half), lambda label: given.get(label.id, {}), suite.levels, seed=SEED)
    theirs = {one.code: one for one in scorer_against_labels(second, suite.codes, suite.levels, seed=SEED)}
    return [Compared(one, both, theirs.get(one.code)) for one, both in zip(rules, readers, strict=True)]


def table(found: Sequence[Compared]) -> str:
    """A line for each code: alpha of rules and labels with its interval, the plain share of agreement, and both means;
    then alpha of the labels and a further reader, and of that reader and the rules."""
    lines = [
        f"{'code':20} {'n':>4} {'alpha':>6} {'95 % interval':>15} {'agree':>6} {'labels':>7} {'rules':>6} "
        f"{'readers':>8} {'95 % interval':>15} {'rules, 2nd':>11}"
    ]
    for one in found:
        rules, readers = one.rules, one.readers
        lines.append(
            f"{rules.code:20} {rules.n:4} {_alpha(rules):>6} {_interval(rules):>15} {rules.agree:6.2f} "
            f"{rules.first:7.2f} {rules.second:6.2f} "
            f"{_alpha(readers):>8} {_interval(readers):>15} {_alpha(one.rules_and_reader):>11}"
        )
    return "\n".join(lines)


def _alpha(one: Agreement | None) -> str:
    return "-" if one is None or one.alpha is None else f"{one.alpha:.2f}"


def _interval(one: Agreement | None) -> str:
    return "-" if one is None or one.low is None or one.high is None else f"{one.low:.2f} to {one.high:.2f}"


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
