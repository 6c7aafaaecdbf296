"""The first test week read as one decision: multi-armed Qini curves, and effects by tenths of the shoppers.

What a shopper brings in the block from that week on, all later weeks decided by the log's own policy, is scored for
each action by models of other shoppers, doubly robustly. The candidate's order was fixed on earlier data; those of the
learners beside it are cross-fitted. So the curves say what this week's money brings, where the curve over all weeks
says what a policy that goes on brings.

Source: Sverdrup, Wu, Athey and Wager, Qini Curves for Multi-Armed Treatment Rules (2024).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import EvaluationError, PolicyError, UnsupportedEstimator
from rl.experiment.deciles import decile_figures
from rl.experiment.judged_policies import Judge
from rl.experiment.spending import spend_lines
from rl.figures.effects import OneDecision
from rl.night.spend.gain_at_spend import SHARES
from rl.ope.effects.crossfit import CrossFit, crossfit
from rl.ope.effects.first_decisions import FirstDecisions, first_decisions
from rl.ope.effects.learners import LEARNERS
from rl.ope.report import EvaluationSettings
from rl.policy import StochasticPolicy
from rl.policy.offer_prices import MILLIONTHS, OfferPrices

N_FOLDS = 5
FIRST_LEARNER = "dr_learner"
_WEEK_US = 7 * MICROS_PER_DAY


def one_decision(
    policy: StochasticPolicy, test: LoggedEpisodes, *, has_values: bool, settings: EvaluationSettings
) -> OneDecision:
    """Return the curves and the tenths of the first test week, each with the reason where there are none.

    Args:
        policy: the candidate, with prices.
        test: the split, with known propensities.
        has_values: whether the candidate's outputs are values of money; logits give no order of worth for money.
        settings: of the evaluation; how many steps count, and the level and the draws of intervals.
    """
    prices = policy.prices
    if prices is None or prices.nothing is None:
        return _none("the policy holds no prices of offers, or knows no action that offers nothing", settings)
    if prices.costs[np.arange(policy.n_actions) != prices.nothing].min() <= 0:
        return _none("an offer commits nothing, so that there is no spend to see its gain against", settings)
    try:
        decisions = first_week(test, settings)
        fitted = crossfit(decisions, baseline=prices.nothing, learners=_learners(), n_folds=N_FOLDS)
    except UnsupportedEstimator as error:
        return _none(str(error), settings)
    # Who may not get an offer by the shop's caps gets none by any order.
    decisions = replace(decisions, mask=policy.permitted(decisions.features, decisions.mask))
    ordered = {policy.name: values_of_money(policy, prices, decisions)} if has_values else {}
    found = OneDecision(
        n_shoppers=decisions.n,
        level=settings.confidence,
        n_folds=N_FOLDS,
        weekly_budget=prices.weekly_budget / MILLIONTHS / decisions.n,
    )
    try:
        lines = spend_lines(
            decisions,
            replace(fitted, values={**ordered, **fitted.values}),
            actions=policy.vocabulary.names,
            costs=prices.costs,
            nothing=prices.nothing,
            level=settings.confidence,
            spends=found.weekly_budget * np.array(SHARES),
            is_cost_added=False,
        )
        found = found.model_copy(update={"lines": lines})
    except (EvaluationError, PolicyError) as error:
        found = found.model_copy(update={"refusal": str(error)})
    return found.model_copy(update=_deciles(decisions, fitted, policy, prices.nothing, settings))


def first_week(test: LoggedEpisodes, settings: EvaluationSettings) -> FirstDecisions:
    """Return the decisions of the first test week, and what came of each shopper's weeks under the log's policy.

    A split may begin within a block of weeks, whose episodes are then those of newcomers alone: the first week counts
    in which at least half as many episodes start as in any.

    Raises:
        UnsupportedEstimator: a decision whose propensity isn't known.
    """
    start = int(test.start_time.min())
    n_starting = np.bincount((test.start_time - start) // _WEEK_US)
    begins = start + _WEEK_US * int(np.argmax(2 * n_starting >= n_starting.max()))
    within = (begins, begins + _WEEK_US)
    return first_decisions(test, settings.discount, steps=settings.steps, within_us=within)


def values_of_money(policy: StochasticPolicy, prices: OfferPrices, decisions: FirstDecisions) -> FloatArray:
    """Return what the candidate holds each action to bring from the week on, before any price, in money."""
    outputs = policy.with_prices(prices.at_price(0.0)).outputs(decisions.features)
    found: FloatArray = outputs / prices.outputs_per_money
    return found


def _deciles(
    decisions: FirstDecisions, fitted: CrossFit, policy: StochasticPolicy, nothing: int, settings: EvaluationSettings
) -> dict[str, object]:
    judge = Judge(settings.confidence, settings.resampling)
    try:
        return {
            "deciles": decile_figures(
                decisions,
                fitted,
                judge,
                learner=FIRST_LEARNER,
                nothing=nothing,
                name_of_nothing=policy.vocabulary.names[nothing],
            )
        }
    except UnsupportedEstimator as error:
        return {"deciles_refusal": str(error)}


def _learners() -> tuple[str, ...]:
    return (FIRST_LEARNER, *(name for name in LEARNERS if name != FIRST_LEARNER))


def _none(reason: str, settings: EvaluationSettings) -> OneDecision:
    return OneDecision(
        n_shoppers=0,
        level=settings.confidence,
        n_folds=N_FOLDS,
        weekly_budget=0.0,
        refusal=reason,
        deciles_refusal=reason,
    )
