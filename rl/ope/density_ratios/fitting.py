"""Density ratios of a log, estimated without a unit's own episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FloatArray, LoggedEpisodes, Policy
from rl.errors import UnsupportedEstimator
from rl.ope.density_ratios.minimax import fit_basis, fit_minimax
from rl.ope.density_ratios.tabular import fit_tabular, index_states
from rl.ope.samples.density_ratio import DensityRatios, RatioModel, unit_folds
from rl.ope.samples.sample import EvaluationSample, rows_within
from rl.ope.samples.weights import refusal_to_weight


@dataclass(frozen=True)
class RatioSettings:
    """How density ratios are estimated.

    Attributes:
        method: `tabular` counting, `linear` or `fourier` minimax, or `auto`: tabular where the states are few.
        n_folds: units are dealt into so many folds; a unit's ratios come from the other folds.
        max_states: up to here `auto` counts.
        n_fourier: random Fourier features.
        ridge: penalty of the minimax fit.
        seed: of folds and Fourier features.
    """

    method: Literal["auto", "tabular", "linear", "fourier"] = "auto"
    n_folds: int = 5
    max_states: int = 500
    n_fourier: int = 100
    ridge: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class CrossfitRatios:
    """A model for each fold of units, fitted on the other folds.

    Attributes:
        models: one for each fold.
        seed: of the folds.
    """

    models: tuple[RatioModel, ...]
    seed: int

    def ratios(self, policy: Policy, episodes: LoggedEpisodes) -> DensityRatios:
        """Return the ratios at rows of the log, or of a part of it, by models that saw no row of the same unit."""
        fold = unit_folds(episodes.unit, n_folds=len(self.models), seed=self.seed)
        fold_of_row = np.repeat(fold, episodes.lengths)
        found = [model.ratios(policy, episodes) for model in self.models]
        mixed = [
            np.stack([getattr(each, name) for each in found])[fold_of_row, np.arange(len(fold_of_row))]
            for name in ("state", "state_action", "expected_length")
        ]
        outside = float(np.mean([each.share_outside for each in found]))
        method = f"{found[0].method}, cross-fitted"
        return DensityRatios(mixed[0], mixed[1], mixed[2], outside, method, found[0].pair_refusal)


def fit_density_ratios(
    policy: Policy,
    episodes: LoggedEpisodes,
    *,
    discount: DiscountFunction,
    steps: int | None = None,
    settings: RatioSettings | None = None,
) -> CrossfitRatios:
    """Return cross-fitted ratios of the policy's occupancy to the log's.

    Rests on more than weighting does: that the observation holds all that the future depends on. Ratios estimated on a
    log of a hidden state are wrong however long the log is.

    Args:
        policy: evaluation policy.
        episodes: the split that is then evaluated.
        discount: what a later reward counts for, as the spec states it.
        steps: over which the value runs.
        settings: how values are estimated or models fitted.

    Raises:
        UnsupportedEstimator: the log can't be weighted, has too few units or too many states to count, or goes on past
            the value's last step with too many states to count. (Where no episode does, the minimax ratio is of the
            value to the end; the two agree where episodes end by then.)
    """
    chosen = settings or RatioSettings()
    if reason := refusal_to_weight(episodes.propensity):
        raise UnsupportedEstimator(reason)
    fold = unit_folds(episodes.unit, n_folds=chosen.n_folds, seed=chosen.seed)
    if empty := sorted(set(range(chosen.n_folds)) - set(fold.tolist())):
        n_units = len(np.unique(episodes.unit))
        raise UnsupportedEstimator(f"{n_units} units are too few for {chosen.n_folds} folds: folds {empty} are empty")
    fit = _fit(policy, episodes, factors=discount.step_factors(episodes), steps=steps, settings=chosen)
    return CrossfitRatios(tuple(fit(fold != k) for k in range(chosen.n_folds)), chosen.seed)


def _fit(
    policy: Policy, episodes: LoggedEpisodes, *, factors: FloatArray, steps: int | None, settings: RatioSettings
) -> Callable[[BoolArray], RatioModel]:
    """Fit ratios on chosen episodes, by the method that the settings or the number of states ask for."""
    method = settings.method
    index = index_states(episodes, max_states=settings.max_states) if method in ("auto", "tabular") else None
    if index is not None:
        return lambda chosen: fit_tabular(policy, episodes, chosen, index=index, factors=factors, steps=steps)
    if method == "tabular":
        raise UnsupportedEstimator(f"there are more than {settings.max_states} distinct states: too many to count")
    if steps is not None and int(episodes.lengths.max()) > steps:
        raise UnsupportedEstimator(
            f"a ratio of values over {steps} steps changes from step to step, which only counting follows, and there "
            f"are more than {settings.max_states} distinct states; leave the steps open, or use a weighted estimator"
        )
    kind: Literal["linear", "fourier"] = "fourier" if method == "fourier" else "linear"
    basis = fit_basis(episodes.features, kind=kind, n_fourier=settings.n_fourier, seed=settings.seed)
    return lambda chosen: fit_minimax(policy, episodes, chosen, basis=basis, factors=factors, ridge=settings.ridge)


def with_density_ratios(
    sample: EvaluationSample, policy: Policy, episodes: LoggedEpisodes, *, discount: DiscountFunction, steps: int | None
) -> EvaluationSample:
    """Return the sample with ratios cross-fitted on its own split.

    Args:
        sample: the rows of a split as the policy weights them.
        policy: evaluation policy.
        episodes: the split that the sample's rows are of.
        discount: what a later reward counts for, as the spec states it.
        steps: over which the value runs.

    Raises:
        UnsupportedEstimator: there can be none; see `fit_density_ratios`.
    """
    ratios = fit_density_ratios(policy, episodes, discount=discount, steps=steps).ratios(policy, episodes)
    return replace(sample, density_ratios=ratios.rows(rows_within(episodes, steps)))
