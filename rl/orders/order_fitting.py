"""Fits one way to order: its numbers by replay of the training days, a network by the gradient through stock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import structlog

from conf.specs.orders import ACTOR_LEARNERS, LEARNERS, ROW_LEARNERS, OrderCandidate, OrderMethod
from rl.data.logged_episodes import IntArray
from rl.errors import TrainingError
from rl.inventory.order_days import OrderDays
from rl.inventory.order_policy import OrderPolicy
from rl.inventory.shared_room import best_price
from rl.orders.order_basis import OrderBasis
from rl.orders.order_learner import LearnerSettings, learn_levels
from rl.orders.order_plan import PlannedProducts, with_plan
from rl.orders.order_replay import MILLIONTHS, OrderSpan, Replayed
from rl.orders.order_values import ValueSettings, learn_actors, learn_values

N_DRAWS = 2
"""Draws of the demand of days that ran out that numbers are tuned on."""

_SAFETIES = tuple(np.arange(-2.5, 2.01, 0.5).tolist())
_MOVES = (-0.5, 0.0, 0.5)
_BATCHES = (0.0, 0.5, 1.0, 1.5)
_CAPS = (2.0, 4.0, 8.0)
_PRICES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Of a unit of room for a day, in the most that a unit of it can bring."""
_FINER = (-0.25, 0.25)
"""What is tried around the best safety, once the others are found."""
_STEP, _MOST_STEPS = 0.5, 8
"""How far, and how often, a safety goes on beyond what is tried, while each step earns more."""

NUMBERS: Mapping[str, Mapping[str, Sequence[float]]] = {
    "base_stock": {"safety": _SAFETIES},
    "capped_base_stock": {"safety": _SAFETIES, "cap": _CAPS},
    "newsvendor": {},
    "reorder_point": {"safety": _SAFETIES, "batch": _BATCHES},
    "projected_level": {"safety": _SAFETIES},
    "hindsight": {"safety": _MOVES, "batch": _BATCHES},
    # Their rewards know what an order costs, and their actions are the safety itself.
    "discrete_cql": {},
    "discrete_iql": {},
    "double_dqn": {},
    "cql": {},
    "iql": {},
    "td3_plus_bc": {},
    "awac": {},
    "plan": {"safety": (*_MOVES, 1.0, 1.5)},
}
"""Which numbers of each method are tuned, and what is tried; none are the formula's own, or the learner's."""


@dataclass(frozen=True)
class FittedOrders:
    """A fitted way to order.

    Attributes:
        policy: as it is judged.
        earned: per product and week, in money, on the training days that it was tuned on.
        n_updates: of a network; 0 for formulas.
        curve: by update, what a network earned on the validation days, per product and week, in money.
        planned: which products have a plan; None for all other methods.
    """

    policy: OrderPolicy
    earned: float
    n_updates: int = 0
    curve: tuple[tuple[int, float], ...] = ()
    planned: PlannedProducts | None = None


def fit_orders(basis: OrderBasis, candidate: OrderCandidate, *, name: str, seed: int, n_threads: int) -> FittedOrders:
    """Return the candidate fitted with one seed.

    Args:
        basis: of the night.
        candidate: which way to order.
        name: of the candidate and seed.
        seed: of draws and weights.
        n_threads: of the processor, for networks.

    Raises:
        TrainingError: a cost that isn't finite.
    """
    scenario, span = basis.dataset.pipeline.scenario, basis.tuned_on
    orders, room = scenario.orders, basis.dataset.history.room
    policy = OrderPolicy(
        name=name,
        method=candidate.algorithm,
        costs=basis.dataset.money.costs(basis.dataset.history.products, basis.dataset.history.lead_days),
        forecaster=basis.forecaster,
        variance=basis.variance,
        dataset_digest=basis.dataset.digest,
        least_order=0 if orders is None else orders.least_order,
        most_units=None if orders is None else orders.most_units,
        shared_limit=None if room is None else room.limit,
        weekdays=basis.dataset.history.order_days.weekdays,
    )
    numbers = numbers_of(candidate.algorithm, policy.order_days)
    demands = [basis.demand(span, seed * N_DRAWS + draw) for draw in range(N_DRAWS)]
    validation = basis.span(basis.dataset.splits["validation"])
    later = [basis.demand(validation, seed * N_DRAWS + draw) for draw in range(N_DRAWS)]
    planned = None
    if candidate.algorithm == "plan":
        policy, planned = with_plan(policy, basis, span)
    if candidate.algorithm not in LEARNERS:
        tuned, earned = tuned_numbers(policy, span, demands, numbers)
        warn_at_edges(tuned)
        return FittedOrders(priced(tuned, validation, later), earned, planned=planned)
    kept: list[tuple[float, FittedOrders]] = []
    curve = []
    for update, learned in _learned(policy, basis, span, candidate, seed=seed, n_threads=n_threads):
        tuned, earned = tuned_numbers(learned, span, demands, numbers)
        tuned = priced(tuned, validation, later)
        seen = earned_a_week([validation.led(tuned, demand) for demand in later], validation)
        if not np.isfinite(seen):
            raise TrainingError(f"{name}: earns {seen} after {update} updates; lower the learning rate")
        curve.append((update, seen))
        kept.append((seen, FittedOrders(tuned, earned, n_updates=update)))
    best = max(kept, key=lambda one: one[0])[1]
    warn_at_edges(best.policy)
    return replace(best, n_updates=curve[-1][0], curve=tuple(curve))


