"""Episodes of the log: a shopper's weeks, ended by time alone, from which the exact optimum can be learned."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from rl.data.logged_episodes import FloatArray
from rl.errors import ShopError
from rl.shops.promotion.budgeted_policies import BudgetedPolicy, best_within_budget, myopic_within_budget
from rl.shops.promotion.decision_process import DecisionProcess, PolicyWorth
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.simulated_episodes import SimulatedEpisodes, episodes_from_simulation, logged_episodes
from rl.shops.promotion.tabular_settings import tabular_settings
from rl.shops.promotion.tabular_shop import TabularShop
from rl.shops.promotion.visible_history import Columns

SIMULATION = simulate(PromotionSettings(n_weeks=9, n_shoppers=400))
GAMMA = 0.98


def encode(columns: Columns) -> np.ndarray:
    names = [name for name, values in columns.items() if values.ndim == 1]
    return np.stack([columns[name] for name in names], axis=1).astype(np.float32)


def test_rows_are_the_decisions_of_the_log() -> None:
    """Every decision is one row with its week's money, and the next observation is the following row's."""
    episodes = episodes_from_simulation(SIMULATION)
    assert len(episodes.action) == sum(len(week.row) for week in SIMULATION.weeks)
    for name, of in (("profit", lambda week: week.profit), ("committed", lambda week: week.committed)):
        assert getattr(episodes, name).sum() == sum(int(of(week).sum()) for week in SIMULATION.weeks)
    last = episodes.offsets[1:] - 1
    inner = np.setdiff1d(np.arange(len(episodes.action)), last)
    for name, values in episodes.observation.items():
        np.testing.assert_array_equal(episodes.next_observation[name][inner], values[inner + 1], err_msg=name)
    assert (episodes.week[inner + 1] == episodes.week[inner] + 1).all()
    assert (episodes.shopper[inner + 1] == episodes.shopper[inner]).all()
    assert (episodes.next_observation["week"][last] == 9).all()


def test_propensities_are_the_behavior_policys() -> None:
    """Asked again about the rows' observations, the behavior policy gives the logged probabilities."""
    episodes = episodes_from_simulation(SIMULATION)
    chances = logging_policy(SIMULATION.shop.settings)(episodes.observation, episodes.mask)
    np.testing.assert_array_equal(chances[np.arange(len(chances)), episodes.action], episodes.propensity)


def test_windows_are_cut_from_the_same_rows() -> None:
    """Weeks 3 to 5 are those rows of the whole, with the observation of week 6 behind the last."""
    whole, part = episodes_from_simulation(SIMULATION), episodes_from_simulation(SIMULATION, 3, 5)
    chosen = (whole.week >= 3) & (whole.week <= 5)
    np.testing.assert_array_equal(part.profit, whole.profit[chosen])
    np.testing.assert_array_equal(part.next_observation["spend_91"], whole.next_observation["spend_91"][chosen])
    assert (np.diff(part.offsets) <= 3).all()


@pytest.mark.parametrize("weeks", [(-1, 3), (4, 3), (0, 9)])
def test_weeks_that_the_shop_does_not_have_are_refused(weeks: tuple[int, int]) -> None:
    """They are named with those that it has."""
    with pytest.raises(ShopError, match="within 0 to 8"):
        episodes_from_simulation(SIMULATION, *weeks)


def test_logged_episodes_end_in_timeouts_and_keep_blocked_weeks() -> None:
    """Training takes them as they are: a timeout an episode, rewards in currency, rows without a choice among them."""
    episodes = episodes_from_simulation(SIMULATION)
    logged = logged_episodes(episodes, encode=encode)
    assert logged.timeout.sum() == logged.n_episodes == len(np.unique(episodes.shopper))
    assert not logged.terminal.any()
    np.testing.assert_allclose(logged.reward * 1e6, episodes.profit)
    np.testing.assert_array_equal(logged.mask(), episodes.mask)
    blocked = ~logged.mask()[:, 1:].any(axis=1)
    assert blocked.any()
    assert (logged.action[blocked] == 0).all()
    np.testing.assert_array_equal(logged.propensity[blocked], 1)
    assert set(np.round(logged.elapsed_days * 24).astype(int).tolist()) <= {167, 168, 169}


def estimated(tabular: TabularShop, episodes: SimulatedEpisodes) -> DecisionProcess:
    """The process as the log's frequencies and mean profits say; what was never tried isn't allowed."""
    exact, n_states = tabular.process(GAMMA), tabular.n_states
    state, following = (tabular.observed_state(one) for one in (episodes.observation, episodes.next_observation))
    cell = state * tabular.shop.n_actions + episodes.action
    tried = np.bincount(cell, minlength=n_states * tabular.shop.n_actions).reshape(n_states, -1)
    earned = np.bincount(cell, episodes.profit / 1e6, minlength=tried.size).reshape(tried.shape)
    moves = []
    for action in range(tabular.shop.n_actions):
        chosen = episodes.action == action
        places = state[chosen], following[chosen]
        counts = csr_matrix((np.ones(chosen.sum()), places), (n_states, n_states)).toarray()
        counts[tried[:, action] == 0] = np.eye(n_states)[tried[:, action] == 0]
        moves.append(csr_matrix(counts / counts.sum(axis=1, keepdims=True)))
    mask = tried >= 5
    mask[:, 0] = True
    return DecisionProcess(earned / np.maximum(tried, 1), exact.costs, tuple(moves), mask, exact.start, GAMMA)


def truly(process: DecisionProcess, found: BudgetedPolicy) -> PolicyWorth:
    worths: list[PolicyWorth] = [process.worth(table) for table in found.tables]
    shares: FloatArray = np.array([1 - found.second_share, found.second_share])
    return PolicyWorth(*(float(shares @ [getattr(one, name) for one in worths]) for name in ("profit", "spend")))


def test_optimum_can_be_learned_from_the_log() -> None:
    """A model of the log's frequencies, planned with a budget, closes over half of the gap from myopic to optimum."""
    tabular = TabularShop(tabular_settings(n_shoppers=12_000))
    process = tabular.process(GAMMA)
    model = estimated(tabular, episodes_from_simulation(simulate(tabular.settings)))
    for budget in (0.3, 0.6):
        learned = truly(process, best_within_budget(model, budget))
        best, myopic = best_within_budget(process, learned.spend), myopic_within_budget(process, learned.spend)
        closed = (learned.profit - myopic.worth.profit) / (best.worth.profit - myopic.worth.profit)
        assert 0.5 < closed <= 1 + 1e-9
