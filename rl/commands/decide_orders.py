"""`decide` of a scenario that decides on orders: tomorrow's order of each product, by the champion, with its reason."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import structlog
from mlflow import MlflowClient

from conf.errors import SpecError
from conf.paths import Lake, Run
from conf.plain_json import to_json
from conf.publication import read_pointers, write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import code_hash, full_spec_hash
from rl.data.transitions_reading import read_transitions
from rl.errors import PolicyError
from rl.inventory.order_days import EVERY_DAY, OrderDays
from rl.inventory.order_policy import OrderPolicy
from rl.orders.history_reading import read_history
from rl.orders.order_history import OrderHistory
from rl.orders.order_list import OrderListOrigin, order_rows, publish_order_list, told_room, write_order_csv
from rl.orders.own_stock import read_own_stock, unknown_products, with_own_stock
from rl.orders.tomorrow import TomorrowOrders, no_orders_problem, tomorrow_orders
from rl.orders.unlisted import N_NAMED
from rl.registry.deciding_version import NobodyDecides, deciding_version, registered_version
from rl.registry.order_champion import load_version_orders
from rl.registry.versions import RegisteredVersion

OWN_STOCK, SIMULATED = "own_stock", "simulated"
"""Input of a list where the log counts no stock: the digest of the shop's own count, or that it was simulated."""


def run(
    *,
    settings: Settings,
    source: str,
    scenario: str,
    run_date: date,
    version: int | None,
    budget: float | None,
    stock: Path | None = None,
) -> dict[str, Any]:
    """Write the list of orders of the morning after the date; return its summary.

    `skipped` says that no orders are placed that morning, that nothing decides yet, or that the scenario was turned
    off; what was published stays as it is. Before anything was approved, the list
    of the version that the night registered is drafted in the night's run folder.

    Args:
        settings: what the environment says: home, lake, registry.
        source: its name.
        scenario: its name.
        run_date: last business date whose deliveries count.
        version: of the registered policy; None for the champion.
        budget: orders have none; given, it is refused.
        stock: file with what the shop has, where the log counts none (`read_own_stock`); None for the simulated stock.

    Raises:
        SpecError: a budget was given.
        RegistryError: no such version.
        PolicyError: nothing was counted on the date, a stock where the log counts it, or a list that breaks a limit;
            nothing is published.
        DatasetError: a stock that can't be read.
    """
    started = time.monotonic()
    if budget is not None:
        raise SpecError(f"{scenario} decides on orders, which have no weekly budget; leave out --budget")
    pipeline, lake = load_pipeline(scenario, source), Lake(settings.lake, source)
    own = None if stock is None else read_own_stock(stock, _lead_days(pipeline))
    night = Run(settings.home, source, scenario, run_date)
    result: dict[str, Any] = {"source": source, "scenario": scenario, "date": str(run_date)}
    if problem := no_orders_problem(_order_days(pipeline), run_date + timedelta(days=1)):
        write_atomically(night.decide_result, to_json(result | {"no_orders": problem}, indent=1))
        return result | {"skipped": problem}
    found = deciding_version(settings, pipeline, version, _orders_of)
    is_draft = isinstance(found, NobodyDecides) and found.is_unapproved
    drafted = deciding_version(settings, pipeline, registered_version(night), _orders_of) if is_draft else found
    if isinstance(drafted, NobodyDecides):
        return result | {"skipped": found.why if isinstance(found, NobodyDecides) else drafted.why}
    registered, policy = drafted
    published = read_transitions(pipeline, lake, run_date)
    history = read_history(pipeline, lake, published, run_date)
    declares = history.declared is not None
    strange = () if own is None else unknown_products(history, own)
    history = history if own is None else with_own_stock(history, own)
    orders = tomorrow_orders(policy, history)
    rows = order_rows(orders, policy.version)
    result |= _told(registered, orders, history)
    result |= {} if own is None else {"own_stock": own.name}
    result |= {"not_in_the_log": list(strange[:N_NAMED])} if strange else {}
    if isinstance(found, NobodyDecides):
        write_order_csv(night.draft_orders, rows)
        result |= {"is_draft": True, "csv": str(night.draft_orders)}
        write_atomically(night.decide_result, to_json(result, indent=1))
        return result | {
            "skipped": f"{found.why}; version {registered.version}'s orders are drafted: {night.draft_orders}"
        }
    if own is None and declares:
        _refuse_simulated(lake, scenario, orders.day)
    manifest = published.pointers[max(published.pointers)].manifest
    origin = OrderListOrigin(
        scenario=scenario,
        horizon=run_date,
        spec_hash=full_spec_hash(pipeline),
        code_hash=code_hash(*(PROJECT_ROOT / folder for folder in ("conf", "rl"))),
        key_id=manifest.key_id,
        inputs={
            **{f"transitions/date={day}": one for day, one in published.content_hashes.items()},
            f"mlflow/{registered.model}": f"{registered.version}/{policy.version}",
            **({OWN_STOCK: SIMULATED if own is None else own.digest} if declares else {}),
        },
    )
    pointer, is_new = publish_order_list(lake, rows, orders, origin)
    result |= {
        "is_draft": False,
        "is_new": is_new,
        "content_hash": pointer.manifest.content_hash,
        "table": str(lake.order_lists(scenario)),
        "csv": str(lake.order_list_csv(scenario, orders.day)),
        "seconds": round(time.monotonic() - started, 1),
    }
    write_atomically(night.decide_result, to_json(result, indent=1))
    night.draft_orders.unlink(missing_ok=True)
    structlog.get_logger().info("decided", as_of=str(orders.day), n_ordered=result["n_ordered"])
    return result


