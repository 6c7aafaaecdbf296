"""`restore-aliases`: aliases that somebody moved in MLflow go back to where the home's record says."""

from __future__ import annotations

from typing import Any

import structlog

from conf.settings import Settings
from rl.commands.switch import require_scenario
from rl.registry.moved_aliases import restore_aliases
from rl.registry.readiness import remember, settle_model
from rl.registry.store import open_store


def run(*, settings: Settings, scenario: str) -> dict[str, Any]:
    """Put the aliases of the scenario's policy back and return which were elsewhere; `skipped` where none was.

    Raises:
        RegistryError: there is no such scenario, or the registry doesn't answer.
    """
    require_scenario(scenario)
    model = f"{scenario}-policy"
    with open_store(settings) as client:
        settle_model(client, settings, model)
        moved = restore_aliases(client, settings, model)
        remember(client, settings, model)
    for one in moved:
        structlog.get_logger().info("put back", model=model, alias=one.alias, told=str(one))
    rows = [{"alias": one.alias, "found": one.found, "restored_to": one.expected} for one in moved]
    skipped = {} if rows else {"skipped": f"every alias of {model} is where it belongs"}
    return {"scenario": scenario, "model": model, "restored": rows, **skipped}
