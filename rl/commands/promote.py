"""`promote`: an approved version becomes the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from getpass import getuser
from typing import Any

import structlog
from mlflow import MlflowClient

from conf.paths import Run
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from rl.errors import RegistryError
from rl.registry.decided import promote_on_word
from rl.registry.entry import SHARE_CHANGED
from rl.registry.readiness import remember, settle_model
from rl.registry.store import open_store
from rl.registry.switching import Person
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
    is_human = (settings.approval or pipeline.scenario.approval) == "human"
    people = _people(who, why, run_date)
    if is_human:
        refuse_strangers(pipeline, people)
    with open_store(settings) as client:
        model = f"{scenario}-policy"
        settle_model(client, settings, model)
        promotion = promote_on_word(
            client,
            settings,
            model,
            version,
            source=source,
            run_date=run_date,
            people=people,
            n_needed=n_people(client, pipeline, model, version) if is_human else 1,
        )
        remember(client, settings, model)
    result = {"scenario": scenario, "source": source, "date": str(run_date), **asdict(promotion)}
    if promotion.skipped is None:
        del result["skipped"]
    structlog.get_logger().info(
        "promotion", version=version, champion=promotion.champion, is_new=promotion.is_new, skipped=promotion.skipped
    )
    write_atomically(Run(settings.home, source, scenario, run_date).promotion, to_json(result, indent=1))
    return result


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
        RegistryError: names them, and who may.
    """
    known = pipeline.scenario.review.respondents
    strangers = [person.who for person in people if known and person.who not in known]
    if strangers:
        raise RegistryError(
            f"{', '.join(strangers)} may not approve or reject for scenario {pipeline.scenario.name}: it asks "
            f"{', '.join(known)} (review.respondents); say who by --who, or WHO of make"
        )


def _people(who: Sequence[str], why: Sequence[str], run_date: date) -> list[Person]:
    names = list(who) or [getuser()]
    if len(why) > len(names):
        raise RegistryError(f"{len(why)} reasons of {len(names)} people; give a --why for each --who at most")
    reasons = [*why, *[""] * (len(names) - len(why))]
    return [Person(name, one.strip() or f"the night of {run_date}") for name, one in zip(names, reasons, strict=True)]
