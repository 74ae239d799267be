"""Multiple imputation of repeated values, under several assumptions of what the missing ones would have been.

The observed values are modelled once (`study.statistics.incomplete`): means by arm, occasion and covariates, and one
covariance within participants. Each imputation draws the parameters by fitting the model to a bootstrap sample of the
participants, drawn within arms (approximately Bayesian: Little & Rubin 2002, ch. 10; as the method approxbayes of R's
rbmi), and then the missing values from their normal distribution given those that were observed. The assumption decides
which means they are drawn around (Carpenter, Roger & Kenward 2013, J Biopharm Stat 23:1352):

- missing at random (`mar`): the means of the participant's own arm;
- jump to reference: their own arm's until the last observed value, the reference arm's after it;
- copy reference: the reference arm's at all times, so that who did better than it until they left keeps some of that.

The last observed value is where somebody dropped out: what is missing before it is imputed at random under jump to
reference, and as if in the reference under copy reference; who has values up to the last occasion is imputed at random
under each, and so is the reference arm itself. A difference `delta` may be added to what was imputed. Under all of them
the same chance is used, so that they differ by the assumption alone.

Each imputed data set is complete. Its estimates are those of least squares on one number of each participant: the mean
over the occasions, the last one, or the slope. With nothing missing these are what the mixed model of the same design
estimates; where its intercepts and slopes are correlated, but for the covariates' effects, which it then estimates from
the slopes as well.

Participants may have fewer occasions than others by design, as after an amendment (`Repeated.expected`). What was never
to be measured is not missing: it says nothing of a dropout and is in no participant's number. The least squares then
have a mean of their own for each set of occasions, so that a course over time is not taken for a difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from study.errors import CannotEstimate
from study.statistics.estimate import Estimate
from study.statistics.incomplete import Covariance, Model, fit, precisions
from study.statistics.rubin import pooled

__all__ = ["Assumption", "Imputer", "Repeated", "compare", "filled", "means", "own_weights", "summary_weights"]

Floats = NDArray[np.float64]

Assumption = Literal["mar", "jump_to_reference", "copy_reference"]

_AT_ONCE = 100


@dataclass(frozen=True)
class Repeated:
    """Values of N participants on T occasions."""

    values: Floats
    """(N, T), NaN where missing."""
    arms: NDArray[np.intp]
    """(N,): numbers of the arms, from 0."""
    covariates: Floats
    """(N, q), complete: a baseline, indicators of factors."""
    times: Floats
    """(T,)."""
    day: Literal["linear", "factor"] = "factor"
    """Whether the means of each arm are a line over the times, or one for each occasion."""
    expected: NDArray[np.bool_] | None = None
    """(N, T): which values were to be measured; None for all. The others are NaN, and not missing."""

    @property
    def due(self) -> NDArray[np.bool_]:
        """(N, T): which values were to be measured."""
        return np.ones(self.values.shape, dtype=bool) if self.expected is None else self.expected

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(N, T)."""
        return np.asarray(~np.isnan(self.values))

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(N, T): what was to be measured and is not there."""
        return np.asarray(self.due & ~self.observed)

    @property
    def dropped(self) -> NDArray[np.bool_]:
        """(N, T): what is missing after the participant's last observed value."""
        later = np.flip(np.logical_or.accumulate(np.flip(self.observed, axis=1), axis=1), axis=1)
        return np.asarray(self.missing & ~later)

    @property
    def groups(self) -> NDArray[np.intp]:
        """(N,): the place of each participant's arm among those that somebody has."""
        return np.asarray(np.searchsorted(np.unique(self.arms), self.arms))

    @property
    def basis(self) -> Floats:
        """(T, k): the functions of which the means of an arm are made."""
        if self.day == "linear" and len(self.times) > 1:
            return np.column_stack([np.ones(len(self.times)), self.times - self.times.mean()])
        return np.eye(len(self.times))

    @property
    def centred(self) -> Floats:
        """(N, q): the covariates, less their means."""
        return np.asarray(self.covariates - self.covariates.mean(axis=0))


