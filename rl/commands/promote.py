"""`promote`: an approved version becomes the champion."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from getpass import getuser
from typing import Any

import structlog

from conf.paths import Run
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.registry.approvals import approve
from rl.registry.promotion import promote_version
from rl.registry.readiness import remember, settle_model
from rl.registry.store import open_store


def run(*, settings: Settings, source: str, scenario: str, run_date: date, version: int) -> dict[str, Any]:
    """Make the version champion, write promotion.json and return it; `skipped` says why it may not be.

    Raises:
        RegistryError: the approval went stale, or names a version that isn't this night's.
    """
    load_pipeline(scenario, source)  # says at once what is wrong with the names
    with open_store(settings) as client:
        model = f"{scenario}-policy"
        settle_model(client, settings, model)
        promotion = promote_version(client, model, version, source=source, run_date=run_date)
        remember(client, settings, model)
        if promotion.skipped is None:
            approve(
                settings, model, version, replaced=promotion.previous, who=getuser(), why=f"the night of {run_date}"
            )
    result = {"scenario": scenario, "source": source, "date": str(run_date), **asdict(promotion)}
    if promotion.skipped is None:
        del result["skipped"]
    structlog.get_logger().info(
        "promotion", version=version, champion=promotion.champion, is_new=promotion.is_new, skipped=promotion.skipped
    )
    write_atomically(Run(settings.home, source, scenario, run_date).promotion, to_json(result, indent=1))
    return result
