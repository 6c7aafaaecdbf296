"""`rollback`, `off`, `on`, `control` and `explore`: what a person decides about what is served, with who and why."""

from __future__ import annotations

from getpass import getuser
from typing import Any, Literal

import structlog

from conf.settings import Settings
from conf.specs.scenario import scenario_names
from conf.specs.strict_yaml import suggest
from rl.errors import ServingError


def run(
    *,
    settings: Settings,
    scenario: str,
    what: Literal["rollback", "off", "on", "control", "explore"],
    why: str,
    who: str | None,
    version: int | None = None,
) -> dict[str, Any]:
    """Do it under the registry's lock and return the record of it; `version` is that of `control` and `explore`.

    Raises:
        ServingError: no reason is given, or there is no such scenario.
        RegistryError: there is nothing that it could be done to.
    """
    require_scenario(scenario)
    if not why.strip():
        raise ServingError("say why, for the record (--why, or WHY of make)")
    # They import MLflow, which takes seconds: not where a word is missing.
    from rl.registry.launches import settle_launches  # noqa: PLC0415
    from rl.registry.person import Person  # noqa: PLC0415
    from rl.registry.readiness import remember, settle_model  # noqa: PLC0415
    from rl.registry.served_shares import tag_shares  # noqa: PLC0415
    from rl.registry.store import open_store  # noqa: PLC0415
    from rl.registry.switching import switched  # noqa: PLC0415

    model = f"{scenario}-policy"
    with open_store(settings) as client:
        settle_model(client, settings, model)
        approval = switched(client, settings, model, Person(who or getuser(), why), what=what, version=version)
        settle_launches(settings, model)
        tag_shares(client, settings, model)
        remember(client, settings, model)
    now = "the shop's own rule" if approval.version is None else approval.version
    structlog.get_logger().info(what, model=model, version=now, who=approval.who, why=approval.why)
    return {"scenario": scenario, **approval.model_dump(mode="json", exclude={"registry", "follows"})}


def require_scenario(scenario: str) -> None:
    """Raise if there is no scenario of that name.

    Raises:
        ServingError: suggests one.
    """
    if scenario not in scenario_names():
        raise ServingError(f"no scenario {scenario!r}{suggest(scenario, scenario_names())}")
