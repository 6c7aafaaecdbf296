"""Best and myopic policies within a budget: by prices, by a linear program, and by trying every policy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from rl.errors import ShopError
from rl.shops.promotion.budgeted_policies import best_by_linear_program, best_within_budget, myopic_within_budget
from rl.shops.promotion.decision_process import DecisionProcess
from rl.shops.promotion.tabular_settings import tabular_settings
from rl.shops.promotion.tabular_shop import TabularShop


def small_process(seed: int, *, least: float = 0.0) -> DecisionProcess:
    """Three states and three actions with random tables; the first action costs `least`."""
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.ones(3), (3, 3))
    costs = np.stack([np.full(3, least), *(rng.uniform(0.2, 2, (2, 3)))], axis=1)
    mask = np.ones((3, 3), dtype=bool)
    mask[2, 2] = False
    return DecisionProcess(
        rewards=rng.normal(1, 1, (3, 3)),
        costs=costs,
        transitions=tuple(csr_matrix(one) for one in moves),
        mask=mask,
        start=np.array([0.5, 0.3, 0.2]),
        gamma=0.9,
    )


def best_lottery(process: DecisionProcess, budget: float) -> float:
    """The most profit of any lottery over two policies of one action a state that spends no more than the budget."""
    actions = [action for action in product(range(3), repeat=3) if process.mask[range(3), action].all()]
    points = [process.worth(process.table_of(np.array(action))) for action in actions]
    best = max(point.profit for point in points if point.spend <= budget)
    for cheap, dear in product(points, repeat=2):
        if cheap.spend <= budget < dear.spend:
            share = (budget - cheap.spend) / (dear.spend - cheap.spend)
            best = max(best, cheap.profit + share * (dear.profit - cheap.profit))
    return best


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("budget", [0.05, 0.4, 0.9])
def test_best_is_the_best_of_all_lotteries(seed: int, budget: float) -> None:
    """Prices and the linear program both find what trying every policy finds."""
    process = small_process(seed)
    expected = best_lottery(process, budget)
    by_price, (by_program, table) = best_within_budget(process, budget), best_by_linear_program(process, budget)
    assert by_price.worth.profit == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert by_program.profit == pytest.approx(expected, rel=1e-7, abs=1e-7)
    assert by_price.worth.spend <= budget + 1e-9
    again = process.worth(table)
    assert (again.profit, again.spend) == pytest.approx((by_program.profit, by_program.spend), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_best_at_a_price_is_the_best_of_all_policies(seed: int) -> None:
    """At each price no policy of one action a state has more profit less price times spend, nor a better move."""
    process = small_process(seed)
    for price in (0.0, 0.5, 2.0):
        table = process.best_at_price(price)
        best = process.worth(table)
        for action in product(range(3), range(3), range(2)):
            other = process.worth(process.table_of(np.array(action)))
            assert best.profit - price * best.spend >= other.profit - price * other.spend - 1e-9
        values = process.action_values(table, price)
        assert (values[table > 0] >= values.max(axis=1) - 1e-9).all()


def test_prices_and_program_agree_on_the_tabular_shop() -> None:
    """On the whole tabular shop both optima are equal, and the lottery's two tables spend and earn what it says."""
    process = TabularShop(tabular_settings()).process(0.98)
    for budget in (0.2, 0.6):
        by_price, (by_program, _) = best_within_budget(process, budget), best_by_linear_program(process, budget)
        assert by_price.worth.profit == pytest.approx(by_program.profit, rel=1e-8)
        worths = [process.worth(table) for table in by_price.tables]
        shares = 1 - by_price.second_share, by_price.second_share
        spend = sum(share * one.spend for share, one in zip(shares, worths, strict=True))
        assert spend == pytest.approx(budget, rel=1e-9)


def test_myopic_spends_the_budget_by_the_week_alone() -> None:
    """Its tables choose, at the price, the most profit of the week; without a limit it is the free myopic policy."""
    process = TabularShop(tabular_settings()).process(0.98)
    found = myopic_within_budget(process, 0.5)
    assert found.worth.spend == pytest.approx(0.5)
    at_once = np.where(process.mask, process.rewards - found.price * process.costs, -np.inf)
    for table in found.tables:
        chosen = at_once[np.arange(len(table)), table.argmax(axis=1)]
        assert (chosen >= at_once.max(axis=1) - 1e-6).all()
    free = myopic_within_budget(process, 100.0)
    assert free.worth == process.worth(process.table_of(process.myopic_actions(0.0)))


@pytest.mark.parametrize("find", [best_within_budget, myopic_within_budget, best_by_linear_program])
def test_budgets_that_nothing_keeps_are_refused(find) -> None:
    """Where even the least costs more than the budget, no policy is returned."""
    with pytest.raises(ShopError, match=r"budget of 0\.1"):
        find(small_process(0, least=0.15), 0.1)


def test_occupancy_and_values_agree() -> None:
    """A policy's worth is the same by occupancy, by state values, and in the limit of many weeks."""
    process = small_process(3)
    table = process.mask / process.mask.sum(axis=1, keepdims=True)
    assert process.occupancy(table).sum() == pytest.approx(1)
    by_values = (1 - process.gamma) * float(process.start @ process.state_values(table))
    assert process.worth(table).profit == pytest.approx(by_values)
    assert process.worth_of_weeks(table, 400).profit == pytest.approx(by_values)


def test_tables_that_are_no_process_are_refused() -> None:
    """Discounts of 1, probabilities that don't sum to 1 and states without an action are refused."""
    good = small_process(1)
    parts = {name: getattr(good, name) for name in DecisionProcess.__dataclass_fields__}
    for change, reason in (
        ({"gamma": 1.0}, "gamma"),
        ({"start": np.ones(3)}, "sum to 1"),
        ({"mask": np.zeros((3, 3), dtype=bool)}, "no action"),
    ):
        with pytest.raises(ShopError, match=reason):
            DecisionProcess(**parts | change)
