"""Rules that a service is started with, beside those of the scenario, as a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from conf.errors import SpecError
from conf.specs.scenario import Scenario
from conf.specs.shop_rules import ShopRules
from conf.specs.strict_yaml import parse_model, read_yaml


class BusinessRules(ShopRules):
    """Rules of a file, which hold beside the scenario's own while the service that read it runs."""

    scenario: str = Field(description="Names the scenario that the rules are for.", examples=["recommendation"])


def load_rules(path: Path, scenario: Scenario) -> BusinessRules:
    """Return the rules that a file holds for a scenario: beside its name, or below `rules` as a scenario has them.

    Raises:
        SpecError: they don't fit their model, are another scenario's, or name a feature that its observation lacks.
    """
    rules = parse_model(BusinessRules, _unnested(read_yaml(path), path), str(path))
    if rules.scenario != scenario.name:
        raise SpecError(f"{path}: scenario is {rules.scenario!r}, expected {scenario.name!r}, which is served")
    if found := rules.unobserved([feature.name for feature in scenario.observation.features]):
        raise SpecError(f"{path}: {len(found)} problem(s)\n" + "\n".join(f"  {one}" for one in found))
    return rules


def _unnested(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the content with what stands below `rules` beside `scenario`.

    Raises:
        SpecError: rules stand in both places, or `rules` holds something else than rules.
    """
    nested = content.get("rules")
    if "rules" not in content:
        return content
    beside = sorted(name for name in content if name not in ("scenario", "rules"))
    if not isinstance(nested, Mapping) or "scenario" in nested or beside:
        found = f"beside it stand {', '.join(beside)}" if beside else "it holds something else"
        raise SpecError(
            f"{path}: `rules` holds all rules of the file, or is left out ({found}); write `scenario: NAME` and then "
            "block, pin, eligibility and caps, either below `rules` or beside `scenario`"
        )
    return {name: value for name, value in content.items() if name != "rules"} | dict(nested)
