"""Orders judged by replay: intervals that cover, the gate's questions, and a choice that luck doesn't make."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.gate.rules import Decision
from rl.inventory.order_policy import OrderPolicy
from rl.ope.intervals.intervals import Interval
from rl.orders import order_selection
from rl.orders.order_fitting import fit_orders
from rl.orders.order_judging import (
    TODAY,
    JudgedOrders,
    gained,
    judge_orders,
    led_orders,
    mean_interval,
    relative_change,
)
from rl.orders.order_selection import select_orders
from rl.orders.order_truth import true_earnings
from rl.orders.trained_orders import find_orders
from rl.policy.network import DenseNetwork
from tests.rl.orders.order_datasets import a_night, true_demand_of
from tests.rl.orders.shop_history import PIPELINE

GATE = PIPELINE.scenario.gate


def fitted(name: str, n_products: int = 30) -> OrderPolicy:
    candidate, seed = find_orders(PIPELINE.scenario, name)
    return fit_orders(a_night(n_products)[1], candidate, name=name, seed=seed, n_threads=1).policy


def judged(policy: OrderPolicy, n_products: int = 30, **given: Any) -> JudgedOrders:
    _, basis = a_night(n_products)
    led = led_orders(basis, basis.dataset.splits["test"], {"candidate": policy}, n_draws=6)
    arguments = {
        "candidate": "candidate",
        "baseline": TODAY,
        "formula": "candidate",
        "gate": GATE,
        "flows": PIPELINE.scenario.stock_metrics,
        "alpha": 0.05,
        "confidence": 0.95,
        "unit_of_value": "EUR",
        "shown_baseline": "today's rule",
    }
    return judge_orders(led, **(arguments | given))


def test_intervals_of_a_mean_cover_it_where_products_and_weeks_move_together() -> None:
    """95% intervals over 20 products and 8 weeks, with gaps and draws that differ, cover in 92 to 99.5% of 400 logs."""
    generator = np.random.default_rng(7)
    n_covered = 0
    for _ in range(400):
        known = np.repeat(generator.random((20, 8)) < 0.9, 7, axis=1)
        own = 3 + generator.normal(0, 2, (20, 1)) + np.repeat(generator.normal(0, 1, (1, 8)), 7, axis=1)
        values = own + generator.normal(0, 3, (20, 56))
        draws = np.stack([(values + generator.normal(0, 0.3)) * known for _ in range(5)])
        found = mean_interval(draws, known, level=0.95)
        n_covered += found.lower <= 3 <= found.upper
    assert 0.92 <= n_covered / 400 <= 0.995


def test_draws_of_demand_that_differ_widen_the_interval() -> None:
    """By what they differ, as imputed values do."""
    generator = np.random.default_rng(1)
    known = np.ones((10, 42), dtype=bool)
    values = generator.normal(0, 1, (10, 42))
    alike = mean_interval(np.stack([values] * 4), known, level=0.95)
    apart = mean_interval(np.stack([values + shift for shift in (-1, -0.5, 0.5, 1)]), known, level=0.95)
    assert apart.value == pytest.approx(alike.value)
    between = np.var([-1, -0.5, 0.5, 1], ddof=1) * 1.25
    assert apart.standard_error == pytest.approx(np.sqrt(alike.standard_error**2 + between))


def test_too_few_weeks_have_no_interval() -> None:
    """Rather than one that means nothing."""
    with pytest.raises(EvaluationError, match="too few for an interval"):
        mean_interval(np.ones((2, 10, 21)), np.ones((10, 21), dtype=bool), level=0.95)


def test_the_replay_s_gain_is_the_one_on_true_demand() -> None:
    """Drawn demand behind days that ran out gives what the shop's own would have, within a quarter of the gain."""
    days, basis = a_night(30)
    policy = fitted("base_stock-1")
    led = led_orders(basis, basis.dataset.splits["test"], {"b": policy}, n_draws=6)
    true, _ = true_earnings(led, true_demand_of(days, led.span), level=0.95)
    seen, real = gained(led, "b", TODAY, level=0.95), gained(true, "b", TODAY, level=0.95)
    assert seen.value == pytest.approx(real.value, rel=0.25)
    assert real.value > 0
    assert seen.lower < real.value < seen.upper


