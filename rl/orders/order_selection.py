"""The choice among fitted ways to order, on validation days alone.

The best formula stands unless a learner or a plan is ahead by more than the standard error of the difference: what is
as good and simpler is easier to check, to explain and to run. Of several that are, the one that earns most is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from conf.specs.orders import LEARNERS, NO_FORMULAS
from rl.errors import EvaluationError
from rl.inventory.order_policy import OrderPolicy
from rl.ope.intervals.intervals import Interval
from rl.orders.order_basis import OrderBasis
from rl.orders.order_judging import TODAY, LedOrders, gained, led_orders

N_DRAWS = 10


@dataclass(frozen=True)
class OrderSelection:
    """What validation days decided.

    Attributes:
        led: all candidates and today's rule, through the validation days.
        best: name of the chosen candidate.
        formula: name of the best formula.
        learner: name of the best learner; None where there is none.
        lead: what the best learner earns more than the best formula per product and week; None where there is no
            learner, or too few products for an interval.
        plan: name of the best plan; None where there is none.
        plan_lead: what it earns more than the best formula, likewise.
    """

    led: LedOrders
    best: str
    formula: str
    learner: str | None
    lead: Interval | None
    plan: str | None = None
    plan_lead: Interval | None = None


def select_orders(basis: OrderBasis, policies: Mapping[str, OrderPolicy], *, confidence: float) -> OrderSelection:
    """Return the chosen candidate; ties go to the first.

    Raises:
        EvaluationError: no candidate.
    """
    if not policies:
        raise EvaluationError("there is no candidate to choose from; train one first")
    led = led_orders(basis, basis.dataset.splits["validation"], policies, n_draws=N_DRAWS)
    values = {name: led.a_week(name) for name in policies}
    formulas = [name for name, policy in policies.items() if policy.method not in NO_FORMULAS]
    learner, plan = (
        max((name for name in policies if policies[name].method in kind), key=values.__getitem__, default=None)
        for kind in (LEARNERS, NO_FORMULAS - LEARNERS)
    )
    # Where every formula's fit failed, which the page names, the best of all stands in for them.
    formula = max(formulas or policies, key=values.__getitem__)
    # Of each method its best seed: were all seeds asked, the luckiest would answer for the method.
    methods = {policy.method for policy in policies.values() if policy.method in NO_FORMULAS}
    others = [
        max((name for name in policies if policies[name].method == method), key=values.__getitem__)
        for method in sorted(methods)
    ]
    leads = {name: _lead(led, name, formula, confidence) for name in others if name != formula}
    ahead = [name for name, lead in leads.items() if lead is not None and lead.value > lead.standard_error]
    best = max(ahead, key=values.__getitem__, default=formula)
    if best in ahead:
        # What is told of learners, or plans, is told of the one that is chosen.
        learner, plan = (best, plan) if policies[best].method in LEARNERS else (learner, best)
    structlog.get_logger().info("selected", candidate=best, earned=values[best], today=led.a_week(TODAY))
    return OrderSelection(
        led, best, formula, learner, leads.get(str(learner)), plan=plan, plan_lead=leads.get(str(plan))
    )


def _lead(led: LedOrders, name: str, formula: str, level: float) -> Interval | None:
    try:
        return gained(led, name, formula, level=level)
    except EvaluationError:
        return None
