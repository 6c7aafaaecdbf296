from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.exogenous_replay import ExogenousLog, ReplayAssumptions, replay
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import difference
from tests.rl.ope.tabular_mdp import TablePolicy

CAPACITY = 4  # orders are 0 to 2 units and arrive after the demand of the period
N_ORDERS = 3
DEMAND = np.array([0.2, 0.5, 0.3])  # of 0, 2 and 3 units
UNITS = np.array([0, 2, 3])
GAMMA, HORIZON = 0.9, 4
DECLARED = ReplayAssumptions(is_exogenous=True)


@dataclass(frozen=True)
class LostSales:
    """Stock is sold as far as it goes; a unit left costs 1, a unit sold earns 4, a unit ordered costs 1."""

    def observe(self, states: IntArray, step: int) -> tuple[FeatureArray, BoolArray]:  # noqa: ARG002 -- the protocol's
        room = CAPACITY - states
        return np.eye(CAPACITY + 1, dtype=np.float32)[states], np.arange(N_ORDERS) <= room[:, None]

    def advance(self, states: IntArray, actions: IntArray, exogenous: FloatArray) -> tuple[IntArray, FloatArray]:
        sold = np.minimum(states, exogenous[:, 0].astype(np.int64))
        left = states - sold
        return np.minimum(left + actions, CAPACITY), (4 * sold - left - actions).astype(np.float64)


def base_stock(level: int) -> TablePolicy:
    """Orders up to the level, as far as an order may go."""
    table = np.zeros((CAPACITY + 1, N_ORDERS))
    for stock in range(CAPACITY + 1):
        table[stock, min(N_ORDERS - 1, max(0, level - stock), CAPACITY - stock)] = 1
    return TablePolicy(table, f"base-stock-{level}")


def mixed() -> TablePolicy:
    """A coin decides between two levels."""
    return TablePolicy((base_stock(1).table + base_stock(4).table) / 2, "mixed")


def exact_value(policy: TablePolicy, start: int) -> float:
    """Dynamic programming over stock, orders and demand."""
    rules = LostSales()
    value = np.zeros(CAPACITY + 1)
    for _ in range(HORIZON):
        q = np.zeros((CAPACITY + 1, N_ORDERS))
        for (stock, order), (probability, demand) in product(np.ndindex(*q.shape), zip(DEMAND, UNITS, strict=True)):
            after, reward = rules.advance(np.array([stock]), np.array([order]), np.array([[float(demand)]]))
            q[stock, order] += probability * (reward[0] + GAMMA * value[after[0]])
        value = (policy.table * q).sum(axis=1)
    return float(value[start])


def log_of(demands: FloatArray, *, start: int = 2, **overrides: Any) -> ExogenousLog:
    """Episodes of equal length, each its own unit."""
    n_episodes, length = demands.shape
    fields: dict[str, Any] = {
        "exogenous": demands.reshape(-1, 1).astype(np.float64),
        "is_censored": np.zeros(demands.size, dtype=bool),
        "offsets": np.arange(n_episodes + 1) * length,
        "initial_states": np.full(n_episodes, start),
        "unit": np.arange(n_episodes),
        "discount": np.tile(GAMMA ** np.arange(length), n_episodes),
    }
    return ExogenousLog(**{**fields, **overrides})


def all_demands() -> FloatArray:
    """Every sequence of demands as often as its probability says, in ten thousandths."""
    tenths = np.repeat(UNITS, np.round(10 * DEMAND).astype(int))
    return np.array(list(product(tenths, repeat=HORIZON)), dtype=np.float64)


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("start", [0, 2, 4])
def test_replay_over_all_demands_is_the_exact_value(level: int, start: int) -> None:
    """A certain policy over every demand sequence, each as often as its probability, has no noise at all."""
    found = replay(base_stock(level), log_of(all_demands(), start=start), LostSales(), assumptions=DECLARED)
    assert found.value() == pytest.approx(exact_value(base_stock(level), start), rel=1e-12)


