"""Ways to order are fitted to training days alone: later days move nothing, and a network learns something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from conf.specs.orders import OrderCandidate, OrderMethod
from rl.errors import TrainingError
from rl.inventory.order_policy import LEVELS
from rl.orders.order_basis import OrderBasis
from rl.orders.order_fitting import NUMBERS, fit_orders, tuned_numbers, warn_at_edges
from rl.orders.order_learner import LearnerSettings, learn_levels
from rl.orders.order_replay import OrderSpan
from tests.rl.orders.order_datasets import a_night, dataset_of
from tests.rl.orders.test_tomorrow import a_policy


def test_every_method_of_a_spec_has_its_levels_and_numbers() -> None:
    """A method that a scenario may name can be fitted and stored."""
    assert set(get_args(OrderMethod)) == set(LEVELS) == set(NUMBERS)


def test_later_days_move_no_policy() -> None:
    """With other sales after the training days the very same version comes out."""
    _, basis = a_night()
    history, n_train = basis.dataset.history, basis.dataset.splits["train"].stop
    candidate = OrderCandidate(algorithm="base_stock")
    before = fit_orders(basis, candidate, name="base_stock-1", seed=1, n_threads=1).policy
    sold, margin = history.units["sold"].copy(), history.margin.copy()
    sold[:, n_train:] *= 3
    margin[:, n_train:] += 1_000_000
    other = replace(history, units={**history.units, "sold": sold}, margin=margin)
    after = fit_orders(OrderBasis.of(dataset_of(other)), candidate, name="base_stock-1", seed=1, n_threads=1).policy
    assert before.version == after.version


def test_tuned_numbers_earn_most_of_those_that_were_tried() -> None:
    """On the days that they were tuned on; without numbers the formula stays as it is."""
    _, basis = a_night()
    span = basis.tuned_on
    demand = [basis.demand(span, 0)]
    policy = a_policy(method="base_stock")

    def earned(safety: float) -> float:
        return float(span.led(policy.with_numbers(safety=safety), demand[0]).earned.sum())

    best, _ = tuned_numbers(policy, span, demand, {"safety": (-2.0, -1.0, 0.0, 1.0)})
    assert earned(best.safety) >= max(earned(one) for one in (-2.0, -1.0, 0.0, 1.0))
    assert tuned_numbers(policy, span, demand, {})[0].version == policy.version


@pytest.mark.parametrize("tried", [(-4.0, -3.5), (3.0, 3.5)])
def test_a_safety_goes_on_beyond_what_is_tried_while_it_earns_more(tried: tuple[float, ...]) -> None:
    """From either end: no step to one side earns more, so that networks and waste aren't cut off at a range's edge."""
    _, basis = a_night()
    span = basis.tuned_on
    demand = [basis.demand(span, 0)]
    policy = a_policy(method="base_stock")
    best, _ = tuned_numbers(policy, span, demand, {"safety": tried})
    assert not min(tried) <= best.safety <= max(tried)
    for step in (-0.5, 0.5):
        assert (
            span.led(best.with_numbers(safety=best.safety + step), demand[0]).earned.sum()
            <= span.led(best, demand[0]).earned.sum()
        )


def test_what_a_unit_costs_to_order_lowers_every_product_s_safety_and_its_orders() -> None:
    """By the formula alone, without any tuning: less margin is at stake, so less is held for it."""
    _, basis = a_night()
    dataset = basis.dataset
    money = replace(dataset.money, order_unit=int(dataset.money.margin[:, 0].min()) * 9 // 10)
    products, lead = dataset.history.products, dataset.history.lead_days
    free, dear = (replace(a_policy(), costs=one.costs(products, lead)) for one in (dataset.money, money))
    packs = dataset.history.pack_size
    assert (dear.of(products, packs).quantiles() < free.of(products, packs).quantiles()).all()
    span = OrderSpan(dataset.history, basis.forecasts, money, dataset.splits["test"])
    demand = basis.demand(span, 1)
    assert span.led(dear, demand).flows["closing"].sum() < span.led(free, demand).flows["closing"].sum()
    assert span.led(dear, demand).earned.sum() > span.led(free, demand).earned.sum()


def test_numbers_at_an_edge_of_what_is_tried_are_named() -> None:
    """Safeties where they may go no further; a rule without batches is at no edge."""
    policy = a_policy(method="reorder_point")
    assert warn_at_edges(policy.with_numbers(safety=0.5, batch=0.0)) == ()
    assert warn_at_edges(policy.with_numbers(safety=-2.75, batch=0.0)) == ()
    assert warn_at_edges(policy.with_numbers(safety=-6.75, batch=1.5)) == (
        "safety -6.75 of -6.5 to 6",
        "batch 1.5 of 0 to 1.5",
    )
    assert warn_at_edges(a_policy()) == ()


def test_a_shop_that_sells_nothing_on_sundays_is_fitted_like_another() -> None:
    """Counted every day, closed on one: forecasts of it are next to nothing, and orders earn on the others."""
    _, basis = a_night()
    history = basis.dataset.history
    is_closed = history.weekday == 6
    units = {flow: values.copy() for flow, values in history.units.items()}
    units["closing"][:, is_closed] += units["sold"][:, is_closed]
    units["sold"][:, is_closed] = 0
    closed = replace(history, units=units, ran_out=history.ran_out & ~is_closed, margin=history.margin * ~is_closed)
    found = OrderBasis.of(dataset_of(closed))
    assert found.forecasts[:, is_closed, 0].max() < 0.2
    candidate = OrderCandidate(algorithm="base_stock")
    fitted = fit_orders(found, candidate, name="base_stock-1", seed=1, n_threads=1)
    usual = fit_orders(basis, candidate, name="base_stock-1", seed=1, n_threads=1)
    assert 0.7 * usual.earned < fitted.earned < usual.earned


def test_a_network_comes_to_cost_less_than_it_began_with() -> None:
    """From orders that are far too small, in 120 updates, on the training days."""
    _, basis = a_night()
    span = basis.tuned_on
    demand = basis.demand(span, 0)
    settings = LearnerSettings(n_updates=120, batch_size=64, n_checkpoints=2)
    policy = a_policy(name="hindsight-1", method="hindsight")
    kept = dict(learn_levels(policy, basis, span, settings=settings, seed=3))
    assert list(kept) == [90, 120]
    first = _constant(kept[120], 1.0)
    earned = [float(span.led(replace(policy, network=one), demand).earned.sum()) for one in (first, kept[120])]
    assert earned[1] > earned[0]
    formula = float(span.led(a_policy(), demand).earned.sum())
    assert earned[1] > 0.97 * formula


def _constant(network: Any, level: float) -> Any:
    """The network's form, saying the same level of everything."""
    weights = tuple(np.zeros_like(one) for one in network.weights)
    biases = (*(np.zeros_like(one) for one in network.biases[:-1]), np.full_like(network.biases[-1], level))
    return replace(network, weights=weights, biases=biases)


def test_a_log_without_a_whole_window_trains_no_network() -> None:
    """Rather than a network of nothing."""
    _, basis = a_night()
    history = basis.dataset.history
    known = history.is_known.copy()
    known[:, ::10] = False
    span = OrderSpan(replace(history, is_known=known), basis.forecasts, basis.dataset.money, slice(0, 99))
    with pytest.raises(TrainingError, match="28 known training days in a row"):
        next(learn_levels(a_policy(), basis, span, settings=LearnerSettings(), seed=1))
