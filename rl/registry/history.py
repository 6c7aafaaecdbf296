"""Earlier versions of a scenario's policy: what the gate said, what gain was predicted, what it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from rl.registry.store import aliases
from rl.registry.versions import BEHAVIOR, RegisteredVersion, own_versions


@dataclass(frozen=True)
class EarlierVersion:
    """A version as the registry remembers it.

    Attributes:
        version: its entry.
        compared_with: what its gain is over: a version, or `behavior`; empty where that isn't known.
        gain: predicted gain, per episode; None where none was estimated.
        lower: its lower bound, at that night's level.
        upper: its upper bound.
        aliases: that it holds now, in alphabetical order.
    """

    version: RegisteredVersion
    compared_with: str
    gain: float | None
    lower: float | None
    upper: float | None
    aliases: tuple[str, ...]

    @property
    def date(self) -> date:
        return self.version.date


def earlier_versions(
    client: MlflowClient, version: RegisteredVersion, *, limit: int = 30
) -> tuple[EarlierVersion, ...]:
    """Return the versions with a lower number, the latest first: `limit` at most, and any that holds an alias.

    Their gains are predictions made on their own nights, each against its own baseline; what a champion has really
    earned since is for the monitor to say. A run that was deleted leaves its version without figures. Versions that no
    night registered are no history.
    """
    held: dict[int, list[str]] = {}
    for alias, number in sorted(aliases(client, version.model).items()):
        held.setdefault(number, []).append(alias)
    before = [one for one in own_versions(client, version.model) if one.version < version.version]
    before.sort(key=lambda one: -one.version)
    shown = [one for place, one in enumerate(before) if place < limit or one.version in held]
    return tuple(remembered(client, one, tuple(held.get(one.version, ()))) for one in shown)


def remembered(client: MlflowClient, version: RegisteredVersion, held: tuple[str, ...] = ()) -> EarlierVersion:
    """Return a version with the gain that its run holds; without one where the run was deleted.

    Args:
        client: MLflow's.
        version: its entry.
        held: aliases that it holds now.
    """
    run = _run(client, version.run_id)
    figures = {} if run is None else run.data.metrics
    gain, lower, upper = (figures.get(name) for name in ("gain", "gain_lower", "gain_upper"))
    return EarlierVersion(version, _compared_with(version, figures), gain, lower, upper, held)


def _compared_with(version: RegisteredVersion, figures: Mapping[str, float]) -> str:
    """Return what the gain is over, as the tags say; older releases named the champion, compared or not."""
    if "compared_with" in version.tags:
        return version.tags["compared_with"]
    before = version.champion_in_force or ""
    was_compared = not figures or any(name.startswith("champion/") for name in figures)
    return before if was_compared else BEHAVIOR


def _run(client: MlflowClient, run_id: str) -> Run | None:
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
