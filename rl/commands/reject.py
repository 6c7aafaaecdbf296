"""`reject`: a person says no to a version that passed the gate; it is no challenger, and nothing approves it again."""

from __future__ import annotations

from getpass import getuser
from typing import Any

import structlog

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands.promote import refuse_strangers
from rl.commands.switch import require_scenario
from rl.errors import RefusedRequest
from rl.registry.decided import reject_version
from rl.registry.person import Person
from rl.registry.readiness import remember, settle_model
from rl.registry.store import open_store
from rl.registry.versions import load_version


def run(
    *, settings: Settings, scenario: str, version: int, why: str, who: str | None, is_overdue: bool = False
) -> dict[str, Any]:
    """Reject the version under the registry's lock and return the record of it.

    Args:
        settings: name the home and its registry.
        scenario: whose policy it is about.
        version: that is rejected.
        why: the reason, for the record.
        who: rejects it; None for this user.
        is_overdue: nobody answered in time, so that nobody in particular rejects it.

    Raises:
        RefusedRequest: no reason, no such version, one that isn't waiting, or somebody who may not answer.
    """
    require_scenario(scenario)
    if not why.strip():
        raise RefusedRequest("say why, for the record (--why, or WHY of make)")
    model, person = f"{scenario}-policy", Person(who or getuser(), why)
    with open_store(settings) as client:
        settle_model(client, settings, model)
        found = load_version(client, model, version)
        if found is not None and found.is_ours and not is_overdue:
            refuse_strangers(load_pipeline(scenario, found.tags["source"]), [person])
        entry = reject_version(client, settings, model, version, person)
        remember(client, settings, model)
    structlog.get_logger().info("reject", model=model, version=version, who=entry.who, why=entry.why)
    return {"scenario": scenario, **entry.model_dump(mode="json", exclude={"registry", "follows"})}
