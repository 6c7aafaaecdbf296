"""A night that orders on Mondays: every way to order keeps to them, stock moves on all days, and learners learn so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from conf.specs.orders import OrderCandidate
from rl.errors import EvaluationError, PolicyError, TrainingError
from rl.inventory.order_days import EVERY_DAY, DemandAhead, OrderDays
from rl.inventory.order_policy import OFFSETS
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.shared_orders import Room
from rl.orders.order_fitting import NUMBERS, numbers_of
from rl.orders.order_judging import LedOrders, led_orders
from rl.orders.order_learner import LearnerSettings, learn_levels
from rl.orders.order_replay import OrderSpan
from rl.orders.order_truth import true_earnings
from rl.orders.order_values import ValueSettings, learn_values, value_rows
from rl.orders.tomorrow import no_orders_problem, tomorrow_orders
from tests.rl.orders.order_datasets import dataset_of, true_demand_of
from tests.rl.orders.shop_history import a_shop, history_of
from tests.rl.orders.test_tomorrow import up_to
from tests.rl.orders.weekly_night import a_weekly_night, a_weekly_policy

TWICE = ("monday", "thursday")
SEED = 4


def test_the_buyer_s_week_is_the_log_and_demand_that_of_every_day() -> None:
    """The same shop by other orders: nothing is ordered on other days, and what is asked for is the same."""
    days, daily = a_weekly_night()[0], a_shop(n_products=12, seed=2, catalogue_seed=2)
    weekday = (days.settings.first_day.weekday() + np.arange(days.settings.n_days)) % 7
    assert not days.ordered[:, weekday != 0].any() and days.ordered[:, weekday == 0].any()
    np.testing.assert_array_equal(days.demand, daily.demand)
    assert np.count_nonzero(days.sold[:, weekday == 4]) > 200


def test_logged_weekly_orders_on_true_demand_are_the_log_every_day() -> None:
    """Arrivals, sales, and what is held over night on all days of the week, where the shop is as declared."""
    days = a_shop(
        lead_shares=(0.0, 1.0), split_share=0.0, shrinkage_rate=0.0, found_rate=0.0, order_weekdays=("monday",)
    )
    history = history_of(days)
    span = OrderSpan(history, np.ones((*history.is_known.shape, 10)), dataset_of(history).money, slice(20, 120))
    found = span.led_as_logged(true_demand_of(days, span))
    for flow in ("ordered", "sold", "closing"):
        np.testing.assert_array_equal(found.flows[flow], history.units[flow][:, 20:120], err_msg=flow)
    held = found.holding.sum(axis=0)
    assert (held == 20_000 * found.flows["closing"].sum(axis=0)).all() and (held > 0).all()


@pytest.mark.parametrize("is_shared", [False, True])
def test_policies_order_on_the_declared_days_alone(is_shared: bool) -> None:
    """Under a shared limit, too; what they order lasts until the next order arrives: service is like today's rule's."""
    days, basis = a_weekly_night(TWICE)
    history = basis.dataset.history
    if is_shared:
        history = replace(history, room=Room(np.ones(len(history.products), dtype=np.int64), 1_500))
    span = OrderSpan(history, basis.forecasts, basis.dataset.money, slice(60, 120))
    found = span.led(a_weekly_policy(TWICE), true_demand_of(days, span))
    ordered = found.flows["ordered"].sum(axis=0)
    assert set(history.weekday[60:120][ordered > 0].tolist()) == {0, 3}
    assert found.flows["sold"].sum() > 0.9 * (found.flows["sold"] + found.lost).sum()


def test_a_policy_for_other_days_is_led_nowhere_and_lists_nothing() -> None:
    """It would order for another time than the scenario's."""
    _, basis = a_weekly_night()
    span = basis.span(slice(60, 90))
    other = replace(a_weekly_policy(), weekdays=(1,))
    with pytest.raises(EvaluationError, match="orders every Tuesday, the scenario every Monday"):
        span.led(other, span.sold)
    monday = up_to(basis.dataset.history, 63)
    assert monday.next_day.weekday() == 0
    with pytest.raises(PolicyError, match="orders every Tuesday, the scenario every Monday; register a night"):
        tomorrow_orders(other, monday)


