"""Exact tables agree with the played shop, and by construction a policy that looks ahead is worth far more."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray
from rl.errors import ShopError
from rl.shops.promotion.budgeted_policies import best_within_budget, myopic_within_budget
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import LockstepWeeks
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.tabular_settings import tabular_settings
from rl.shops.promotion.tabular_shop import TabularShop
from rl.shops.promotion.true_value import true_policy_value
from rl.shops.settings_file import changed_settings

GAMMA = 0.98
SETTINGS = tabular_settings()
TABULAR = TabularShop(SETTINGS)
PROCESS = TABULAR.process(GAMMA)
# One in 16,000 for each comparison of a right program; a wrong one is off by tens.
TOLERANCE_IN_STANDARD_ERRORS = 4


def uniform_table() -> FloatArray:
    return PROCESS.mask / PROCESS.mask.sum(axis=1, keepdims=True)


TABLES = {
    "nobody": PROCESS.table_of(np.zeros(TABULAR.n_states, dtype=np.int64)),
    "uniform": uniform_table(),
    "myopic": PROCESS.table_of(PROCESS.myopic_actions(0.0)),
    "best": PROCESS.best_at_price(0.0),
    "best at a price": PROCESS.best_at_price(0.3),
}


@pytest.mark.parametrize("name", list(TABLES))
def test_played_value_agrees_with_the_exact_one(name: str) -> None:
    """Profit and committed money of 26 played weeks lie within four standard errors of the tables'."""
    exact = PROCESS.worth_of_weeks(TABLES[name], 26)
    played = true_policy_value(
        SETTINGS, TABULAR.policy(TABLES[name]), lead_weeks=0, n_weeks=26, n_shoppers=8000, gamma=GAMMA
    )
    for measure, value in (("profit", exact.profit), ("committed", exact.spend)):
        found = played.mean(measure)
        assert abs(found.value - value) <= TOLERANCE_IN_STANDARD_ERRORS * found.standard_error + 1e-12, measure
    assert played.mean("profit").standard_error < 0.02 * exact.profit


def test_observation_determines_the_state() -> None:
    """Along a log, the state read off the observation is the true one, and its purchase probability the tables'."""
    weeks = LockstepWeeks(TABULAR.shop, Chance((5,)), 0, 1500)
    behavior = logging_policy(SETTINGS)
    for _ in range(15):
        rows = weeks.present()
        state, true = TABULAR.observed_state(weeks.observe(rows)), weeks.states(rows)
        tables = TABULAR._shopper_states()
        np.testing.assert_array_equal(tables.kind[state], true.kind)
        np.testing.assert_array_equal(tables.distance[state], true.distance)
        np.testing.assert_array_equal(tables.pantry[state], true.pantry)
        np.testing.assert_allclose(tables.fatigue[state], true.fatigue)
        np.testing.assert_array_equal(TABULAR.states.has_opted_out[state] == 1, weeks.has_opted_out)
        weeks.play(behavior)


def test_moves_are_as_likely_as_the_tables_say() -> None:
    """Among well visited states and actions, next states occur as often as their probabilities, by a chi-square."""
    weeks = LockstepWeeks(TABULAR.shop, Chance((6,)), 0, 6000)
    behavior = logging_policy(SETTINGS)
    counts = np.zeros((TABULAR.shop.n_actions, TABULAR.n_states, TABULAR.n_states))
    for _ in range(8):
        state = TABULAR.observed_state(weeks.observe(weeks.present()))
        one = weeks.play(behavior)
        np.add.at(counts, (one.action, state, TABULAR.observed_state(weeks.observe(weeks.present()))), 1)
    distance, n_cells = 0.0, 0
    for action, moves in enumerate(PROCESS.transitions):
        expected = moves.toarray() * counts[action].sum(axis=1, keepdims=True)
        assert counts[action][expected == 0].sum() == 0
        often = expected >= 10
        distance += float(((counts[action] - expected)[often] ** 2 / expected[often]).sum())
        n_cells += int(often.sum())
    assert n_cells > 200
    # The sum of so many squares has mean at most and variance about twice their number.
    assert distance < n_cells + 5 * np.sqrt(2 * n_cells)


