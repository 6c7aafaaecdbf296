"""True values: unbiased, with an honest standard error, the same for a policy however its actions are listed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray
from rl.errors import ShopError
from rl.shops.recommendation.fixed_policies import anti_repeat_policy, myopic_policy, patient_policy, uniform_policy
from rl.shops.recommendation.lockstep_sessions import Probabilities
from rl.shops.recommendation.logging_policy import logging_policy
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.true_value import (
    TrueValue,
    observing,
    session_returns,
    true_behavior_value,
    true_policy_value,
)

SETTINGS = ShopSettings()
SHOP = build_shop(SETTINGS)
KEYS = list(SHOP.catalogue.item_ids)
FIRST, LAST = date(2026, 3, 12), date(2026, 3, 15)


def value_of(policy: Probabilities, settings: ShopSettings = SETTINGS, n_sessions: int = 12_000) -> TrueValue:
    return true_policy_value(
        settings,
        policy,
        action_keys=KEYS,
        first_date=FIRST,
        last_date=LAST,
        discount=DiscountFunction(0.95),
        n_sessions=n_sessions,
    )


def test_behavior_value_is_what_logs_earn() -> None:
    """The mean discounted return of logged sessions lies within four joint standard errors of the true value."""
    truth = true_behavior_value(SETTINGS, first_date=FIRST, last_date=LAST, discount=DiscountFunction(0.95))
    simulation = simulate(SHOP, is_observed=False)
    on_days = SHOP.calendar.day(simulation.played.starts.time) >= SHOP.calendar.index(FIRST)
    returns = session_returns(simulation.played, DiscountFunction(0.95))[on_days]
    # Sessions of a shopper are alike, so that the naive error is too small; half as much again covers that.
    logged_error = 1.5 * returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - truth.value) < 4 * np.hypot(truth.standard_error, logged_error)


def test_looking_ahead_pays_in_the_standard_shop() -> None:
    """Of two equally soft policies, the one that counts what leaving costs is worth at least 10 percent more."""
    patient, myopic = value_of(patient_policy(SHOP, KEYS)), value_of(myopic_policy(SHOP, KEYS))
    assert patient.value > 1.1 * myopic.value


def test_looking_ahead_does_not_pay_in_the_flat_shop() -> None:
    """Where nothing shown matters later, the patient policy is worth what the myopic one is."""
    flat = SETTINGS.flat()
    shop = build_shop(flat)
    patient, myopic = value_of(patient_policy(shop, KEYS), flat), value_of(myopic_policy(shop, KEYS), flat)
    assert abs(patient.value - myopic.value) < 4 * np.hypot(patient.standard_error, myopic.standard_error)


def test_standard_shop_leaves_room_above_the_behavior_policy() -> None:
    """A soft policy with good support in the log is worth 20 percent more than the behavior policy."""
    behavior, soft = value_of(logging_policy(SHOP, KEYS)), value_of(patient_policy(SHOP, KEYS, temperature=1.0))
    assert soft.value > 1.2 * behavior.value


def test_value_does_not_depend_on_the_order_of_actions() -> None:
    """Actions in another order, with one that the shop doesn't sell among them: the same policy, the same value."""
    keys = ["(other)", *reversed(KEYS)]
    listed = true_policy_value(
        SETTINGS,
        anti_repeat_policy(SHOP, keys),
        action_keys=keys,
        first_date=FIRST,
        last_date=LAST,
        discount=DiscountFunction(0.95),
        n_sessions=8_000,
    )
    assert listed.value == pytest.approx(value_of(anti_repeat_policy(SHOP, KEYS), n_sessions=8_000).value, abs=1e-9)


def test_standard_error_is_honest() -> None:
    """Over independent repetitions, errors in units of the standard error spread as they should."""
    first, second = date(2026, 3, 2), date(2026, 3, 3)
    values = [
        true_behavior_value(
            SETTINGS, first_date=first, last_date=second, discount=DiscountFunction(0.95), n_sessions=1_500, seed=seed
        )
        for seed in range(24)
    ]
    spread = np.std([value.value for value in values], ddof=1)
    stated = np.mean([value.standard_error for value in values])
    # The ratio's own standard deviation over 24 repetitions is about .15.
    assert 0.6 < spread / stated < 1.5


