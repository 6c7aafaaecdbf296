"""One evaluation policy on one split: every array that an estimator may read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.intervals.sums import RatioSums, mean_sums
from rl.ope.samples.density_ratio import DensityRatios, own_ratios
from rl.ope.samples.episode_products import cumulative_products, shifted_products
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.weights import ImportanceWeights, refusal_to_weight, weights_from_ratio


@dataclass(frozen=True)
class EvaluationSample:
    """Rows of a split up to the last step that the value runs over.

    Attributes:
        reward: `(n,)`.
        discount: discount of the row's reward, `(n,)`.
        next_discount: discount of what follows the row, `(n,)`.
        offsets: start row of each episode and, last, `n`.
        unit: unit of each episode as an index into `unit_ids`, `(n_episodes,)`.
        unit_ids: ascending, `(n_units,)`.
        is_cut: the log ends before the episode and before `steps`, `(n_episodes,)`.
        steps: the value is of the rewards of steps 0 to `steps` - 1; None where it runs to the longest episode's end.
        weights: None where the log can't be weighted; then `refusal` says why.
        refusal: reason shown where a weighted estimator is refused.
        values: of the fitted Q-function; None where none was fitted.
        is_part: the rows are a part of a larger log: what only the whole log can tell (no weight anywhere, every
            propensity 1) refuses nothing here, and is asked again after the parts' sums have been merged.
        density_ratios: of occupancy, at the rows; None where none were estimated.
        ratio_refusal: why they couldn't be.
    """

    reward: FloatArray
    discount: FloatArray
    next_discount: FloatArray
    offsets: IntArray
    unit: IntArray
    unit_ids: IntArray
    is_cut: BoolArray
    steps: int | None
    weights: ImportanceWeights | None
    refusal: str | None
    values: ActionValues | None
    is_part: bool = False
    density_ratios: DensityRatios | None = None
    ratio_refusal: str | None = None

    @property
    def advantage(self) -> float | None:
        """Mean over episodes of the sum of discounted sum_a pi(a|s) Q(s, a) - Q(s, logged a); None without values.

        With the policy's own Q it is the gain over the behavior policy, with that of a policy near to it the first
        order of the gain: departures count at every logged decision, and what they do to each other doesn't.

        Source: Kakade and Langford (2002), Approximately Optimal Approximate Reinforcement Learning, lemma 6.1.
        """
        if self.values is None:
            return None
        return float((self.discount * (self.values.value - self.values.action_value)).sum() / self.n_episodes)

    @property
    def n_episodes(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_units(self) -> int:
        return len(self.unit_ids)

    @property
    def lengths(self) -> IntArray:
        return np.diff(self.offsets)

    @property
    def unit_of_row(self) -> IntArray:
        return np.repeat(self.unit, self.lengths)

    @property
    def last_rows(self) -> IntArray:
        return self.offsets[1:] - 1

    def require_weights(self) -> FloatArray:
        """Return the cumulative weights, `(n,)`.

        Raises:
            UnsupportedEstimator: the log can't be weighted.
        """
        if self.weights is None:
            raise UnsupportedEstimator(self.refusal or "no importance weights were computed")
        return self.weights.cumulative

    def require_values(self) -> ActionValues:
        """Return the values of the fitted Q-function.

        Raises:
            UnsupportedEstimator: none was fitted.
        """
        if self.values is None:
            raise UnsupportedEstimator("no Q-function was fitted for this policy")
        return self.values

    def require_density_ratios(self) -> DensityRatios:
        """Return the ratios of occupancy.

        Raises:
            UnsupportedEstimator: none were estimated.
            EvaluationError: they are of another number of rows.
        """
        if self.density_ratios is None:
            raise UnsupportedEstimator(self.ratio_refusal or "no density ratios were estimated for this policy")
        if len(self.density_ratios.state) != len(self.reward):
            raise EvaluationError(f"{len(self.density_ratios.state)} density ratios, expected {len(self.reward)}")
        return self.density_ratios

    def per_episode(self, per_row: FloatArray) -> FloatArray:
        """Return the sum over each episode's rows, `(n_episodes,)`."""
        return np.add.reduceat(per_row, self.offsets[:-1])

    def mean_over_episodes(self, per_episode: FloatArray) -> RatioSums:
        """Return sums whose value is the mean of the given values over episodes."""
        return mean_sums(per_episode, self.unit, self.unit_ids)