def _refuse_simulated(lake: Lake, scenario: str, day: date) -> None:
    """Raise where the morning's list was made of what the shop has: one of simulated stock may not take its place.

    Raises:
        PolicyError: it was.
    """
    pointer = read_pointers(lake.order_lists(scenario)).get(f"as_of={day}")
    if pointer is not None and pointer.manifest.inputs.get(OWN_STOCK, SIMULATED) != SIMULATED:
        raise PolicyError(
            f"the list of {day} is made of what the shop has, and one of simulated stock would take its place; give "
            "--stock again"
        )


def _lead_days(pipeline: Pipeline) -> int:
    ordering = pipeline.scenario.ordering
    return 1 if ordering is None else ordering.lead_days


def _order_days(pipeline: Pipeline) -> OrderDays:
    orders = pipeline.scenario.orders
    return EVERY_DAY if orders is None else OrderDays.of(orders.weekdays)


def _told(registered: RegisteredVersion, orders: TomorrowOrders, history: OrderHistory) -> dict[str, Any]:
    untold = history.untold_packs
    if untold:
        structlog.get_logger().warning("items tell no pack size; ordered by the piece", products=untold[:N_NAMED])
    return {
        "as_of": str(orders.day),
        "model": registered.model,
        "version": registered.version,
        "n_products": len(orders),
        "n_ordered": int((orders.order > 0).sum()),
        "units_ordered": int(orders.order.sum()),
        "n_unlisted": len(history.unlisted.products),
        **({"unlisted": list(history.unlisted.products[:N_NAMED])} if history.unlisted.products else {}),
        **({"n_untold_packs": len(untold), "untold_packs": list(untold[:N_NAMED])} if untold else {}),
        **({"never_ordered": list(orders.never_ordered[:N_NAMED])} if orders.never_ordered else {}),
        **({"coarse_packs": list(coarse[:N_NAMED])} if (coarse := orders.coarse_packs) else {}),
        **({"not_worth_a_pack": list(unworthy[:N_NAMED])} if (unworthy := orders.not_worth_a_pack) else {}),
        **told_room(orders),
        **({} if history.declared is None else {"simulated_stock": history.declared.sentence}),
    }


def _orders_of(client: MlflowClient, version: RegisteredVersion) -> OrderPolicy:
    try:
        return load_version_orders(client, version)
    except PolicyError as error:
        raise PolicyError(f"{version.model} version {version.version} doesn't order: {error}") from error