def test_monday_s_list_is_what_a_replay_orders_and_other_mornings_have_none() -> None:
    """With what it lasts for in its reason; the others say when the next one is."""
    _, basis = a_weekly_night()
    history, policy = basis.dataset.history, a_weekly_policy()
    found = tomorrow_orders(policy, up_to(history, 140))
    span = basis.span(slice(140, 141))
    replayed = span.led(policy, np.zeros(span.shape, dtype=np.int64)).flows["ordered"][:, 0]
    place = {name: row for row, name in enumerate(history.products)}
    compared = [row for row, name in enumerate(found.products) if history.is_known[place[name], 140]]
    assert len(compared) >= 10
    assert [found.order[row] for row in compared] == [replayed[place[found.products[row]]] for row in compared]
    assert "will be asked for in 10 days, until the next order arrives" in found.reason(0)
    for more in range(1, 7):
        later = up_to(history, 140 + more)
        with pytest.raises(
            PolicyError, match=f"no orders on .*placed every Monday, next on Monday {found.day + timedelta(days=7)}"
        ):
            tomorrow_orders(policy, later)
    assert not no_orders_problem(EVERY_DAY, found.day)


def test_a_weekly_cap_is_weeks_of_demand_and_daily_numbers_stay() -> None:
    """An order of every seventh day is as many days' demand larger."""
    weekly = numbers_of("capped_base_stock", OrderDays.of(["monday"]))
    assert weekly["cap"] == [14.0, 28.0, 56.0]
    assert weekly["safety"] == NUMBERS["capped_base_stock"]["safety"]
    daily = numbers_of("capped_base_stock", EVERY_DAY)
    assert {name: tuple(values) for name, values in daily.items()} == dict(NUMBERS["capped_base_stock"])


def test_a_network_learns_through_days_without_orders() -> None:
    """In 150 updates it earns nearly what the formula does, and more than its own level as it began."""
    _, basis = a_weekly_night()
    span, policy = basis.tuned_on, a_weekly_policy(name="hindsight-1", method="hindsight")
    settings = LearnerSettings(n_updates=150, batch_size=64, n_checkpoints=1)
    ((_, network),) = learn_levels(policy, basis, span, settings=settings, seed=3)
    demand = basis.demand(span, 0)

    def earned(one: object) -> float:
        return float(span.led(replace(policy, network=one), demand).earned.sum())  # type: ignore[arg-type]  # a network

    weights = tuple(np.zeros_like(one) for one in network.weights)
    little = replace(network, weights=weights, biases=(*network.biases[:-1], np.full_like(network.biases[-1], 4.0)))
    formula = float(span.led(a_weekly_policy(), demand).earned.sum())
    assert earned(network) > earned(little)
    assert earned(network) > 0.95 * formula
    short = replace(basis.dataset.history, is_known=basis.dataset.history.is_known & (np.arange(181) % 35 > 0))
    gaps = OrderSpan(short, basis.forecasts, basis.dataset.money, slice(0, 60))
    with pytest.raises(TrainingError, match="31 known training days in a row"):
        next(learn_levels(policy, basis, gaps, settings=settings, seed=1))


