"""`decide` of a scenario that decides within sessions: tomorrow's recommendations for all shoppers, by the champion."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from conf.errors import SpecError
from conf.kernel.calendar import day_number
from conf.paths import Lake, Run
from conf.plain_json import to_json
from conf.publication import publishing, write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import code_hash, full_spec_hash
from rl.commands.rule_names import refuse_unknown_actions
from rl.data.shop_rules import rules_of_scenario
from rl.errors import PolicyError, ServingError
from rl.lists.recommendation_list import RecommendationOrigin, publish_recommendations
from rl.policy import StochasticPolicy
from rl.registry.approvals import standing
from rl.registry.champion import load_version_policy
from rl.registry.deciding_version import NobodyDecides, deciding_version
from rl.registry.exploration import read_plan
from rl.registry.launches import running_launch
from rl.registry.store import open_store
from rl.registry.versions import RegisteredVersion
from rl.serving.bodies import MOST_POSITIONS
from rl.serving.decisions import PolicyInUse, SharedOut
from rl.serving.explored import Explored, refuse_unseen
from rl.serving.following import refuse_misfit
from rl.serving.published_histories import PublishedHistories
from rl.serving.shop_tables import NoSetInForce, read_tables, set_in_force
from rl.serving.store_filling import StorePlace
from rl.serving.tomorrow import Tomorrow, TomorrowOrder, decide_tomorrow
from rl.shopper_models.activity_reading import Consent

HOUR = 6
"""Of the as-of day, in the shop's zone: a list made overnight is looked at from the morning on."""


@dataclass(frozen=True)
class Asked:
    """What is asked of the list.

    Attributes:
        positions: decisions for each shopper.
        hour: of the as-of day in the shop's zone, that is decided for.
        availability_id: of the set that is available; None for the one in force then.
    """

    positions: int = 1
    hour: int = HOUR
    availability_id: str | None = None


def run(*, settings: Settings, pipeline: Pipeline, run_date: date, version: int | None, asked: Asked) -> dict[str, Any]:
    """Write the recommendations for the day after the date; return their summary.

    `skipped` says that nothing decides yet, that the scenario was turned off, that the champion needs features that the
    scenario no longer observes, or that nobody knows which one set of actions is available then.

    Raises:
        SpecError: the scenario answers no requests, or its rules name an action that nothing knows.
        ServingError: there are no histories as of that day, no such set was delivered, or more positions are asked for
            than a slate has.
        RegistryError: no such version.
    """
    scenario, source = pipeline.scenario, pipeline.source.name
    if problem := scenario.request_problem:
        raise SpecError(problem)
    if not 1 <= asked.positions <= MOST_POSITIONS:
        raise ServingError(f"--positions {asked.positions}: expected 1 to {MOST_POSITIONS}")
    started, lake, as_of = time.monotonic(), Lake(settings.lake, source), run_date + timedelta(days=1)
    refuse_unknown_actions(settings, pipeline, horizon=run_date)
    result: dict[str, Any] = {"source": source, "scenario": scenario.name, "date": str(run_date), "as_of": str(as_of)}
    with publishing(lake.list_lock(scenario.name)):
        found = deciding_version(settings, pipeline, version, load_version_policy)
        if isinstance(found, NobodyDecides):
            return result | {"skipped": found.why}
        try:
            refuse_misfit(found[1], pipeline)
            result |= _published(settings, pipeline, found, run_date=run_date, asked=asked)
        except (NoSetInForce, PolicyError) as error:
            if version is not None:
                raise
            return result | {"skipped": f"version {found[0].version} can't decide for everybody: {error}"}
    result["seconds"] = round(time.monotonic() - started, 1)
    write_atomically(Run(settings.home, source, scenario.name, run_date).decide_result, to_json(result, indent=1))
    structlog.get_logger().info("decided", as_of=str(as_of), n_decisions=result["n_decisions"])
    return result


def _published(
    settings: Settings,
    pipeline: Pipeline,
    found: tuple[RegisteredVersion, StochasticPolicy],
    *,
    run_date: date,
    asked: Asked,
) -> dict[str, Any]:
    registered, policy = found
    lake, as_of = Lake(settings.lake, pipeline.source.name), run_date + timedelta(days=1)
    published, control = _histories(settings, pipeline, as_of), _control(settings, pipeline, registered.model)
    shared_out = _shared_out(settings, pipeline, registered)
    explored = _explored(settings, pipeline, registered)
    tables, rules = read_tables(lake), rules_of_scenario(pipeline.scenario)
    consent = Consent.read(pipeline.source, lake, run_date)
    moment = datetime.combine(as_of, time_of_day(asked.hour), tzinfo=ZoneInfo(pipeline.source.zone))
    time_us = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    availability_id, actions = _available(pipeline, lake, policy, tables.sets, time_us, run_date, asked)
    inputs = {
        f"histories/as_of={as_of}": published.digest,
        f"mlflow/{registered.model}": f"{registered.version}/{policy.version}",
        **({} if control is None else {"control": f"{control.version}/{control.policy.version}"}),
        **({} if shared_out is None else {"rollout": _told_share(shared_out)}),
        **({} if explored is None else {"explored": explored.version_beside(policy)}),
        **({} if consent is None else consent.inputs),
        "available": "everything" if availability_id is None else availability_id,
        "rules": json.dumps(rules.to_json(), sort_keys=True),
    }
    order = TomorrowOrder(
        as_of=as_of,
        time_us=time_us,
        actions=actions,
        availability_id=availability_id,
        n_positions=asked.positions,
        made_of={"scenario": pipeline.scenario.name, **inputs},
    )
    decided = decide_tomorrow(
        pipeline,
        order,
        published.histories(),
        key=settings.pseudonym_key(),
        rules=rules,
        champion=PolicyInUse.of(policy, registered.version),
        control=control,
        shared_out=shared_out,
        explored=explored,
        tables=tables,
        consenting=consent,
    )
    told = _told(decided)
    origin = RecommendationOrigin(
        scenario=pipeline.scenario.name,
        as_of=as_of,
        horizon=run_date,
        spec_hash=full_spec_hash(pipeline),
        code_hash=code_hash(*(PROJECT_ROOT / folder for folder in ("conf", "rl"))),
        key_id=published.pointer.manifest.key_id,
        event_type=pipeline.source.decisions.event_type if pipeline.is_logged else "impression",
        inputs=inputs | {"moment": moment.isoformat(), "positions": str(asked.positions)},
        counters={name: value for name, value in told.items() if isinstance(value, int)},
    )
    pointer, is_new = publish_recommendations(lake, decided.rows, origin)
    return {
        "model": registered.model,
        "version": registered.version,
        "policy_version": policy.version,
        "control_version": None if control is None else control.version,
        "decision_time": moment.isoformat(),
        "availability_id": availability_id,
        "positions": asked.positions,
        **told,
        "is_new": is_new,
        "content_hash": pointer.manifest.content_hash,
        "table": str(lake.recommendations(pipeline.scenario.name)),
        "csv": str(lake.recommendations_csv(pipeline.scenario.name, as_of)),
    }


