"""What earlier nights spent of the allowance of wrong promotions, as their versions say."""

from __future__ import annotations

import math

from mlflow import MlflowClient

from rl.alpha_spending import Look
from rl.registry.entry import NightKey
from rl.registry.versions import all_versions

LEVEL_TAG = "level"
"""Tag of a version: the one-sided level that its night spent."""


def find_looks(client: MlflowClient, key: NightKey) -> tuple[Look, ...]:
    """Looks of earlier registrations of the scenario on this source, tonight's own repeat left out.

    A version without a readable level (made by an older release) counts as none.
    """
    return tuple(
        Look(version.date, level, version.version)
        for version in all_versions(client, key.model)
        if version.tags.get("source") == key.source and version.tags.get("input_key") != key.input_key
        if (level := _level(version.tags.get(LEVEL_TAG))) > 0
    )


def _level(tag: str | None) -> float:
    try:
        level = float(tag or 0)
    except ValueError:
        return 0.0
    return level if math.isfinite(level) else 0.0
