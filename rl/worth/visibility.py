"""How many nights of logs would show a small gain at the gate's level, and what more exploration would change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.ope.intervals.intervals import Resampling, unit_weights
from rl.ope.intervals.sums import sums_by_unit
from rl.ope.samples.episode_products import cumulative_products, shifted_products
from rl.worth.crossfit import CrossfitPredictions
from rl.worth.findings import Visibility, VisibilityRow
from rl.worth.movement import bounded
from rl.worth.rules import Rule

GAIN = 0.02
POWER = 0.8
EXPLORATIONS = (0.0, 0.1, 0.25, 0.5)
"""Shares of decisions made uniformly beside today's policy; 0 is the log as it is."""


@dataclass(frozen=True)
class EpisodeDifferences:
    """What each episode would say in a log with more exploration, `(n_episodes,)` each.

    Attributes:
        difference: candidate less behavior policy, doubly robust under the new log's propensities.
        weight: how much likelier the episode is in the new log.
        earned: discounted return as logged, what a cut took off predicted.
    """

    difference: FloatArray
    weight: FloatArray
    earned: FloatArray


def find_visibility(  # noqa: PLR0913 -- a candidate, a log, and what the gate asks for
    rule: Rule,
    share: float,
    episodes: LoggedEpisodes,
    predictions: CrossfitPredictions,
    *,
    discount: DiscountFunction,
    alpha: float,
    nights: float,
    level: float,
    resampling: Resampling,
) -> Visibility:
    """Return the nights after which the gate would see a gain of 2%, by share of exploration added.

    The variance of the paired doubly robust difference (candidate less behavior policy) over shoppers gives the
    standard error that a log of n nights would have; a gain g is seen at one-sided level alpha with the stated power
    once g >= (z_{1-alpha} + z_power) standard errors. Nights are taken to add shoppers at the log's rate, so the figure
    is too small where the same few shoppers keep coming. A log with more exploration is this log reweighted.

    Args:
        rule: the candidate's, on the rows of the log.
        share: of decisions that the candidate hands to it.
        episodes: the log.
        predictions: cross-fitted on it.
        discount: what a later reward counts for, as the spec states it.
        alpha: one-sided level of a night.
        nights: that the log covers.
        level: of the intervals, over shoppers.
        resampling: how shoppers are drawn for the bounds.
    """
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    draws = np.vstack([np.ones((1, len(unit_ids))), *unit_weights(len(unit_ids), resampling)])
    rows = []
    for added in EXPLORATIONS:
        found = episode_differences(rule, share, episodes, predictions, discount=discount, added=added)
        needed = nights * _multiple_needed(found, unit.astype(np.int64), draws, alpha)
        rows.append(VisibilityRow(added_exploration=added, nights=bounded(float(needed[0]), needed[1:], level)))
    return Visibility(gain=GAIN, alpha=alpha, power=POWER, share_handed=share, nights_now=nights, rows=tuple(rows))


def episode_differences(
    rule: Rule,
    share: float,
    episodes: LoggedEpisodes,
    predictions: CrossfitPredictions,
    *,
    discount: DiscountFunction,
    added: float,
) -> EpisodeDifferences:
    """Return paired differences that a logger with `added` uniform choices would give for candidate and policy."""
    uniform = 1 / episodes.availability.sum(axis=1)[episodes.mask_index]
    today, offsets = episodes.propensity, episodes.offsets
    logger = (1 - added) * today + added * uniform
    q_logged = (predictions.reward + predictions.future)[np.arange(len(today)), episodes.action]
    factors = discount.step_factors(episodes)
    until = cumulative_products(factors, offsets)
    discounted, outcome = shifted_products(until, offsets), episodes.reward + factors * predictions.next_value

    def robust(chance: FloatArray, controlled: FloatArray, expected: FloatArray) -> FloatArray:
        """Return DR of a policy by its chances of logged actions; `controlled` is chance times control variate."""
        weight = cumulative_products(chance / logger, offsets)
        before = shifted_products(weight, offsets)
        per_row = discounted * (before * (expected - controlled / logger) + weight * outcome)
        return np.add.reduceat(per_row, offsets[:-1])

    # As in mixtures: today's part is controlled by the state value, the rule's part by the action values.
    value = predictions.value
    of_today = robust(today, today * value, value)
    of_candidate = robust(
        (1 - share) * today + share * rule.logged,
        (1 - share) * today * value + share * rule.logged * q_logged,
        (1 - share) * value + share * rule.predicted,
    )
    return EpisodeDifferences(
        difference=of_candidate - of_today,
        weight=cumulative_products(logger / today, offsets)[offsets[1:] - 1],
        earned=np.add.reduceat(discounted * outcome, offsets[:-1]),
    )


def no_nights_help(reason: str) -> str:
    """Return why no number of nights helps a log that can't be weighted, and what would."""
    return (
        f"No number of further nights like these would show a gain, because {reason}. Exploration would: decide a "
        "share of impressions at random among what is available (even one in ten), and log every decision with the "
        "probability it was made with. After some nights of that, ask again how many more it takes."
    )


def _multiple_needed(found: EpisodeDifferences, unit: IntArray, draws: FloatArray, alpha: float) -> FloatArray:
    """Return how many times this log's episodes are needed, under each row of unit weights, `(n_draws,)`."""
    n_units = draws.shape[1]

    def drawn(values: FloatArray) -> FloatArray:
        return np.asarray(draws @ sums_by_unit(values, unit, n_units), dtype=np.float64)

    n_episodes, total_weight = drawn(np.ones(len(unit))), drawn(found.weight)
    mean = drawn(found.weight * found.difference) / total_weight
    second = drawn(found.weight * np.square(found.difference)) / total_weight
    earned = drawn(found.earned) / n_episodes
    variance = np.maximum(second - np.square(mean), 0.0) * _clustering(found.difference, unit, n_units)
    reach = float(ndtri(POWER) - ndtri(alpha))
    return np.asarray(variance * np.square(reach / (GAIN * earned)) / n_episodes, dtype=np.float64)


def _clustering(difference: FloatArray, unit: IntArray, n_units: int) -> float:
    """Return the variance of shoppers' sums over what independent episodes would have, at least 1."""
    rest = difference - difference.mean()
    alone = float(np.square(rest).sum())
    together = float(np.square(sums_by_unit(rest, unit, n_units)).sum())
    return max(1.0, together / alone) if alone > 0 else 1.0