def numbers_of(method: OrderMethod, days: OrderDays) -> dict[str, Sequence[float]]:
    """Return what is tried of each number: an order that lasts for several days is as many days' demand larger."""
    return {
        name: [value * days.longest_gap for value in values] if name == "cap" else values
        for name, values in NUMBERS[method].items()
    }


def _learned(
    policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, candidate: OrderCandidate, *, seed: int, n_threads: int
) -> Iterator[tuple[int, OrderPolicy]]:
    """Yield the policy with a learner's networks on the way, after so many updates each, the last at its end."""
    if candidate.algorithm in ROW_LEARNERS:
        values = ValueSettings(n_updates=candidate.n_updates or ValueSettings.n_updates, n_threads=n_threads)
        learn = learn_actors if candidate.algorithm in ACTOR_LEARNERS else learn_values
        yield from learn(policy, basis, span, candidate, settings=values, seed=seed)
    else:
        levels = LearnerSettings(n_updates=candidate.n_updates or LearnerSettings.n_updates, n_threads=n_threads)
        for update, network in learn_levels(policy, basis, span, settings=levels, seed=seed):
            yield update, replace(policy, network=network)


def tuned_numbers(
    policy: OrderPolicy, span: OrderSpan, demands: Sequence[IntArray], numbers: Mapping[str, Sequence[float]]
) -> tuple[OrderPolicy, float]:
    """Return the policy with the numbers that earn most on the span's demand, and what it earns a week."""

    def best_of(tried: Sequence[OrderPolicy]) -> tuple[OrderPolicy, float]:
        earned = [earned_a_week([span.led(one, demand) for demand in demands], span) for one in tried]
        best = int(np.argmax(earned))
        return tried[best], earned[best]

    values = product(*numbers.values())
    found, earned = best_of([policy.with_numbers(**dict(zip(numbers, one, strict=True))) for one in values])
    if "safety" not in numbers:
        return found, earned
    for step in (-_STEP, _STEP):
        is_end = found.safety == (min if step < 0 else max)(numbers["safety"])
        for _ in range(_MOST_STEPS if is_end else 0):
            further, seen = best_of([found.with_numbers(safety=found.safety + step)])
            if seen <= earned:
                break
            found, earned = further, seen
    finer, seen = best_of([found.with_numbers(safety=found.safety + move) for move in _FINER])
    return (finer, seen) if seen > earned else (found, earned)


def warn_at_edges(policy: OrderPolicy) -> tuple[str, ...]:
    """Return which tuned numbers lie at an end of what is tried, and say so in the log: others may earn more.

    A batch of 0, no batch at all, is no such end, and a safety's lies as far beyond as it may go on.
    """
    found = []
    for name, tried in NUMBERS[policy.method].items():
        further = _MOST_STEPS * _STEP if name == "safety" else 0.0
        value, ends = getattr(policy, name), (min(tried) - further, max(tried) + further)
        if len(tried) > 1 and (value >= ends[1] or (value <= ends[0] and value != 0)):
            found.append(f"{name} {value:g} of {ends[0]:g} to {ends[1]:g}")
    if found:
        structlog.get_logger().warning(
            "numbers lie at the edge of what is tried; see whether costs and margins are as meant",
            candidate=policy.name,
            numbers=found,
        )
    return tuple(found)


def priced(policy: OrderPolicy, validation: OrderSpan, demands: Sequence[IntArray]) -> OrderPolicy:
    """Return the policy at the usual price of shared room that earns most on validation days, of equals the least.

    The limit is kept on every day of these replays, as it will be. Without a shared limit nothing has a price.
    """
    room = validation.history.room
    if room is None:
        return policy
    highest = float((policy.costs.margins(validation.history.products) / room.per_unit).max())
    price, _ = best_price(
        lambda price: (
            -earned_a_week(
                [validation.led(replace(policy, room_price=price), demand) for demand in demands], validation
            )
        ),
        [highest * share for share in _PRICES],
    )
    return replace(policy, room_price=price)


def earned_a_week(draws: Sequence[Replayed], span: OrderSpan) -> float:
    """Return what was earned per product and week, in money, in the mean over draws of demand."""
    total = sum(float(draw.earned.sum()) for draw in draws) / len(draws)
    return 7 * total / MILLIONTHS / int(span.is_known.sum())
