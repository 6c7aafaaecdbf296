"""`decide` of a scenario that decides on orders: tomorrow's order of each product, by the champion, with its reason."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog

from conf.errors import SpecError
from conf.paths import Lake, Run
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import code_hash, full_spec_hash
from rl.data.transitions_reading import read_transitions
from rl.errors import PolicyError, RegistryError
from rl.inventory.order_policy import OrderPolicy
from rl.orders.order_figures import n_unlisted
from rl.orders.order_history import OrderHistory, read_history
from rl.orders.order_list import OrderListOrigin, order_rows, publish_order_list, write_order_csv
from rl.orders.tomorrow import TomorrowOrders, tomorrow_orders
from rl.registry.order_champion import load_version_orders
from rl.registry.readiness import settle_model
from rl.registry.store import CHAMPION, OFF, aliases, open_store
from rl.registry.versions import RegisteredVersion, load_version


@dataclass(frozen=True)
class _Nobody:
    """Why nothing decides; `is_unapproved`: no version was approved yet, so that a draft can be made."""

    why: str
    is_unapproved: bool = False


def run(
    *, settings: Settings, source: str, scenario: str, run_date: date, version: int | None, budget: float | None
) -> dict[str, Any]:
    """Write the list of orders of the morning after the date; return its summary.

    `skipped` says that nothing decides yet, or that the scenario was turned off. Before anything was approved, the list
    of the version that the night registered is drafted in the night's run folder.

    Args:
        settings: what the environment says: home, lake, registry.
        source: its name.
        scenario: its name.
        run_date: last business date whose deliveries count.
        version: of the registered policy; None for the champion.
        budget: orders have none; given, it is refused.

    Raises:
        SpecError: a budget was given.
        RegistryError: no such version.
        PolicyError: nothing was counted on the date, or a list that breaks a limit; nothing is published.
    """
    started = time.monotonic()
    if budget is not None:
        raise SpecError(f"{scenario} decides on orders, which have no weekly budget; leave out --budget")
    pipeline, lake = load_pipeline(scenario, source), Lake(settings.lake, source)
    night = Run(settings.home, source, scenario, run_date)
    result: dict[str, Any] = {"source": source, "scenario": scenario, "date": str(run_date)}
    found = _policy(settings, pipeline, version)
    is_draft = isinstance(found, _Nobody) and found.is_unapproved
    drafted = _policy(settings, pipeline, _registered(night)) if is_draft else found
    if isinstance(drafted, _Nobody):
        return result | {"skipped": found.why if isinstance(found, _Nobody) else drafted.why}
    registered, policy = drafted
    published = read_transitions(pipeline, lake, run_date)
    history = read_history(pipeline, lake, published, run_date)
    orders = tomorrow_orders(policy, history)
    rows = order_rows(orders, policy.version)
    result |= _told(registered, orders, history)
    if isinstance(found, _Nobody):
        write_order_csv(night.draft_orders, rows)
        result |= {"is_draft": True, "csv": str(night.draft_orders)}
        write_atomically(night.decide_result, to_json(result, indent=1))
        return result | {
            "skipped": f"{found.why}; version {registered.version}'s orders are drafted: {night.draft_orders}"
        }
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
        },
    )
    pointer, is_new = publish_order_list(lake, rows, orders.day, origin)
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


def _told(registered: RegisteredVersion, orders: TomorrowOrders, history: OrderHistory) -> dict[str, Any]:
    return {
        "as_of": str(orders.day),
        "model": registered.model,
        "version": registered.version,
        "n_products": len(orders),
        "n_ordered": int((orders.order > 0).sum()),
        "units_ordered": int(orders.order.sum()),
        "n_unlisted": n_unlisted(history.is_known),
    }


def _registered(night: Run) -> int | None:
    """Return the version that the night registered; None where it registered none."""
    if not night.registration.exists():
        return None
    version: int = json.loads(night.registration.read_text(encoding="utf-8"))["version"]
    return version


def _policy(
    settings: Settings, pipeline: Pipeline, number: int | None
) -> tuple[RegisteredVersion, OrderPolicy] | _Nobody:
    """Return the version that decides, and its policy; or why nothing does."""
    model, source = f"{pipeline.scenario.name}-policy", pipeline.source.name
    with open_store(settings) as client:
        settle_model(client, settings, model)
        held = aliases(client, model)
        if number is None and OFF in held:
            return _Nobody(f"{model} was turned off; `python -m rl on` turns it on again")
        if number is None and CHAMPION not in held:
            why = "has no champion: nothing was approved yet; name a --version to decide by it anyway"
            return _Nobody(f"{model} {why}", is_unapproved=True)
        version = load_version(client, model, held[CHAMPION] if number is None else number)
        if version is None or not version.is_ours or version.tags.get("source") != source:
            raise RegistryError(
                f"{model} has no version {held.get(CHAMPION) if number is None else number} that a night of {source} "
                "registered; see them in MLflow"
            )
        try:
            return version, load_version_orders(client, version)
        except PolicyError as error:
            raise PolicyError(f"{model} version {version.version} doesn't order: {error}") from error
