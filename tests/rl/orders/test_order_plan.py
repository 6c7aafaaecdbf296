"""The plan of a night: near the optimum where that is known, by the demand that replays draw; who has none is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.order_policy import OrderPolicy, load_order_policy
from rl.inventory.plan_tables import PlanTables
from rl.inventory.planning import Lattice, plan, table_cells
from rl.inventory.replay import replayed
from rl.inventory.shared_orders import Room
from rl.inventory.stock import StockRules, StockStates
from rl.inventory.stock_chain import long_run
from rl.orders import order_plan
from rl.orders.order_basis import OrderBasis
from rl.orders.order_plan import LARGEST_TABLE, demand_sizes, fitting_lattice, product_plan, with_plan
from tests.rl.inventory.an_order_policy import a_policy as a_stored_policy
from tests.rl.inventory.states import POISSON, rules
from tests.rl.orders.order_datasets import a_night, dataset_of
from tests.rl.orders.test_tomorrow import a_policy

LEAD = 2


@dataclass(frozen=True)
class _Forecast:
    """A stored policy of one product whose forecast is the same on all days; a state has no features of its own."""

    policy: OrderPolicy
    expected: float

    def order(self, states: StockStates) -> np.ndarray:
        n, lead = states.pipeline.shape
        told = StockStates(states.pipeline, np.full((n, lead + 1), self.expected))
        return self.policy.of(("apple",) * n, np.ones(n, dtype=np.int64)).order(told)


def planned(given: StockRules, demand: DemandDistribution, order_cost: float = 0.0) -> _Forecast:
    tables = PlanTables.of({"apple": (product_plan(given, demand, pack=1, order_cost=order_cost),)}, given.lead_time)
    costs = replace(a_stored_policy().costs, lead_time=given.lead_time)
    return _Forecast(a_stored_policy(method="plan", plan=tables, costs=costs), demand.mean)


@pytest.mark.parametrize(("lead_time", "penalty"), [(1, 4.0), (1, 39.0), (2, 4.0), (2, 19.0), (3, 9.0)])
def test_a_stored_plan_costs_what_the_best_policy_does(lead_time: int, penalty: float) -> None:
    """Of one product with demand of 5 a day, exactly: at most half a percent more, read from the tables of a night."""
    given = rules(lead_time, penalty)
    best = plan(given, POISSON).least_cost
    assert long_run(planned(given, POISSON), given, POISSON).cost <= 1.005 * best


def test_a_coarse_plan_stays_near_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where orders cost something, in steps of a third of a batch: at most 1% more than in single units."""
    given, paid = rules(LEAD, 39.0), 12.0
    demand = DemandDistribution.poisson(6.5)
    fine = _cost(planned(given, demand, paid), given, demand, paid)
    monkeypatch.setattr(order_plan, "LARGEST_TABLE", 6000)
    coarse = planned(given, demand, paid)
    assert coarse.policy.plan is not None and coarse.policy.plan.step.tolist() == [4]
    assert fine < _cost(coarse, given, demand, paid) <= 1.01 * fine


def _cost(policy: _Forecast, given: StockRules, demand: DemandDistribution, order_cost: float) -> float:
    """A day's holding cost, penalty and orders, over 60,000 drawn days of replays that start alike."""
    drawn = demand.draw((60, 1000), np.random.default_rng(1))
    units = replayed(policy, drawn, given)
    return float((units.cost(given) + order_cost * (units.order > 0)).mean())