def test_a_better_policy_is_promoted_and_the_same_one_is_not() -> None:
    """At a level of 5%, on 30 products; nothing is asked of weights."""
    found = judged(fitted("base_stock-1"))
    assert found.verdict.decision is Decision.PROMOTE
    assert "EUR per product and week against today's rule" in " ".join(found.verdict.reasons)
    assert not {"weights_average_one", "propensities_are_plausible"} & {one.name for one in found.verdict.checks}
    assert found.evidence.effective_sample_size == np.count_nonzero(
        np.add.reduceat(found.led.span.is_known, np.arange(found.led.span.shape[1] // 7) * 7, axis=1)
    )
    _, basis = a_night(30)
    policies = {"candidate": fitted("newsvendor-1"), "same": fitted("newsvendor-1")}
    led = led_orders(basis, basis.dataset.splits["test"], policies, n_draws=2)
    same = judge_orders(
        led,
        candidate="candidate",
        baseline="same",
        formula="candidate",
        gate=GATE,
        flows=PIPELINE.scenario.stock_metrics,
        alpha=0.05,
        confidence=0.95,
        unit_of_value="EUR",
        shown_baseline="champion",
    )
    assert same.verdict.decision is Decision.REJECT
    assert same.evidence.difference is not None and same.evidence.difference.value == 0


def test_the_reported_gain_is_at_the_reports_confidence_whatever_the_gate_s_level() -> None:
    policy = fitted("base_stock-1")
    found = [judged(policy, alpha=alpha).reported_gain for alpha in (0.0025, 0.06)]
    assert found[0] is not None and found[0].level == 0.95
    assert found[0] == found[1] == gained(judged(policy).led, "candidate", TODAY, level=0.95)


def test_a_policy_that_never_orders_breaks_the_guardrails() -> None:
    """It sells less and runs out more, and is no better either."""
    nothing = replace(fitted("newsvendor-1"), method="capped_base_stock", cap=1e-9, safety=-50.0)
    found = judged(nothing)
    assert found.verdict.decision is Decision.REJECT
    failed = {one.name for one in found.verdict.checks if one.is_passed is False}
    assert {"better_than_baseline", "guardrail_ran_out", "guardrail_sold_fall"} <= failed


def test_few_products_make_the_gate_abstain() -> None:
    """Below the floor of product-weeks nothing is said of the candidate."""
    found = judged(fitted("newsvendor-1", 12), 12, gate=GATE.model_copy(update={"min_effective_sample_size": 500.0}))
    assert found.verdict.decision is Decision.ABSTAIN
    assert "weeks of products that both were led through: too few to tell" in found.verdict.reasons[0]
    assert not found.verdict.spends_level


def test_a_change_of_units_is_a_share_of_the_baseline_s() -> None:
    """Between its bounds; a baseline without any has none."""
    _, basis = a_night(30)
    led = led_orders(basis, basis.dataset.splits["test"], {"b": fitted("newsvendor-1")}, n_draws=3)
    found = relative_change(led, "sold", "b", TODAY, level=0.95)
    before, after = led.flow(TODAY, "sold").sum(), led.flow("b", "sold").sum()
    assert found.value == pytest.approx(after / before - 1)
    assert found.lower < found.value < found.upper


def test_a_learner_is_chosen_only_where_it_is_ahead_by_more_than_chance() -> None:
    """A network that orders as the formula does isn't; a formula that orders too little is left behind by one."""
    _, basis = a_night(30)
    good = fitted("newsvendor-1")
    poor = good.with_numbers(safety=-4.0)
    as_learner = replace(good, name="hindsight-1", method="hindsight")
    network = replace(as_learner, network=_constant_network(basis.dataset.history.lead_days))
    tied = select_orders(basis, {"newsvendor-1": good, "twin-1": replace(good, name="twin-1")}, confidence=0.95)
    assert (tied.best, tied.learner) == ("newsvendor-1", None)
    ahead = select_orders(basis, {"newsvendor-1": poor, "hindsight-1": network}, confidence=0.95)
    assert (ahead.best, ahead.formula) == ("hindsight-1", "newsvendor-1")
    assert ahead.lead is not None and ahead.lead.value > ahead.lead.standard_error
    behind = select_orders(basis, {"newsvendor-1": good, "hindsight-1": network}, confidence=0.95)
    assert behind.best == "newsvendor-1" and behind.learner == "hindsight-1"


def test_a_learner_that_is_surely_ahead_is_chosen_where_a_luckier_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each method is asked by the doubt of its best seed alone; what is told of learners is told of the chosen one."""
    _, basis = a_night(30)
    formula = fitted("newsvendor-1")
    methods = {"newsvendor-1": "newsvendor", "hindsight-1": "hindsight", "hindsight-2": "hindsight", "iql-1": "iql"}
    policies = {name: replace(formula, name=name, method=method) for name, method in methods.items()}  # type: ignore[arg-type]
    earned = {"newsvendor-1": 9.0, "hindsight-1": 9.9, "hindsight-2": 9.8, "iql-1": 9.4, TODAY: 5.0}
    doubts = {"hindsight-1": (0.9, 1.2), "hindsight-2": (0.8, 0.1), "iql-1": (0.4, 0.1)}

    def lead(led: object, name: str, formula: str, level: float) -> Interval:
        value, error = doubts[name]
        return Interval(value, value - 2 * error, value + 2 * error, level, "told", error)

    monkeypatch.setattr(order_selection, "led_orders", lambda *_, **__: SimpleNamespace(a_week=earned.__getitem__))
    monkeypatch.setattr(order_selection, "_lead", lead)
    found = select_orders(basis, policies, confidence=0.95)
    assert (found.best, found.learner) == ("iql-1", "iql-1")
    assert found.lead is not None and found.lead.value == 0.4
    doubts["iql-1"] = (0.4, 0.5)
    found = select_orders(basis, policies, confidence=0.95)
    assert (found.best, found.learner) == ("newsvendor-1", "hindsight-1")
    doubts["hindsight-1"] = (0.9, 0.1)
    assert select_orders(basis, policies, confidence=0.95).best == "hindsight-1"


def test_a_plan_is_chosen_only_where_it_is_ahead_by_more_than_chance() -> None:
    """It is no formula, and no learner; of a plan and a learner that are both ahead, the one that earns more is it."""
    _, basis = a_night(30)
    formula = replace(fitted("newsvendor-1"), name="projected_level-1", method="projected_level")
    poor = formula.with_numbers(safety=-4.0)
    same = replace(formula, name="plan-1", method="plan")  # without tables a plan is the projected level
    network = replace(formula, method="hindsight", network=_constant_network(basis.dataset.history.lead_days))
    behind = select_orders(basis, {"projected_level-1": formula, "plan-1": same}, confidence=0.95)
    assert (behind.best, behind.formula, behind.plan, behind.learner) == (
        "projected_level-1",
        "projected_level-1",
        "plan-1",
        None,
    )
    ahead = select_orders(basis, {"projected_level-1": poor, "plan-1": same, "hindsight-1": network}, confidence=0.95)
    earned = {name: ahead.led.a_week(name) for name in ("plan-1", "hindsight-1")}
    assert ahead.best == max(earned, key=earned.__getitem__) != ahead.formula
    assert ahead.plan_lead is not None and ahead.plan_lead.value > ahead.plan_lead.standard_error
    assert ahead.lead is not None and ahead.plan_lead != ahead.lead


def _constant_network(lead: int) -> DenseNetwork:
    """Up to ten usual days' demand, whatever it sees: far more than a formula holds, far less than none."""
    return DenseNetwork((np.zeros((1, 2 * lead + 3), np.float32),), (np.full(1, 10.0, np.float32),))
