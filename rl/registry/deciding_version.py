"""The version whose policy decides a list: the champion, one that was asked for, or nobody, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog
from mlflow import MlflowClient

from conf.paths import Run
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.errors import RegistryError
from rl.registry.approvals import Standing, standing
from rl.registry.readiness import settle_model
from rl.registry.store import CHAMPION, OFF, aliases, open_store
from rl.registry.versions import RegisteredVersion, load_version

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class NobodyDecides:
    """Why nothing decides; `is_unapproved`: no version is approved now, so that a draft can be made."""

    why: str
    is_unapproved: bool = False


def deciding_version(
    settings: Settings,
    pipeline: Pipeline,
    number: int | None,
    load: Callable[[MlflowClient, RegisteredVersion], Loaded],
) -> tuple[RegisteredVersion, Loaded] | NobodyDecides:
    """Return the version that decides, and what is loaded of it; or why nothing does.

    Args:
        settings: of the deployment.
        pipeline: whose scenario names the model.
        number: of the version that was asked for; None for the champion.
        load: returns the version's policy.

    Raises:
        RegistryError: there is no such version of a night of the source.
        PolicyError: what was registered is no such policy.
    """
    model, source = f"{pipeline.scenario.name}-policy", pipeline.source.name
    with open_store(settings) as client:
        settle_model(client, settings, model)
        held, known = aliases(client, model), standing(settings, model)
        if number is None and (OFF in held or known.is_off):
            return NobodyDecides(f"{model} was turned off; `python -m rl on` turns it on again")
        champion = _approved_champion(held, known, model)
        if number is None and champion is None:
            return NobodyDecides(
                f"{model} has no champion: {_why_none(known)}; name a --version to decide by it anyway",
                is_unapproved=True,
            )
        named = champion if number is None else number
        version = None if named is None else load_version(client, model, named)
        if version is None or not version.is_ours or version.tags.get("source") != source:
            raise RegistryError(
                f"{model} has no version {named} that a night of {source} registered; see them in MLflow"
            )
        return version, load(client, version)


def _why_none(known: Standing) -> str:
    if (back := known.withdrawn) is None:
        return "nothing was approved yet"
    return f"version {back.replaced}, the first one, was rolled back ({back}), and the shop decides by its own rule"


def _approved_champion(held: Mapping[str, int], known: Standing, model: str) -> int | None:
    """Return the champion; where its alias was moved by hand, the version that was approved last, or none."""
    champion = held.get(CHAMPION)
    if champion == known.champion or (champion is not None and known.allows(champion)):
        return champion
    structlog.get_logger().error(
        "the alias champion was moved by hand: it isn't followed",
        model=model,
        alias=champion,
        decides=known.champion,
        cure="make restore-aliases",
    )
    return known.champion


def registered_version(night: Run) -> int | None:
    """Return the version that the night registered; None where it registered none."""
    if not night.registration.exists():
        return None
    version: int = json.loads(night.registration.read_text(encoding="utf-8"))["version"]
    return version
