"""Offline RL on orders in a night: rows that say what happened, or would have, and policies that are judged alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from conf.specs.orders import ACTOR_LEARNERS, ROW_LEARNERS, VALUE_LEARNERS, OrderCandidate, OrderMethod
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import PolicyError, TrainingError
from rl.inventory.order_days import DemandAhead
from rl.inventory.order_policy import OFFSETS, OrderPolicy, load_order_policy
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.orders.order_basis import OrderBasis
from rl.orders.order_fitting import earned_a_week, fit_orders
from rl.orders.order_values import ValueSettings, actor_rows, learn_actors, learn_values, logged_range, value_rows
from rl.policy.network import DenseNetwork
from tests.rl.orders.order_datasets import a_night, dataset_of
from tests.rl.orders.test_tomorrow import a_policy

SEED = 4
LEARN = dict.fromkeys(VALUE_LEARNERS, learn_values) | dict.fromkeys(ACTOR_LEARNERS, learn_actors)


def rows_of(kind: str, n_copies: int = 1) -> tuple[OrderPolicy, OrderBasis, LoggedEpisodes, np.ndarray, np.ndarray]:
    """A policy, the basis, rows, and the product and day of each row of the first copy."""
    _, basis = a_night()
    policy, span = a_policy(), basis.tuned_on
    candidate = OrderCandidate.model_validate({"algorithm": "double_dqn", "rows": kind})
    found = value_rows(policy, basis, span, candidate, n_copies=n_copies, seed=SEED)
    length = policy.costs.lead_time + 1
    whole = [
        (product, day)
        for product in range(span.shape[0])
        for day in range(span.shape[1] - length + 1)
        if span.is_known[product, day : day + length].all()
    ]
    products, days = np.array(whole).T
    return policy, basis, found, products, days


def test_relabelled_rows_are_what_stock_and_demand_would_have_done() -> None:
    """Order, next stock and the reward of the day of arrival, reckoned anew one row at a time."""
    policy, basis, found, products, days = rows_of("relabelled", n_copies=2)
    span, lead = basis.tuned_on, policy.costs.lead_time
    history, money, demand = span.history, span.money, basis.demand(span, SEED)
    assert found.n_transitions == 2 * len(products)
    rule = ForecastBaseStock(0.0, lead, policy.variance)
    rewards = []
    for row in range(len(products)):
        product, day = int(products[row]), int(days[row])
        bound = policy.of((history.products[product],), history.pack_size[[product]])
        forecasts = span.forecasts[[product], day]
        level = rule.levels(forecasts, bound.quantiles() + OFFSETS[int(found.action[row])])[0]
        shelf = history.pipeline[product, span.days][day].tolist()
        ahead_of, there = DemandAhead(forecasts, lead, np.ones(1, dtype=np.int64)), np.array([sum(shelf)])
        order = int(bound.rounded(level - there, there, ahead_of)[0])
        stock, queue = shelf[0], [*shelf[1:], order]
        following = None
        for ahead in range(lead):
            stock = max(stock - int(demand[product, day + ahead]), 0) + queue.pop(0)
            following = following or [stock, *queue]
        sold = min(stock, int(demand[product, day + lead]))
        promoted = int(history.promoted[product, span.days][day + lead, 0])
        earned = int(money.margin[product, promoted]) * sold - 20_000 * (stock - sold) - 500_000 * (order > 0)
        usual = span.forecasts[product, :, 0].mean() * policy.costs.margin[history.products[product]]
        rewards.append(earned / 1e6 / usual)
        scale = span.forecasts[product, day + 1].mean()
        np.testing.assert_allclose(found.next_features[row, :lead], np.array(following) / scale, rtol=1e-5)
    differences = np.array(rewards) - found.reward[: len(rewards)]
    np.testing.assert_allclose(differences, differences[0], atol=1e-9)


def test_logged_rows_hold_the_orders_as_they_were() -> None:
    """The nearest level to what was ordered up to, and the next morning's own stock."""
    policy, basis, found, products, days = rows_of("as_logged")
    span, lead = basis.tuned_on, policy.costs.lead_time
    history = span.history
    shelf = history.pipeline[:, span.days]
    scale = span.forecasts[products, days + 1].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.next_features[:, :lead], shelf[products, days + 1] / scale, rtol=1e-5)
    up_to = shelf[products, days].sum(axis=1) + history.units["ordered"][:, span.days][products, days]
    assert np.corrcoef(up_to, found.action)[0, 1] > 0 and len(set(found.action.tolist())) > 8