def evaluation_sample(
    policy: Policy | None,
    episodes: LoggedEpisodes,
    *,
    discount: DiscountFunction,
    steps: int | None = None,
    clip: float | None = None,
    values: ActionValues | None = None,
    reward: FloatArray | None = None,
    is_part: bool = False,
) -> EvaluationSample:
    """Return the arrays that estimators read, for one policy on one split.

    Args:
        policy: None stands for the behavior policy: all ratios are 1, whether or not propensities are known.
        episodes: the split.
        discount: what a later reward counts for, as the spec states it.
        steps: rows at later steps are left out.
        clip: upper limit on cumulative weights.
        values: of the Q-function on all rows of `episodes`.
        reward: another outcome to value instead of the reward (a side metric), `(n,)`.
        is_part: `episodes` are a part of a larger log, whose sums will be merged with those of other parts.

    Raises:
        EvaluationError: the split has no episodes, the value runs over no step, or `reward` or `values` aren't a
            finite number for each row.
    """
    if not episodes.n_episodes:
        raise EvaluationError("the split has no episodes to evaluate on")
    if steps is not None and steps < 1:
        raise EvaluationError(f"a value runs over at least one step, got steps = {steps}")
    _check_rows(episodes.n_transitions, reward, values)
    # A slice of everything is a view: on large logs copies of all rows would cost as much memory as the log.
    keep = slice(None) if steps is None else rows_within(episodes, steps)
    lengths = episodes.lengths if steps is None else np.minimum(episodes.lengths, steps)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    factors = discount.step_factors(episodes)[keep]
    next_discount = cumulative_products(factors, offsets)
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    discounts = shifted_products(next_discount, offsets)
    weights, refusal = _weights(policy, episodes, keep=keep, offsets=offsets, clip=clip, is_part=is_part)
    return EvaluationSample(
        reward=(episodes.reward if reward is None else reward)[keep],
        discount=discounts,
        next_discount=next_discount,
        offsets=offsets,
        unit=unit.astype(np.int64),
        unit_ids=unit_ids.astype(np.int64),
        is_cut=_is_cut(episodes, steps),
        steps=steps,
        weights=weights,
        refusal=refusal,
        values=values if values is None or isinstance(keep, slice) else values.rows(keep),
        is_part=is_part,
        density_ratios=own_ratios(discounts, episodes.n_episodes) if policy is None else None,
    )


def rows_within(episodes: LoggedEpisodes, steps: int | None) -> BoolArray:
    """Return True for the rows that a value over so many steps runs over, `(n,)`."""
    return np.ones(episodes.n_transitions, dtype=bool) if steps is None else episodes.step < steps


def _check_rows(n_rows: int, reward: FloatArray | None, values: ActionValues | None) -> None:
    given = {} if reward is None else {"outcome": reward}
    if values is not None:
        given |= {"value": values.value, "action value": values.action_value, "next value": values.next_value}
    found = [
        f"{len(per_row)} rows of the {name}, expected {n_rows}"
        for name, per_row in given.items()
        if len(per_row) != n_rows
    ]
    found += [
        f"rows {np.flatnonzero(~np.isfinite(per_row))[:5].tolist()} have no finite {name}"
        for name, per_row in given.items()
        if not np.isfinite(per_row).all()
    ]
    if found:
        raise EvaluationError("this can't be evaluated: " + "; ".join(found))


def _is_cut(episodes: LoggedEpisodes, steps: int | None) -> BoolArray:
    timed_out = episodes.timeout[episodes.offsets[1:] - 1]
    return timed_out if steps is None else timed_out & (episodes.lengths < steps)


def _weights(
    policy: Policy | None,
    episodes: LoggedEpisodes,
    *,
    keep: BoolArray | slice,
    offsets: IntArray,
    clip: float | None,
    is_part: bool,
) -> tuple[ImportanceWeights | None, str | None]:
    if policy is None:
        return weights_from_ratio(np.ones(int(offsets[-1])), offsets, clip=clip), None
    if refusal := refusal_to_weight(episodes.propensity[keep], is_part=is_part):
        return None, refusal
    ratio = (logged_action_probabilities(policy, episodes) / episodes.propensity)[keep]
    try:
        return weights_from_ratio(ratio, offsets, clip=clip), None
    except UnsupportedEstimator as error:
        return None, str(error)