def test_replay_of_a_stochastic_policy_averages_its_draws() -> None:
    """All 10,000 sequences replayed five times give the exact value within 4 standard errors of the draws.

    Only the coin is random: its standard error is below the units' own, which the tolerance uses.
    """
    found = replay(mixed(), log_of(all_demands()), LostSales(), assumptions=DECLARED, n_repeats=5, seed=1)
    assert abs(found.value() - exact_value(mixed(), 2)) < 4 * standard_error(found)
    assert standard_error(found) < 0.05


def test_replay_on_drawn_demand_is_unbiased() -> None:
    """5,000 drawn sequences give the exact value within 4 standard errors."""
    demands = np.random.default_rng(0).choice(UNITS, p=DEMAND, size=(5000, HORIZON))
    found = replay(base_stock(3), log_of(demands), LostSales(), assumptions=DECLARED)
    assert abs(found.value() - exact_value(base_stock(3), 2)) < 4 * standard_error(found)


def test_two_policies_meet_the_same_demand() -> None:
    """The paired difference of two levels has less than half the standard error of unpaired values."""
    demands = np.random.default_rng(1).choice(UNITS, p=DEMAND, size=(2000, HORIZON))
    one, other = (replay(base_stock(n), log_of(demands), LostSales(), assumptions=DECLARED) for n in (3, 4))
    assert standard_error(difference(one, other)) < 0.5 * np.hypot(standard_error(one), standard_error(other))


def test_episodes_of_different_lengths_keep_their_own_demand() -> None:
    """A short episode before a long one gives the returns of the two replayed alone."""
    short, long = np.array([[2.0]]), np.array([[0.0, 3.0, 2.0]])
    together = ExogenousLog(
        exogenous=np.concatenate([short, long], axis=1).reshape(-1, 1),
        is_censored=np.zeros(4, dtype=bool),
        offsets=np.array([0, 1, 4]),
        initial_states=np.array([1, 4]),
        unit=np.array([7, 3]),
        discount=np.array([1, 1, GAMMA, GAMMA**2]),
    )
    found = replay(base_stock(4), together, LostSales(), assumptions=DECLARED)
    alone = [
        replay(base_stock(4), log_of(demands, start=start), LostSales(), assumptions=DECLARED).value()
        for demands, start in ((long, 4), (short, 1))
    ]
    np.testing.assert_array_equal(found.unit_ids, [3, 7])
    np.testing.assert_allclose(found.numerators[:, 0], alone)


def test_replay_refuses_an_undeclared_variable() -> None:
    """Without the declared assumption there is no value."""
    with pytest.raises(UnsupportedEstimator, match="don't influence"):
        replay(base_stock(3), log_of(all_demands()), LostSales(), assumptions=ReplayAssumptions(is_exogenous=False))


def test_replay_refuses_censored_demand_unless_declared() -> None:
    """Sales of a day that sold out refuse; declared as values, they make full stocks look worse than they are."""
    whole = all_demands()
    sold = np.minimum(whole, 2.0)
    log = log_of(sold, is_censored=(sold < whole).ravel())
    with pytest.raises(UnsupportedEstimator, match=r"rows .* hold a lower bound"):
        replay(base_stock(4), log, LostSales(), assumptions=DECLARED)
    taken = replay(base_stock(4), log, LostSales(), assumptions=replace(DECLARED, censored="as_logged"))
    assert taken.value() < exact_value(base_stock(4), 2) - 0.4


def test_an_inconsistent_log_is_refused_with_all_its_faults() -> None:
    """Lengths that disagree are named together; so are rows that are not finite."""
    log = log_of(all_demands())
    with pytest.raises(EvaluationError, match=r"is_censored has 1 rows.*unit has 2 entries"):
        replace(log, is_censored=np.zeros(1, dtype=bool), unit=np.zeros(2, dtype=np.int64))
    spoiled = log.exogenous.copy()
    spoiled[3] = np.nan
    with pytest.raises(EvaluationError, match=r"rows \[3\] hold values that are not finite"):
        replace(log, exogenous=spoiled)
