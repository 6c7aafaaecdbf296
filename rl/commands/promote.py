"""`promote`: an approved version becomes the champion."""

from __future__ import annotations

from collections.abc import Sequence
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
from conf.specs.scenario import Pipeline, load_pipeline
from rl.errors import RefusedRequest, RegistryError
from rl.registry.decided import promote_on_word
from rl.registry.entry import SHARE_CHANGED
from rl.registry.launches import Launch, Stage, begin_launch, running_launch, settle_launches
from rl.registry.memory import registry_address
from rl.registry.person import Person
from rl.registry.promises import promise_of_version
from rl.registry.promotion import Promotion
from rl.registry.readiness import remember, settle_model
from rl.registry.served_shares import tag_shares
from rl.registry.store import CHAMPION, PREVIOUS, aliases, open_store
from rl.registry.versions import load_version


def run(
    *,
    settings: Settings,
    source: str,
    scenario: str,
    run_date: date,
    version: int,
    who: Sequence[str] = (),
    why: Sequence[str] = (),
) -> dict[str, Any]:
    """Make the version champion, write promotion.json and return it; `skipped` says why it may not be.

    Args:
        settings: what the environment says: home, registry, who approves.
        source: its name.
        scenario: its name.
        run_date: of the version's night.
        version: that is approved.
        who: approve it: one person, or two where the scenario asks for a second; left out, this user.
        why: for each of them, the reason for the record; left out, the night.

    Raises:
        RegistryError: the approval went stale, names a version that isn't this night's or was rejected, or comes from
            somebody who may not give it.
    """
    pipeline = load_pipeline(scenario, source)  # says at once what is wrong with the names
    night = Run(settings.home, source, scenario, run_date)
    is_human = (settings.approval or pipeline.scenario.approval) == "human"
    people = _people(who, why, run_date)
    if is_human:
        refuse_strangers(pipeline, people)
    with open_store(settings) as client:
        model = f"{scenario}-policy"
        settle_model(client, settings, model)
        promotion = _rolling(client, settings, model, version) or promote_on_word(
            client,
            settings,
            model,
            version,
            source=source,
            run_date=run_date,
            people=people,
            n_needed=n_people(client, pipeline, model, version) if is_human else 1,
            begin=lambda replaced: _begin(
                client, settings, model, version, replaced, rollout=pipeline.scenario.rollout, run=night
            ),
        )
        settle_launches(settings, model)
        tag_shares(client, settings, model)
        remember(client, settings, model)
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
    where = "in the shadow" if launch.is_shadow else f"at {launch.share:g} of the shoppers"
    reason = (
        f"{model} version {launch.version} is being rolled out, {where}: one launch at a "
        "time; wait until it is complete, or `python -m rl rollback`"
    )
    return Promotion(model, version, champion, held.get(PREVIOUS), is_new=False, skipped=reason)


def _begin(
    client: MlflowClient,
    settings: Settings,
    model: str,
    version: int,
    replaced: int | None,
    *,
    rollout: Rollout | None,
    run: Run,
) -> None:
    """Write down the promotion as a launch, with what its evaluation promised: by stages where the scenario says so.

    What replaces itself, or the version of another source, has nothing to be compared with and is launched to all.
    """
    now = datetime.now(UTC)
    found = load_version(client, model, version)
    before = None if replaced is None else load_version(client, model, replaced)
    told = None if found is None else found.tags.get("policy_version")
    is_alike = before is not None and before.tags.get("policy_version") == told
    is_strange = before is not None and before.tags.get("source") != run.source
    stages = () if rollout is None or told is None or is_alike or is_strange else rollout.stages
    is_shadow = rollout is not None and bool(stages) and rollout.shadow_days > 0
    share = 0.0 if is_shadow else stages[0] if stages else 1.0
    launch = Launch(
        registry=registry_address(settings),
        model=model,
        source=run.source,
        version=version,
        policy_version=told,
        replaced=replaced,
        replaced_policy_version=None if before is None else before.tags.get("policy_version"),
        night=run.date,
        promise=None if found is None else promise_of_version(client, found, run.evaluation),
        stages=(Stage(share=share, started_at=now, first_day=run.date + timedelta(days=1), is_shadow=is_shadow),),
        completed_at=now if share == 1 else None,
    )
    begin_launch(settings, launch)


def n_people(client: MlflowClient, pipeline: Pipeline, model: str, version: int) -> int:
    """Return how many people have to approve the version, by the share of decisions that it changes."""
    found = load_version(client, model, version)
    text = "" if found is None else found.tags.get(SHARE_CHANGED, "")
    try:
        changed = float(text)
    except ValueError:
        changed = None  # an earlier release didn't say, or somebody edited it
    return pipeline.scenario.review.n_people(changed)


def refuse_strangers(pipeline: Pipeline, people: Sequence[Person]) -> None:
    """Raise if somebody answers whom the scenario doesn't list as one who may.

    Raises:
        RefusedRequest: names them, and who may.
    """
    known = pipeline.scenario.review.respondents
    strangers = [person.who for person in people if known and person.who not in known]
    if strangers:
        raise RefusedRequest(
            f"{', '.join(strangers)} may not approve or reject for scenario {pipeline.scenario.name}: it asks "
            f"{', '.join(known)} (review.respondents); say who by --who, or WHO of make"
        )


def _people(who: Sequence[str], why: Sequence[str], run_date: date) -> list[Person]:
    names = list(who) or [getuser()]
    if len(why) > len(names):
        raise RegistryError(f"{len(why)} reasons of {len(names)} people; give a --why for each --who at most")
    reasons = [*why, *[""] * (len(names) - len(why))]
    return [Person(name, one.strip() or f"the night of {run_date}") for name, one in zip(names, reasons, strict=True)]
