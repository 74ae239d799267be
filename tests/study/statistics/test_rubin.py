"""Rubin's rules are those of R's mice::pool."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from study.errors import CannotEstimate
from study.statistics.rubin import pooled

TERMS = json.loads((Path(__file__).parent / "references" / "mice_pool.json").read_text())["terms"]


@pytest.mark.parametrize("term", TERMS, ids=[term["term"] for term in TERMS])
def test_estimate_variance_and_degrees_of_freedom_are_those_of_mice(term: dict[str, float]) -> None:
    found = pooled("x", term["estimates"], term["variances"], term["df_complete"])
    assert found.value == pytest.approx(term["estimate"], rel=1e-12)
    assert found.se**2 == pytest.approx(term["total"], rel=1e-12)
    assert found.df == pytest.approx(term["df"], rel=1e-12)


def test_imputations_that_agree_leave_the_variance_of_one_analysis() -> None:
    found = pooled("x", [2.0] * 5, [4.0] * 5, 30)
    assert (found.value, found.se) == (2.0, 2.0)
    assert found.df == pytest.approx(30 * 31 / 33)
    assert pooled("x", [2.0] * 5, [4.0] * 5, math.inf).df == math.inf


def test_without_a_bound_the_degrees_of_freedom_are_rubins_of_1987() -> None:
    values, variances = [1.0, 2.0, 4.0], [1.0, 1.5, 2.0]
    between, within = float(np.var(values, ddof=1)), 1.5
    ratio = within / ((1 + 1 / 3) * between)
    assert pooled("x", values, variances, math.inf).df == pytest.approx(2 * (1 + ratio) ** 2)


def test_one_imputation_or_none_is_refused() -> None:
    with pytest.raises(CannotEstimate):
        pooled("x", [1.0], [1.0], 10)
    with pytest.raises(CannotEstimate):
        pooled("x", [1.0, math.nan], [1.0, 1.0], 10)
