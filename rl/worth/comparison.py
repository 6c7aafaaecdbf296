"""The one-step rule against the look-ahead rule, each judged on shoppers that it wasn't learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.ope.estimators.doubly_robust import dr
from rl.ope.estimators.importance_sampling import on_policy
from rl.ope.intervals.intervals import Resampling, bootstrap_values, cautious_bounds
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.samples.sample import EvaluationSample
from rl.worth.crossfit import CrossfitPredictions
from rl.worth.findings import Bounded, Comparison, Policy, PolicyFigure
from rl.worth.mixtures import mixture_sample
from rl.worth.movement import Floors, Spoken, spoken
from rl.worth.rules import Rule, look_ahead_rule, one_step_rule

SHARES = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05)
"""Shares of decisions handed over, the largest that the log can judge is taken."""

MARGIN = 0.03
"""Looking ahead doesn't pay if it adds less than this with all decisions handed over; with fewer, in proportion."""

_KEPT_SHOPPERS = 0.5  # of the log's effective shoppers: beyond it the doubt grows faster than the gain


@dataclass(frozen=True)
class Judged:
    """A comparison and what it rests on.

    Attributes:
        comparison: as found.
        one_step: the rule.
        is_enough: both mixtures reach the gate's floors.
    """

    comparison: Comparison
    one_step: Rule
    is_enough: bool


@dataclass(frozen=True)
class _Judge:
    """One policy's sums, and how much the log says about it; None where it says nothing."""

    sums: RatioSums
    said: Spoken | None


def compare_rules(
    episodes: LoggedEpisodes,
    predictions: CrossfitPredictions,
    *,
    discount: DiscountFunction,
    steps: int | None,
    floors: Floors,
    level: float,
    resampling: Resampling,
) -> Judged:
    """Return the doubly robust values of both rules at the largest share of decisions that the log can judge.

    The share is chosen by weights alone, which know no reward, so choosing it costs no certainty.

    Args:
        episodes: the log, every propensity known.
        predictions: cross-fitted on it.
        discount: what a later reward counts for, as the spec states it.
        steps: over which values run.
        floors: the least effective units that the gate asks for.
        level: of the intervals, over shoppers.
        resampling: how shoppers are drawn for the bounds.
    """
    one_step, ahead = one_step_rule(predictions, episodes), look_ahead_rule(predictions, episodes)

    def sample(rule: Rule | None, share: float) -> EvaluationSample:
        return mixture_sample(rule, share, episodes, predictions, discount=discount, steps=steps)

    today = sample(None, 0.0)
    least = _KEPT_SHOPPERS * spoken(0.0, today).effective_sample_size
    for share in SHARES:
        samples = (sample(one_step, share), sample(ahead, share))
        said = tuple(spoken(share, one) for one in samples)
        if min(one.effective_sample_size for one in said) >= least:
            break
    judges: dict[Policy, _Judge] = {
        "behavior": _Judge(dr(today), spoken(0.0, today)),
        "one_step": _Judge(dr(samples[0]), said[0]),
        "look_ahead": _Judge(dr(samples[1]), said[1]),
    }
    comparison = _comparison(judges, "dr", share, level=level, resampling=resampling)
    return Judged(comparison, one_step, all(one.is_enough(floors) for one in said))


def predict_rules(
    episodes: LoggedEpisodes,
    predictions: CrossfitPredictions,
    *,
    discount: DiscountFunction,
    steps: int | None,
    level: float,
    resampling: Resampling,
) -> Comparison:
    """Return what the models predict for both rules where nothing can be weighted: the direct method alone.

    Each decision handed over is predicted to add the rule's expected action value less the usual choice's, with today's
    policy going on afterwards; decisions add up. Don't trust it: what made the shop show an action may be what earned.
    """
    share = SHARES[0]
    today = mixture_sample(None, 0.0, episodes, predictions, discount=discount, steps=steps)
    keep = np.ones(episodes.n_transitions, dtype=bool) if steps is None else episodes.step < steps
    usual = (predictions.usual * (predictions.reward + predictions.future)).sum(axis=1)

    def predicted(rule: Rule) -> RatioSums:
        gain = share * (rule.predicted - usual)[keep]
        return today.mean_over_episodes(today.per_episode(today.discount * (today.reward + gain)))

    judges: dict[Policy, _Judge] = {
        "behavior": _Judge(on_policy(today), spoken(0.0, today)),
        "one_step": _Judge(predicted(one_step_rule(predictions, episodes)), None),
        "look_ahead": _Judge(predicted(look_ahead_rule(predictions, episodes)), None),
    }
    return _comparison(judges, "dm", share, level=level, resampling=resampling)


def share_reached(one_step: RatioSums, ahead: RatioSums, *, level: float, resampling: Resampling) -> Bounded:
    """Return the first value over the second, bounded by the wider of percentile bootstrap and Student (delta method).

    None where the second's value isn't positive, since no share of it can be taken then.
    """
    top, bottom = one_step.value(), ahead.value()
    if bottom <= 0:
        return Bounded(value=None, lower=None, upper=None)
    draws_top, draws_bottom = bootstrap_values(one_step, resampling), bootstrap_values(ahead, resampling)
    ratios = np.divide(draws_top, draws_bottom, out=np.full(len(draws_top), np.nan), where=draws_bottom > 0)
    lower, upper = np.nanquantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    value = top / bottom
    influence = (one_step.influence() - value * ahead.influence()) / bottom
    n = one_step.n_units
    error = math.sqrt(float(np.square(influence).sum()) / (n * (n - 1)))
    reach = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return Bounded(value=value, lower=min(float(lower), value - reach), upper=max(float(upper), value + reach))


def _comparison(
    judges: dict[Policy, _Judge], estimator: str, share: float, *, level: float, resampling: Resampling
) -> Comparison:
    today = judges["behavior"].sums

    def bounds(sums: RatioSums) -> Bounded:
        found = cautious_bounds(sums, alpha=(1 - level) / 2, resampling=resampling)
        return Bounded(value=found.value, lower=found.lower, upper=found.upper)

    figures = tuple(
        PolicyFigure(
            policy=name,
            value=bounds(judge.sums),
            gain=None if name == "behavior" else bounds(difference(judge.sums, today)),
            effective_sample_size=None if judge.said is None else judge.said.effective_sample_size,
            effective_rewarded=None if judge.said is None else judge.said.effective_rewarded,
        )
        for name, judge in judges.items()
    )
    return Comparison(
        estimator=estimator,
        is_prediction=estimator == "dm",
        share_handed=share,
        policies=figures,
        share_reached=share_reached(
            judges["one_step"].sums, judges["look_ahead"].sums, level=level, resampling=resampling
        ),
        margin=MARGIN * share / SHARES[0],
        level=level,
    )