def summary_weights(times: Floats, estimate: Literal["mean", "last", "trend"]) -> Floats:
    """(T,): what a participant's number is made with of their values. Raises `CannotEstimate` for no trend."""
    if estimate == "mean":
        return np.full(len(times), 1 / len(times))
    if estimate == "last":
        return np.asarray(np.arange(len(times)) == len(times) - 1, dtype=float)
    centred = times - times.mean()
    if not centred.any():
        raise CannotEstimate("There is one occasion, so there is no change over time to compare.")
    return np.asarray(centred / float(centred @ centred))


def own_weights(times: Floats, estimate: Literal["mean", "last", "trend"], due: NDArray[np.bool_]) -> Floats:
    """(N, T): the same of each participant's own occasions, those of `due` (N, T).

    NaN for who has no such number: no occasion, not the last of all for `last`, a single one for `trend`. Raises
    `CannotEstimate` for no trend.
    """
    whole = summary_weights(times, estimate)
    found = np.where(due, whole, 0.0)
    for person in np.flatnonzero(~due.all(axis=1)):
        own = due[person]
        if own.sum() < (2 if estimate == "trend" else 1) or (estimate == "last" and not own[-1]):
            found[person] = np.nan
        elif estimate != "last":
            found[person, own] = summary_weights(times[own], estimate)
    return found


class Imputer:
    """Draws of the parameters and of chance, from which each assumption makes its imputations.

    Raises `CannotEstimate` when an arm has no value, or when most bootstrap samples leave the model undetermined.
    """

    def __init__(self, data: Repeated, covariance: Covariance, *, imputations: int, rng: np.random.Generator) -> None:
        self.data = data
        self.covariance = covariance
        seen = np.asarray(data.observed.any(axis=1))
        if len(np.unique(data.arms[seen])) < len(np.unique(data.arms)):
            raise CannotEstimate("An arm has no value at all, so none can be imputed in it.")
        self.model = self._fit()
        if not self.model.converged.all():
            raise CannotEstimate("The model of the observed values does not converge, so none can be imputed from it.")
        self._draws = self._bootstrap(seen, imputations, rng)
        self._chance = rng.standard_normal((imputations, *data.values.shape))

    def _fit(self, weights: Floats | None = None) -> Model:
        data = self.data
        start, tolerance = (None, 1e-6) if weights is None else (self.model.covariance[0], 1e-3)
        return fit(
            data.values,
            data.groups,
            data.basis,
            data.centred,
            self.covariance,
            times=data.times,
            weights=weights,
            start=start,
            tolerance=tolerance,
        )

    def _bootstrap(self, seen: NDArray[np.bool_], imputations: int, rng: np.random.Generator) -> Model:
        found: list[Model] = []
        drawn = good = 0
        while good < imputations:
            wanted = min(_AT_ONCE, imputations - good)
            weights = np.zeros((wanted, len(seen)))
            for arm in np.unique(self.data.arms):
                people = np.flatnonzero(seen & (self.data.arms == arm))
                weights[:, people] = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=wanted)
            fitted = self._fit(weights)
            sound = fitted.converged
            found.append(Model(fitted.coefficients[sound], fitted.covariance[sound], sound[sound]))
            drawn, good = drawn + wanted, good + int(sound.sum())
            if good < drawn / 2:
                raise CannotEstimate(
                    "Most bootstrap samples of the participants leave the model of the values undetermined, so missing "
                    "values cannot be imputed."
                )
        return Model(*(np.concatenate([getattr(one, name) for one in found]) for name in _PARTS))

    def imputed(self, assumption: Assumption = "mar", reference: int | None = None) -> Floats:
        """(M, N, T): the values, complete but for what was never to be measured.

        `reference` is the number of an arm, needed for all but `mar`.
        """
        return filled(self.data, self._draws, self._chance, assumption, reference)


_PARTS = ("coefficients", "covariance", "converged")


