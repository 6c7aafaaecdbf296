"""An ordering policy as it is judged, registered and served: JSON and safetensors, NumPy alone to decide.

Every method says up to what to order, from the same forecasts. A product's safety is the normal quantile that its own
margin and holding cost ask for, moved by one number for all products, which is tuned. Orders are whole packs, and on
the policy's weekdays alone: each lasts until the next one arrives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.special import ndtri

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import PolicyError
from rl.inventory.demand_forecast import DemandForecaster
from rl.inventory.least_packs import PackMoney, is_worth_a_pack
from rl.inventory.limits import OrderLimits, UnitLimits
from rl.inventory.order_days import EVERY_DAY, DemandAhead, OrderDays
from rl.inventory.plan_tables import PREFIX, PlanTables
from rl.inventory.policies.forecast_levels import ForecastBaseStock, ForecastProjectedLevel, projected_shortfall
from rl.inventory.shared_orders import Room, orders_within
from rl.inventory.shelf_life import ShelfLife
from rl.inventory.stock import StockStates
from rl.policy.network import DenseNetwork

ORDER_POLICY_FILE = "order_policy.json"
ORDER_WEIGHTS_FILE = "order_weights.safetensors"
"""Units that stand for no limit: more than any shelf holds, and small enough to add to."""
OFFSETS: tuple[float, ...] = tuple((np.arange(-12, 13) * 0.25).tolist())
"""Levels that learners of values choose among: beside each product's quantile, in standard deviations."""
LEVEL_RANGE: tuple[float, float] = (OFFSETS[0], OFFSETS[-1])
"""The levels that a learner may order up to at all, in the same: no learned number goes beyond."""
_LEAST_SCALE = 0.05
_LEAST_RATIO = 1e-4
_FORM = 1
_LATER: Mapping[str, object] = {
    "shared_limit": None,
    "room_price": 0.0,
    "level_range": None,
    "weekdays": EVERY_DAY.weekdays,
}
"""What earlier policies don't say, and is left out where it is so: their versions stay what they were."""


@dataclass(frozen=True)
class OrderCosts:
    """What ordering earns and costs, in money.

    Attributes:
        lead_time: days from an order to its arrival, as declared.
        holding_cost: of a unit left over after a day.
        order_cost: of an order of a product, whatever its size; 0 for none.
        margin: of a unit sold, by product, less what it costs to order it, above 0: what losing its sale costs.
        usual_margin: of products that it doesn't know.
    """

    lead_time: int
    holding_cost: float
    order_cost: float
    margin: Mapping[str, float]
    usual_margin: float

    def margins(self, products: tuple[str, ...]) -> FloatArray:
        """Return the margin of a unit of each product, `(n_products,)`."""
        return np.array([self.margin.get(one, self.usual_margin) for one in products], dtype=np.float64)


