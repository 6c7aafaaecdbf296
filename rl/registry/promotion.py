"""Promotion: an approved version becomes the champion, if what it was approved on still holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mlflow import MlflowClient

from rl.errors import RegistryError
from rl.registry.store import CHALLENGER, CHAMPION, PREVIOUS, aliases
from rl.registry.versions import BEHAVIOR, ROLLED_BACK, RegisteredVersion, load_version


@dataclass(frozen=True)
class Promotion:
    """What a promotion did. `skipped` is the reason where there was rightly nothing to promote."""

    model: str
    version: int
    champion: int | None
    previous: int | None
    is_new: bool
    skipped: str | None = None


def promote_version(client: MlflowClient, model: str, version: int, *, source: str, run_date: date) -> Promotion:
    """Move alias champion to the version, and previous to the old champion; return what moved.

    Call it under the store's lock. Done again, or after a kill half-way, it ends in the same state.

    Raises:
        RegistryError: no such version, not of this night, or the approval went stale.
    """
    found = load_version(client, model, version)
    if found is None:
        raise RegistryError(f"{model} has no version {version}; register the night first")
    _require_night(found, source, run_date)
    held = aliases(client, model)
    if held.get(CHAMPION) == version:
        _drop_challenger(client, found, held)
        return Promotion(model, version, version, held.get(PREVIOUS), is_new=False)
    if found.tags.get("verdict") != "promote":
        reason = f"the verdict on {model} version {version} is {found.tags.get('verdict')}: nothing to promote"
        return Promotion(model, version, held.get(CHAMPION), held.get(PREVIOUS), is_new=False, skipped=reason)
    _require_fresh(found, held)
    return _move_aliases(client, found, held)


def _move_aliases(client: MlflowClient, found: RegisteredVersion, held: dict[str, int]) -> Promotion:
    """Move the aliases in an order that a kill can't spoil: until champion moves, a repeat passes all checks."""
    previous = held.get(CHAMPION)
    if previous is not None:
        client.set_registered_model_alias(found.model, PREVIOUS, str(previous))
    client.set_registered_model_alias(found.model, CHAMPION, str(found.version))
    _drop_challenger(client, found, held)
    return Promotion(found.model, found.version, found.version, previous, is_new=True)


def _drop_challenger(client: MlflowClient, found: RegisteredVersion, held: dict[str, int]) -> None:
    if held.get(CHALLENGER) == found.version:
        client.delete_registered_model_alias(found.model, CHALLENGER)


def _require_night(found: RegisteredVersion, source: str, run_date: date) -> None:
    expected = {"source": source, "date": str(run_date)}
    if wrong := [
        f"{name} is {found.tags.get(name)!r}, expected {value!r}"
        for name, value in expected.items()
        if found.tags.get(name) != value
    ]:
        raise RegistryError(
            f"{found.model} version {found.version} is of another night: {'; '.join(wrong)}; "
            "approve the version of the night you name"
        )


def _require_fresh(found: RegisteredVersion, held: dict[str, int]) -> None:
    champion = str(held[CHAMPION]) if CHAMPION in held else BEHAVIOR
    before = found.champion_in_force
    problems = []
    if ROLLED_BACK in found.tags:
        problems.append(f"it was rolled back ({found.tags[ROLLED_BACK]})")
    if held.get(CHALLENGER) != found.version:
        problems.append(
            f"the challenger is version {held[CHALLENGER]}" if CHALLENGER in held else "no challenger waits"
        )
    if champion != before:
        now = "there is no champion" if champion == BEHAVIOR else f"the champion is version {champion}"
        problems.append(f"{_named(before)} when it was gated, and now {now}")
    if problems:
        raise RegistryError(f"stale: gate again: {found.model} version {found.version}: {'; '.join(problems)}")


def _named(champion: str | None) -> str:
    if champion is None:
        return "its tags don't say who was champion"
    return "there was no champion" if champion == BEHAVIOR else f"the champion was version {champion}"
