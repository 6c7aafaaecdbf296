"""A shop's rules, from their YAML to the masks that a choice is made under."""

from __future__ import annotations

from conf.specs.scenario import Scenario
from conf.specs.shop_rules import ShopRules
from rl.policy.action_rules import ActionRules, Cap, Eligibility, Pin


def action_rules(rules: ShopRules | None) -> ActionRules:
    """Return the rules as masks take them; None takes nothing away."""
    if rules is None:
        return ActionRules()
    return ActionRules(
        blocked=frozenset(key for rule in rules.block for key in rule.actions),
        pins=tuple(Pin(rule.action, frozenset(rule.positions)) for rule in rules.pin),
        eligibility=tuple(
            Eligibility(frozenset(rule.actions), rule.feature, rule.at_least, rule.at_most)
            for rule in rules.eligibility
        ),
        caps=tuple(Cap(frozenset(rule.actions), rule.per_shopper_day) for rule in rules.caps),
    )


def rules_of_scenario(scenario: Scenario) -> ActionRules:
    """Return the rules that the scenario's spec states."""
    return action_rules(scenario.rules)
