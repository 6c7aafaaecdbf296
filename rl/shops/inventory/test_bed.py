"""The single product of the literature on lost sales, whose optimal cost is known to every digit.

Poisson demand of mean 5 a period, holding cost 1, a penalty and a lead time: a cell. Nothing learned may read from here
but the logs; the exact costs judge what was learned.

Source: Zipkin, Old and New Methods for Lost-Sales Inventory Systems (2008), whose test bed this is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rl.inventory.demand import DemandDistribution
from rl.inventory.planning import plan
from rl.inventory.policies.base_stock import BaseStock
from rl.inventory.policies.tuning import Tuned, tuned_base_stock
from rl.inventory.stock import OrderingPolicy, StockRules
from rl.inventory.stock_chain import LongRun, long_run

MEAN_DEMAND, HOLDING_COST = 5.0, 1.0
PENALTIES, LEAD_TIMES = (4, 9, 19, 39), (1, 2, 3)


@dataclass(frozen=True)
class Cell:
    """One product of the test bed.

    Attributes:
        penalty: of a unit of lost demand, in units of the holding cost.
        lead_time: periods from order to arrival.
    """

    penalty: float
    lead_time: int

    @property
    def name(self) -> str:
        """Such as `p4-L2`."""
        return f"p{self.penalty:g}-L{self.lead_time}"

    @property
    def rules(self) -> StockRules:
        return StockRules(self.lead_time, HOLDING_COST, self.penalty)

    @property
    def demand(self) -> DemandDistribution:
        return DemandDistribution.poisson(MEAN_DEMAND)

    @cached_property
    def optimal_cost(self) -> float:
        """Least cost per period of any policy."""
        return plan(self.rules, self.demand, tolerance=1e-7).least_cost

    @cached_property
    def best_base_stock(self) -> Tuned[BaseStock]:
        """The base-stock policy of least cost."""
        return tuned_base_stock(self.demand, self.rules)

    def judged(self, policy: OrderingPolicy) -> LongRun:
        """Return what the policy costs in the long run, exactly."""
        return long_run(policy, self.rules, self.demand)

    def percent_above(self, policy: OrderingPolicy) -> float:
        """Return by how many percent the policy costs more than the best that is possible."""
        return 100 * (self.judged(policy).cost / self.optimal_cost - 1)


def all_cells() -> list[Cell]:
    """Return the twelve cells, by penalty and lead time."""
    return [Cell(penalty, lead_time) for penalty in PENALTIES for lead_time in LEAD_TIMES]
