"""The exact money of what was delivered, by decision and by week, to hold any reader of the files to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rl.data.logged_episodes import FloatArray, IntArray
from rl.shops.promotion.feeds.campaign_feed import decision_id
from rl.shops.promotion.feeds.feed_lines import shopper_ids
from rl.shops.promotion.feeds.order_feed import OrderLine
from rl.shops.promotion.simulate import Simulation
from rl.shops.promotion.week_responses import NEVER, WeekResponses

MONEY = ("amount", "cost", "discount", "refunded_amount", "refunded_cost", "contact_cost", "committed")


@dataclass
class MoneyRecord:
    """Sums of the lines that were delivered, millionths.

    Attributes:
        simulation: the shop's weeks.
        sums: of each decision, `(n,)` by week and name.
    """

    simulation: Simulation
    sums: list[dict[str, IntArray]] = field(init=False)

    def __post_init__(self) -> None:
        weeks = self.simulation.weeks
        self.sums = [{name: np.zeros(len(week.row), dtype=np.int64) for name in MONEY} for week in weeks]

    def add_orders(self, lines: Iterable[OrderLine]) -> None:
        """Add the money of delivered order lines, a refund's to the decision of its purchase."""
        for line in lines:
            sums = self.sums[line.week]
            before = "refunded_" if line.is_refund else ""
            sums[f"{before}amount"][line.row] += line.amount
            sums[f"{before}cost"][line.row] += line.cost
            sums["discount"][line.row] += line.discount

    def add_decisions(self, week: int, rows: list[int]) -> None:
        """Add what the delivered decisions of a week cost."""
        responses, sums = self.simulation.weeks[week], self.sums[week]
        sums["contact_cost"][rows] = responses.contact_cost[rows]
        sums["committed"][rows] = responses.committed[rows]

    def by_week(self) -> list[dict[str, int]]:
        """Return the sums of each week's decisions, with margin and profit."""
        found = []
        for week, sums in enumerate(self.sums):
            total = {name: int(values.sum()) for name, values in sums.items()}
            margin = total["amount"] - total["cost"] - total["refunded_amount"] + total["refunded_cost"]
            found.append({"week": week} | total | {"margin": margin, "profit": margin - total["contact_cost"]})
        return found

    def write_decisions(self, path: Path) -> None:
        """Write a row for each decision: what was decided, its delivered money, and what no log shows.

        Five columns are the truth: `would_buy`, whether the shopper would have bought in that week without an offer;
        the probability of a purchase with what was sent, without it (`usual_`), and before anything was drawn
        (`expected_`, over the behavior policy's chances); and the `kind`.
        """
        parts = [self._decisions(week) for week in range(len(self.sums))]
        pq.write_table(pa.concat_tables(parts), path)

    def _decisions(self, week: int) -> pa.Table:
        responses, population = self.simulation.weeks[week], self.simulation.population
        settings = self.simulation.shop.settings
        ids = shopper_ids(population.number[responses.row])
        kinds = np.array([kind.name for kind in settings.kinds])
        columns = {
            "decision_id": [decision_id(week, shopper) for shopper in ids],
            "week": np.full(len(ids), week),
            "shopper": [str(shopper) for shopper in ids],
            "action": np.array(settings.action_keys)[responses.action],
            "propensity": responses.propensity,
            "has_choice": responses.mask.sum(axis=1) > 1,
            "n_orders": (responses.order_time != NEVER).sum(axis=1),
            "is_redeemed": responses.is_redeemed,
            "would_buy": responses.would_buy,
            "purchase_probability": responses.purchase_probability,
            "usual_probability": responses.usual_probability,
            "expected_probability": self._expected(responses),
            "kind": kinds[population.kind[responses.row]],
        }
        return pa.table(columns | dict(self.sums[week]))

    def _expected(self, responses: WeekResponses) -> FloatArray:
        """Return the probability of a purchase over what might have been sent, `(n,)`."""
        reactions, shape = self.simulation.shop.reactions, responses.action.shape
        by_action = [
            reactions.purchase_probability(responses.states, np.full(shape, action))
            for action in range(responses.chances.shape[1])
        ]
        return np.asarray((responses.chances * np.stack(by_action, axis=1)).sum(axis=1))