@dataclass(frozen=True)
class OrderPolicy:
    """How much to order, for whichever products.

    Attributes:
        name: of the candidate.
        method: how levels are made, one of LEVELS.
        costs: what ordering costs.
        forecaster: of demand.
        variance: of a day's demand around its forecast, as of `ForecastBaseStock`.
        safety: what the quantile of each product is moved by, in standard deviations.
        batch: least order, in what a fixed cost of an order makes best (1 is the formula's); 0 for none.
        cap: an order is at most the demand of so many days; 0 for no limit.
        least_order: units, as the scenario said when it was fitted; 0 for none.
        most_units: on hand and on the way, likewise; None for no limit.
        dataset_digest: of the data that it was fitted on.
        shared_limit: on all products' stock together that it was fitted under, in units of room; None for none. What
            holds in a replay or a list are the limits that the scenario has then.
        room_price: usual price of a unit of room for a day, in money; it counts under a shared limit alone.
        level_range: of learners that say a level: the least and largest that they may, in standard deviations beside
            each product's quantile; None for all others.
        network: of learners, to the level in usual days' demand, to the value of each of OFFSETS, or to one number
            whose hyperbolic tangent runs over the range of levels; None for formulas.
        plan: tables of the products that have one; None for all other methods, or where no product has one.
        weekdays: on which it orders, 0 Monday; as of `OrderDays`.
    """

    name: str
    method: str
    costs: OrderCosts
    forecaster: DemandForecaster
    variance: tuple[float, float]
    dataset_digest: str
    safety: float = 0.0
    batch: float = 0.0
    cap: float = 0.0
    least_order: int = 0
    most_units: int | None = None
    shared_limit: int | None = None
    room_price: float = 0.0
    level_range: tuple[float, float] | None = None
    network: DenseNetwork | None = field(default=None, compare=False)
    plan: PlanTables | None = field(default=None, compare=False)
    weekdays: tuple[int, ...] = EVERY_DAY.weekdays

    @property
    def order_days(self) -> OrderDays:
        """The days on which it orders."""
        return OrderDays(self.weekdays)

    @property
    def n_forecasts(self) -> int:
        """Days ahead that an order looks at, its own day included: until the next order arrives."""
        return self.costs.lead_time + self.order_days.longest_gap

    @cached_property
    def version(self) -> str:
        """Name that everything its orders depend on decides."""
        content = {name: value for name, value in self._content().items() if name != "name"}
        state = sha256(json.dumps(content, sort_keys=True).encode("utf-8"))
        for name, array in sorted(self._tensors().items()):
            state.update(name.encode() + b"\0" + array.tobytes())
        return state.hexdigest()[:16]

    @property
    def fitted_under(self) -> UnitLimits:
        """The limits of each product that it was fitted under."""
        return UnitLimits(self.least_order, self.most_units)

    def of(
        self,
        products: tuple[str, ...],
        pack_size: IntArray,
        room: Room | None = None,
        *,
        limits: UnitLimits | None = None,
        shelf: ShelfLife | None = None,
    ) -> ProductOrders:
        """Return the policy for products in that order.

        Args:
            products: natural keys.
            pack_size: units that are ordered together, `(n_products,)`.
            room: that they share, which their orders are kept within; None for no shared limit.
            limits: that each product's orders are kept within; None for those that it was fitted under.
            shelf: how long these products can be sold; None where all keep.
        """
        bounds = (limits or self.fitted_under).of_packs(pack_size)
        planned = None if self.plan is None else self.plan.rows(products)
        return ProductOrders(self, self.costs.margins(products), bounds, room, planned=planned, shelf=shelf)

    def with_numbers(self, **numbers: float) -> OrderPolicy:
        """Return the policy with other tuned numbers."""
        return replace(self, **numbers)  # type: ignore[arg-type]  # safety, batch and cap are all floats

    def save(self, folder: Path) -> None:
        """Write order_policy.json and order_weights.safetensors to the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ORDER_WEIGHTS_FILE).write_bytes(save(self._tensors()))
        content = {**self._content(), "version": self.version}
        (folder / ORDER_POLICY_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def _content(self) -> dict[str, Any]:
        return {
            "form": _FORM,
            "name": self.name,
            "method": self.method,
            "lead_time": self.costs.lead_time,
            "holding_cost": self.costs.holding_cost,
            "order_cost": self.costs.order_cost,
            "margin": dict(self.costs.margin),
            "usual_margin": self.costs.usual_margin,
            "forecaster": self.forecaster.to_json(),
            "variance": list(self.variance),
            "safety": self.safety,
            "batch": self.batch,
            "cap": self.cap,
            "least_order": self.least_order,
            "most_units": self.most_units,
            "dataset_digest": self.dataset_digest,
            **{name: getattr(self, name) for name, usual in _LATER.items() if getattr(self, name) != usual},
            **({} if self.plan is None else {"planned": list(self.plan.products)}),
        }

    def _tensors(self) -> dict[str, Any]:
        network = {} if self.network is None else self.network.to_tensors()
        return network if self.plan is None else network | self.plan.to_tensors()


@dataclass(frozen=True)
class ProductOrders:
    """A policy for certain products, in the order of the states' rows; an `OrderingPolicy`.

    A state's first features are forecasts of its day and of each day until the next order arrives. Behind them stand,
    where not every day is one for orders, the days until the next order, 0 on a day without orders; what follows isn't
    looked at.
    """

    policy: OrderPolicy
    margin: FloatArray
    limits: OrderLimits
    room: Room | None = None
    price: float = 0.0
    """Of a unit of room for a day, in money: what levels are made at."""
    planned: IntArray | None = None
    """Row of each product among those that the policy has plans of, -1 without one; None where it has none of any."""
    shelf: ShelfLife | None = None
    """How long the products can be sold; None where all keep for good, as far as anybody says."""

    def order(self, states: StockStates) -> IntArray:
        return self.advise(states)[1]

    def for_rows(self, rows: BoolArray) -> ProductOrders:
        """Return the policy for some of the products, in their order; under a shared limit the others take no room."""
        limits = self.limits.of(rows)
        room = None if self.room is None else self.room.of(rows)
        planned = None if self.planned is None else self.planned[rows]
        shelf = None if self.shelf is None else self.shelf.of(rows)
        return replace(self, margin=self.margin[rows], limits=limits, room=room, planned=planned, shelf=shelf)

    def without_room(self) -> ProductOrders:
        """Return the policy as if the products shared no limit."""
        return replace(self, room=None, price=0.0)

    def advise(self, states: StockStates) -> tuple[FloatArray, IntArray]:
        """Return the level that is ordered up to, in units and parts of them, and the order, `(n_products,)` each.

        Raises:
            PolicyError: other products than it was made for, or too few forecasts.
        """
        policy, lead_time, n_needed = self.policy, self.policy.costs.lead_time, self.policy.n_forecasts
        told = "" if policy.order_days.is_daily else ", the days until the next order,"
        n_features = n_needed + bool(told)
        if states.features is None or states.features.shape[1] < n_features or states.lead_time != lead_time:
            raise PolicyError(f"orders need {n_needed} forecasts{told} and stock by {lead_time} days of arrival")
        if len(states.pipeline) != len(self.margin):
            raise PolicyError(f"{len(states.pipeline)} products, the policy is for {len(self.margin)}")
        if self.room is None:
            return self._advise(states)
        position, room = states.position, self.room
        price, orders = orders_within(
            lambda price: self.at(price)._advise(states)[1],
            position,
            room,
            self.limits,
            price=policy.room_price,
            worth=self.margin,
        )
        return self.at(price)._advise(states)[0], orders

    def at(self, price: float) -> ProductOrders:
        """Return the policy at a price of a unit of room for a day, in money."""
        return replace(self, price=price)

    def quantiles(self, gaps: IntArray | int = 1) -> FloatArray:
        """Return the safety of each product that its margin and holding cost ask for, in standard deviations.

        What is left over when the next order arrives was held for all the days between them. A price of room lowers the
        margin by what the room of a piece costs.

        Args:
            gaps: days until the next order, at least 1, `(n_products,)` or one for all.

        Source: Hadley and Whitin, Analysis of Inventory Systems (1963), chapter 5, lost sales.
        """
        margin = self.margin
        if self.price and self.room is not None:
            margin = margin - gaps * (self.price * self.room.per_unit)
        ratio = margin / (self.margin + gaps * self.policy.costs.holding_cost)
        return np.asarray(ndtri(np.maximum(ratio, _LEAST_RATIO)))

    def _advise(self, states: StockStates) -> tuple[FloatArray, IntArray]:
        """Return level and order of each product at the price, whatever the others take."""
        if states.features is None:
            raise PolicyError("orders need forecasts, and the states have none")
        policy, n_forecasts = self.policy, self.policy.n_forecasts
        is_daily, n = policy.order_days.is_daily, len(states.pipeline)
        gaps = np.ones(n, dtype=np.int64) if is_daily else states.features[:, n_forecasts].astype(np.int64)
        ahead = DemandAhead(states.features[:, :n_forecasts], policy.costs.lead_time, np.maximum(gaps, 1))
        level = LEVELS[policy.method](self, states, ahead)
        return level, np.where(gaps > 0, self._orders(level, states, ahead), 0)

    def batches(self, forecasts: FloatArray) -> FloatArray:
        """Return the order at which a fixed cost and holding weigh the same, units, `(n_products,)`.

        Source: Harris, How many parts to make at once (1913).
        """
        costs = self.policy.costs
        return np.asarray(np.sqrt(2 * costs.order_cost * forecasts.mean(axis=1) / costs.holding_cost))

    def _orders(self, level: FloatArray, states: StockStates, ahead: DemandAhead) -> IntArray:
        missing = level - states.position
        if self.policy.batch:
            # At the reorder point or below it, what is missing is a batch or more.
            missing = np.where(missing >= self.policy.batch * self.batches(ahead.forecasts), missing, 0.0)
        if self.policy.cap:
            missing = np.minimum(missing, np.ceil(self.policy.cap * ahead.forecasts.mean(axis=1)))
        return self.rounded(missing, states.position, ahead)

    def rounded(self, missing: FloatArray, position: IntArray, ahead: DemandAhead) -> IntArray:
        """Return the allowed order nearest to what is missing, `(n_products,)`.

        Where that is none, though the stock won't last until the next order arrives, it is the least that can be
        ordered, as far as that is worth it (`least_packs`).

        Args:
            missing: to the level, units and parts of them, below 0 where there is more, `(n_products,)`.
            position: units on hand and on the way, `(n_products,)`.
            ahead: what is expected to be asked for.
        """
        wished = np.maximum(np.floor(missing + 0.5), 0).astype(np.int64)
        order = self.limits.nearest(wished, position)
        lacks = (order == 0) & (missing > 0)
        if not lacks.any():
            return order
        lacks &= is_worth_a_pack(position, self.limits.smallest, ahead, self._pack_money)
        return self.limits.nearest(wished, position, needs_some=lacks)

    @property
    def _pack_money(self) -> PackMoney:
        costs = self.policy.costs
        holding = np.full(len(self.margin), costs.holding_cost)
        if self.room is not None:
            holding = holding + self.price * self.room.per_unit
        if self.shelf is None:
            return PackMoney(self.margin, holding, costs.order_cost)
        return PackMoney(self.margin, holding, costs.order_cost, self.shelf.days, self.shelf.charge)


Levels = Callable[[ProductOrders, StockStates, DemandAhead], FloatArray]


def _base_stock(orders: ProductOrders, states: StockStates, ahead: DemandAhead) -> FloatArray:  # noqa: ARG001  (likewise)
    rule = ForecastBaseStock(0.0, orders.policy.costs.lead_time, orders.policy.variance)
    return rule.levels(ahead.covered, orders.quantiles(ahead.gaps) + orders.policy.safety)


def _reorder_point(orders: ProductOrders, states: StockStates, ahead: DemandAhead) -> FloatArray:
    return _base_stock(orders, states, ahead) + orders.policy.batch * orders.batches(ahead.forecasts)


def _projected_level(orders: ProductOrders, states: StockStates, ahead: DemandAhead) -> FloatArray:
    policy = orders.policy
    rule = ForecastProjectedLevel(
        0.0, policy.costs.lead_time, policy.variance, review_days=policy.order_days.longest_gap
    )
    seen = StockStates(states.pipeline, ahead.covered)
    return states.position + projected_shortfall(rule, seen, orders.quantiles(ahead.gaps) + policy.safety)


def _planned(orders: ProductOrders, states: StockStates, ahead: DemandAhead) -> FloatArray:
    level, forecasts = _projected_level(orders, states, ahead), ahead.covered
    if orders.policy.plan is None or orders.planned is None or not (has := orders.planned >= 0).any():
        return level
    # Planned where room is free and forecasts are as good as their law: safety and a price move what a plan takes
    # for its stock, as far as they move the rule.
    usual, spread = orders.at(0.0).quantiles(ahead.gaps), _spread(orders.policy, forecasts)
    shift = ((orders.policy.safety + orders.quantiles(ahead.gaps) - usual) * spread)[has]
    pipeline = states.pipeline[has].astype(np.float64)
    pipeline[:, 0] = np.maximum(pipeline[:, 0] - shift, 0.0)
    up_to, is_ordering = orders.policy.plan.read(orders.planned[has], pipeline, forecasts[has].mean(axis=1))
    position = states.position[has].astype(np.float64)
    level[has] = np.where(is_ordering, np.maximum(up_to + shift, 0.0), position)
    return level


def _spread(policy: OrderPolicy, forecasts: FloatArray) -> FloatArray:
    """Return the standard deviation of demand until an order arrives and on that day, units, `(n_products,)`."""
    variance = policy.variance[0] * forecasts + policy.variance[1] * forecasts**2
    return np.asarray(np.sqrt(variance.sum(axis=1)))


def _network(orders: ProductOrders, states: StockStates, ahead: DemandAhead) -> FloatArray:
    usual, forecasts = orders.at(0.0).quantiles(ahead.gaps), ahead.covered
    told, scale = _asked(orders.policy, states, forecasts, usual)
    target = told[:, 0] * scale
    spread = _spread(orders.policy, forecasts)
    # It was trained where room is free: a price moves it as far as the rule whose safety the price lowers.
    moved = np.maximum(target, 0.0) + (orders.policy.safety + orders.quantiles(ahead.gaps) - usual) * spread
    return np.asarray(moved + orders.policy.batch * orders.batches(ahead.forecasts))


def _valued(orders: ProductOrders, states: StockStates, ahead: DemandAhead) -> FloatArray:
    values, _ = _asked(orders.policy, states, ahead.covered, orders.at(0.0).quantiles(ahead.gaps))
    if values.shape[1] != len(OFFSETS):
        raise PolicyError(
            f"{orders.policy.name} values {values.shape[1]} levels, expected {len(OFFSETS)}; train it again"
        )
    return _beside_quantile(orders, ahead, np.array(OFFSETS)[np.argmax(values, axis=1)])


def _acted(orders: ProductOrders, states: StockStates, ahead: DemandAhead) -> FloatArray:
    policy = orders.policy
    told, _ = _asked(policy, states, ahead.covered, orders.at(0.0).quantiles(ahead.gaps))
    if told.shape[1] != 1 or policy.level_range is None:
        raise PolicyError(
            f"{policy.name} says {told.shape[1]} numbers within {policy.level_range}; expected one, within a range of "
            "levels; train it again"
        )
    least, largest = policy.level_range
    return _beside_quantile(orders, ahead, least + (np.tanh(told[:, 0]) + 1) / 2 * (largest - least))


def _beside_quantile(orders: ProductOrders, ahead: DemandAhead, offset: FloatArray) -> FloatArray:
    """Return levels so many standard deviations beside each product's quantile, units, `(n_products,)`."""
    rule = ForecastBaseStock(0.0, orders.policy.costs.lead_time, orders.policy.variance)
    level = rule.levels(ahead.covered, orders.quantiles(ahead.gaps) + offset + orders.policy.safety)
    return level + orders.policy.batch * orders.batches(ahead.forecasts)


