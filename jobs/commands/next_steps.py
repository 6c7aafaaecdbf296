"""What comes after a look at a source: what its scenario needs for it, ready to be pasted, and the next command."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from conf.errors import SpecError
from conf.specs.pipeline_fit import misfits
from conf.specs.scenario import SCENARIOS_FOLDER, WHOLE_KEYS, Scenario
from conf.specs.source import Source
from conf.specs.strict_yaml import merge, parse_model, read_yaml, yaml_name
from jobs.landing.raw_deliveries import is_split


def override_for(scenario: str, source: Source, folder: Path = SCENARIOS_FOLDER) -> dict[str, Any] | None:
    """Return what a scenario's `overrides` need for a source; None where that alone wouldn't make them fit.

    Args:
        scenario: name of its file.
        source: for which it has no override yet.
        folder: of the scenarios' files.
    """
    content = read_yaml(folder / f"{scenario}.yaml")
    known = content.pop("overrides", None) or {}
    if source.name in known:
        return None
    try:
        base = parse_model(Scenario, content, scenario)
        override: dict[str, Any] = {}
        for one in misfits(base, source):
            override = merge(override, _cure(one.key, base, source))
        fitted = parse_model(Scenario, merge(content, override, WHOLE_KEYS), scenario)
    except SpecError:
        return None
    return override if override and not misfits(fitted, source) else None


def override_lines(scenario: str, source: Source, override: Mapping[str, Any]) -> list[str]:
    """Return an override as the lines of YAML that a person pastes, and where."""
    told = f"for {source.name}, paste this below `overrides:`, at the end of conf/scenarios/{scenario}.yaml:"
    written = [
        f"    {key}: {yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()}"
        for key, value in override.items()
    ]
    return [told, f"  {yaml_name(source.name)}:", *written]


def next_line(source: Source, logs: Path, *, is_right: bool, is_fit: bool, scenario: str, last: date | None) -> str:
    """Return what to type next.

    Args:
        source: that was looked at.
        logs: file or folder of its logs.
        is_right: whether a delivery like the lines would be published.
        is_fit: whether the scenario runs on the source.
        scenario: that a night would learn.
        last: the last day among the lines; None where no line is an event.
    """
    again = f"make check-source SOURCE={source.name} LOGS={_path(logs)}"
    if not is_right:
        return f"next: mend conf/sources/{source.name}.yaml, then again {again}"
    if not is_fit:
        return f"next: mend conf/scenarios/{scenario}.yaml as said above, then again {again}"
    day = f" DATE={last}" if all(map(is_split, source.feeds_alone().values())) and source.window is None else ""
    why = " (the last day to use; these lines end then)" if day else ""
    return f"next: make nightly SOURCE={source.name} LOGS={_path(logs)}{_named(scenario)}{day}{why}"


def _path(logs: Path) -> str:
    """Return a path as a shell and make take it: to make, a dollar begins a variable."""
    return quote(str(logs)).replace("$", "$$")


def _named(scenario: str) -> str:
    return "" if scenario == "recommendation" else f" SCENARIO={scenario}"


def _cure(key: str, scenario: Scenario, source: Source) -> dict[str, Any]:
    """Return what takes a misfit away; nothing where a person has to decide."""
    if key == "action.mask":
        return {"action": {"mask": "none"}}
    if key == "evaluation.estimator":
        return {"evaluation": {"estimator": "dm"}}
    if key == "gate.guardrails":
        return {"gate": {"guardrails": []}}
    if key == "reward.attribution.link":
        # Where all that a log has is purchases, the basket itself is what was decided.
        link = "itself" if source.decisions.event_type == "purchase" else "last_touch"
        hours = scenario.reward.attribution.window_hours
        return {"reward": {"attribution": {"link": link, "window_hours": hours}}}
    return {}
