"""Episodes straight from the simulation are well formed, and weighting them by propensities recovers true values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FeatureArray, IntArray
from rl.errors import ShopError
from rl.ope.samples.sample import evaluation_sample
from rl.shops.recommendation.fixed_policies import anti_repeat_policy
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_settings import Dynamics, ShopSettings
from rl.shops.recommendation.simulate import Simulation, simulate
from rl.shops.recommendation.simulated_episodes import SimulatedEpisodes, episodes_from_simulation, logged_episodes
from rl.shops.recommendation.true_value import session_returns, true_policy_value

SETTINGS = ShopSettings(n_days=5, n_shoppers=700)
GAMMA = 0.95


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(build_shop(SETTINGS))


@pytest.fixture(scope="module")
def episodes(simulation: Simulation) -> SimulatedEpisodes:
    return episodes_from_simulation(simulation)


def encode(observation: Mapping[str, IntArray]) -> FeatureArray:
    return observation["session_step"][:, None].astype(np.float32)


def test_logged_episodes_take_them(episodes: SimulatedEpisodes) -> None:
    """They satisfy the contract that training and evaluation check, whatever the order of the actions."""
    keys = ["(other)", *reversed(episodes.shop.catalogue.item_ids)]
    logged = logged_episodes(episodes, encode=encode, action_keys=keys)
    assert logged.n_transitions == len(simulate(episodes.shop, is_observed=False).played.propensity)
    assert [keys[action] for action in logged.action[:50]] == episodes.action_key[:50].tolist()
    assert (logged.step == logged.features[:, 0]).all()
    assert (np.diff(logged.start_time) >= 0).all()
    assert not logged.availability[:, 0].any()


def test_next_observation_is_the_next_decisions(episodes: SimulatedEpisodes) -> None:
    """Within an episode, what is seen next is what is seen at the next row."""
    inner = np.flatnonzero(~episodes.terminal)
    for name, values in episodes.observation.items():
        assert (episodes.next_observation[name][inner] == values[inner + 1]).all()


def test_days_can_be_chosen(simulation: Simulation) -> None:
    """Days part the episodes by their starts, none lost and none twice."""
    first = episodes_from_simulation(simulation, date(2026, 3, 2), date(2026, 3, 3))
    rest = episodes_from_simulation(simulation, date(2026, 3, 4))
    whole = episodes_from_simulation(simulation)
    assert np.concatenate([first.decision_id, rest.decision_id]).tolist() == whole.decision_id.tolist()
    with pytest.raises(ShopError, match="no session starts"):
        episodes_from_simulation(simulation, date(2026, 4, 1))


def test_shown_item_outside_the_actions_is_refused(episodes: SimulatedEpisodes) -> None:
    """A decision can't be expressed in actions that don't hold it."""
    with pytest.raises(ShopError, match="item-000"):
        logged_episodes(episodes, encode=encode, action_keys=["item-001", "item-002"])


def test_simulation_without_observations_is_refused() -> None:
    """What wasn't observed can't be learned from."""
    unobserved = simulate(build_shop(ShopSettings(n_days=1, n_shoppers=40)), is_observed=False)
    with pytest.raises(ShopError, match="is_observed"):
        episodes_from_simulation(unobserved)


def test_reward_is_the_points_of_what_followed_in_time() -> None:
    """Clicks, carts and purchases count 1, 3 and 10 within twelve hours, and late purchases count nothing."""
    slow = Dynamics(purchase_delay_minutes=600, purchase_delay_sigma=1.0, buy_after_click_probability=0.5)
    simulation = simulate(build_shop(ShopSettings(n_days=3, n_shoppers=150, dynamics=slow)))
    episodes, responses = episodes_from_simulation(simulation), simulation.played.responses
    metrics = episodes.metrics
    assert (episodes.reward == metrics["clicks"] + 3 * metrics["carts"] + 10 * metrics["purchases"]).all()
    n_bought = (responses.purchase_time < np.iinfo(np.int64).max).sum()
    assert 0.2 * n_bought < metrics["purchases"].sum() < 0.8 * n_bought


def test_behavior_purchases_nearly_always_fall_within_the_window(episodes: SimulatedEpisodes) -> None:
    """In the standard shop at least 95 of 100 purchases earn their points, and many only after the next decision."""
    responses = simulate(episodes.shop, is_observed=False).played.responses
    delay_hours = (responses.purchase_time - responses.time)[responses.purchase_time < np.iinfo(np.int64).max] / 3.6e9
    assert (delay_hours <= 12).mean() > 0.95
    assert (delay_hours > 0.5).mean() > 0.5


def test_returns_count_the_days_between_decisions(simulation: Simulation, episodes: SimulatedEpisodes) -> None:
    """What a session truly earned per day is what the log of its decisions says, to rounding."""
    discount, keys = DiscountFunction(1e-9, "day"), list(episodes.shop.catalogue.item_ids)
    logged = logged_episodes(episodes, encode=encode, action_keys=keys)
    sample = evaluation_sample(None, logged, discount=discount)
    returns = np.sort(session_returns(simulation.played, discount))
    np.testing.assert_allclose(np.sort(sample.per_episode(sample.discount * sample.reward)), returns, rtol=1e-12)
    undiscounted = session_returns(simulation.played, DiscountFunction(1.0))
    assert 0.3 < returns.sum() / undiscounted.sum() < 0.99


def test_propensities_recover_the_value_of_another_policy(episodes: SimulatedEpisodes) -> None:
    """Importance weighting of the log by its propensities gives the true value, to four joint standard errors.

    Weights have mean 1; both hold only if propensities, observations, masks and rewards belong together.
    """
    shop, keys = episodes.shop, list(episodes.shop.catalogue.item_ids)
    policy = anti_repeat_policy(shop, keys)
    logged = logged_episodes(episodes, encode=encode, action_keys=keys)
    chances = policy(episodes.observation, logged.mask())[np.arange(logged.n_transitions), logged.action]
    weight = np.exp(np.bincount(logged.episode, weights=np.log(chances / logged.propensity)))
    returns = np.bincount(logged.episode, weights=logged.reward * GAMMA**logged.step)
    truth = true_policy_value(
        SETTINGS,
        policy,
        action_keys=keys,
        first_date=SETTINGS.first_date,
        last_date=SETTINGS.last_date,
        discount=DiscountFunction(GAMMA),
    )
    for estimate, expected, expected_error in (
        (weight, 1.0, 0.0),
        (weight * returns, truth.value, truth.standard_error),
    ):
        per_shopper = np.bincount(logged.unit, weights=estimate - estimate.mean())
        error = np.hypot(np.sqrt((per_shopper**2).sum()) / len(estimate), expected_error)
        assert abs(estimate.mean() - expected) < 4 * error