@pytest.mark.parametrize("weekdays", [("monday",), TWICE])
def test_relabelled_rows_are_of_days_of_orders_and_earn_what_the_order_lasts_for(weekdays: tuple[str, ...]) -> None:
    """Order, stock at the next day of orders, and the reward of the days between both arrivals, one row at a time."""
    _, basis = a_weekly_night(weekdays)
    policy, span = a_weekly_policy(weekdays), basis.tuned_on
    candidate = OrderCandidate.model_validate({"algorithm": "double_dqn", "rows": "relabelled"})
    found = value_rows(policy, basis, span, candidate, n_copies=1, seed=SEED)
    history, money, demand, lead = span.history, span.money, basis.demand(span, SEED), policy.costs.lead_time
    rule = ForecastBaseStock(0.0, lead, policy.variance)
    rewards, row = [], 0
    for product in range(span.shape[0]):
        for day in range(span.shape[1]):
            gap = int(span.gaps[day])
            if not gap or not span.is_known[product, day : day + lead + gap].all() or day + lead + gap > span.shape[1]:
                continue
            bound = policy.of((history.products[product],), history.pack_size[[product]])
            forecasts = span.forecasts[[product], day, : lead + gap]
            level = rule.levels(forecasts, bound.quantiles(gap) + OFFSETS[int(found.action[row])])[0]
            shelf = history.pipeline[product, span.days][day].tolist()
            ahead_of, there = DemandAhead(forecasts, lead, np.array([gap])), np.array([sum(shelf)])
            order = int(bound.rounded(level - there, there, ahead_of)[0])
            stock, queue, earned, following = shelf[0], [*shelf[1:], order], -500_000 * (order > 0), None
            for ahead in range(lead + gap):
                if ahead == gap:
                    following = [stock, *queue[: lead - 1]]
                sold = min(stock, int(demand[product, day + ahead]))
                promoted = int(history.promoted[product, span.days][day + ahead, 0])
                if ahead >= lead:
                    earned += int(money.margin[product, promoted]) * sold - 20_000 * (stock - sold)
                stock, queue = stock - sold + queue[0], [*queue[1:], 0]
            usual = span.forecasts[product, :, 0].mean() * policy.costs.margin[history.products[product]]
            rewards.append(earned / 1e6 / usual)
            next_gap = int(span.gaps[day + gap])
            ahead_then = np.where(
                np.arange(span.forecasts.shape[2]) < lead + next_gap, span.forecasts[product, day + gap], 0
            )
            assert following is not None
            np.testing.assert_allclose(
                found.next_features[row, :lead], np.array(following) / ahead_then.mean(), rtol=1e-5
            )
            row += 1
    assert row == found.n_transitions > 100
    differences = np.array(rewards) - found.reward
    np.testing.assert_allclose(differences, differences[0], atol=1e-9)


def test_logged_rows_of_a_weekly_log_hold_the_week() -> None:
    """What follows is the stock of the next Monday's count."""
    _, basis = a_weekly_night()
    policy, span = a_weekly_policy(), basis.tuned_on
    candidate = OrderCandidate.model_validate({"algorithm": "double_dqn", "rows": "as_logged"})
    found = value_rows(policy, basis, span, candidate, n_copies=1, seed=SEED)
    days = np.flatnonzero(span.gaps)
    first = next(
        (product, day)
        for product in range(span.shape[0])
        for day in days.tolist()
        if span.is_known[product, day : day + 10].all() and day + 10 <= span.shape[1]
    )
    product, day = first
    shelf = span.history.pipeline[product, span.days]
    scale = span.forecasts[product, day + 7].mean()
    np.testing.assert_allclose(found.next_features[0, : policy.costs.lead_time], shelf[day + 7] / scale, rtol=1e-5)
    settings = ValueSettings(n_updates=10, n_checkpoints=1, hidden_units=(8,))
    ((_, learned),) = learn_values(policy, basis, span, candidate, settings=settings, seed=1)
    led = span.led(replace(learned, method="double_dqn"), span.sold)
    assert not led.flows["ordered"][:, span.gaps == 0].any()


def test_true_demand_is_played_in_the_same_week() -> None:
    """On the simulated shop's own demand, and judged over products and weeks."""
    days, basis = a_weekly_night()
    led = led_orders(basis, basis.dataset.splits["test"], {"newsvendor-1": a_weekly_policy()}, n_draws=2)
    found, earned = true_earnings(led, true_demand_of(days, led.span), level=0.9)
    assert isinstance(found, LedOrders)
    ordered = found.draws["newsvendor-1"][0].flows["ordered"]
    assert ordered[:, led.span.gaps == 7].any() and not ordered[:, led.span.gaps == 0].any()
    assert earned["newsvendor-1"].lower < earned["newsvendor-1"].value < earned["newsvendor-1"].upper
