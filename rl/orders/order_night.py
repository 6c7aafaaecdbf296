"""A whole night of orders: chosen on validation days, judged once on test days, and tomorrow's orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from conf.specs.orders import guarded_flows
from rl.errors import EvaluationError, NothingCounted, ShopError
from rl.gate.alpha_spending import NightLevel
from rl.inventory.order_policy import OrderPolicy
from rl.ope.intervals.intervals import Interval
from rl.orders.declared_rule import BestDeclared, best_declared
from rl.orders.order_basis import OrderBasis
from rl.orders.order_judging import N_DRAWS, TODAY, JudgedOrders, LedOrders, judge_orders, led_orders
from rl.orders.order_selection import OrderSelection, select_orders
from rl.orders.order_split import OrderDataset
from rl.orders.order_truth import true_demand, true_earnings
from rl.orders.tomorrow import TomorrowOrders, no_orders_problem, tomorrow_orders
from rl.registry.entry import NightKey
from rl.registry.order_champion import OrderChampion

TODAYS_RULE = "today's rule"
DECLARED_RULE = "today's rule as declared, on simulated stock"


@dataclass(frozen=True)
class OrdersBefore:
    """What the registry says before the night.

    Attributes:
        key: what makes the night the same as another.
        champion: None where there is none.
        level: that earlier nights' looks leave for this one.
        changes: what was changed in MLflow by hand, in sentences.
    """

    key: NightKey
    champion: OrderChampion | None
    level: NightLevel
    changes: tuple[str, ...] = ()

    @property
    def compared(self) -> OrderChampion | None:
        """The champion, where it can be led through logged demand."""
        return self.champion if self.champion is not None and self.champion.policy is not None else None


@dataclass(frozen=True)
class OrderTruth:
    """What ways to order earn on true demand, per product and week, by name; or why nobody knows."""

    led: LedOrders | None = None
    earned: Mapping[str, Interval] | None = None
    note: str = ""


@dataclass(frozen=True)
class OrderNight:
    """What a night of orders found.

    Attributes:
        dataset: prepared for the night.
        basis: what candidates were fitted on and are judged by.
        before: what the registry said.
        left_out: candidates whose fit failed, with the reason, by name.
        selection: by validation days.
        judged: by test days.
        truth: on true demand, where the shop is simulated.
        declared: how the candidate compares with a declared rule at its best; None where the log counts its stock.
        tomorrow: orders of the chosen candidate; None where nothing was counted on the last day.
    """

    dataset: OrderDataset
    basis: OrderBasis
    before: OrdersBefore
    left_out: Mapping[str, str]
    selection: OrderSelection
    judged: JudgedOrders
    truth: OrderTruth
    declared: BestDeclared | None
    tomorrow: TomorrowOrders | None

    @property
    def best(self) -> OrderPolicy:
        """The chosen candidate."""
        return self.selection.led.policies[self.selection.best]


def order_night(
    dataset: OrderDataset,
    policies: Mapping[str, OrderPolicy],
    before: OrdersBefore,
    *,
    home: Path,
    left_out: Mapping[str, str],
) -> OrderNight:
    """Do the night's evaluation and return what it found.

    Args:
        dataset: prepared for the night.
        policies: fitted on it, by candidate.
        before: what the registry says.
        home: that may hold the simulated shop's record.
        left_out: candidates whose fit failed, with the reason, by name.

    Raises:
        EvaluationError: no candidate.
        PolicyError: tomorrow's orders of the chosen one break a limit.
    """
    scenario, log = dataset.pipeline.scenario, structlog.get_logger()
    confidence = scenario.evaluation.confidence
    basis = OrderBasis.of(dataset)
    log.info("choosing on validation days", n_candidates=len(policies))
    selection = select_orders(basis, policies, confidence=confidence)
    judged_policies = {name: policies[name] for name in dict.fromkeys((selection.best, selection.formula))}
    champion = before.compared
    if champion is not None and champion.policy is not None:
        judged_policies[champion.name] = champion.policy
    log.info("judging on test days", candidate=selection.best)
    led = led_orders(basis, dataset.splits["test"], judged_policies, n_draws=N_DRAWS)
    judged = judge_orders(
        led,
        candidate=selection.best,
        baseline=TODAY if champion is None else champion.name,
        formula=selection.formula,
        gate=scenario.gate,
        flows=guarded_flows(scenario),
        alpha=before.level.level,
        confidence=confidence,
        unit_of_value=scenario.reward.unit,
        shown_baseline=_shown_baseline(dataset, champion),
    )
    log.info("judged", verdict=judged.verdict.decision.value, candidate=selection.best)
    best = policies[selection.best]
    return OrderNight(
        dataset=dataset,
        basis=basis,
        before=before,
        left_out=left_out,
        selection=selection,
        judged=judged,
        truth=_truth(dataset, led, home, confidence),
        declared=best_declared(basis, led, selection.best, level=confidence),
        tomorrow=_tomorrow(best, dataset),
    )


def _shown_baseline(dataset: OrderDataset, champion: OrderChampion | None) -> str:
    if champion is not None:
        return champion.name
    return TODAYS_RULE if dataset.history.declared is None else DECLARED_RULE


def _truth(dataset: OrderDataset, led: LedOrders, home: Path, level: float) -> OrderTruth:
    source = dataset.pipeline.source
    if not source.is_simulated:
        return OrderTruth(note="the log is of a real shop")
    try:
        return OrderTruth(*true_earnings(led, true_demand(home, source.name, led.span), level=level))
    except (ShopError, EvaluationError) as error:
        return OrderTruth(note=str(error))


def _tomorrow(policy: OrderPolicy, dataset: OrderDataset) -> TomorrowOrders | None:
    history = dataset.history
    if problem := no_orders_problem(history.order_days, history.next_day):
        structlog.get_logger().info("no orders for tomorrow", reason=problem)
        return None
    try:
        return tomorrow_orders(policy, history)
    except NothingCounted as error:
        structlog.get_logger().warning("no orders for tomorrow", reason=str(error))
        return None
