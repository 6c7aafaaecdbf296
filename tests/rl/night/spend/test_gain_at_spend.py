"""Gain against spend: on a log whose truth is known, with rules at equal spend beside the candidate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes, Policy
from rl.night.pricing import PricingTerms, WeeklyPricing
from rl.night.spend.equal_spend import TargetedOffers, rules_at_equal_spend
from rl.night.spend.gain_at_spend import GainAtSpend, gain_at_spend
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings
from rl.policy import StochasticPolicy
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding, ObservationEncoder
from rl.policy.offer_prices import Cap, OfferPrices
from tests.rl.factories import make_logged_episodes, make_pipeline
from tests.rl.policy.policies import make_vocabulary

WEEKS, COMMITTED, N_SHOPPERS = 3, (0, 1_000_000, 4_000_000), 400
BROUGHT = (0.0, 3.0, 5.0)
"""What each action brings a shopper whom it moves; nothing moves the other half."""
TERMS = PricingTerms(COMMITTED, 500_000_000, {"knows-1": 1.0}, nothing=0)
SETTINGS = EvaluationSettings(
    DiscountFunction(0.9), steps=WEEKS, resampling=Resampling(200), fqe=FqeSettings(method="linear")
)


def a_log(seed: int, n: int = N_SHOPPERS) -> LoggedEpisodes:
    """Weeks under a uniform choice: a shopper who is moved brings what the action is worth, each week on its own."""
    generator = np.random.default_rng(seed)
    moved = np.repeat(generator.integers(0, 2, n), WEEKS)
    action = generator.integers(0, 3, n * WEEKS)
    reward = moved * np.array(BROUGHT)[action] + generator.normal(0, 1, n * WEEKS)
    features = np.stack([moved, np.ones_like(moved)], axis=1).astype(np.float32)
    return make_logged_episodes(
        [WEEKS] * n,
        3,
        action=action,
        reward=reward,
        features=features,
        next_features=features,
        metrics={"orders": (reward > 1).astype(float)},
        timeout=np.zeros(n * WEEKS, dtype=bool),
    )


def a_policy(prices: OfferPrices | None = None) -> StochasticPolicy:
    """One that knows what each action brings whom."""
    weights = np.array([[value, 0.0] for value in BROUGHT], dtype=np.float32)
    network = DenseNetwork((weights,), (np.zeros(3, dtype=np.float32),))
    columns = (ColumnEncoding("moved", "count"), ColumnEncoding("one", "count"))
    return StochasticPolicy(
        name="knows-1",
        network=network,
        encoder=ObservationEncoder(columns),
        vocabulary=make_vocabulary("none", "mail", "letter"),
        output_scale=1.0,
        temperature=0.3,
        exploration_floor=0.05,
        is_other_chosen=False,
        dataset_digest="d",
        prices=prices,
    )


def rules(policy: StochasticPolicy, train: LoggedEpisodes, validation: LoggedEpisodes) -> dict[str, Policy]:
    scenario = make_pipeline().scenario.model_copy(update={"metrics": {"orders": "purchase"}})
    return rules_at_equal_spend(policy, scenario, train, validation)


def found(seed: int = 1, estimator: str = "dr") -> GainAtSpend:
    train, validation, test = (a_log(10 * seed + one) for one in range(3))
    policy = WeeklyPricing(TERMS, validation, N_SHOPPERS).priced(a_policy())
    curve = gain_at_spend(
        policy,
        rules(policy, train, validation),
        train=train,
        validation=validation,
        test=test,
        n_shoppers=N_SHOPPERS,
        settings=SETTINGS,
        estimator=estimator,
    )
    assert isinstance(curve, GainAtSpend)
    return curve


def true_gain(budget: float) -> tuple[float, float]:
    """Gain and spend a week of four hundred shoppers, half of them moved, at the price that the budget truly has."""
    features, everything = np.array([[0, 1], [1, 1]], dtype=np.float32), np.ones((2, 3), dtype=bool)

    def at(price: float) -> tuple[float, float]:
        prices = OfferPrices(COMMITTED, 1.0, price, 1, 1.0, (0.0,), (0.0,), nothing=0)
        chances = a_policy(prices).probabilities(features, everything)
        spend = N_SHOPPERS * float((chances @ np.array(COMMITTED)).mean() / 1e6)
        return N_SHOPPERS * float(chances[1] @ np.array(BROUGHT)) / 2, spend

    low, high = 0.0, 60.0
    room = budget - 4
    if at(0.0)[1] <= room:
        return at(0.0)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if at(middle)[1] <= room else (middle, high)
    return at(high)


def test_gain_and_spend_are_told_by_the_week() -> None:
    """At each budget within four standard errors of the truth, though values run over discounted weeks."""
    curve = found()
    for one, share in zip(curve.curve, curve.shares, strict=True):
        gain, spend = true_gain(500 * share)
        assert one.spend == pytest.approx(spend, rel=0.2)
        assert one.gain == pytest.approx(gain, abs=4 * one.error + 1e-9)
        assert one.error > 0
    assert list(curve.prices) == sorted(curve.prices, reverse=True)
    assert curve.n_shoppers == N_SHOPPERS


def test_rules_spend_what_the_budget_allows_and_gain_less() -> None:
    """Whoever knows whom offers move beats whoever sends them to anybody, at the same spend, paired."""
    curve = found()
    beside = {one.name: one for one in curve.rules}
    assert {"nobody", "behavior", "mail to anybody", "letter to anybody", "any offer to anybody"} <= beside.keys()
    for name in ("letter to anybody", "any offer to anybody"):
        assert beside[name].spend == pytest.approx(500 - 4, rel=0.1)
        ahead, error = beside[name].behind, beside[name].behind_error
        assert ahead is not None
        assert error is not None
        assert ahead > 2 * error
    assert beside["nobody"].gain == 0
    assert any(name.endswith("likely buyers first") for name in beside)


def test_what_a_rule_commits_is_what_it_can_commit() -> None:
    """A hundredth to anybody commits 0 to 4 a week, though letters of 4 each make the weighted estimate noisy."""
    committed = (0, 10_000, 4_000_000)
    terms = replace(TERMS, committed=committed)
    for seed in range(1, 9):
        train, validation, test = (a_log(10 * seed + one, 60) for one in range(3))
        policy = WeeklyPricing(terms, validation, 60).priced(a_policy())
        curve = gain_at_spend(
            policy,
            rules(policy, train, validation),
            train=train,
            validation=validation,
            test=test,
            n_shoppers=60,
            settings=SETTINGS,
            estimator="dr",
        )
        assert isinstance(curve, GainAtSpend)
        spends = {one.name: one.spend for one in curve.rules}
        assert 0 <= spends["mail to anybody"] <= 60 * 0.01 + 1e-9
        assert spends["nobody"] == 0


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 40 logs, five budgets each: the gain at the budget's true price; 95% intervals, four standard errors below.

    So do those of what a budget brings over the next smaller one, which are narrower than two unpaired ones would be.
    """
    held, steps_held, narrower = [], [], []
    for seed in range(1, 41):
        curve = found(seed)
        for one, share in zip(curve.curve, curve.shares, strict=True):
            held.append(abs(one.gain - true_gain(500 * share)[0]) <= curve.quantile * one.error)
        for place, (before, one) in enumerate(pairwise(curve.curve)):
            smaller, larger = (true_gain(500 * share)[0] for share in curve.shares[place : place + 2])
            assert one.step == pytest.approx(one.gain - before.gain)
            assert one.step_error is not None
            steps_held.append(
                abs(one.gain - before.gain - (larger - smaller)) <= curve.quantile * one.step_error + 1e-9
            )
            narrower.append(one.step_error <= np.hypot(one.error, before.error))
        assert curve.curve[0].step is None
    least = 0.95 - 4 * (0.95 * 0.05 / 40) ** 0.5
    assert np.mean(held) >= least
    assert np.mean(steps_held) >= least
    assert all(narrower)