@pytest.mark.parametrize("algorithm", sorted(ROW_LEARNERS))
@pytest.mark.parametrize("rows", ["relabelled", "as_logged"])
def test_a_learner_of_levels_is_stored_and_led_like_any_other(
    algorithm: OrderMethod, rows: str, tmp_path: Path
) -> None:
    """The same seed gives the same network, and what is loaded orders the same."""
    _, basis = a_night()
    settings = ValueSettings(n_updates=20, n_checkpoints=2, hidden_units=(16,))
    candidate = OrderCandidate.model_validate({"algorithm": algorithm, "rows": rows})
    named = a_policy(method=algorithm)
    runs = [
        list(LEARN[algorithm](named, basis, basis.tuned_on, candidate, settings=settings, seed=1)) for _ in range(2)
    ]
    assert [update for update, _ in runs[0]] == [10, 20]
    policy, again = (run[-1][1] for run in runs)
    assert policy.version == again.version
    policy.save(tmp_path)
    stored = load_order_policy(tmp_path)
    span = basis.span(slice(100, 110))
    demand = basis.demand(span, 1)
    np.testing.assert_array_equal(span.led(stored, demand).earned, span.led(policy, demand).earned)


def test_an_actor_s_rows_run_over_the_levels_that_they_support() -> None:
    """Levels drawn evenly where rows are relabelled; what the log ordered up to, but for odd days, where not."""
    _, basis = a_night()
    found = {}
    for kind in ("relabelled", "as_logged"):
        candidate = OrderCandidate.model_validate({"algorithm": "cql", "rows": kind})
        rows, levels = actor_rows(a_policy(), basis, basis.tuned_on, candidate, n_copies=2, seed=SEED)
        assert np.abs(rows.action).max() <= 1 and not rows.terminal.any()
        found[kind] = (rows, levels)
    rows, levels = found["relabelled"]
    assert levels == (OFFSETS[0], OFFSETS[-1])
    assert abs(float(rows.action.mean())) < 0.05 and float(rows.action.std()) == pytest.approx(3**-0.5, rel=0.05)
    rows, (least, largest) = found["as_logged"]
    assert OFFSETS[0] <= least < largest <= OFFSETS[-1]
    at_ends = np.mean(np.abs(rows.action) > 1 - 1e-6)
    assert at_ends < 0.6 and len(np.unique(rows.action.round(3))) > 50


def test_a_logged_range_leaves_out_odd_days_and_is_never_empty() -> None:
    """Of a thousand levels around -1 one in two hundred is far off; all alike have half a deviation around them."""
    offset = np.random.default_rng(1).normal(-1, 0.2, 1000)
    offset[:5] = 40.0
    least, largest = logged_range(offset)
    assert -1.6 < least < -1.4 and -0.6 < largest < -0.4
    assert logged_range(np.full(10, 1.0)) == (0.75, 1.25)
    assert logged_range(np.full(10, 50.0)) == (2.5, 3.0)


def test_the_checkpoint_that_earns_most_on_validation_days_is_kept() -> None:
    """Its curve holds what each earned; nothing beside the levels is tuned."""
    _, basis = a_night()
    candidate = OrderCandidate(algorithm="double_dqn", n_updates=40)
    found = fit_orders(basis, candidate, name="double_dqn-1", seed=1, n_threads=1)
    assert [update for update, _ in found.curve] == [8, 16, 24, 32, 40] and found.n_updates == 40
    span = basis.span(basis.dataset.splits["validation"])
    demands = [basis.demand(span, 2 + draw) for draw in range(2)]
    seen = earned_a_week([span.led(found.policy, demand) for demand in demands], span)
    assert seen == max(earned for _, earned in found.curve)
    assert (found.policy.safety, found.policy.batch) == (0.0, 0.0)


def test_relabelled_rows_teach_more_than_no_training() -> None:
    """Four hundred updates earn more on the validation days than the first five."""
    _, basis = a_night()
    span = basis.span(basis.dataset.splits["validation"])
    demand, earned = basis.demand(span, 1), []
    for n_updates in (5, 400):
        settings = ValueSettings(n_updates=n_updates, n_checkpoints=1, hidden_units=(32,))
        candidate = OrderCandidate(algorithm="double_dqn")
        start = a_policy(method="double_dqn")
        ((_, policy),) = learn_values(start, basis, basis.tuned_on, candidate, settings=settings, seed=1)
        earned.append(int(span.led(policy, demand).earned.sum()))
    assert earned[1] > earned[0]


def test_values_of_other_levels_and_rows_of_other_methods_are_refused() -> None:
    """With what to do."""
    _, basis = a_night()
    n_inputs = 2 * basis.dataset.history.lead_days + 3
    other = DenseNetwork((np.zeros((3, n_inputs), np.float32),), (np.zeros(3, np.float32),))
    span = basis.span(basis.dataset.splits["test"])
    with pytest.raises(PolicyError, match=f"values 3 levels, expected {len(OFFSETS)}; train it again"):
        span.led(a_policy(method="double_dqn", network=other), np.zeros(span.shape, dtype=np.int64))
    with pytest.raises(ValidationError, match="hindsight learns from no rows"):
        OrderCandidate.model_validate({"algorithm": "hindsight", "rows": "as_logged"})
    gaps = basis.dataset.history.is_known.copy()
    gaps[:, ::2] = False
    short = replace(basis, dataset=dataset_of(replace(basis.dataset.history, is_known=gaps)))
    with pytest.raises(TrainingError, match="no product has 4 known training days in a row"):
        value_rows(a_policy(), short, short.tuned_on, OrderCandidate(algorithm="double_dqn"), n_copies=1, seed=1)
