"""The price of money is fixed on validation weeks, for all of a week's shoppers together."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conf.specs.scenario import load_pipeline
from rl.data.splits import ALL_LOTS, Lots, TimeSpan
from rl.errors import EvaluationError
from rl.night.pricing import PricingTerms, WeeklyPricing, decision_times, shoppers_a_week
from rl.policy.offer_prices import Cap
from rl.policy.stochastic_policy import StochasticPolicy
from tests.rl.factories import make_logged_episodes
from tests.rl.policy.policies import make_observations, make_policy

KEYS = ("none", "reminder", "voucher", "letter")
COMMITTED = (0, 40_000, 5_042_500, 11_137_500)
N_WEEKS, N_SHOPPERS, SEED = 4, 200, 8
TERMS = PricingTerms(COMMITTED, 300_000_000, {"test-1": 0.3}, nothing=0)


def candidate(**values: object) -> StochasticPolicy:
    """Of a network whose values spread over all four actions, of shoppers who differ in their count of offers."""
    return make_policy(*KEYS, temperature=0.6, seed=SEED, **values)


def weeks(policy: StochasticPolicy):
    """Four weeks of two hundred shoppers, a tenth of whom may get nothing."""
    n = N_WEEKS * N_SHOPPERS
    features = policy.encode(make_observations(n) | {"session_step": np.arange(n) % 6})
    availability = np.array([[True] * 4, [True, False, False, False]])
    mask_index = (np.arange(n) % 10 == 0).astype(np.int64)
    return make_logged_episodes(
        [N_WEEKS] * N_SHOPPERS,
        4,
        features=features,
        next_features=features,
        availability=availability,
        action=np.zeros(n, dtype=np.int64),
        mask_index=mask_index,
        next_mask_index=mask_index,
    )


def weekly_spend(policy: StochasticPolicy) -> float:
    log = weeks(policy)
    return float((policy.probabilities(log.features, log.mask()) @ np.array(COMMITTED)).sum() / 1e6 / N_WEEKS)


def pricing(terms: PricingTerms = TERMS) -> WeeklyPricing:
    return WeeklyPricing(terms, weeks(candidate()), N_SHOPPERS)


def test_at_the_price_a_week_commits_the_budget_less_a_dearest_offer() -> None:
    """What a drawn list may need beyond what is expected is left to it."""
    found = pricing().priced(candidate())
    assert found.prices is not None
    assert found.prices.price > 0
    assert found.prices.n_shoppers == N_SHOPPERS
    assert weekly_spend(found) == pytest.approx(300 - 11.1375, rel=1e-6)
    assert weekly_spend(candidate()) > 300


def test_a_budget_with_room_sets_no_price() -> None:
    found = pricing(replace(TERMS, weekly_budget=10**10)).priced(candidate())
    assert found.prices is not None
    assert found.prices.price == 0


@pytest.mark.parametrize("budget", [150, 200, 300, 450, 600])
def test_other_budgets_are_read_off_the_path_without_pricing_again(budget: int) -> None:
    """Within 2% of what the budget leaves, as far as the policy spends so much at all."""
    found = pricing().priced(candidate())
    assert found.prices is not None
    moved = found.with_prices(found.prices.at_budget(budget * 1_000_000))
    expected = min(budget - 11.1375, weekly_spend(found.with_prices(found.prices.at_price(0.0))))
    assert weekly_spend(moved) == pytest.approx(expected, rel=0.02)


def test_exploring_beyond_the_budget_is_an_error_that_says_what_to_do() -> None:
    """A tenth at random commits 73 a week, of whatever budget."""
    with pytest.raises(EvaluationError, match=r"0.1\) commits 72\.99 a week, .* of 80.00 leaves 68.86"):
        pricing(replace(TERMS, weekly_budget=80_000_000)).priced(candidate())


def test_caps_hold_where_the_price_is_fixed() -> None:
    """Who may get no offer commits nothing, so that money is left for the others."""
    capped = replace(TERMS, caps=(Cap("session_step", 4),))
    found, free = pricing(capped).priced(candidate()), pricing().priced(candidate())
    assert found.prices is not None
    assert free.prices is not None
    assert found.prices.price < free.prices.price
    assert weekly_spend(found) == pytest.approx(min(300 - 11.1375, weekly_spend(found)), rel=1e-6)


def test_decisions_follow_one_another_by_their_elapsed_times() -> None:
    log = make_logged_episodes([2, 3], 3, start_time=np.array([100, 5000]), elapsed_microseconds=np.arange(1, 6))
    assert decision_times(log).tolist() == [100, 101, 5000, 5003, 5007]


WEEK = 7 * 86_400_000_000
BLOCK_START = 2900 * WEEK + 5 * 86_400_000_000  # a Tuesday, in the first of four weeks of a block


def a_split(n_whole: int, n_newcomers: int) -> Any:
    """Newcomers in the last two weeks of a block that began before the split, and a whole block of other shoppers."""
    lengths = [4] * n_whole + [2] * n_newcomers
    start = np.array([BLOCK_START] * n_whole + [BLOCK_START - 2 * WEEK] * n_newcomers)
    elapsed = np.full(sum(lengths), WEEK, dtype=np.int64)
    return make_logged_episodes(lengths, 3, start_time=start, elapsed_microseconds=elapsed)


def shoppers(episodes: Any, lots: Lots = ALL_LOTS) -> float:
    dataset: Any = SimpleNamespace(
        pipeline=load_pipeline("promotion", "simulated_promotion"),
        intervals={"validation": TimeSpan(0, 1, lots)},
    )
    return shoppers_a_week(dataset, "validation", episodes)


def test_newcomers_of_a_block_that_began_earlier_make_no_week_of_few_shoppers() -> None:
    """Else a budget for a hundred would be planned with as if it were for seventy, and be exceeded."""
    assert shoppers(a_split(100, 5)) == 100
    assert shoppers(a_split(0, 5)) == 5


def test_where_shoppers_are_divided_the_others_get_offers_too() -> None:
    assert shoppers(a_split(100, 0), (0, 250_000)) == 400
