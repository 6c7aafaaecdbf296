"""Which offer each shopper gets at a price of money: one rule serves every budget, without retraining.

Each unit has actions that cost something and bring something over doing nothing. Of a unit's actions those count that
lie on the upper hull of value over cost: walking along it, each further step brings less for its money. All units'
steps, best first, are the path of all budgets at once; the worth of the last step that is paid for is the price. Given
the price, what a unit gets depends on no other unit.

Source: Kellerer, Pferschy and Pisinger, Knapsack Problems (2004), section 11.2 (the multiple-choice knapsack's linear
relaxation); Sverdrup, Wu, Athey and Wager, Qini Curves for Multi-Armed Treatment Rules (2024), for the path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NOTHING = -1
"""The action of a unit that gets nothing: it costs nothing and brings nothing."""


@dataclass(frozen=True)
class SpendPath:
    """Steps from nobody to everybody's best action, those that bring most for their money first, `(n_steps,)` each.

    Attributes:
        unit: whose step it is.
        before: the unit's action before the step, NOTHING at first.
        action: its action after the step.
        price: what the step brings for each unit of money; infinite where it costs nothing; descending.
        cost: what the step costs, in money.
        value: what it brings, in money.
    """

    unit: IntArray
    before: IntArray
    action: IntArray
    price: FloatArray
    cost: FloatArray
    value: FloatArray


def spend_path(values: FloatArray, costs: FloatArray) -> SpendPath:
    """Return the path of all budgets.

    Equal prices keep the order of the units.

    Args:
        values: what each action is expected to bring a unit over nothing, `(n_units, n_actions)`, in money.
        costs: of each action for each unit, `(n_units, n_actions)` or `(n_actions,)`, in money; at least 0.

    Raises:
        PolicyError: a cost below 0, or a value or cost that is no number.
    """
    prices = np.broadcast_to(np.asarray(costs, dtype=np.float64), values.shape)
    if not (np.isfinite(values).all() and np.isfinite(prices).all()):
        raise PolicyError("a value or cost of an action is no finite number")
    if (prices < 0).any():
        raise PolicyError(f"an action costs {prices.min():g}; expected at least 0")
    n_units, n_actions = values.shape
    at, rows = np.full(n_units, NOTHING, dtype=np.int64), np.arange(n_units)
    cost, value, least = np.zeros(n_units), np.zeros(n_units), np.full(n_units, np.inf)
    parts: dict[str, list[npt.NDArray[np.generic]]] = {
        name: [] for name in ("unit", "before", "action", "price", "cost", "value", "place")
    }
    for place in range(n_actions):
        more_cost, more_value = prices - cost[:, None], values - value[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where((more_value > 0) & (more_cost >= 0), more_value / more_cost, -np.inf)
        # Of equal slopes the cheapest comes first; of actions that cost no more, the best.
        order = np.lexsort((np.where(more_cost > 0, more_cost, -more_value), -slope), axis=1)
        best = order[:, 0]
        moves = rows[slope[rows, best] > 0]
        if not len(moves):
            break
        chosen = best[moves]
        # Rounding may make a later step look better than the one it follows.
        least[moves] = np.minimum(least[moves], slope[moves, chosen])
        found = {
            "unit": moves,
            "before": at[moves],
            "action": chosen,
            "price": least[moves],
            "cost": more_cost[moves, chosen],
            "value": more_value[moves, chosen],
            "place": np.full(len(moves), place),
        }
        for name, part in found.items():
            parts[name].append(part)
        at[moves] = chosen
        cost[moves], value[moves] = prices[moves, chosen], values[moves, chosen]
    joined = {name: np.concatenate(some) if some else np.zeros(0) for name, some in parts.items()}
    order = np.lexsort((joined["place"], joined["unit"], -joined["price"]))
    return SpendPath(
        unit=joined["unit"][order].astype(np.int64),
        before=joined["before"][order].astype(np.int64),
        action=joined["action"][order].astype(np.int64),
        price=joined["price"][order].astype(np.float64),
        cost=joined["cost"][order].astype(np.float64),
        value=joined["value"][order].astype(np.float64),
    )


def price_of_budget(path: SpendPath, budget: float) -> float:
    """Return the least price at which all that is worth it can be paid for: 0 where the budget pays for everything.

    Args:
        path: of all units together.
        budget: for all of them, in money.
    """
    spent = np.cumsum(path.cost)
    # All steps of one price are taken together or not at all.
    ends = np.flatnonzero(np.append(path.price[1:] != path.price[:-1], True)) if len(path.price) else np.zeros(0, int)
    affordable = ends[spent[ends] <= budget]
    if len(affordable) == len(ends):
        return 0.0
    first_beyond = ends[len(affordable)]
    return float(path.price[first_beyond])


def choose_at_price(values: FloatArray, costs: FloatArray, price: float) -> IntArray:
    """Return each unit's action at a price of money, `(n_units,)`: NOTHING where none is worth more than the price.

    A step is taken where it brings more than the price for each unit of money, so that a price of `price_of_budget`
    never spends more than the budget.

    Args:
        values: what each action is expected to bring a unit over nothing, `(n_units, n_actions)`, in money.
        costs: of each action, `(n_units, n_actions)` or `(n_actions,)`, in money.
        price: what a unit of money has to bring, at least 0.
    """
    path = spend_path(values, costs)
    found = np.full(len(values), NOTHING, dtype=np.int64)
    taken = path.price > price
    found[path.unit[taken]] = path.action[taken]  # later steps of a unit come later
    return found
