"""A shop's rules, from their YAML to the masks that a choice is made under."""

from __future__ import annotations

from conf.specs.business_rules import BusinessRules
from rl.policy.action_rules import ActionRules, Cap, Eligibility, Pin


def action_rules(rules: BusinessRules) -> ActionRules:
    """Return the rules as masks take them."""
    return ActionRules(
        blocked=frozenset(key for rule in rules.block for key in rule.actions),
        pins=tuple(Pin(rule.action, frozenset(rule.positions)) for rule in rules.pin),
        eligibility=tuple(
            Eligibility(frozenset(rule.actions), rule.feature, rule.at_least, rule.at_most)
            for rule in rules.eligibility
        ),
        caps=tuple(Cap(frozenset(rule.actions), rule.per_shopper_day) for rule in rules.caps),
    )
