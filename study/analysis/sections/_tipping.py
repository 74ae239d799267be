"""How much worse than at random missing values would have to be for another conclusion: the tipping point.

Values are imputed at random, and those of one arm then made worse by a number of points (delta adjustment: Carpenter
and Kenward 2013, Multiple Imputation and its Application, ch. 10; Cro, Morris, Kenward and Carpenter 2020, Stat Med
39:2815).
"""

from collections.abc import Iterator, Sequence

from study.analysis.imputing import Imputed, adjusted_of
from study.analysis.results import INTERVAL, Cell, Column, Table, cell
from study.grammar import Analysis
from study.report.numbers import number
from study.statistics.estimate import Estimate

__all__ = ["Moved", "delta_table", "moved", "tipping_table", "tipping_words"]

Moved = tuple[str, float, list[tuple[str, str]], list[Estimate], list[float]]
"""The arm of which missing values are worse, by how much, the pairs with this arm, their estimates and adjusted p."""


def moved(ready: Imputed, plan: Analysis, deltas: Sequence[float], worse: float) -> Iterator[Moved]:
    """Arm by arm, from 0 on, of the arms that have missing values."""
    involved = dict.fromkeys(arm for pair in ready.pairs for arm in pair)
    for arm in involved:
        if not ready.data.missing[ready.data.arms == ready.arms.index(arm)].any():
            continue
        for delta in (0.0, *deltas):
            estimates = ready.contrasts("mar", arm=arm, delta=worse * delta)
            adjusted = adjusted_of(estimates, plan)
            own = [place for place, pair in enumerate(ready.pairs) if arm in pair]
            pairs_of = [ready.pairs[place] for place in own]
            yield arm, delta, pairs_of, [estimates[place] for place in own], [adjusted[place] for place in own]


def _verdict(estimate: Estimate, p: float, alpha: float) -> int:
    """1 or -1 for a difference that is shown, by its sign; 0 for none."""
    return 0 if not p < alpha else 1 if estimate.value > 0 else -1


Tip = tuple[tuple[str, str], str, float, Moved | None]
"""The pair, the arm that is made worse, the largest delta tried, and where the conclusion first is another one."""


def _tips(found: Sequence[Moved], plan: Analysis) -> Iterator[Tip]:
    for arm in dict.fromkeys(one[0] for one in found):
        steps = [one for one in found if one[0] == arm]
        for place, pair in enumerate(steps[0][2]):
            first = _verdict(steps[0][3][place], steps[0][4][place], plan.alpha)
            tipped = (one for one in steps if _verdict(one[3][place], one[4][place], plan.alpha) != first)
            yield pair, arm, steps[-1][1], next(tipped, None)


def tipping_words(ready: Imputed, steps: Sequence[Moved], plan: Analysis, worse: float) -> list[str]:
    side = "higher" if worse > 0 else "lower"
    said = []
    tips = list(_tips(steps, plan))
    for pair in ready.pairs:
        parts = []
        for _, arm, most, tip in (one for one in tips if one[0] == pair):
            whose = f"missing values of {arm}"
            if tip is None:
                parts.append(f"it stays when {whose} are worse by up to {number(most)} points")
            else:
                parts.append(f"it changes when {whose} are worse by at least {number(tip[1])} points")
        if parts:
            said.append(f"The conclusion on {pair[0]} minus {pair[1]}: {'; '.join(parts)} (worse is {side}).")
    return said


def tipping_table(ready: Imputed, steps: Sequence[Moved], plan: Analysis) -> Table:
    """A row for each contrast and arm, in the order of the contrasts."""
    columns = (
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("worse_in", "Missing values worse in"),
        Column("tried", "by up to", "number"),
        Column("tipping_point", "Tipping point", "number"),
        Column("difference", "Difference there", "number"),
        *INTERVAL,
        Column("p_there", "p there, adjusted", "p"),
    )
    rows: list[tuple[Cell, ...]] = []
    for pair, arm, most, tip in sorted(_tips(steps, plan), key=lambda tip: ready.pairs.index(tip[0])):
        there: tuple[Cell, ...] = (None,) * 5
        if tip is not None:
            one, p = tip[3][tip[2].index(pair)], tip[4][tip[2].index(pair)]
            there = (tip[1], *map(cell, (one.value, one.low, one.high, p)))
        rows.append((*pair, arm, most, *there))
    note = (
        "Values are imputed at random, and those of one arm then made worse by more and more points. The tipping point "
        f"is where it first changes whether a difference is shown (adjusted p below {plan.alpha:g}), or its direction. "
        "Empty: it does not change within what was tried."
    )
    return Table("missing_tipping", "Tipping points", columns, tuple(rows), note)


def delta_table(steps: Sequence[Moved], plan: Analysis) -> Table:
    columns = (
        Column("worse_in", "Missing values worse in"),
        Column("delta", "by", "number"),
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number"),
        *INTERVAL,
        Column("p_there", "p, adjusted", "p"),
    )
    rows = tuple(
        (arm, delta, *pair, *map(cell, (one.value, one.low, one.high, p)))
        for arm, delta, pairs_of, estimates, adjusted in steps
        for pair, one, p in zip(pairs_of, estimates, adjusted, strict=True)
    )
    note = f"Intervals of {100 * (1 - plan.alpha):g}%, not adjusted for multiplicity."
    return Table("missing_deltas", "Contrasts with missing values made worse", columns, rows, note)
