"""What a command that rules hold for asks before it goes on: whether anything knows the actions that they name."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from conf.specs.shop_rules import ShopRules
from rl.data.known_actions import Names, actions_in_lake, refuse_unknown


def refuse_unknown_actions(
    settings: Settings,
    pipeline: Pipeline,
    *,
    horizon: date = date.max,
    further: tuple[Names, ...] = (),
    file: tuple[ShopRules, str] | None = None,
) -> None:
    """Raise if the scenario's rules, or those of a file, name an action that nothing knows.

    The lake is asked first, and the champion last, since that takes seconds.

    Args:
        settings: name the lake and the registry.
        pipeline: whose rules.
        horizon: last date whose deliveries count.
        further: what the caller knows, asked before the lake.
        file: rules of a file, and its name.

    Raises:
        SpecError: names each such action, and the nearest known ones.
    """
    lake = Lake(settings.lake, pipeline.source.name)
    known = (*further, *actions_in_lake(pipeline, lake, horizon), lambda: _champion_actions(settings, pipeline))
    scenario = pipeline.scenario
    for rules, where in (*([] if file is None else [file]), (scenario.rules, f"scenario {scenario.name}, rules")):
        if rules is not None:
            refuse_unknown(rules, known, where)


def _champion_actions(settings: Settings, pipeline: Pipeline) -> Collection[str]:
    """Return what the champion knows; nothing where there is no registry or champion."""
    database = settings.mlflow_database
    if database is not None and not database.exists():
        return frozenset()
    # It imports MLflow, which takes seconds: not where the lake knows every action.
    from rl.registry.champion import champion_actions  # noqa: PLC0415

    return champion_actions(settings, pipeline)
