"""`promote`: an approved version becomes the champion."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from getpass import getuser
from typing import Any

import structlog
from mlflow import MlflowClient

from conf.paths import Run
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.rollout import Rollout
from conf.specs.scenario import load_pipeline
from rl.registry.approvals import approve
from rl.registry.launches import Launch, Stage, begin_launch, running_launch, settle_launches
from rl.registry.memory import registry_address
from rl.registry.promises import promise_of_version
from rl.registry.promotion import Promotion, promote_version
from rl.registry.readiness import remember, settle_model
from rl.registry.store import CHAMPION, PREVIOUS, aliases, open_store
from rl.registry.versions import load_version


def run(*, settings: Settings, source: str, scenario: str, run_date: date, version: int) -> dict[str, Any]:
    """Make the version champion, write promotion.json and return it; `skipped` says why it may not be.

    Raises:
        RegistryError: the approval went stale, or names a version that isn't this night's.
    """
    pipeline = load_pipeline(scenario, source)
    night = Run(settings.home, source, scenario, run_date)
    with open_store(settings) as client:
        model = f"{scenario}-policy"
        settle_model(client, settings, model)
        if (rolling := _rolling(client, settings, model, version)) is not None:
            promotion = rolling
        else:
            promotion = promote_version(client, model, version, source=source, run_date=run_date)
        remember(client, settings, model)
        if promotion.skipped is None:
            who, why = getuser(), f"the night of {run_date}"
            begin_launch(settings, _launch(client, settings, promotion, rollout=pipeline.scenario.rollout, run=night))
            approve(settings, model, version, replaced=promotion.previous, who=who, why=why)
            settle_launches(settings, model)
    result = {"scenario": scenario, "source": source, "date": str(run_date), **asdict(promotion)}
    if promotion.skipped is None:
        del result["skipped"]
    structlog.get_logger().info(
        "promotion", version=version, champion=promotion.champion, is_new=promotion.is_new, skipped=promotion.skipped
    )
    write_atomically(night.promotion, to_json(result, indent=1))
    return result


def _rolling(client: MlflowClient, settings: Settings, model: str, version: int) -> Promotion | None:
    """Return that nothing is promoted while another version is rolled out by stages; None where none is."""
    held = aliases(client, model)
    champion = held.get(CHAMPION)
    launch = None if champion in (None, version) else running_launch(settings, model, int(str(champion)))
    if launch is None or not launch.is_rolling:
        return None
    reason = (
        f"{model} version {launch.version} is being rolled out, at {launch.share:g} of the shoppers: one launch at a "
        "time; wait until it is complete, or `python -m rl rollback`"
    )
    return Promotion(model, version, champion, held.get(PREVIOUS), is_new=False, skipped=reason)


def _launch(
    client: MlflowClient, settings: Settings, promotion: Promotion, *, rollout: Rollout | None, run: Run
) -> Launch:
    """Return the promotion as a launch, with what its evaluation promised: by stages where the scenario says so.

    What replaces itself, or the version of another source, has nothing to be compared with and is launched to all.
    """
    model, now = promotion.model, datetime.now(UTC)
    version = load_version(client, model, promotion.version)
    replaced = None if promotion.previous is None else load_version(client, model, promotion.previous)
    told = None if version is None else version.tags.get("policy_version")
    is_alike = replaced is not None and replaced.tags.get("policy_version") == told
    is_strange = replaced is not None and replaced.tags.get("source") != run.source
    share = 1.0 if rollout is None or told is None or is_alike or is_strange else rollout.stages[0]
    return Launch(
        registry=registry_address(settings),
        model=model,
        source=run.source,
        version=promotion.version,
        policy_version=told,
        replaced=promotion.previous,
        replaced_policy_version=None if replaced is None else replaced.tags.get("policy_version"),
        night=run.date,
        promise=None if version is None else promise_of_version(client, version, run.evaluation),
        stages=(Stage(share=share, started_at=now, first_day=run.date + timedelta(days=1)),),
        completed_at=now if share == 1 else None,
    )
