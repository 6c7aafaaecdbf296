"""Promotion: an approved version becomes the champion, if what it was approved on still holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mlflow import MlflowClient

from rl.errors import RefusedRequest
from rl.registry.store import CHALLENGER, CHAMPION, PREVIOUS, aliases
from rl.registry.versions import BEHAVIOR, REJECTED, ROLLED_BACK, RegisteredVersion, load_version


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

    Call it under the store's lock. Done again, or after a kill half-way, it ends in the same state. It is for models
    that the pipeline promotes by itself; a person's word goes through `decided.promote_on_word`.

    Raises:
        RefusedRequest: no such version, not of this night, or the approval went stale.
    """
    found = registered_night(client, model, version, source=source, run_date=run_date)
    held = aliases(client, model)
    if held.get(CHAMPION) == version:
        return move_aliases(client, found, held, previous=held.get(PREVIOUS), is_new=False)
    if (refusal := may_be_promoted(found, held)) is not None:
        return refusal
    return move_aliases(client, found, held, previous=held.get(CHAMPION), is_new=True)


def registered_night(
    client: MlflowClient, model: str, version: int, *, source: str, run_date: date
) -> RegisteredVersion:
    """Return the version of that number.

    Raises:
        RefusedRequest: there is none, or it is of another night.
    """
    found = load_version(client, model, version)
    if found is None:
        raise RefusedRequest(f"{model} has no version {version}; register the night first")
    _require_night(found, source, run_date)
    return found


def may_be_promoted(found: RegisteredVersion, held: dict[str, int]) -> Promotion | None:
    """Return None where the version may become champion; a promotion that is skipped where the gate said no.

    Raises:
        RefusedRequest: what it was gated against no longer holds, or it was rolled back.
    """
    if found.tags.get("verdict") != "promote":
        reason = f"the verdict on {found.model} version {found.version} is {found.tags.get('verdict')}"
        return Promotion(
            found.model,
            found.version,
            held.get(CHAMPION),
            held.get(PREVIOUS),
            is_new=False,
            skipped=f"{reason}: nothing to promote",
        )
    if held.get(CHAMPION) != found.version:
        _require_fresh(found, held)
    return None


def move_aliases(
    client: MlflowClient, found: RegisteredVersion, held: dict[str, int], *, previous: int | None, is_new: bool
) -> Promotion:
    """Move the aliases in an order that a kill can't spoil: until champion moves, a repeat passes all checks."""
    if previous is not None and held.get(PREVIOUS) != previous:
        client.set_registered_model_alias(found.model, PREVIOUS, str(previous))
    if held.get(CHAMPION) != found.version:
        client.set_registered_model_alias(found.model, CHAMPION, str(found.version))
    _drop_challenger(client, found, held)
    return Promotion(found.model, found.version, found.version, previous, is_new=is_new)


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
        raise RefusedRequest(
            f"{found.model} version {found.version} is of another night: {'; '.join(wrong)}; "
            "approve the version of the night you name"
        )


def _require_fresh(found: RegisteredVersion, held: dict[str, int]) -> None:
    champion = str(held[CHAMPION]) if CHAMPION in held else BEHAVIOR
    before = found.champion_in_force
    problems = []
    if ROLLED_BACK in found.tags:
        problems.append(f"it was rolled back ({found.tags[ROLLED_BACK]})")
    if REJECTED in found.tags:
        problems.append(f"it was rejected ({found.tags[REJECTED]})")
    if held.get(CHALLENGER) != found.version:
        problems.append(
            f"the challenger is version {held[CHALLENGER]}" if CHALLENGER in held else "no challenger waits"
        )
    if champion != before:
        now = "there is no champion" if champion == BEHAVIOR else f"the champion is version {champion}"
        problems.append(f"{_named(before)} when it was gated, and now {now}")
    if problems:
        raise RefusedRequest(f"stale: gate again: {found.model} version {found.version}: {'; '.join(problems)}")


def _named(champion: str | None) -> str:
    if champion is None:
        return "its tags don't say who was champion"
    return "there was no champion" if champion == BEHAVIOR else f"the champion was version {champion}"
