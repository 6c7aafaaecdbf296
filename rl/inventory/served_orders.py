"""An ordering policy as MLflow serves it: stock and forecasts of products in, levels and orders out.

MLflow imports this module by name and calls `_load_pyfunc`; nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import PolicyError
from rl.inventory.limits import UnitLimits
from rl.inventory.order_policy import OrderPolicy, load_order_policy
from rl.inventory.shared_orders import Room
from rl.inventory.shelf_life import MILLIONTHS, ShelfLife
from rl.inventory.stock import StockStates

if TYPE_CHECKING:
    import pandas as pd


PACK_COLUMN, ROOM_COLUMN, WEEKDAY_COLUMN = "pack_size", "room", "weekday"
SHELF_COLUMN, WASTE_COLUMN = "shelf_days", "waste_cost"
LEAST_PARAMETER, MOST_PARAMETER, SHARED_PARAMETER = "least_order", "most_units", "shared_limit"
AS_FITTED = -1


def units_column(day: int) -> str:
    """Return the column of the units that are due in so many days; of 0 days, on hand or due today."""
    return f"units_in_{day}d"


def forecast_column(day: int) -> str:
    """Return the column of the demand that is expected in so many days."""
    return f"forecast_{day}d"


class ServedOrders:
    """Orders for a batch of products.

    Input: a data frame, or a mapping of columns, one row a product: `item_id`, `units_in_0d` (on hand or due today),
    `units_in_1d` ... (due then) up to the day before an order placed now arrives, `forecast_0d` ... up to the day
    before the next order arrives, and `pack_size`, 1 where it is left out. A policy that doesn't order every day asks
    for `weekday`, on which the orders are placed (0 Monday), and refuses other days than its own. A policy that was
    fitted under a shared limit asks for `room` too, what a piece takes of it (1, cubic millimeters, or millionths of
    money, as the scenario says), and keeps the limit over the rows of a call: give it the whole range at once.

    Of products that don't keep, `shelf_days` says on how many days a piece can be sold (0 for good), and `waste_cost`
    what one costs that no longer can, in money; left out, all keep, and waste costs nothing. By these a pack that is
    larger than what is wanted is worth its order or not.

    Parameters: `least_order`, `most_units` and, under a shared limit, `shared_limit`, as the scenario has them now; -1,
    or none given, keeps what the policy was fitted under, and 0 stands for no least order and no most units.

    Output, one row a product: `item_id`, `target_level` in units and parts of them, `order` in units, `policy_version`.
    """

    def __init__(self, policy: OrderPolicy) -> None:
        self.policy = policy

    def predict(self, model_input: pd.DataFrame | Mapping[str, Any], params: Mapping[str, Any] | None = None) -> Any:
        """Return a data frame of orders.

        Raises:
            PolicyError: columns are missing or hold no numbers that fit, or limits are no whole numbers.
        """
        import pandas as pd  # noqa: PLC0415  (nights load policies too, and need no data frames)

        columns = {name: list(model_input[name]) for name in model_input.keys()}  # noqa: SIM118  (data frame or dict)
        lead_time, days = self.policy.costs.lead_time, self.policy.order_days
        stock = [units_column(day) for day in range(lead_time)]
        forecasts = [forecast_column(day) for day in range(self.policy.n_forecasts)]
        asked = ["item_id", *stock, *forecasts, *([] if days.is_daily else [WEEKDAY_COLUMN])]
        if missing := [name for name in asked if name not in columns]:
            raise PolicyError(f"products lack the columns {', '.join(missing)}")
        names = tuple(str(one) for one in columns["item_id"])
        try:
            pipeline = np.column_stack([_whole(columns[name]) for name in stock])
            expected = np.column_stack([np.array(columns[name], dtype=np.float64) for name in forecasts])
            packs = _whole(columns.get(PACK_COLUMN, [1] * len(names)))
            gaps = self._gaps(columns, len(names))
            room, shelf = self._room(columns, params or {}), _shelf(columns)
        except (TypeError, ValueError) as error:
            raise PolicyError(
                f"stock, packs, room, shelf days and weekday are whole numbers, forecasts numbers: {error}"
            ) from error
        if not np.isfinite(expected).all() or (expected < 0).any() or (pipeline < 0).any():
            raise PolicyError("stock and forecasts are at least 0; some are not")
        seen = expected if days.is_daily else np.column_stack([expected, gaps])
        bound = self.policy.of(names, packs, room, limits=self._limits(params or {}), shelf=shelf)
        level, order = bound.advise(StockStates(pipeline, seen))
        return pd.DataFrame(
            {"item_id": names, "target_level": level, "order": order, "policy_version": self.policy.version}
        )

    def _gaps(self, columns: Mapping[str, list[Any]], n: int) -> IntArray:
        """Return the days from each row's day to the next order."""
        days = self.policy.order_days
        if days.is_daily:
            return np.ones(n, dtype=np.int64)
        weekday = _whole(columns[WEEKDAY_COLUMN])
        if ((weekday < 0) | (weekday > 6)).any():
            raise PolicyError(f"{WEEKDAY_COLUMN} is the day on which orders are placed, 0 Monday to 6 Sunday")
        gaps = days.gaps(weekday)
        if other := sorted(set(weekday[gaps == 0].tolist())):
            raise PolicyError(
                f"orders are placed {days}, and {WEEKDAY_COLUMN} is {', '.join(map(str, other))} in some rows (0 "
                "Monday); ask on a day of orders"
            )
        return gaps

    def _limits(self, params: Mapping[str, Any]) -> UnitLimits:
        """Return the limits of each product that the call asks for, else those that the policy was fitted under."""
        fitted = self.policy.fitted_under
        most = _asked(params, MOST_PARAMETER, fitted.most_units or 0)
        return UnitLimits(_asked(params, LEAST_PARAMETER, fitted.least_order), most or None)

    def _room(self, columns: Mapping[str, list[Any]], params: Mapping[str, Any]) -> Room | None:
        if self.policy.shared_limit is None:
            if params.get(SHARED_PARAMETER, AS_FITTED) != AS_FITTED:
                raise PolicyError(f"{SHARED_PARAMETER}: the policy was fitted without one; register a night under it")
            return None
        limit = _asked(params, SHARED_PARAMETER, self.policy.shared_limit)
        if ROOM_COLUMN not in columns:
            raise PolicyError(f"products share a limit of {limit}; add the column {ROOM_COLUMN}, what a piece takes")
        return Room(_whole(columns[ROOM_COLUMN]), limit)


