"""What earlier nights spent of the allowance of wrong promotions, as their versions say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

import structlog
from mlflow import MlflowClient

from rl.gate.alpha_spending import LARGEST_LEVEL, Look, NightLevel, night_level
from rl.registry.entry import NightKey
from rl.registry.memory import SpentLook
from rl.registry.versions import RegisteredVersion, own_versions

LEVEL_TAG = "level"
"""Tag of a version: the one-sided level that its night spent."""


def find_looks(client: MlflowClient, key: NightKey, known: Sequence[SpentLook] = ()) -> tuple[Look, ...]:
    """Return the looks of earlier registrations of the scenario on this source, without tonight's own repeat.

    A version without a readable level (made by an older release) counts as none; one whose version or tags were deleted
    or edited in MLflow counts as the home knows it.

    Args:
        client: MLflow's, from `open_store`.
        key: source, scenario, date and input hashes of the night.
        known: looks that the home's own nights spent.
    """
    own = {one.tags["input_key"] for one in own_versions(client, key.model) if one.is_of_night(key)} | {key.input_key}
    found: dict[str, Look] = {}
    for look in (*spent_looks_of(client, key.model), *known):
        is_another_night = look.source == key.source and look.input_key not in own
        if look.model == key.model and is_another_night:
            before = found.get(look.input_key)
            if before is None or before.level < look.level:
                found[look.input_key] = Look(look.date, look.level, look.version)
    return tuple(sorted(found.values(), key=lambda look: look.version))


def level_of_look(per_year: float, tonight: date, looks: Sequence[Look]) -> NightLevel:
    """Return what tonight's look may spend; warn where the date was looked at before, by another spec or other data.

    Such a look chooses once more by the same test episodes, so it spends once more, however little is left.

    Args:
        per_year: wrong promotions allowed a year.
        tonight: date of the look.
        looks: earlier ones, as `find_looks` has them.
    """
    level = night_level(per_year, tonight, looks)
    if before := [look for look in looks if look.date == tonight and look.level > 0]:
        structlog.get_logger().warning(
            "this date was looked at before with another spec or other data: one more look spends again",
            date=str(tonight),
            looked_at_by=[f"version {look.version} ({look.level:.4f})" for look in before],
            allowance_left=round(level.left, 6),
            this_look_takes=round(level.level, 6),
        )
    return level


def spent_looks_of(client: MlflowClient, model: str) -> tuple[SpentLook, ...]:
    """Return what the model's versions say that their nights spent, without nights that spent nothing."""
    return tuple(
        SpentLook(
            model=model,
            source=version.tags["source"],
            input_key=version.tags["input_key"],
            date=version.date,
            level=level,
            version=version.version,
        )
        for version in own_versions(client, model)
        if (level := _level(version)) > 0
    )


def _level(version: RegisteredVersion) -> float:
    """Return the level in the version's tag, no more than any night may spend; 0 where it isn't a number."""
    try:
        level = float(version.tags.get(LEVEL_TAG) or 0)
    except ValueError:
        return 0.0
    return min(level, LARGEST_LEVEL) if math.isfinite(level) else 0.0
