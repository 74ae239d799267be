"""The design of a linear model: a tidy table becomes an outcome, a matrix, and whose value each row is.

Terms are products of columns ("arm:day"). Columns are looked up by name, never parsed, so that a name may hold dots,
spaces or anything else but a colon. Factors get treatment coding, the first level being the reference; where a margin
of a product is not in the model, a factor gets a column for every level instead (Chambers and Hastie, 1992, Statistical
Models in S, section 2.4.1).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from scipy import linalg

from study.errors import CannotEstimate

__all__ = ["INTERCEPT", "Design", "build"]

INTERCEPT = "(Intercept)"

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """Everything a model is fitted to: n values of the outcome, p columns. Nothing in it is ever changed."""

    outcome: str
    terms: tuple[str, ...]
    """As they were given, without the intercept."""
    names: tuple[str, ...]
    """Of the p columns: (Intercept), baseline, arm[chat], arm[chat]:day."""
    owners: tuple[str, ...]
    """The term that each column belongs to."""
    matrix: Array
    """(n, p), of full rank."""
    values: Array
    """(n,), the outcome."""
    participants: NDArray[np.intp]
    """(n,), whose value it is: places in `labels`."""
    labels: tuple[Any, ...]
    """The participants, sorted."""
    occasions: NDArray[np.intp]
    """(n,), when: places in `times`; all 0 when there is no occasion."""
    times: tuple[Any, ...]
    """The occasions that occur, sorted."""
    factors: Mapping[str, tuple[Any, ...]]
    """Factor to the levels that occur, in order; the first is the reference."""
    means: Mapping[str, float]
    """Numeric column to its mean over the n rows: where the reference grid holds it."""
    rows: NDArray[np.intp]
    """(n,), the places in the table that was given: those without a missing value."""

    @property
    def n_values(self) -> int:
        return len(self.values)

    @property
    def n_participants(self) -> int:
        return len(self.labels)

    @cached_property
    def clock(self) -> Array:
        """(n,), the occasions as numbers, for a slope over them.

        Raises CannotEstimate when they are no numbers.
        """
        try:
            return np.asarray(self.times, dtype=float)[self.occasions]
        except (TypeError, ValueError):
            raise CannotEstimate("A slope over occasions that are no numbers cannot be estimated.") from None

    def columns(self, points: Sequence[Mapping[str, Any]]) -> Array:
        """(k, p), the rows of the matrix at k points, each of which has a value for every column of the terms."""
        arrays = {
            name: (
                np.array([self.factors[name].index(point[name]) for point in points])
                if name in self.factors
                else np.array([point[name] for point in points], dtype=float)
            )
            for name in points[0]
        }
        return _matrix(self.terms, arrays, self.factors, len(points))[2]


def build(
    frame: pd.DataFrame,
    outcome: str,
    terms: Sequence[str],
    *,
    participant: str,
    occasion: str | None = None,
    factors: Mapping[str, Sequence[Any]] = {},
) -> Design:
    """The design of `outcome` on `terms`, with an intercept; rows with a missing value in any column are left out.

    A column named in `factors` is a factor with these levels; one of categories, text or truth values is a factor, too.
    Levels that do not occur are dropped.

    Raises CannotEstimate when no value is left, when the outcome is the same everywhere, when a value is none of the
    levels, and when a column follows from the others (it is named).
    """
    terms = tuple(dict.fromkeys(terms))
    used = list(dict.fromkeys(name for term in terms for name in term.split(":")))
    needed = list(dict.fromkeys([outcome, participant, *([occasion] if occasion else []), *used]))
    if missing := [name for name in needed if name not in frame.columns]:
        raise CannotEstimate(f"The table has no column {missing[0]!r}.")
    present = np.ones(len(frame), dtype=bool)
    for name in needed:
        present &= frame[name].notna().to_numpy()
    rows = np.flatnonzero(present)
    if not len(rows):
        raise CannotEstimate(f"There is no value of {outcome} with everything that the model needs.")
    values = _numbers(frame[outcome], rows, outcome)
    if len(values) == 1:
        raise CannotEstimate(f"There is one value of {outcome} only, so nothing can be estimated.")
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise CannotEstimate(f"All {len(values)} values of {outcome} are the same, so nothing can be estimated.")

    coded: dict[str, NDArray[Any]] = {}
    levels: dict[str, tuple[Any, ...]] = {}
    means: dict[str, float] = {}
    for name in used:
        column = frame[name]
        if name in factors or _is_factor(column):
            coded[name], levels[name] = _factor(column, rows, name, factors.get(name))
        else:
            coded[name] = _numbers(column, rows, name)
            means[name] = float(coded[name].mean())
    names, owners, matrix = _matrix(terms, coded, levels, len(rows))
    _check_rank(names, matrix)
    whose, labels = _codes(frame[participant], rows)
    when, times = _codes(frame[occasion], rows) if occasion else (np.zeros(len(rows), dtype=np.intp), (0,))
    return Design(outcome, terms, names, owners, matrix, values, whose, labels, when, times, levels, means, rows)


def _is_factor(column: pd.Series) -> bool:
    return not types.is_numeric_dtype(column.dtype) or types.is_bool_dtype(column.dtype)


def _numbers(column: pd.Series, rows: NDArray[np.intp], name: str) -> Array:
    try:
        found: Array = column.to_numpy()[rows].astype(float)
    except (TypeError, ValueError):
        raise CannotEstimate(f"The column {name!r} has values that are no numbers.") from None
    if not np.isfinite(found).all():
        raise CannotEstimate(f"The column {name!r} has infinite values.")
    return found


def _codes(column: pd.Series, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], tuple[Any, ...]]:
    """Places in the sorted values that occur (in the order of the categories, where there are any)."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        found, places = np.unique(column.cat.codes.to_numpy()[rows], return_inverse=True)
        return places.astype(np.intp), tuple(column.cat.categories[found].tolist())
    places, unique = pd.factorize(column.iloc[rows], sort=True)
    return places.astype(np.intp), tuple(pd.Index(unique).tolist())


