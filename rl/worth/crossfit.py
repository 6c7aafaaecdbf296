"""Cross-fitted predictions for every row of a log, each by models that saw no row of the same shopper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.episode_selection import take_episodes
from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.samples.episode_products import rows_at_step
from rl.worth.action_ridge import (
    N_INNER_FOLDS,
    ActionRidge,
    Standardizer,
    StateRidge,
    deal_folds,
    fit_actions,
    fit_state,
)
from rl.worth.popularity import Popularity, fit_popularity_weights

_CUT_ROUNDS = 3
"""Fits of the state value where episodes are cut: each looks past the cut with the one before."""

REWARD, FUTURE = 0, 1
"""Columns of the outcomes; named features of the next observation follow."""


@dataclass(frozen=True)
class CrossfitPredictions:
    """What models of other shoppers predict at each row.

    Attributes:
        usual: popularity of the actions where available, on which advantages are centered, `(n, n_actions)`.
        reward: predicted reward of every action, `(n, n_actions)`.
        future: predicted discounted return after the decision, if the behavior policy goes on, `(n, n_actions)`.
        value: predicted return from the row on under the behavior policy, `(n,)`.
        next_value: the same at the next observation of rows that were cut, 0 elsewhere, `(n,)`.
        return_to_go: logged discounted reward from the row to the episode's end, what a cut took off predicted, `(n,)`.
        effects: by outcome: what the logged action was predicted to add to it, less the usual action's, `(n,)`.
        residuals: by outcome: its logged value less the prediction from the observation alone, `(n,)`.
        fold: number of each row's fold, `(n,)`.
    """

    usual: FloatArray
    reward: FloatArray
    future: FloatArray
    value: FloatArray
    next_value: FloatArray
    return_to_go: FloatArray
    effects: Mapping[str, FloatArray]
    residuals: Mapping[str, FloatArray]
    fold: IntArray


@dataclass(frozen=True)
class CrossfitSettings:
    """How the log is dealt.

    Attributes:
        n_folds: shoppers are dealt into so many folds.
        seed: of the deal.
    """

    n_folds: int = 4
    seed: int = 0


def crossfit(
    episodes: LoggedEpisodes,
    discount: DiscountFunction,
    *,
    next_features: Mapping[str, int] | None = None,
    settings: CrossfitSettings | None = None,
) -> CrossfitPredictions:
    """Return predictions of reward, future return, continuation and named next features at each row.

    The future return is learned through the behavior policy's state value at the next observation (one step of fitted
    Q evaluation), which is far less noisy than returns; whether what was learned holds is then judged on the logged
    returns of the shoppers left out.

    Args:
        episodes: the log.
        discount: what a later reward counts for, as the spec states it.
        next_features: columns of the features whose response to actions is predicted too, by name.
        settings: how the log is dealt.

    Raises:
        EvaluationError: fewer shoppers than folds.
    """
    chosen, named = settings or CrossfitSettings(), dict(next_features or {})
    n_units = len(np.unique(episodes.unit))
    if n_units < chosen.n_folds * N_INNER_FOLDS:
        raise EvaluationError(
            f"{n_units} shoppers can't be dealt into {chosen.n_folds} folds of {N_INNER_FOLDS}; ingest more nights"
        )
    fold = deal_folds(episodes.unit[episodes.episode], chosen.n_folds, chosen.seed)
    filled = _empty(episodes, fit_popularity_weights(episodes), fold, named)
    for k in range(chosen.n_folds):
        _fill(filled, episodes, discount, named=named, k=k, seed=chosen.seed)
    return filled


def returns_to_go(episodes: LoggedEpisodes, discount: DiscountFunction, next_value: FloatArray) -> FloatArray:
    """Return the discounted reward from each row to its episode's end, `next_value` for what was cut, `(n,)`."""
    factors = discount.step_factors(episodes)
    total = episodes.reward + factors * next_value * episodes.timeout
    for step in reversed(range(int(episodes.lengths.max()) - 1)):
        rows, running = rows_at_step(episodes.offsets, step)
        rows = rows[episodes.lengths[running] > step + 1]
        total[rows] += factors[rows] * total[rows + 1]
    return total


