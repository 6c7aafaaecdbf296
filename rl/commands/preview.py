"""`preview`: what a file of rules would change in tomorrow's decisions, before a service is started with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from conf.paths import Lake, serving_folder
from conf.publication import read_pointers, write_atomically
from conf.settings import Settings
from conf.specs.business_rules import load_rules
from conf.specs.scenario import Pipeline, load_pipeline
from conf.tables import AVAILABILITY
from rl.data.shop_rules import action_rules, rules_of_scenario
from rl.data.transitions_reading import read_availability
from rl.errors import RegistryError, ServingError
from rl.policy import StochasticPolicy
from rl.registry.champion import load_version_policy
from rl.registry.store import CHAMPION, aliases, open_store
from rl.registry.versions import load_version
from rl.rollout.assignment import is_control
from rl.serving.histories import History
from rl.serving.preview import Sample, preview
from rl.serving.published_histories import PublishedHistories
from rl.serving.store_filling import StorePlace

_FAR_DAY = 100_000
_NOON = timedelta(hours=12)


def run(
    *,
    settings: Settings,
    source: str,
    scenario: str,
    rules: Path,
    version: int | None,
    n_shoppers: int,
    seed: int,
) -> dict[str, Any]:
    """Print the table of actions before and after the rules, write a CSV of the shoppers, and return a summary.

    Raises:
        ServingError: the scenario answers no requests, or nothing was observed yet.
        RegistryError: there is no such version.
        SpecError: the rules don't fit.
    """
    pipeline = load_pipeline(scenario, source)
    if problem := pipeline.scenario.request_problem:
        raise ServingError(problem)
    in_force = rules_of_scenario(pipeline.scenario)
    asked = action_rules(load_rules(rules, pipeline.scenario)).joined(in_force)
    number, policy = _policy(settings, pipeline, version)
    published = StorePlace(settings, pipeline).published(_FAR_DAY)
    if published is None:
        raise ServingError(f"no histories of {scenario} are published yet; run make observe AS_OF=<the day to serve>")
    sampled = _sampled(settings, pipeline, published, n_shoppers, np.random.default_rng(seed))
    if not sampled:
        raise ServingError(f"as of {published.as_of} no shopper is known whom the policy decides for")
    sample = Sample(_noon_us(pipeline, published), sampled, _available(settings, pipeline, policy))
    found = preview(pipeline, policy, sample, before=in_force, after=asked)
    name = f"preview-{published.as_of}-{sha256(rules.read_bytes()).hexdigest()[:8]}.csv"
    path = serving_folder(settings.home, source, scenario) / "previews" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, found.csv_text())
    print(found.table(), flush=True)
    return {
        "as_of": str(published.as_of),
        "version": number,
        "policy_version": policy.version,
        "n_shoppers": len(found.shoppers),
        "n_actions": len(found.actions),
        "decisions_moved": round(float(found.moved.mean()), 4),
        "n_left_without": int((found.after.sum(axis=1) == 0).sum()),
        "csv": str(path),
    }


def _policy(settings: Settings, pipeline: Pipeline, number: int | None) -> tuple[int, StochasticPolicy]:
    """Return the version that is asked for, else the champion, and its policy."""
    model = f"{pipeline.scenario.name}-policy"
    with open_store(settings) as client:
        asked = aliases(client, model).get(CHAMPION) if number is None else number
        if asked is None:
            raise RegistryError(f"{model} has no champion yet; promote a version, or name one (--version)")
        version = load_version(client, model, asked)
        if version is None or not version.is_ours or version.tags.get("source") != pipeline.source.name:
            raise RegistryError(f"{model} has no version {asked} that a night of {pipeline.source.name} registered")
        return asked, load_version_policy(client, version)


def _sampled(
    settings: Settings, pipeline: Pipeline, published: PublishedHistories, n: int, generator: np.random.Generator
) -> dict[str, History]:
    """Return a sample of the shoppers that the policy decides for, in their order; control shoppers are none."""
    key, share = settings.pseudonym_key(), pipeline.scenario.exploration.control_holdout
    known = {
        shopper: history
        for shopper, history in published.histories()
        if not is_control(shopper, key, scenario=pipeline.scenario.name, share=share)
    }
    chosen = set(generator.permutation(len(known))[:n].tolist())
    return {shopper: history for place, (shopper, history) in enumerate(known.items()) if place in chosen}


def _available(settings: Settings, pipeline: Pipeline, policy: StochasticPolicy) -> tuple[str, ...]:
    """Return what the newest delivery of availability holds, all sets together; without one what the policy knows."""
    lake = Lake(settings.lake, pipeline.source.name)
    pointers = read_pointers(lake.table(AVAILABILITY.name))
    if pipeline.scenario.action.mask != "availability" or not pointers:
        return policy.vocabulary.keys
    name = max(pointers)
    day = datetime.fromisoformat(name.partition("=")[2]).date()
    sets = read_availability(lake, day, versions={day: pointers[name]})
    return tuple(sorted(frozenset().union(*sets.values())))


def _noon_us(pipeline: Pipeline, published: PublishedHistories) -> int:
    """Return noon of the day for whose decisions the histories are, in the shop's zone, UTC microseconds."""
    local = datetime.combine(published.as_of, datetime.min.time(), tzinfo=ZoneInfo(pipeline.source.zone)) + _NOON
    return (local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