def test_a_lattice_is_the_finest_that_fits_in_whole_packs() -> None:
    """Single units where they fit; a step of packs is at most a third of a batch, or one pack."""
    assert fitting_lattice(20, 10, 2, pack=1, batch=5.0) == Lattice(1, 1)
    assert fitting_lattice(20, 10, 2, pack=6, batch=0.0) == Lattice(1, 6)
    found = fitting_lattice(220, 90, 3, pack=2, batch=30.0)
    assert found.step % 2 == 0 and found.step % found.grain == 0 and 1 < found.grain < found.step
    cells = table_cells(1 + -(-220 // found.grain), 1 + -(-90 // found.step), 3)
    assert LARGEST_TABLE / 4 < cells <= LARGEST_TABLE
    with pytest.raises(InventoryError, match="on each of 7 days is larger than 500,000, even in steps of a third"):
        fitting_lattice(220, 90, 7, pack=1, batch=20.0)
    with pytest.raises(InventoryError, match="on each of 3 days is larger"):
        fitting_lattice(220, 90, 3, pack=1, batch=0.0)


def test_an_order_s_cost_makes_a_plan_order_more_at_once() -> None:
    """Orders are fewer and larger where each costs something."""
    tables = [product_plan(rules(LEAD, 9.0), POISSON, pack=1, order_cost=cost) for cost in (0.0, 20.0)]
    free, paid = (one.orders * one.step for one in tables)
    assert paid.max() > free.max()
    assert paid[paid > 0].min() > 3 * free[free > 0].min()


def test_sizes_of_demand_are_in_equal_ratios() -> None:
    """One where demand stays as it is, and no table reaches over more than its ratio."""
    assert demand_sizes(np.full(30, 4.0)).tolist() == [4.0]
    usual = np.geomspace(2.0, 9.0, 400)
    found = demand_sizes(usual)
    steps = found[1:] / found[:-1]
    np.testing.assert_allclose(steps, steps[0])
    assert len(found) > 1 and steps[0] <= order_plan.SIZE_RATIO
    assert np.abs(np.log(usual[:, None] / found)).min(axis=1).max() < np.log(order_plan.SIZE_RATIO)


def test_the_law_of_a_day_is_what_replays_draw() -> None:
    """20,000 days that ran out before anything sold, of one forecast: every unit's share within .015."""
    laws = a_night()[1].laws
    for forecast, is_promoted in ((0.7, False), (6.3, False), (14.0, True)):
        days = np.full(20_000, forecast)
        told = np.full(20_000, is_promoted)
        nothing = np.zeros(20_000, dtype=np.int64)
        drawn = laws.completed(nothing, nothing == 0, days, told, np.random.default_rng(5))
        shares = np.bincount(laws.strata(days[:1], told[:1]), minlength=len(laws.fitted)).astype(float)
        law = laws.law(shares, forecast)
        seen = np.bincount(np.minimum(drawn, law.largest), minlength=law.largest + 1) / 20_000
        np.testing.assert_allclose(seen, law.probabilities, atol=0.015)


@pytest.fixture(scope="module")
def few_planned() -> OrderPolicy:
    """The small shop's plan, but for products whose table would not be small."""
    _, basis = a_night()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(order_plan, "LARGEST_TABLE", 4000)
        policy, found = with_plan(a_policy(method="plan"), basis, basis.tuned_on)
    assert found.tables is not None and found.others
    assert set(found.tables.products) | set(found.others) == set(basis.dataset.history.products)
    assert all("is larger than 4,000" in why for why in found.others.values())
    return policy


def test_products_without_a_table_are_ordered_by_the_projected_level(few_planned: OrderPolicy) -> None:
    """All others by their own tables, and not as the projected level would."""
    history = a_night()[1].dataset.history
    span = a_night()[1].span(a_night()[1].dataset.splits["test"])
    states = StockStates(history.pipeline[:, 140], span.forecasts[:, 140 - int(span.days.start)])
    assert few_planned.plan is not None
    has = few_planned.plan.rows(history.products) >= 0
    own, other = (
        one.of(history.products, history.pack_size).advise(states)
        for one in (few_planned, a_policy(method="projected_level"))
    )
    np.testing.assert_array_equal(own[1][~has], other[1][~has])
    assert (own[0][has] != other[0][has]).all() and has.any() and not has.all()


def test_a_stored_plan_is_replayed_alike(few_planned: OrderPolicy, tmp_path: Path) -> None:
    """To the millionth; another table is another version."""
    few_planned.save(tmp_path)
    stored = load_order_policy(tmp_path)
    _, basis = a_night()
    span = basis.span(slice(100, 112))
    demand = basis.demand(span, 1)
    np.testing.assert_array_equal(span.led(stored, demand).earned, span.led(few_planned, demand).earned)
    assert few_planned.plan is not None and stored.version == few_planned.version
    orders = few_planned.plan.orders.copy()
    orders[0] += 1
    assert replace(few_planned, plan=replace(few_planned.plan, orders=orders)).version != few_planned.version


def test_a_plan_keeps_a_limit_that_products_share(few_planned: OrderPolicy) -> None:
    """On every day of a replay, which is refused otherwise; a price of room lowers what it keeps."""
    _, basis = a_night()
    history = basis.dataset.history
    rooms = np.ones(len(history.products), dtype=np.int64)
    usual = basis.span(slice(100, 130)).led(few_planned, basis.demand(basis.span(slice(100, 130)), 1)).position
    tight = OrderBasis.of(dataset_of(replace(history, room=Room(rooms, int(0.7 * usual.sum(axis=0).mean())))))
    wide = OrderBasis.of(dataset_of(replace(history, room=Room(rooms, 10**9))))
    span = tight.span(slice(100, 130))
    demand = tight.demand(span, 1)
    found = span.led(few_planned, demand)
    assert not span.beyond(found).any() and found.flows["ordered"].any()
    held = [
        int(wide.span(slice(100, 130)).led(replace(few_planned, room_price=price), demand).position.sum())
        for price in (0.0, 0.05)
    ]
    assert held[0] > held[1]


def test_safety_moves_a_plan_as_it_moves_a_rule(few_planned: OrderPolicy) -> None:
    """More of it never orders less of an empty shelf, and keeps more stock in a replay."""
    _, basis = a_night()
    span = basis.span(slice(100, 130))
    demand = basis.demand(span, 1)
    held = [
        int(span.led(few_planned.with_numbers(safety=safety), demand).flows["closing"].sum())
        for safety in (-1.0, 0.0, 1.0)
    ]
    assert held[0] < held[1] < held[2]
