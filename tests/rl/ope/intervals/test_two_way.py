"""Intervals over products and weeks: the formula, what they cover, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.ope.intervals.two_way import paired_interval


def _money(
    generator: np.random.Generator, *, product: float, week: float, day: float, shape: tuple[int, int] = (30, 210)
) -> np.ndarray:
    """Differences with an effect of each product, of each week, and of each product-day."""
    n_products, n_days = shape
    weeks = np.repeat(generator.normal(0, week, -(-n_days // 7)), 7)[:n_days]
    return generator.normal(0, product, (n_products, 1)) + weeks[None, :] + generator.normal(0, day, shape)


@pytest.mark.parametrize(("product", "week", "day"), [(1, 0, 1), (0, 1, 1), (1, 1, 2), (0, 0, 1)])
def test_intervals_cover_the_mean_as_often_as_they_say(product: float, week: float, day: float) -> None:
    generator = np.random.default_rng(7)
    hits = 0
    for _ in range(300):
        found = paired_interval(_money(generator, product=product, week=week, day=day), np.zeros((30, 210)))
        hits += found.lower <= 0 <= found.upper
    # 300 draws: .95 less three standard errors of .0126; wider than asked for is no fault.
    assert hits / 300 >= 0.912


def test_days_taken_as_independent_would_lie() -> None:
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        money = _money(generator, product=1, week=1, day=1)
        error = money.std() / np.sqrt(money.size)
        hits += abs(money.mean()) <= 1.96 * error
    assert hits / 200 < 0.3


def test_variance_is_that_of_both_sides_less_what_was_counted_twice() -> None:
    money = _money(np.random.default_rng(1), product=1, week=1, day=1, shape=(6, 42))
    centered = (money - money.mean()) / money.size
    cells = centered.reshape(6, 6, 7).sum(axis=2)
    sums = [float((cells.sum(axis=axis) ** 2).sum()) * 6 / 5 for axis in (0, 1)]
    expected = sum(sums) - float((cells**2).sum())
    found = paired_interval(money, np.zeros_like(money))
    assert found.standard_error**2 == pytest.approx(max(expected, *sums))


def test_under_a_shared_limit_weeks_alone_are_independent() -> None:
    money = _money(np.random.default_rng(2), product=3, week=0.5, day=1, shape=(3, 140))
    found = paired_interval(money, np.zeros_like(money), blocks="weeks")
    by_week = money.reshape(3, 20, 7).mean(axis=(0, 2))
    assert found.standard_error == pytest.approx(by_week.std(ddof=1) / np.sqrt(20))


def test_whole_millionths_are_subtracted_before_they_become_doubles() -> None:
    large = np.full((5, 35), 9_007_199_254_740_993, dtype=np.int64)
    assert paired_interval(large + 1, large).value == 1.0


def test_days_that_fill_no_block_join_the_last() -> None:
    money = _money(np.random.default_rng(1), product=1, week=1, day=1, shape=(8, 39))
    assert paired_interval(money, np.zeros_like(money)).value == pytest.approx(money.mean())


@pytest.mark.parametrize(
    ("shape", "message"), [((4, 70), "4 products are too few"), ((9, 20), "2 blocks of days are too few")]
)
def test_too_few_blocks_give_no_interval(shape: tuple[int, int], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        paired_interval(np.ones(shape), np.zeros(shape))


def test_money_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EvaluationError, match="expected one"):
        paired_interval(np.ones((5, 70)), np.ones((5, 71)))
    with pytest.raises(EvaluationError, match="no finite number"):
        paired_interval(np.full((5, 70), np.nan), np.ones((5, 70)))
