"""The shop's rules that held on a night, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rl.policy.action_rules import ActionRules, Eligibility

_MOST_NAMED = 10


def rule_sentences(rules: ActionRules) -> tuple[str, ...]:
    """Return a sentence for each rule; pins and caps say that they hold in service alone.

    >>> rule_sentences(ActionRules(blocked=frozenset({"wine", "beer"})))
    ('Never chosen: beer, wine.',)
    """
    return tuple(_sentences(rules))


def _sentences(rules: ActionRules) -> Iterator[str]:
    if rules.blocked:
        yield f"Never chosen: {_named(rules.blocked)}."
    for one in rules.eligibility:
        yield f"Only for shoppers whose {one.feature} is {_bounds(one)}: {_named(one.actions)}."
    for pin in rules.pins:
        places = ", ".join(map(str, sorted(pin.positions)))
        yield f"In service, alone at position {places} of a slate (from 0) wherever it is available: {pin.action}."
    for cap in rules.caps:
        yield f"In service, at most {cap.per_shopper_day} together a shopper and business day: {_named(cap.actions)}."


def _bounds(rule: Eligibility) -> str:
    bounds = {"at least": rule.at_least, "at most": rule.at_most}
    return " and ".join(f"{word} {value}" for word, value in bounds.items() if value is not None)


def _named(actions: Iterable[str]) -> str:
    """Return the first names in their order, and how many more there are."""
    names = sorted(actions)
    further = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + further
