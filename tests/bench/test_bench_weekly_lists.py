"""The best price is chosen within the budget, and by other truths than the one in which it is compared."""

from __future__ import annotations

import numpy as np

from rl.shops.promotion.true_value import PolicyTruth
from tests.bench.bench_weekly_lists import _best, _best_elsewhere
from tests.bench.weekly_list_trial import JUDGED_WEEKS, pooled


def a_truth(profit: float, committed: float) -> PolicyTruth:
    """Of two shoppers who share a profit and what is committed a week, in currency."""
    zero = np.zeros(2)
    return PolicyTruth(
        weeks=np.full(2, float(JUDGED_WEEKS)),
        profit=np.full(2, profit / 2),
        margin=zero,
        committed=np.full(2, committed * JUDGED_WEEKS / 2),
        redeemed=zero,
        spent_on_sure_things=zero,
        spent_on_driven_away=zero,
        lost_purchases=zero,
        kind=np.zeros(2, dtype=np.int64),
    )


def test_the_best_price_keeps_the_budget_and_is_chosen_elsewhere() -> None:
    """The first commits too much, the second is best but in the last truth, where luck makes the third the best."""
    played = [
        [a_truth(900.0, 12.0) for _ in range(3)],
        [a_truth(profit, 8.0) for profit in (500.0, 500.0, 400.0)],
        [a_truth(profit, 5.0) for profit in (450.0, 450.0, 700.0)],
    ]
    assert _best(played, range(3), 10_000_000) == 2
    assert [_best_elsewhere(played, place, 10_000_000) for place in range(3)] == [2, 2, 1]
    assert _best(played, [0], 20_000_000) == 0
    assert _best(played, [0], 1_000_000) == 2  # nothing is within it: the highest price is nearest
    assert _best_elsewhere([[one[0]] for one in played], 0, 10_000_000) == 1


def test_pooled_truths_hold_all_shoppers() -> None:
    found = pooled([a_truth(100.0, 1.0), a_truth(300.0, 2.0)])
    assert found.profit.tolist() == [50.0, 50.0, 150.0, 150.0]
    assert found.mean("profit").value == 400.0 / (4 * JUDGED_WEEKS)