def test_same_seed_gives_the_same_value() -> None:
    """Truth is reproducible, and another seed gives another sample of it."""
    policy = uniform_policy(SHOP, KEYS)
    first, again = value_of(policy, n_sessions=2_000), value_of(policy, n_sessions=2_000)
    other = true_policy_value(
        SETTINGS,
        policy,
        action_keys=KEYS,
        first_date=FIRST,
        last_date=LAST,
        discount=DiscountFunction(0.95),
        n_sessions=2_000,
        seed=1,
    )
    assert first == again
    assert first.value != other.value


def test_gamma_discounts_by_step() -> None:
    """A discount factor near zero leaves the first decision's points alone."""
    simulation = simulate(build_shop(ShopSettings(n_shoppers=50, n_days=2)), is_observed=False)
    first_points = simulation.played.responses.points[simulation.played.responses.step == 0]
    assert session_returns(simulation.played, DiscountFunction(1e-12)) == pytest.approx(first_points, abs=1e-9)


def unmasked(observation: Columns, mask: BoolArray) -> FloatArray:
    return np.full(mask.shape, 1 / mask.shape[1])


def unnormalised(observation: Columns, mask: BoolArray) -> FloatArray:
    return np.asarray(mask / mask.sum(axis=1, keepdims=True) * 0.9)


def undefined(observation: Columns, mask: BoolArray) -> FloatArray:
    return np.full(mask.shape, np.nan)


def misshapen(observation: Columns, mask: BoolArray) -> FloatArray:
    return np.asarray(mask[:, :-1] / mask[:, :-1].sum(axis=1, keepdims=True))


class SteppedPolicy:
    """Takes the first available action at even steps, the last at odd ones; its one feature is the step."""

    version = "stepped-1"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        first, last = mask.argmax(axis=1), mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
        chosen = np.where(features[:, 0] % 2 == 0, first, last)
        return np.asarray(np.eye(mask.shape[1])[chosen])


def test_policy_over_encoded_features_is_played() -> None:
    """A policy that knows features alone is worth what the same rule over observation columns is."""

    def encode(observation: Columns) -> FeatureArray:
        return observation["session_step"][:, None].astype(np.float32)

    def by_columns(observation: Columns, mask: BoolArray) -> FloatArray:
        return SteppedPolicy().probabilities(encode(observation), mask)

    encoded = value_of(observing(SteppedPolicy(), encode), n_sessions=2_000)
    assert encoded == value_of(by_columns, n_sessions=2_000)
    assert encoded != value_of(uniform_policy(SHOP, KEYS), n_sessions=2_000)


@pytest.mark.parametrize("policy", [unmasked, unnormalised, undefined, misshapen])
def test_policy_without_distributions_is_refused(policy: Callable[[Columns, BoolArray], FloatArray]) -> None:
    """What is no distribution over the available actions has no value."""
    with pytest.raises(ShopError, match="the policy returned"):
        value_of(policy, n_sessions=400)


def test_dates_outside_the_shop_are_refused() -> None:
    """There is no truth about days the shop doesn't have."""
    with pytest.raises(ShopError, match="expected within"):
        true_behavior_value(SETTINGS, first_date=FIRST, last_date=date(2026, 3, 16), discount=DiscountFunction(0.95))


def test_actions_that_are_never_in_stock_are_refused() -> None:
    """A policy over nothing the shop sells can't be played."""
    with pytest.raises(ShopError, match="none of the policy's 1 actions"):
        true_policy_value(
            SETTINGS,
            uniform_policy(SHOP, ["(other)"]),
            action_keys=["(other)"],
            first_date=FIRST,
            last_date=LAST,
            discount=DiscountFunction(0.95),
            n_sessions=400,
        )