def _factor(
    column: pd.Series, rows: NDArray[np.intp], name: str, levels: Sequence[Any] | None
) -> tuple[NDArray[np.intp], tuple[Any, ...]]:
    """Places in the levels that occur, and these."""
    places, found = _codes(column, rows)
    if levels is None:
        return places, found
    if unknown := [one for one in found if one not in levels]:
        raise CannotEstimate(f"The column {name!r} has the value {unknown[0]!r}, which is none of its levels.")
    kept = tuple(one for one in levels if one in found)
    return np.array([kept.index(one) for one in found], dtype=np.intp)[places], kept


def _matrix(
    terms: Sequence[str], arrays: Mapping[str, NDArray[Any]], levels: Mapping[str, tuple[Any, ...]], n: int
) -> tuple[tuple[str, ...], tuple[str, ...], Array]:
    """Names and terms of the columns, and (n, p) these; `arrays` has numbers, or for a factor places in its levels."""
    names, owners, columns = [INTERCEPT], [INTERCEPT], [np.ones(n)]
    for term, parts in _coded(terms, levels):
        choices: list[list[tuple[str, NDArray[Any]]]] = []
        for part, first in parts:
            if part in levels:
                every = [(f"{part}[{level}]", arrays[part] == place) for place, level in enumerate(levels[part])]
                choices.append(every[first:])
            else:
                choices.append([(part, arrays[part])])
        # As in R, the first column of the product varies fastest.
        for choice in itertools.product(*reversed(choices)):
            chosen = list(reversed(choice))
            names.append(":".join(name for name, _ in chosen))
            owners.append(term)
            product = np.ones(n)
            for _, array in chosen:
                product = product * array
            columns.append(product)
    return tuple(names), tuple(owners), np.column_stack(columns)


def _coded(
    terms: Sequence[str], levels: Mapping[str, tuple[Any, ...]]
) -> Iterator[tuple[str, list[tuple[str, Literal[0, 1]]]]]:
    """Each term's products of columns, and from which level on each factor has a column in them.

    A factor with all its levels is one without the first level, and a constant. So a term of factors is a sum of
    products of subsets of them, each without its first levels; those that earlier terms hold already are left out, and
    of the rest any two that differ in one factor only are one product with all levels of that factor.
    """
    held: set[tuple[frozenset[str], frozenset[str]]] = {(frozenset(), frozenset())}
    for term in sorted(terms, key=lambda one: one.count(":")):
        parts = term.split(":")
        numbers = frozenset(part for part in parts if part not in levels)
        factors = [part for part in parts if part in levels]
        wanted: list[dict[str, Literal[0, 1]]] = [
            dict.fromkeys(subset, 1)
            for size in range(len(factors) + 1)
            for subset in itertools.combinations(factors, size)
            if (numbers, frozenset(subset)) not in held
        ]
        held |= {(numbers, frozenset(subset)) for subset in wanted}
        while pair := _mergeable(wanted, factors):
            small, factor = pair
            wanted[wanted.index(small | {factor: 1})] = small | {factor: 0}
            wanted.remove(small)
        for product in wanted:
            yield term, [(part, product.get(part, 1)) for part in parts if part in product or part in numbers]


def _mergeable(
    products: list[dict[str, Literal[0, 1]]], factors: Sequence[str]
) -> tuple[dict[str, Literal[0, 1]], str] | None:
    """A product, and a factor with which there is the same product once more."""
    for small in products:
        for factor in factors:
            if factor not in small and small | {factor: 1} in products:
                return small, factor
    return None


def _check_rank(names: Sequence[str], matrix: Array) -> None:
    n, p = matrix.shape
    if n < p:
        raise CannotEstimate(f"The model has {p} coefficients and there are only {n} values.")
    lengths = np.linalg.norm(matrix, axis=0)
    if not lengths.all():
        empty = names[int(np.argmin(lengths))]
        raise CannotEstimate(f"There are no values that {empty} could be estimated from.")
    upper = linalg.qr(matrix / lengths, mode="r", check_finite=False)[0]
    diagonal = np.abs(np.diag(upper))  # what of each column does not follow from those before it
    if (diagonal > 1e-7).all():
        return
    place = int(np.argmax(diagonal <= 1e-7))
    weights = linalg.lstsq(matrix[:, :place] / lengths[:place], matrix[:, place] / lengths[place])[0]
    others = [name for name, weight in zip(names, weights, strict=False) if abs(weight) > 1e-7]
    raise CannotEstimate(f"{names[place]} follows from {', '.join(others)}, so they cannot be told apart.")
