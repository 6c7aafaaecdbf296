"""Rules that a service is started with, beside those of the scenario, as a YAML file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from conf.errors import SpecError
from conf.specs.scenario import Scenario
from conf.specs.shop_rules import ShopRules
from conf.specs.strict_yaml import parse_model, read_yaml


class BusinessRules(ShopRules):
    """Rules of a file, which hold beside the scenario's own while the service that read it runs."""

    scenario: str = Field(description="Names the scenario that the rules are for.", examples=["recommendation"])


def load_rules(path: Path, scenario: Scenario) -> BusinessRules:
    """Return the rules that a file holds for a scenario.

    Raises:
        SpecError: they don't fit their model, are another scenario's, or name a feature that its observation lacks.
    """
    rules = parse_model(BusinessRules, read_yaml(path), str(path))
    if rules.scenario != scenario.name:
        raise SpecError(f"{path}: scenario is {rules.scenario!r}, expected {scenario.name!r}, which is served")
    if found := rules.unobserved([feature.name for feature in scenario.observation.features]):
        raise SpecError(f"{path}: {len(found)} problem(s)\n" + "\n".join(f"  {one}" for one in found))
    return rules
