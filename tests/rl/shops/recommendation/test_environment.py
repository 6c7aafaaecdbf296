"""The Gymnasium shop keeps the interface's promises, and plays the same core as the logs."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rl.data.discount_function import DiscountFunction
from rl.shops.recommendation.environment import ShopEnvironment
from rl.shops.recommendation.logging_policy import logging_policy
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.true_value import session_returns

SETTINGS = ShopSettings(n_days=5)


@pytest.fixture(scope="module")
def environment() -> ShopEnvironment:
    return ShopEnvironment(SETTINGS)


@pytest.mark.filterwarnings("ignore:.*spec.*:UserWarning")
def test_environment_passes_gymnasiums_checks(environment: ShopEnvironment) -> None:
    """The reference checker finds nothing wrong."""
    check_env(environment, skip_render_check=True)


def test_same_seed_gives_the_same_session(environment: ShopEnvironment) -> None:
    """A seeded reset replays a session step by step."""

    def replay() -> list[tuple[int, float, bool]]:
        observation, info = environment.reset(seed=7)
        seen, is_over = [], False
        while not is_over:
            action = np.int64(np.flatnonzero(info["action_mask"])[0])
            observation, reward, is_over, _, info = environment.step(action)
            seen.append((int(observation["session_step"]), reward, is_over))
        return seen

    assert replay() == replay()


def test_item_out_of_stock_ends_the_session(environment: ShopEnvironment) -> None:
    """An empty slot earns nothing and the shopper leaves; then reset is due."""
    _, info = environment.reset(seed=1)
    missing = np.int64(np.flatnonzero(info["action_mask"] == 0)[0])
    _, reward, is_over, is_cut, _ = environment.step(missing)
    assert (reward, is_over, is_cut) == (0.0, True, False)
    with pytest.raises(gymnasium.error.ResetNeeded):
        environment.step(missing)


def test_info_names_the_set_in_force(environment: ShopEnvironment) -> None:
    """The mask is the content of the set that the id names."""
    _, info = environment.reset(seed=3)
    row = environment.shop.availability_ids.index(info["availability_id"])
    assert (environment.shop.availability[row] == info["action_mask"].astype(bool)).all()


def test_environment_earns_what_the_lockstep_core_does(environment: ShopEnvironment) -> None:
    """Under the behavior policy, 600 sessions have the simulation's mean return and length, to four standard errors."""
    policy, rng = logging_policy(environment.shop), np.random.default_rng(0)
    returns, lengths = [], []
    environment.reset(seed=11)
    for _ in range(600):
        _, info = environment.reset()
        earned, n_steps, is_over = 0.0, 0, False
        while not is_over:
            chances = policy({}, info["action_mask"][None].astype(bool))[0]
            _, reward, is_over, _, info = environment.step(np.int64(rng.choice(len(chances), p=chances)))
            earned, n_steps = earned + reward, n_steps + 1
        returns.append(earned)
        lengths.append(n_steps)
    played = simulate(environment.shop, is_observed=False).played
    logged_returns = session_returns(played, DiscountFunction(1.0))
    logged_lengths = np.bincount(played.responses.session)
    for drawn, logged in ((np.array(returns), logged_returns), (np.array(lengths), logged_lengths)):
        error = np.hypot(drawn.std() / np.sqrt(len(drawn)), logged.std() / np.sqrt(len(logged)))
        assert abs(drawn.mean() - logged.mean()) < 4 * error
