"""How figures are written: shares in percent, differences in points, an interval always beside the value."""

from audit.suite import Estimate
from study.report.numbers import NOTHING, interval, number

__all__ = ["UNITS", "digits_of", "factor_of", "shown", "shown_interval", "shown_value", "with_interval"]

UNITS = {"share": "%", "points": "points", "ratio": "ratio", "score": "", "count": ""}
"""What stands behind a number, or on an axis."""


def factor_of(estimate: Estimate) -> float:
    """By what a value is multiplied to be shown: a share is shown in percent."""
    return 100.0 if estimate.unit == "share" else 1.0


def digits_of(estimate: Estimate) -> int:
    """The decimals that are shown."""
    return 1 if estimate.unit in ("share", "points") else 2


def shown_value(estimate: Estimate) -> str:
    """45.2%; 3.1; an en dash for a value that there is not."""
    if estimate.value is None:
        return NOTHING
    text = number(estimate.value * factor_of(estimate), digits_of(estimate))
    return f"{text}%" if estimate.unit == "share" else text


def shown_interval(estimate: Estimate) -> str:
    """38.0 to 52.4."""
    if estimate.low is None or estimate.high is None:
        return NOTHING
    factor = factor_of(estimate)
    return interval(estimate.low * factor, estimate.high * factor, digits_of(estimate))


def with_interval(estimate: Estimate) -> str:
    """In a sentence: 45.2% (95% CI 38.0 to 52.4); 4.1 points (95% CI −2.0 to 9.9); or that it was not measured."""
    if estimate.value is None:
        return "not measured"
    unit = " points" if estimate.unit == "points" else ""
    if estimate.low is None or estimate.high is None:
        return f"{shown_value(estimate)}{unit} (no interval)"
    return f"{shown_value(estimate)}{unit} (95% CI {shown_interval(estimate)})"


def shown(estimate: Estimate | None) -> str:
    """In a cell of a table: 45.2% (38.0 to 52.4)."""
    if estimate is None or estimate.value is None:
        return NOTHING
    return f"{shown_value(estimate)} ({shown_interval(estimate)})"
