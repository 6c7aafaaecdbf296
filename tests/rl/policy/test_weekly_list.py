"""Weekly lists: never beyond the budget, with the probabilities that are logged, at one price for all shoppers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.errors import PolicyError
from rl.policy.offer_prices import MILLIONTHS, OfferPrices
from rl.policy.stochastic_policy import StochasticPolicy
from rl.policy.weekly_list import draw_weekly_list, highest_price, refuse_overrun
from tests.rl.policy.policies import make_observations, make_policy

COMMITTED = (0, 40_000, 5_042_500, 11_137_500)


def priced(price: float = 0.0, committed: tuple[int, ...] = COMMITTED, **values: object) -> StochasticPolicy:
    prices = OfferPrices(
        committed=committed,
        outputs_per_money=0.3,
        price=price,
        weekly_budget=10**9,
        n_shoppers=50.0,
        path_prices=(0.0, 1.0, 100.0),
        path_spend=(5.0, 1.0, 0.5),
        nothing=0,
    )
    return make_policy("none", "reminder", "voucher", "letter", prices=prices, temperature=0.2, **values)


def week(policy: StochasticPolicy, n: int, blocked: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Encoded shoppers, of whom the first may get nothing, and their masks."""
    mask = np.ones((n, policy.n_actions), dtype=bool)
    mask[:blocked, 1:] = False
    return policy.encode(make_observations(n)), mask


@given(st.integers(0, 10_000), st.integers(3, 60), st.integers(0, 400_000_000))
@settings(max_examples=150, deadline=None)
def test_no_list_commits_more_than_its_budget(seed: int, n: int, budget: int) -> None:
    """Whatever the budget, from nothing on; who may get nothing gets nothing, and every draw was possible."""
    policy = priced(seed=seed)
    features, mask = week(policy, n, blocked=min(3, n))
    found = draw_weekly_list(policy, features, mask, weekly_budget=budget, generator=np.random.default_rng(seed))
    assert found.committed.sum() <= budget
    assert found.committed.tolist() == [COMMITTED[one] for one in found.index]
    assert (found.propensity > 0).all()
    assert (found.index[:3] == 0).all()
    assert (found.propensity[:3] == 1).all()
    refuse_overrun(found, COMMITTED, budget)


def test_a_budget_with_room_changes_nothing() -> None:
    """The list is drawn at the policy's own price, each with the policy's own probabilities."""
    policy = priced(0.5)
    features, mask = week(policy, 40)
    found = draw_weekly_list(policy, features, mask, weekly_budget=10**9, generator=np.random.default_rng(1))
    expected = policy.with_prices(policy.prices.at_budget(10**9)).probabilities(features, mask)
    np.testing.assert_allclose(found.propensity, expected[np.arange(40), found.index])
    assert found.left_out == ()
    assert found.expected == pytest.approx(float((expected @ policy.prices.costs).sum()))


def test_a_week_that_would_commit_more_is_decided_at_a_higher_price() -> None:
    """And at no higher a price than it takes: a cent less would not be kept."""
    policy = priced()
    # As if earlier weeks had committed next to nothing: any budget's price is 0.
    assert policy.prices is not None
    policy = policy.with_prices(replace(policy.prices, path_prices=(0.0,), path_spend=(0.0,)))
    features, mask = week(policy, 60)
    budget = 40_000_000
    found = draw_weekly_list(policy, features, mask, weekly_budget=budget, generator=np.random.default_rng(1))
    assert found.price > 0
    assert found.left_out == ()
    assert found.expected * MILLIONTHS + max(COMMITTED) == pytest.approx(budget, rel=1e-6)


def test_what_exploring_alone_cannot_pay_is_left_out_dearest_first() -> None:
    """A budget for reminders sends reminders."""
    policy = priced()
    features, mask = week(policy, 60)
    found = draw_weekly_list(policy, features, mask, weekly_budget=2_000_000, generator=np.random.default_rng(1))
    assert found.left_out == (3, 2)
    assert found.price == 0
    assert (found.index == 1).any()
    assert set(found.index.tolist()) <= {0, 1}


def test_equal_seeds_draw_equal_lists() -> None:
    policy = priced()
    features, mask = week(policy, 60)
    lists = [
        draw_weekly_list(policy, features, mask, weekly_budget=80_000_000, generator=np.random.default_rng(seed))
        for seed in (7, 7, 8)
    ]
    assert lists[0].index.tolist() == lists[1].index.tolist() != lists[2].index.tolist()


def test_actions_are_drawn_with_the_propensities_that_are_logged() -> None:
    """600 lists of 30 shoppers: each frequency within four and a half standard errors of its probability."""
    policy = priced()
    features, mask = week(policy, 30)
    generator, n_lists, counts = np.random.default_rng(3), 600, np.zeros((30, 4))
    logged = np.full((30, 4), np.nan)
    for _ in range(n_lists):
        found = draw_weekly_list(policy, features, mask, weekly_budget=50_000_000, generator=generator)
        counts[np.arange(30), found.index] += 1
        logged[np.arange(30), found.index] = found.propensity
    known = ~np.isnan(logged)
    error = np.sqrt(np.where(known, logged * (1 - logged), 1) / n_lists)
    assert (np.abs(counts / n_lists - logged)[known] <= 4.5 * error[known] + 1e-9).all()


def test_a_planted_overrun_is_refused() -> None:
    """The sum is taken anew: neither the list's own account of it nor its drawing is believed."""
    policy = priced()
    features, mask = week(policy, 30)
    found = draw_weekly_list(policy, features, mask, weekly_budget=50_000_000, generator=np.random.default_rng(1))
    planted = replace(found, index=np.full(30, 3))
    with pytest.raises(PolicyError, match=r"commits 334\.125000, the budget is 50\.000000: nothing was written"):
        refuse_overrun(planted, COMMITTED, 50_000_000)


def test_shoppers_without_a_free_action_may_need_more_than_the_budget() -> None:
    policy = priced()
    features, mask = week(policy, 30)
    mask[:, 0] = False
    with pytest.raises(PolicyError, match=r"cheapest actions of 30 shoppers commit 1\.20, more than the budget of 1"):
        draw_weekly_list(policy, features, mask, weekly_budget=1_000_000, generator=np.random.default_rng(1))


def test_a_policy_without_prices_draws_no_list() -> None:
    policy = make_policy("none", "letter")
    features, mask = week(policy, 3)
    with pytest.raises(PolicyError, match="holds no prices of offers"):
        draw_weekly_list(policy, features, mask, weekly_budget=1, generator=np.random.default_rng(1))


def test_beyond_the_highest_price_only_exploration_pays() -> None:
    policy = priced()
    features, mask = week(policy, 30)
    highest = highest_price(policy, policy.outputs(features))
    found = policy.with_prices(policy.prices.at_price(highest)).probabilities(features, mask)
    np.testing.assert_allclose(found[:, 1:], policy.exploration_floor / 4)