def _histories(settings: Settings, pipeline: Pipeline, as_of: date) -> PublishedHistories:
    """Return the histories of the day.

    Raises:
        ServingError: they aren't published.
    """
    published = StorePlace(settings, pipeline).published(day_number(as_of))
    if published is None or published.as_of != as_of:
        newest = "none are" if published is None else f"the newest are as of {published.as_of}"
        source, scenario = pipeline.source.name, pipeline.scenario.name
        raise ServingError(
            f"no histories of {scenario} as of {as_of} are published ({newest}); publish them: `make observe "
            f"SOURCE={source} SCENARIO={scenario} AS_OF={as_of}`"
        )
    return published


def _control(settings: Settings, pipeline: Pipeline, model: str) -> PolicyInUse | None:
    """Return the policy that decides for the control group; None where the shop does, or nobody is held out."""
    number = standing(settings, model).control
    if number is None or not pipeline.scenario.exploration.control_holdout:
        return None
    found = deciding_version(settings, pipeline, number, load_version_policy)
    return None if isinstance(found, NobodyDecides) else PolicyInUse.of(found[1], number)


def _shared_out(settings: Settings, pipeline: Pipeline, registered: RegisteredVersion) -> SharedOut | None:
    """Return how the version is rolled out, as a service shares it out; None where it decides for all.

    Raises:
        PolicyError: what it replaces by stages can't be loaded.
    """
    launch = running_launch(settings, registered.model, registered.version)
    if launch is None or not launch.is_partial:
        return None
    if launch.replaced is None:
        return SharedOut(launch.share, None)
    found = deciding_version(settings, pipeline, launch.replaced, load_version_policy)
    if isinstance(found, NobodyDecides):
        replaced = f"version {launch.replaced}, which version {registered.version} replaces by stages"
        raise PolicyError(f"{replaced}, can't decide: {found.why}")
    return SharedOut(launch.share, PolicyInUse.of(found[1], launch.replaced))


def _explored(settings: Settings, pipeline: Pipeline, registered: RegisteredVersion) -> Explored | None:
    """Return the exploration plan that is followed beside the version, as a service follows it; None for none.

    Raises:
        PolicyError: its version can't decide, or it asks for what isn't observed.
        RegistryError: it can't be read.
    """
    number, max_share = standing(settings, registered.model).exploring, pipeline.scenario.exploration.max_share
    if number is None or max_share <= 0:
        return None
    found = deciding_version(settings, pipeline, number, load_version_policy)
    if isinstance(found, NobodyDecides):
        raise PolicyError(f"version {number}, whose exploration plan is followed, can't decide: {found.why}")
    with open_store(settings) as client:
        plan = read_plan(client, found[0])
    if plan is None or plan.champion != registered.version:
        return None
    explored = Explored.of(plan, found[1], max_share)
    refuse_unseen(explored, pipeline.scenario)
    return explored


def _told_share(shared_out: SharedOut) -> str:
    incumbent = "the shop" if shared_out.incumbent is None else shared_out.incumbent.policy.version
    return f"{shared_out.share} beside {incumbent}"


def _available(
    pipeline: Pipeline,
    lake: Lake,
    policy: StochasticPolicy,
    sets: Mapping[str, tuple[str, ...]],
    time_us: int,
    run_date: date,
    asked: Asked,
) -> tuple[str | None, tuple[str, ...]]:
    """Return the id of the set that is available and its actions; all that the policy knows where there are no sets.

    Raises:
        ServingError: the set that was asked for was never delivered, or nobody knows which one is in force.
    """
    if pipeline.scenario.action.mask != "availability":
        return None, policy.vocabulary.keys
    if asked.availability_id is None:
        return set_in_force(lake, time_us, run_date)
    if asked.availability_id not in sets:
        raise ServingError(f"--availability-id {asked.availability_id}: no such set was delivered")
    return asked.availability_id, sets[asked.availability_id]


def _told(decided: Tomorrow) -> dict[str, Any]:
    return {
        "n_shoppers": decided.n_shoppers,
        "n_decisions": decided.rows.num_rows,
        "n_control": decided.n_control,
        "n_incumbent": decided.n_incumbent,
        "n_without_consent": decided.n_without_consent,
        "n_short": decided.n_short,
        "groups": dict(decided.groups),
    }
