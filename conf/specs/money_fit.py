"""Whether a source's log says the money that a scenario counts, and in which currency."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conf.specs.event_mapping import EventMapping
from conf.specs.field_mapping import MONEY_FIELDS
from conf.specs.side_table import SideTable
from conf.specs.source import Source

if TYPE_CHECKING:  # a scenario is checked as it is loaded
    from conf.specs.scenario import Scenario


def money_problem(scenario: Scenario, source: Source) -> str | None:
    """Return why the source's log can't say what the scenario counts in money, and what to write, else None."""
    if not scenario.counts_money:
        return None
    items = source.items if scenario.reward.item_costs else None
    if scenario.reward.item_costs and not _has_costs(source.items):
        return f"item_costs: source {source.name} has no table of items with cost; map one"
    money = [value for value in _money_values(scenario) if not _says(source, value, items)]
    if money:
        is_told = _has_costs(source.items) and not scenario.reward.item_costs and money[0] in ("margin", "cost")
        table = "; item_costs: true takes the cost from the table items, for feeds that map quantity" if is_told else ""
        return f"{', '.join(money)} in money, but no feed of source {source.name} maps {_NEEDS[money[0]]}{table}"
    currencies = _currencies(source)
    if len(currencies) != 1:
        return (
            f"money of source {source.name} is in {' and '.join(sorted(currencies)) or 'no stated currency'}; state "
            "the source's currency, into which all of it is converted"
        )
    (currency,) = currencies
    unit = scenario.reward.unit
    if re.fullmatch("[A-Z]{3}", unit) and currency == _EACH_LINE_S:
        return (
            f"unit is {unit}, but source {source.name} doesn't say that all its money is: each line names a currency "
            f"of its own; state currency: {unit} in the source, or write the unit as a word, such as {_in_a_word(unit)}"
        )
    if re.fullmatch("[A-Z]{3}", unit) and unit != currency:
        return f"unit is {unit}, but money of source {source.name} is in {currency}; expected unit: {currency}"
    return None


_EACH_LINE_S = "whatever each line names"


def _in_a_word(unit: str) -> str:
    return {"EUR": "euros", "USD": "dollars", "GBP": "pounds"}.get(unit, "money")


_NEEDS = {
    "revenue": "amount, or price and quantity",
    "margin": "amount (or price and quantity) and cost; map both, or give reward.margin_rate in place of cost",
    "discount": "discount",
    "cost": "cost",
}


def _money_values(scenario: Scenario) -> list[str]:
    reward = scenario.reward
    values: list[str] = [term.value for term in reward.terms if term.is_money]
    values += [metric.value for metric in scenario.money_metrics.values()]
    if reward.margin_rate is not None:
        values = ["revenue" if value == "margin" else value for value in values]
    costs = ["cost"] if reward.action_cost is not None and reward.action_cost.logged else []
    return list(dict.fromkeys([*values, *costs]))


def _has_costs(items: SideTable | None) -> bool:
    return items is not None and (not items.columns or "cost" in items.columns)


def _says(source: Source, value: str, items: SideTable | None) -> bool:
    feeds = [feed.events for feed in source.feeds_alone().values()]
    has_amount = any(events.amount or _has_amount(events) for events in feeds)
    has_cost = any(events.cost or (items is not None and events.quantity) for events in feeds)
    has_discount = any(events.discount for events in feeds)
    return {
        "revenue": has_amount,
        "margin": has_amount and has_cost,
        "cost": has_cost,
        "discount": has_discount,
    }[value]


def _has_amount(events: EventMapping) -> bool:
    """Return True where price and quantity are the events' own, or a derived event's."""
    own = [{"price", "quantity"} & set(one.numbers) for one in events.derived]
    shared = {name for name in ("price", "quantity") if getattr(events, name) is not None}
    return any(len(shared | numbers) == 2 for numbers in [set(), *own])


def _currencies(source: Source) -> set[str]:
    """Return the currencies that stored money may be in: the source's own, or what its feeds name."""
    if source.currency is not None:
        return {source.currency}
    found = set()
    for feed in source.feeds_alone().values():
        currency = feed.events.currency
        if currency is not None and any(getattr(feed.events, name) for name in MONEY_FIELDS):
            found.add(str(currency.constant) if currency.constant is not None else _EACH_LINE_S)
    return found