def test_without_weights_or_prices_there_is_a_reason() -> None:
    train = a_log(1)
    given: dict[str, Any] = {
        "train": train,
        "validation": train,
        "test": train,
        "n_shoppers": N_SHOPPERS,
        "settings": SETTINGS,
    }
    policy = WeeklyPricing(TERMS, train, N_SHOPPERS).priced(a_policy())
    assert "weights nothing" in str(gain_at_spend(policy, rules(policy, train, train), **given, estimator="dm"))
    assert "no prices" in str(gain_at_spend(a_policy(), {}, **given, estimator="dr"))
    assert rules(a_policy(), train, train) == {}


def test_who_can_only_get_offers_gets_one() -> None:
    """Where nothing isn't available all that is are equally likely, and rows are distributions everywhere."""
    rule = TargetedOffers(
        "rule", np.array([0.0, 1.0, 0.0]), 0, 0.4, lambda features: features[:, 0].astype(float), lambda _, mask: mask
    )
    features = np.array([[1, 1], [0, 1], [1, 1], [1, 1]], dtype=np.float32)
    mask = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1], [1, 0, 1]], dtype=bool)
    assert rule.probabilities(features, mask).tolist() == [[0.6, 0.4, 0], [1, 0, 0], [0, 0.5, 0.5], [1, 0, 0]]


def test_rules_keep_the_policy_s_caps_and_spend_the_budget_on_the_others() -> None:
    """Whoever had as many offers as the caps allow gets none by any rule; the others get what the budget pays."""
    train, validation = a_log(1), a_log(2)
    capped = replace(TERMS, caps=(Cap("moved", 1),))
    policy = WeeklyPricing(capped, validation, N_SHOPPERS).priced(a_policy())
    had_enough = validation.features[:, 0] == 1
    for name, rule in rules(policy, train, validation).items():
        chances = rule.probabilities(validation.features, validation.mask())
        assert (chances[had_enough, 0] == 1).all(), name
        spend = N_SHOPPERS * float((chances @ np.array(COMMITTED)).mean() / 1e6)
        if name == "letter to anybody":
            assert spend == pytest.approx(500 - 4)
        assert spend <= 500 - 4 + 1e-6, name
