"""`rollout`: a day's look at the version that is rolled out; it grows, holds, or goes back."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import structlog
from mlflow import MlflowClient

from conf.paths import Lake, serving_folder
from conf.settings import Settings
from conf.specs.rollout import Rollout
from conf.specs.scenario import Pipeline, load_pipeline
from rl.data.transitions_reading import read_transitions
from rl.errors import RegistryError
from rl.monitor.watched_launches import days_off
from rl.registry.approvals import standing
from rl.registry.launches import (
    ROLLOUT,
    Launch,
    Look,
    begin_stage,
    launches,
    running_launch,
    settle_launches,
    write_look,
)
from rl.registry.person import Person
from rl.registry.readiness import remember, settle_model
from rl.registry.served_shares import tag_shares
from rl.registry.store import CHAMPION, aliases, open_store
from rl.registry.switching import finish_rollback, roll_back
from rl.rollout.assignment import is_control, rollout_lot
from rl.rollout.looking import first_day_read, look_at
from rl.rollout.served_reading import Versions, read_served
from rl.rollout.shadow import ShadowTally, judge_shadow
from rl.serving.decide import FALLBACK_VERSION
from rl.serving.shadow import shadow_lines_of


def run(
    *, settings: Settings, source: str, scenario: str, run_date: date, decisions: Path | None = None
) -> dict[str, Any]:
    """Look at the launch, write down what was seen, act on it, and return it; `skipped` where none is rolled out.

    A day that was looked at is not looked at again. What the last look decided is done first, on whatever date, if a
    kill kept it from being done; a growth done late begins after this run's date.

    Args:
        settings: name the home.
        source: whose shoppers get the version.
        scenario: of it.
        run_date: of the look.
        decisions: folder of the service's log, for what a version decided in the shadow; None for the one in the home.

    Raises:
        RegistryError: the launch changed while its transitions were read, or the log can't name its versions.
        DatasetError: nothing was built for the date.
        ServingError: a line of the shadow's log that no service wrote.
    """
    pipeline = load_pipeline(scenario, source)
    model = f"{scenario}-policy"
    launch = _rolling(settings, model)
    if isinstance(launch, str):
        return {"scenario": scenario, "source": source, "date": str(run_date), "skipped": launch}
    rollout = pipeline.scenario.rollout
    if rollout is None:
        raise RegistryError(
            f"{model} version {launch.version} is being rolled out, but scenario {scenario} has no `rollout` any more; "
            "write it again, or `python -m rl rollback`"
        )
    log = decisions or serving_folder(settings.home, source, scenario) / "decisions"
    look = (
        _undone(rollout, launch)
        or _earlier(launch, run_date)
        or (
            _shadow_look(rollout, launch, log, run_date)
            if launch.is_shadow
            else _look(settings, pipeline, rollout, launch, run_date)
        )
    )
    with open_store(settings) as client:
        settle_model(client, settings, model)
        now = running_launch(settings, model, launch.version)
        if now != launch or aliases(client, model).get(CHAMPION) != launch.version:
            raise RegistryError(f"{model} version {launch.version}: its launch changed meanwhile; run rollout again")
        _act(client, settings, rollout, launch, look, run_date)
        settle_launches(settings, model)
        tag_shares(client, settings, model)
        remember(client, settings, model)
        launch = [one for one in launches(settings.home, model) if one.version == launch.version][-1]
    structlog.get_logger().info(
        "rollout", version=launch.version, day=str(look.day), decision=look.decision, why=look.why
    )
    return {
        "scenario": scenario,
        "source": source,
        "date": str(run_date),
        "model": model,
        "version": launch.version,
        "replaced": launch.replaced,
        "share": launch.share,
        **look.model_dump(mode="json", exclude={"day"}),
    }


def _rolling(settings: Settings, model: str) -> Launch | str:
    """Return the launch that is rolled out by stages, or why there is none."""
    with open_store(settings) as client:
        settle_model(client, settings, model)
        finish_rollback(client, settings, model, ROLLOUT)
        champion = aliases(client, model).get(CHAMPION)
    launch = None if champion is None else running_launch(settings, model, champion)
    if launch is None:
        return f"{model} has no champion that was launched"
    if not launch.is_rolling:
        whom = "all shoppers" if launch.share else "no shopper since it retreated (`make rollback` ends its launch)"
        return f"{model} version {launch.version} decides for {whom}: nothing is being rolled out"
    return launch


def _undone(rollout: Rollout, launch: Launch) -> Look | None:
    """Return the last look at the present stage if something was to follow from it and didn't; else None."""
    look = next(reversed(launch.stages[-1].looks), None)
    return look if look is not None and (_is_growth(look) or _is_rollback(rollout, look)) else None


def _is_growth(look: Look) -> bool:
    return look.decision in ("grow", "complete")


def _is_rollback(rollout: Rollout, look: Look) -> bool:
    return look.decision == "retreat" and rollout.on_retreat == "rollback"


def _earlier(launch: Launch, day: date) -> Look | None:
    """Return the look of the day that was written down before, of a later one, or the one by which a later stage began.

    None where there is none.
    """
    first_day = launch.stages[-1].first_day
    if launch.looks and first_day is not None and first_day > day:
        return launch.looks[-1]
    return next((look for look in reversed(launch.looks) if look.day >= day), None)


def _shadow_look(rollout: Rollout, launch: Launch, log: Path, day: date) -> Look:
    """Return what follows from what the version decided in the shadow up to the day, and was answered to nobody."""
    first, tally = launch.stages[-1].first_day or day, ShadowTally()
    days = [first + timedelta(days=number) for number in range(max((day - first).days + 1, 0))] or [day]
    for one in days:
        for line in shadow_lines_of(log, one):
            if line.policy_version == launch.policy_version:
                has_action = line.action is not None
                tally.count(one, is_other=line.is_other, has_action=has_action, failure=line.failure)
    return judge_shadow(rollout, tally, days)


def _look(settings: Settings, pipeline: Pipeline, rollout: Rollout, launch: Launch, day: date) -> Look:
    if launch.policy_version is None:
        raise RegistryError(
            f"{launch.model} version {launch.version}: its tags don't say under which policy_version it decides; "
            "`python -m rl rollback`, and let the night register it again"
        )
    scenario, key, version = pipeline.scenario, settings.pseudonym_key(), launch.policy_version
    published = read_transitions(pipeline, Lake(settings.lake, pipeline.source.name), day)
    rows = read_served(
        published,
        first_day_read(rollout, launch, day),
        day,
        Versions(version, launch.replaced_policy_version, FALLBACK_VERSION),
        lambda shopper: is_control(shopper, key, scenario=scenario.name, share=scenario.exploration.control_holdout),
    )
    return look_at(
        rollout,
        launch,
        rows,
        lot=lambda shopper: rollout_lot(shopper, key, scenario=scenario.name, policy_version=version),
        day=day,
        is_off=standing(settings, launch.model).is_off,
        off=days_off(settings, launch.model, pipeline.source, day),
    )


def _act(
    client: MlflowClient, settings: Settings, rollout: Rollout, launch: Launch, look: Look, run_date: date
) -> None:
    """Write the look down and do what follows from it; what was done before isn't done again."""
    if look not in launch.looks:
        launch = write_look(settings, launch, look)
    elif look not in launch.stages[-1].looks:
        return
    if _is_growth(look):
        first_day = max(look.day, run_date) + timedelta(days=1)
        begin_stage(settings, launch, rollout.next_share(launch.share), first_day)
    elif _is_rollback(rollout, look):
        roll_back(client, settings, launch.model, Person(ROLLOUT, look.why))