def _asked(
    policy: OrderPolicy, states: StockStates, forecasts: FloatArray, quantile: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what the network says of each product, and a usual day's demand, `(n_products,)`."""
    if policy.network is None:
        raise PolicyError(f"{policy.name} orders by a network and has none; train it again")
    scale = np.maximum(forecasts.mean(axis=1, keepdims=True), _LEAST_SCALE)
    inputs = network_inputs(states.pipeline / scale, forecasts / scale, scale, quantile[:, None])
    return policy.network.forward(inputs.astype(np.float32)).astype(np.float64), scale[:, 0]


def network_inputs(pipeline: FloatArray, forecasts: FloatArray, scale: FloatArray, quantile: FloatArray) -> FloatArray:
    """Return what a network sees of products, `(n_products, lead_time + n_forecasts + 2)`.

    Args:
        pipeline: units by day of arrival, in usual days' demand, `(n_products, lead_time)`.
        forecasts: in the same, `(n_products, n_forecasts)`.
        scale: a usual day's demand, units, `(n_products, 1)`.
        quantile: safety that margin and holding cost ask for, `(n_products, 1)`.
    """
    return np.column_stack([pipeline, forecasts, np.log(scale), quantile])


LEVELS: Mapping[str, Levels] = {
    "base_stock": _base_stock,
    "capped_base_stock": _base_stock,
    "newsvendor": _base_stock,
    "reorder_point": _reorder_point,
    "projected_level": _projected_level,
    "hindsight": _network,
    "discrete_cql": _valued,
    "discrete_iql": _valued,
    "double_dqn": _valued,
    "cql": _acted,
    "iql": _acted,
    "td3_plus_bc": _acted,
    "awac": _acted,
    "plan": _planned,
}
"""How each method says up to what to order. A new one is a function and an entry here."""


def load_order_policy(folder: Path) -> OrderPolicy:
    """Return the policy that `save` wrote to the folder.

    Raises:
        PolicyError: files are missing, damaged, of another form, or don't belong together.
    """
    path = folder / ORDER_POLICY_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        tensors = load((folder / ORDER_WEIGHTS_FILE).read_bytes())
        policy = _from_content(content, tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise PolicyError(f"{path}: can't be read as an ordering policy ({error}); train it again") from error
    if policy.version != content["version"]:
        raise PolicyError(f"{folder}: is {policy.version}, {ORDER_POLICY_FILE} says {content['version']}")
    return policy


def _range(given: Any) -> tuple[float, float] | None:
    """Return a stored range of levels; None where there is none.

    Raises:
        ValueError: not two finite numbers, the least first.
    """
    if given is None:
        return None
    least, largest = (float(one) for one in given)
    if not (math.isfinite(least) and math.isfinite(largest) and least < largest):
        raise ValueError(f"levels from {least} to {largest}")
    return least, largest


def _from_content(content: Mapping[str, Any], tensors: Mapping[str, Any]) -> OrderPolicy:
    if content["form"] != _FORM or content["method"] not in LEVELS or not math.isfinite(content["safety"]):
        raise PolicyError(
            f"form {content['form']}, method {content['method']!r}; expected form {_FORM} and one of "
            f"{', '.join(LEVELS)}"
        )
    costs = OrderCosts(
        lead_time=int(content["lead_time"]),
        holding_cost=float(content["holding_cost"]),
        order_cost=float(content["order_cost"]),
        margin={name: float(value) for name, value in content["margin"].items()},
        usual_margin=float(content["usual_margin"]),
    )
    planned = content.get("planned")
    layers = {name: array for name, array in tensors.items() if not name.startswith(PREFIX)}
    return OrderPolicy(
        name=content["name"],
        method=content["method"],
        costs=costs,
        forecaster=DemandForecaster.from_json(content["forecaster"]),
        variance=(float(content["variance"][0]), float(content["variance"][1])),
        dataset_digest=content["dataset_digest"],
        safety=float(content["safety"]),
        batch=float(content["batch"]),
        cap=float(content["cap"]),
        least_order=int(content["least_order"]),
        most_units=content["most_units"],
        shared_limit=content.get("shared_limit"),
        room_price=float(content.get("room_price", 0.0)),
        level_range=_range(content.get("level_range")),
        network=DenseNetwork.from_tensors(layers) if layers else None,
        plan=None if planned is None else PlanTables.from_tensors(planned, tensors, costs.lead_time),
        weekdays=tuple(content.get("weekdays", EVERY_DAY.weekdays)),
    )
