"""Which nights of orders the benchmark tries: simulated shops, and what the scenario declares on each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conf.specs.orders import LEARNERS, Orders
from conf.specs.problem import Feature
from conf.specs.scenario import Pipeline, Scenario, load_pipeline
from rl.inventory.order_days import OrderDays
from rl.shops.inventory.inventory_settings import InventorySettings, StockDirt

SCENARIO, SOURCE = "inventory", "simulated_inventory"
_SMALL_PRODUCTS, _SMALL_UPDATES = 14, 20
_TOLD = "is_reduced_in_"


@dataclass(frozen=True)
class TriedNight:
    """One night: a shop, and the section `orders` of its scenario.

    Attributes:
        kind: that it is of, a key of `NIGHTS`.
        shop: whose deliveries it reads.
        orders: ways to order, and what holds for them.
        note: what tells it from the kind's other nights of the shop.
    """

    kind: str
    shop: InventorySettings
    orders: Orders
    note: str = ""

    @property
    def pipeline(self) -> Pipeline:
        """The shipped scenario with these orders; promotions are seen as far as an order lasts."""
        shipped = load_pipeline(SCENARIO, SOURCE)
        observation = shipped.scenario.observation
        n_ahead = self.shop.lead_days + OrderDays.of(self.orders.weekdays).longest_gap
        others = [one for one in observation.features if not one.name.startswith(_TOLD)]
        told = [Feature(name=f"{_TOLD}{day}d") for day in range(n_ahead)]
        seen = len(observation.features) - len(others)
        features = observation.features if n_ahead == seen else (*others, *told)
        changed = {"orders": self.orders, "observation": observation.model_copy(update={"features": features})}
        scenario = shipped.scenario.model_copy(update=changed)
        return Pipeline(source=shipped.source, scenario=Scenario.model_validate(scenario.model_dump(mode="json")))

    @property
    def shop_name(self) -> str:
        """Such as `20 products, seed 3, catalogue 1`."""
        shop = self.shop
        name = f"{shop.n_products} products, seed {shop.seed}, catalogue {shop.catalogue_seed}"
        return f"{name}, no errors" if shop.dirt == StockDirt.none() else name

    def small(self) -> TriedNight:
        """Return the same on a small shop that most kinds share, with learners of few updates and one seed each."""
        candidates = [
            {**one, "n_updates": _SMALL_UPDATES, "seeds": [1]} if one["algorithm"] in LEARNERS else one
            for one in self.orders.model_dump(mode="json")["candidates"]
        ]
        orders = Orders.model_validate({**self.orders.model_dump(mode="json"), "candidates": candidates})
        shop = _shop(_SMALL_PRODUCTS, 3, order_weekdays=self.shop.order_weekdays)
        return TriedNight(self.kind, shop, orders, self.note)


def _shop(
    n_products: int, seed: int, *, has_own_catalogue: bool = False, has_errors: bool = True, **more: Any
) -> InventorySettings:
    """Return half a year of a shop; its products are those of `simulate-inventory`, or of a catalogue of its own."""
    given = {"n_products": n_products, "seed": seed, "n_days": 182, **more}
    given |= {"catalogue_seed": seed} if has_own_catalogue else {}
    given |= {} if has_errors else {"dirt": StockDirt.none()}
    return InventorySettings.model_validate(given)


def _orders(*candidates: str | dict[str, Any], **more: Any) -> Orders:
    listed = [{"algorithm": one} if isinstance(one, str) else one for one in candidates]
    return Orders.model_validate({"candidates": listed, **more})


_FORMULAS = ("base_stock", "capped_base_stock", "reorder_point", "newsvendor", "projected_level")
_THREE = ("base_stock", "reorder_point", "projected_level")
_ACTORS = ("cql", "iql", "td3_plus_bc", "awac")
_NETWORK = {"algorithm": "hindsight", "n_updates": 600}
_NETWORKS = _NETWORK | {"seeds": [1, 2, 3]}
_SHORT_NETWORK = {"algorithm": "hindsight", "n_updates": 300}
_Q_LEARNING = {"algorithm": "double_dqn", "n_updates": 1000}
_OFFLINE = [
    _Q_LEARNING,
    *({"algorithm": one, "n_updates": 1000, "rows": rows} for one in _ACTORS for rows in ("relabelled", "as_logged")),
]


def _daily() -> tuple[TriedNight, ...]:
    """Return a night with every candidate, and shops on which formulas and the plan alone are tried."""
    first = TriedNight(
        "daily",
        _shop(20, 3, has_own_catalogue=True, has_errors=False),
        _orders(*_FORMULAS, "plan", _NETWORK, *_OFFLINE),
    )
    others = (
        TriedNight("daily", _shop(20, seed, has_own_catalogue=True, has_errors=False), _orders(*_FORMULAS, "plan"))
        for seed in range(4, 8)
    )
    return (first, *others)


def _weekly() -> tuple[TriedNight, ...]:
    weekdays = ("monday",)
    orders = _orders(*_FORMULAS, _SHORT_NETWORK, _Q_LEARNING, weekdays=weekdays)
    return (TriedNight("weekly", _shop(20, 3, order_weekdays=weekdays), orders),)


def _shared() -> tuple[TriedNight, ...]:
    """Return a shop without a limit, and the same with one."""
    shop, limit = _shop(20, 3), {"of": "units", "at_most": 900}
    return (
        TriedNight("shared", shop, _orders(*_FORMULAS, shared_limit=limit), "at most 900 pieces"),
        TriedNight("shared", shop, _orders(*_FORMULAS, _NETWORK, _Q_LEARNING), "no limit"),
    )


def _shelf() -> tuple[TriedNight, ...]:
    """Return a shop whose goods keep for some days, with what they cost charged or counted alone."""
    return tuple(
        TriedNight(
            "shelf",
            _shop(20, 3),
            _orders(*_FORMULAS, _NETWORK, shelf={"days": days, "charged": is_charged}),
            f"{days} days, {'charged' if is_charged else 'counted alone'}",
        )
        for days in (5, 3)
        for is_charged in (True, False)
    )


def _corrected() -> tuple[TriedNight, ...]:
    """Return shops whose deliveries have errors, with a network, and more without, with formulas alone."""
    with_errors = (*(_shop(20, seed) for seed in range(3, 8)), _shop(24, 2, has_own_catalogue=True))
    without = (_shop(24, seed, has_own_catalogue=True, has_errors=False) for seed in range(2, 10))
    formulas = ("base_stock", "reorder_point")
    return (
        *(TriedNight("corrected", shop, _orders(*formulas, _NETWORK, corrects_forecasts=True)) for shop in with_errors),
        *(TriedNight("corrected", shop, _orders(*formulas, corrects_forecasts=True)) for shop in without),
    )


def _shipped() -> tuple[TriedNight, ...]:
    """Return the shipped scenario's candidates on shops of several sizes."""
    shops = (_shop(n, seed, has_own_catalogue=True) for n, seed in ((40, 1), (24, 2), (20, 3)))
    return tuple(TriedNight("shipped", shop, _orders(*_FORMULAS, _NETWORKS)) for shop in shops)


def _packs() -> tuple[TriedNight, ...]:
    """Return shops with usual packs, and the same with packs eight times as large."""
    usual = InventorySettings().pack_sizes
    return tuple(
        TriedNight(
            "packs",
            _shop(20, seed, has_own_catalogue=True, has_errors=False, pack_sizes=tuple(size * one for one in usual)),
            _orders(*_THREE),
            f"packs of {size} times the usual pieces",
        )
        for size in (1, 8)
        for seed in (3, 4, 5)
    )


NIGHTS: Mapping[str, tuple[TriedNight, ...]] = {
    "daily": _daily(),
    "weekly": _weekly(),
    "shared": _shared(),
    "shelf": _shelf(),
    "corrected": _corrected(),
    "shipped": _shipped(),
    "packs": _packs(),
}
"""Nights by kind, in the order in which they are tried."""
