"""Handing a share of decisions to a rule: what a log says about it, with the logged actions' propensities alone."""

from __future__ import annotations

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.ope.samples.episode_products import cumulative_products, shifted_products
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import weights_from_ratio
from rl.worth.crossfit import CrossfitPredictions
from rl.worth.rules import Rule


def mixture_sample(
    rule: Rule | None,
    share: float,
    episodes: LoggedEpisodes,
    predictions: CrossfitPredictions,
    *,
    discount: DiscountFunction,
    steps: int | None = None,
) -> EvaluationSample:
    """Return the arrays that `rl.ope` reads when the rule decides with probability `share`, else today's policy.

    The mixture's probability of the logged action is (1 - share) propensity + share rule, so that the propensity of
    the logged action is all that is needed. The control variate is split the same way: today's part is controlled by
    a state value, whose expectation is known without the logger's other probabilities, the rule's part by the
    predicted action values. Its conditional mean given the observation is `value` exactly, as DR requires.

    Args:
        rule: None for the behavior policy itself.
        share: of decisions handed to the rule, in [0, 1].
        episodes: the log.
        predictions: cross-fitted on it.
        discount: what a later reward counts for, as the spec states it.
        steps: later rows are left out.
    """
    keep = np.ones(episodes.n_transitions, dtype=bool) if steps is None else episodes.step < steps
    lengths = episodes.lengths if steps is None else np.minimum(episodes.lengths, steps)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    next_discount = cumulative_products(discount.step_factors(episodes)[keep], offsets)
    ratio, values = _ratio_and_values(rule, share, episodes, predictions)
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    timed_out = episodes.timeout[episodes.offsets[1:] - 1]
    return EvaluationSample(
        reward=episodes.reward[keep],
        discount=shifted_products(next_discount, offsets),
        next_discount=next_discount,
        offsets=offsets,
        unit=unit.astype(np.int64),
        unit_ids=unit_ids.astype(np.int64),
        is_cut=timed_out & (lengths == episodes.lengths),
        steps=steps,
        weights=weights_from_ratio(ratio[keep], offsets),
        refusal=None,
        values=values.rows(keep),
    )


def _ratio_and_values(
    rule: Rule | None, share: float, episodes: LoggedEpisodes, predictions: CrossfitPredictions
) -> tuple[FloatArray, ActionValues]:
    n, at = episodes.n_transitions, np.arange(episodes.n_transitions)
    if rule is None or share == 0:
        return np.ones(n), ActionValues(predictions.value, predictions.value, predictions.next_value)
    rule_ratio = rule.logged / episodes.propensity
    ratio = (1 - share) + share * rule_ratio
    q_logged = (predictions.reward + predictions.future)[at, episodes.action]
    controlled = (1 - share) * predictions.value + share * rule_ratio * q_logged
    action_value = np.divide(controlled, ratio, out=np.zeros(n), where=ratio > 0)
    value = (1 - share) * predictions.value + share * rule.predicted
    return ratio, ActionValues(value, action_value, predictions.next_value)