@pytest.mark.parametrize("action", [0, 1, 2])
def test_rewards_are_the_sum_over_all_that_may_happen(action: int) -> None:
    """A state's reward is the profit of every basket, redemption, refund and resale, weighted by its probability."""
    states, reactions = TABULAR._shopper_states(), TABULAR.shop.reactions
    actions = np.full(TABULAR.n_states, action)
    buys, redeems = reactions.purchase_probability(states, actions), reactions.redemption_probability(states, actions)
    catalogue, dynamics = TABULAR.shop.catalogue, SETTINGS.dynamics
    per_order = {False: 0.0, True: 0.0}
    for price, cost in zip(catalogue.price_cents.tolist(), catalogue.cost_millionths.tolist(), strict=True):
        for pieces, likely in ((1, 0.75), (2, 0.25)):
            for is_redeemed in per_order:
                paid = pieces * price / 100 - (6.0 if is_redeemed else 0.0)
                goods = pieces * cost / 1e6
                lost = dynamics.refund_probability * (1 - dynamics.resale_probability) * goods
                profit = (1 - dynamics.refund_probability) * (paid - goods) - lost
                per_order[is_redeemed] += likely / len(catalogue.price_cents) * profit
    again = reactions.of_kind("second_order_probability", states.kind) * per_order[False]
    expected = redeems * per_order[True] + (buys - redeems) * per_order[False] + buys * again
    contact = [0.0, 0.04, 0.0425][action]
    np.testing.assert_allclose(PROCESS.rewards[:, action], expected - contact, rtol=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75])
def test_looking_ahead_pays_at_equal_spend(share: float) -> None:
    """At budgets from a tenth to three quarters of the free optimum's, the best policy earns 5% more at the least."""
    budget = share * PROCESS.worth(TABLES["best"]).spend
    best, myopic = best_within_budget(PROCESS, budget), myopic_within_budget(PROCESS, budget)
    assert myopic.worth.spend == pytest.approx(best.worth.spend, rel=1e-9)
    assert best.worth.profit > 1.05 * myopic.worth.profit


def test_sending_always_and_never_are_wrong() -> None:
    """The optimum earns a fifth more than nobody, and more than either offer to everybody."""
    best = PROCESS.worth(TABLES["best"]).profit
    assert best > 1.2 * PROCESS.worth(TABLES["nobody"]).profit
    for action in (1, 2):
        always = PROCESS.table_of(np.where(PROCESS.mask[:, action], action, 0))
        assert best > 1.2 * PROCESS.worth(always).profit


def test_table_of_a_policy_is_the_policy() -> None:
    """Read off the rows of a log, the behavior policy's table says what it does in the states that were met."""
    weeks = LockstepWeeks(TABULAR.shop, Chance((5,)), 0, 800)
    table = TABLES["best at a price"]
    weeks.play(logging_policy(SETTINGS))
    rows = weeks.present()
    observed, mask = weeks.observe(rows), weeks.mask(rows)
    met = np.unique(TABULAR.observed_state(observed))
    read = TABULAR.table_of(TABULAR.policy(table), observed, mask)
    np.testing.assert_allclose(read[met], table[met])
    others = np.setdiff1d(np.arange(TABULAR.n_states), met)
    assert (read[others, 0] == 1).all()


def test_shops_that_the_tables_do_not_hold_are_refused() -> None:
    """An ordinary shop, and a tabular one with a hidden part, are refused with every reason."""
    with pytest.raises(ShopError, match=r"drift_rate of sure_thing.*spread.*segments"):
        TabularShop(PromotionSettings())
    with pytest.raises(ShopError, match="join later"):
        TabularShop(changed_settings(SETTINGS, newcomer_share=0.1))
