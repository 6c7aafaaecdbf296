"""How much a gain over a declared rule rests on what was declared: the same rule at its own best safety."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.errors import EvaluationError
from rl.inventory.declared_stock import DeclaredStock
from rl.ope.intervals.intervals import Interval
from rl.orders.order_basis import OrderBasis
from rl.orders.order_judging import LedOrders, gained

SAFETIES = tuple(np.arange(-1.0, 4.01, 0.25).tolist())
"""Standard deviations that are tried."""
_AT_BEST = "declared rule at its best"


@dataclass(frozen=True)
class BestDeclared:
    """The declared rule with the safety that earns most on training days.

    Attributes:
        declared: safety that the scenario declares.
        best: safety that earns most.
        gain: what the night's candidate earns more than that on test days, in money per product and week; None with too
            few products or weeks for an interval.
    """

    declared: float
    best: float
    gain: Interval | None


def best_declared(basis: OrderBasis, led: LedOrders, candidate: str, *, level: float) -> BestDeclared | None:
    """Return how the candidate compares with the declared rule at its best; None where the log counts its stock.

    Args:
        basis: of the night.
        led: test days.
        candidate: by its name among those led.
        level: of the interval, two-sided.
    """
    declared = basis.dataset.history.declared
    if declared is None:
        return None
    tuned = basis.tuned_on
    rules = [replace(declared, safety=safety) for safety in dict.fromkeys((declared.safety, *SAFETIES))]
    earned = [int(tuned.led_as_declared(rule, tuned.sold).earned.sum()) for rule in rules]
    best: DeclaredStock = rules[int(np.argmax(earned))]
    at_best = [led.span.led_as_declared(best, led.span.sold)]
    try:
        gain = gained(LedOrders(led.span, {**led.draws, _AT_BEST: at_best}), candidate, _AT_BEST, level=level)
    except EvaluationError:
        gain = None
    return BestDeclared(declared.safety, best.safety, gain)