@dataclass(frozen=True)
class _Models:
    standardizer: Standardizer
    value: StateRidge
    state: StateRidge
    actions: ActionRidge


def _empty(
    episodes: LoggedEpisodes, popularity: Popularity, fold: IntArray, named: Mapping[str, int]
) -> CrossfitPredictions:
    n, shape = episodes.n_transitions, (episodes.n_transitions, episodes.n_actions)
    names = ("future", "continuation", *named)
    return CrossfitPredictions(
        usual=popularity.of_mask(episodes.availability)[episodes.mask_index],
        reward=np.zeros(shape),
        future=np.zeros(shape),
        value=np.zeros(n),
        next_value=np.zeros(n),
        return_to_go=np.zeros(n),
        effects={name: np.zeros(n) for name in names},
        residuals={name: np.zeros(n) for name in names},
        fold=fold,
    )


def _fill(
    into: CrossfitPredictions,
    episodes: LoggedEpisodes,
    discount: DiscountFunction,
    *,
    named: Mapping[str, int],
    k: int,
    seed: int,
) -> None:
    """Fill the rows of fold k with what models of the other folds predict."""
    is_other = into.fold != k
    training = take_episodes(episodes, is_other[episodes.offsets[:-1]])
    models = _fit(training, discount, named, seed=seed + k + 1)
    rows = np.flatnonzero(~is_other)
    held = take_episodes(episodes, ~is_other[episodes.offsets[:-1]])
    columns = models.standardizer.columns(held.features)
    next_columns = models.standardizer.columns(held.next_features)
    next_value = models.value.predict(next_columns)[:, 0]
    into.value[rows] = models.value.predict(columns)[:, 0]
    into.next_value[rows] = next_value * held.timeout
    into.return_to_go[rows] = returns_to_go(held, discount, next_value)
    state = models.state.predict(columns)
    outcomes = _outcomes(held, discount, next_value, named)
    # What really followed, not its prediction: the test of the future effect rests on logged returns.
    outcomes[:, FUTURE] = into.return_to_go[rows] - held.reward
    at = np.arange(len(rows))
    for column, name in enumerate(("reward", *into.effects)):
        added = models.actions.predict(columns, column)
        if column in (REWARD, FUTURE):
            (into.reward if column == REWARD else into.future)[rows] = state[:, column, None] + added
        if column != REWARD:
            usual = (into.usual[rows] * added).sum(axis=1)
            into.effects[name][rows] = added[at, held.action] - usual
            into.residuals[name][rows] = outcomes[:, column] - state[:, column]


def _fit(training: LoggedEpisodes, discount: DiscountFunction, named: Mapping[str, int], *, seed: int) -> _Models:
    standardizer = Standardizer.fit(training.features, training.n_actions)
    columns = standardizer.columns(training.features)
    next_columns = standardizer.columns(training.next_features)
    fold = deal_folds(training.unit[training.episode], N_INNER_FOLDS, seed)
    next_value = np.zeros(training.n_transitions)
    for _ in range(_CUT_ROUNDS if training.timeout.any() else 1):
        value = fit_state(columns, returns_to_go(training, discount, next_value)[:, None], fold)
        next_value = value.predict(next_columns)[:, 0]
    outcomes = _outcomes(training, discount, next_value, named)
    state = fit_state(columns, outcomes, fold)
    residual = outcomes - state.predict(columns)
    actions = fit_actions(columns, residual, training.action, n_actions=training.n_actions, fold=fold)
    return _Models(standardizer, value, state, actions)


def _outcomes(
    episodes: LoggedEpisodes, discount: DiscountFunction, next_value: FloatArray, named: Mapping[str, int]
) -> FloatArray:
    goes_on = ~episodes.terminal
    future = discount.step_factors(episodes) * next_value * goes_on
    following = episodes.next_features[:, list(named.values())].astype(np.float64)
    return np.column_stack([episodes.reward, future, goes_on.astype(np.float64), following])