def _shelf(columns: Mapping[str, list[Any]]) -> ShelfLife | None:
    """Return how long a call's products can be sold; None where it doesn't say.

    Raises:
        ValueError: days or costs below 0.
    """
    if SHELF_COLUMN not in columns:
        return None
    days = _whole(columns[SHELF_COLUMN])
    cost = np.array(columns.get(WASTE_COLUMN, [0.0] * len(days)), dtype=np.float64)
    if (days < 0).any() or not (np.isfinite(cost) & (cost >= 0)).all():
        raise ValueError(f"{SHELF_COLUMN} and {WASTE_COLUMN} are at least 0; some are not")
    return ShelfLife(days, np.round(cost * MILLIONTHS).astype(np.int64), is_charged=True)


def _whole(values: list[Any]) -> IntArray:
    """Return a column of whole numbers; parts of one are refused, since cut off they would break what they count.

    Raises:
        ValueError: names the first value that isn't one.
    """
    found = np.array(values, dtype=np.float64)
    whole = np.isfinite(found) & (found == np.floor(found))
    if not whole.all():
        raise ValueError(f"got {values[int(np.argmin(whole))]!r}")
    return np.array(values, dtype=np.int64)


def _asked(params: Mapping[str, Any], name: str, fitted: int) -> int:
    """Return a limit of a call, in whole numbers; what the policy was fitted under where none is given.

    Raises:
        PolicyError: no whole number from 0 on, nor -1.
    """
    given = params.get(name, AS_FITTED)
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = float("nan")
    if not value >= AS_FITTED or not value.is_integer():
        raise PolicyError(f"{name} is {given!r}; expected a whole number, or {AS_FITTED} for what it was fitted under")
    return fitted if value == AS_FITTED else int(value)


def _load_pyfunc(path: str) -> ServedOrders:
    """Return the policy of a saved model: what MLflow calls with the model's data folder."""
    return ServedOrders(load_order_policy(Path(path)))
