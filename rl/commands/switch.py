"""`rollback`, `off`, `on` and `control`: what a person decides about what is served, with who and why."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from getpass import getuser
from typing import Any, Literal

import structlog
from mlflow import MlflowClient

from conf.settings import Settings
from conf.specs.scenario import scenario_names
from conf.specs.strict_yaml import suggest
from rl.errors import RegistryError
from rl.registry.approvals import Approval
from rl.registry.launches import settle_launches
from rl.registry.readiness import remember, settle_model
from rl.registry.store import open_store
from rl.registry.switching import Person, roll_back, set_control, turn_off, turn_on

_DONE: dict[str, Callable[[MlflowClient, Settings, str, Person], Approval]] = {
    "rollback": roll_back,
    "off": turn_off,
    "on": turn_on,
}


def run(
    *,
    settings: Settings,
    scenario: str,
    what: Literal["rollback", "off", "on", "control"],
    why: str,
    who: str | None,
    version: int | None = None,
) -> dict[str, Any]:
    """Do it under the registry's lock and return the record of it; `version` is that of `control`.

    Raises:
        RegistryError: no reason is given, or there is nothing that it could be done to.
    """
    if scenario not in scenario_names():
        raise RegistryError(f"no scenario {scenario!r}{suggest(scenario, scenario_names())}")
    if not why.strip():
        raise RegistryError(f"{what}: say why, for the record (--why, or WHY of make)")
    model = f"{scenario}-policy"
    with open_store(settings) as client:
        settle_model(client, settings, model)
        done = _DONE[what] if what != "control" else partial(set_control, version=version)
        approval = done(client, settings, model, Person(who or getuser(), why))
        remember(client, settings, model)
        settle_launches(settings, model)
    structlog.get_logger().info(what, model=model, version=approval.version, who=approval.who, why=approval.why)
    return {"scenario": scenario, **approval.model_dump(mode="json", exclude={"registry"})}