def filled(data: Repeated, model: Model, chance: Floats, assumption: Assumption, reference: int | None) -> Floats:
    """(M, N, T): the values, with the missing ones drawn given the observed ones under each of M parameters.

    What was never to be measured stays NaN. `chance` (M, N, T) are draws of the standard normal distribution.
    """
    sigma = model.covariance
    seen = data.observed.astype(float)
    # A draw of all occasions, moved by what the observed values say that it should have been: this has the mean and the
    # variance of the missing values given the observed ones.
    gain = sigma[:, None] @ precisions(sigma, seen)
    drawn = means(data, model.coefficients, assumption, reference)
    drawn = drawn + np.einsum("mts,mns->mnt", np.linalg.cholesky(sigma), chance)
    deviation = seen * (np.where(data.observed, data.values, 0.0) - drawn)
    drawn = drawn + np.einsum("mnts,mns->mnt", gain, deviation)
    return np.asarray(np.where(data.missing, drawn, data.values))


def means(data: Repeated, coefficients: Floats, assumption: Assumption, reference: int | None) -> Floats:
    """(M, N, T): the means around which missing values are drawn, before what was observed is taken into account."""
    own = _means_of(data, coefficients, data.groups)
    if assumption == "mar":
        return own
    if reference is None or reference not in data.arms:
        raise CannotEstimate("There is no reference arm with a participant, so nobody can be imputed as in it.")
    group = int(np.searchsorted(np.unique(data.arms), reference))
    theirs = _means_of(data, coefficients, np.full(len(data.arms), group))
    dropped = data.dropped
    replaced = dropped if assumption == "jump_to_reference" else np.asarray(dropped.any(axis=1))[:, None]
    return np.asarray(np.where(replaced, theirs, own))


def _means_of(data: Repeated, coefficients: Floats, groups: NDArray[np.intp]) -> Floats:
    """(M, N, T): the means of each participant, in one of the groups."""
    q = data.covariates.shape[1]
    split = coefficients.shape[1] - q
    of_groups = coefficients[:, :split].reshape(len(coefficients), -1, data.basis.shape[1]) @ data.basis.T
    return np.asarray(of_groups[:, groups] + (coefficients[:, split:] @ data.centred.T)[:, :, None])


def compare(
    complete: Floats,
    data: Repeated,
    weights: Floats,
    pairs: Sequence[tuple[int, int]],
    names: Sequence[str],
    *,
    level: float = 0.95,
    delta: Floats | None = None,
) -> list[Estimate]:
    """Each of `pairs` (a, b) of arms, the difference a minus b, pooled over the complete data sets (M, N, T).

    `weights`, (T,) or of each participant (N, T), make one number of each participant's values; these are compared by
    least squares, adjusted for the covariates, and for the occasions that were to be measured where these differ.
    Whose weights are NaN is left out. `delta` (N, T) is added to the values first. Raises `CannotEstimate`.
    """
    weights = np.broadcast_to(weights, data.values.shape)
    counted = np.asarray(np.isfinite(weights).all(axis=1))
    due = data.due
    values = np.where(due, complete if delta is None else complete + delta, 0.0)
    numbers = np.einsum("mnt,nt->mn", values[:, counted], weights[counted])
    own = data.arms[counted]
    arms = np.unique(own)
    covariates = data.covariates[counted] - data.covariates[counted].mean(axis=0)
    x = np.column_stack([own[:, None] == arms, covariates]).astype(float)
    for occasions in np.unique(due[counted], axis=0)[1:]:
        alike = (due[counted] == occasions).all(axis=1).astype(float)
        wider = np.column_stack([x, alike - alike.mean()])
        if np.linalg.matrix_rank(wider) == wider.shape[1] < len(wider):
            x = wider
    df = len(x) - x.shape[1]
    if df < 1 or np.linalg.matrix_rank(x) < x.shape[1]:
        raise CannotEstimate("There are too few participants for the arms and covariates that are to be compared.")
    inverse = np.linalg.inv(x.T @ x)
    coefficients = numbers @ x @ inverse
    residual = numbers - coefficients @ x.T
    variance = np.sum(residual**2, axis=1) / df
    found = []
    for (a, b), name in zip(pairs, names, strict=True):
        contrast = np.zeros(x.shape[1])
        contrast[: len(arms)] = (arms == a).astype(float) - (arms == b)
        found.append(pooled(name, coefficients @ contrast, variance * (contrast @ inverse @ contrast), df, level=level))
    return found
