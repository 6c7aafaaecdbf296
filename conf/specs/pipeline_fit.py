"""Whether a source has what a scenario asks of it: known from the two specs alone, before any file is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from conf.event_types import EventType
from conf.specs.action_attributes import ITEM_COLUMNS
from conf.specs.event_mapping import EventMapping, event_types_of
from conf.specs.money_fit import money_problem
from conf.specs.orders import is_counted, replayed_metrics
from conf.specs.products_fit import ordering_misfits
from conf.specs.reward import EventMetric
from conf.specs.source import Source
from conf.specs.strict_yaml import suggest

if TYPE_CHECKING:  # a scenario is checked as it is loaded
    from conf.specs.scenario import Scenario


class Misfit(NamedTuple):
    """What a scenario asks for and a source doesn't have: the key that asks, and what is wrong."""

    key: str
    problem: str


def misfits(scenario: Scenario, source: Source) -> list[Misfit]:
    """Return every reason why the scenario can't work on the source, with what to write instead."""
    feeds = {name: feed.events for name, feed in source.feeds_alone().items()}
    return [
        *_of_decisions(scenario, source, feeds),
        *(Misfit(*one) for one in ordering_misfits(scenario, source)),
        *_of_rewards(scenario, source, feeds),
        *_of_observation(scenario, source),
        *_of_item_attributes(scenario, source),
        *_of_money(scenario, source),
        *_of_estimator(scenario, source),
        *_of_budget(scenario, source),
    ]


def _of_decisions(scenario: Scenario, source: Source, feeds: dict[str, EventMapping]) -> Iterator[Misfit]:
    kind, key = source.decisions.event_type, scenario.action.key
    if key == "quantity":
        return  # what is ordered stands in other events: products_fit asks for them
    deciding = [events for events in feeds.values() if kind in event_types_of(events)]
    if not deciding:
        yield Misfit(
            "decisions.event_type",
            f"{kind} are the decisions, and no line of {source.name} becomes one: {_types(feeds)}",
        )
        return
    fields = {"item": ["action", "item_id"], "category": ["category_id"]}[key]
    if key == "category" and source.decisions.kind == "logged":
        fields.append("action")
    if scenario.action.item_categories:
        fields.append("item_id")
    if not _maps(deciding, *fields):
        names = " or ".join(f"events.{name}" for name in fields)
        is_told = key == "category" and _has_categories(source) and not scenario.action.item_categories
        table = "; action.item_categories: true takes it from the table items" if is_told else ""
        yield Misfit("action.key", f"{key}: source {source.name} maps no {names} of its decisions ({kind}){table}")
    if scenario.action.mask == "none":
        return
    lacking = [] if source.availability is not None else ["no table availability"]
    lacking += [] if _maps(deciding, "availability_id") else [f"no events.availability_id of its decisions ({kind})"]
    if lacking:
        yield Misfit(
            "action.mask",
            f"availability: source {source.name} has {' and '.join(lacking)}; map them, or write action: "
            f"{{mask: none}} under overrides.{source.name}",
        )


def _of_rewards(scenario: Scenario, source: Source, feeds: dict[str, EventMapping]) -> Iterator[Misfit]:
    reward = scenario.reward
    rewarded = list(dict.fromkeys([*reward.weights, *(term.event for term in reward.terms)]))
    rewarding = [events for events in feeds.values() if event_types_of(events) & set(rewarded)]
    if not rewarding:
        key = "reward.weights" if reward.weights else "reward.terms"
        yield Misfit(key, f"{', '.join(rewarded)}: source {source.name} has none of them: {_types(feeds)}")
        return
    yield from _of_link(scenario, source, rewarding, rewarded)
    # What a replay holds and orders is simulated where nobody counts it: no line tells it.
    is_simulated = not is_counted(scenario)
    counted_units = {term.event for term in reward.terms if term.value == "units"} - (
        {"stock", "order"} if is_simulated else set()
    )
    metrics = [one for one in scenario.metrics.values() if isinstance(one, EventMetric)]
    counted_units |= {one.event for one in metrics if one.value == "units"}
    for event in sorted(counted_units):
        if not _maps([one for one in feeds.values() if event in event_types_of(one)], "quantity"):
            yield Misfit("reward.terms", f"units of {event}: no feed of source {source.name} maps quantity of them")
    known = {name for events in feeds.values() for name in event_types_of(events)}
    for metric in dict.fromkeys(rail.metric for rail in scenario.gate.guardrails):
        if metric in replayed_metrics(scenario):
            continue
        counted = scenario.metrics[metric]
        event = counted.event if isinstance(counted, EventMetric) else counted
        if event not in known and not (is_simulated and event == "stock"):
            yield Misfit(
                "gate.guardrails", f"{metric} counts {event} events, and {source.name} has none: {_types(feeds)}"
            )


def _of_link(
    scenario: Scenario, source: Source, rewarding: Iterable[EventMapping], rewarded: Sequence[EventType]
) -> Iterator[Misfit]:
    link, decision = scenario.reward.attribution.link, source.decisions.event_type
    if link == "itself":
        if decision not in rewarded:
            yield Misfit(
                "reward.attribution.link",
                f"itself: the decisions of source {source.name} are {decision} events, which earn nothing by "
                f"themselves; reward {decision}, or write last_touch",
            )
        return
    touched = "category_id" if scenario.action.key == "category" else "item_id"
    needed = "decision_id" if link == "decision_id" else touched
    by_item = needed == "category_id" and scenario.action.item_categories
    if not _maps(rewarding, needed, *(["item_id"] if by_item else [])):
        yield Misfit(
            "reward.attribution.link",
            f"{link}: source {source.name} maps no events.{needed} of the events that are rewarded, so that no "
            f"decision earns anything; map it, or write {'last_touch' if link == 'decision_id' else 'decision_id'}",
        )


def _of_observation(scenario: Scenario, source: Source) -> Iterator[Misfit]:
    known = [] if source.shoppers is None else [name for name in source.shoppers.columns if name != "user_id"]
    for feature, attribute in scenario.observation.attributes.items():
        if attribute not in known:
            has = f"its shoppers have {', '.join(known)}{suggest(attribute, known)}" if known else "it has no shoppers"
            yield Misfit("observation.features", f"{feature}: source {source.name} has no attribute {attribute}: {has}")
    if _has_categories(source):
        return
    asks = {"observation": scenario.observation.item_categories, "action": scenario.action.item_categories}
    for section in (name for name, is_asked in asks.items() if is_asked):
        yield Misfit(
            f"{section}.item_categories", f"source {source.name} has no table of items with category_id; map one"
        )


def _of_item_attributes(scenario: Scenario, source: Source) -> Iterator[Misfit]:
    items, told = source.items, source.item_attributes
    of_items = [] if items is None else [name for name in ITEM_COLUMNS if not items.columns or name in items.columns]
    known = [*of_items, *([] if told is None else [name for name in told.columns if name != "item_id"])]
    for name in (one.name for one in scenario.action.attributes):
        if name not in known:
            has = f"its items have {', '.join(known)}{suggest(name, known)}" if known else "it has no table of items"
            yield Misfit(
                "action.attributes",
                f"source {source.name} has no attribute {name} of items: {has}; map it in items or item_attributes",
            )


def _has_categories(source: Source) -> bool:
    items = source.items
    return items is not None and (not items.columns or "category_id" in items.columns)


def _of_money(scenario: Scenario, source: Source) -> Iterator[Misfit]:
    if problem := money_problem(scenario, source):
        yield Misfit("reward", problem)


def _of_estimator(scenario: Scenario, source: Source) -> Iterator[Misfit]:
    estimator = scenario.evaluation.estimator
    if source.decisions.kind == "implied" and estimator != "dm" and is_counted(scenario):
        yield Misfit(
            "evaluation.estimator",
            f"{estimator} weights decisions by the probability they were made with, and those of {source.name} are "
            f"implied: nobody made them; write evaluation: {{estimator: dm}} under overrides.{source.name} (a "
            "prediction, on which the gate abstains)",
        )


def _of_budget(scenario: Scenario, source: Source) -> Iterator[Misfit]:
    budget, eligibility = scenario.budget, scenario.eligibility
    if budget is not None and source.decisions.kind == "implied":
        yield Misfit("budget", f"the decisions of {source.name} are implied: nobody sent anything; leave it out")
    if (
        budget is not None
        and budget.committed == "offers"
        and (source.offers is None or "cost" not in source.offers.columns)
    ):
        yield Misfit(
            "budget.committed",
            f"offers: source {source.name} has no table offers with a cost; map one, or say what each action commits",
        )
    known = [] if source.shoppers is None else [name for name in source.shoppers.columns if name != "user_id"]
    for attribute in eligibility.opted_out if eligibility is not None else ():
        if attribute not in known:
            has = f"its shoppers have {', '.join(known)}{suggest(attribute, known)}" if known else "it has no shoppers"
            yield Misfit("eligibility.opted_out", f"source {source.name} has no attribute {attribute}: {has}")


def _maps(feeds: Iterable[EventMapping], *fields: str) -> bool:
    return any(getattr(events, name) is not None for events in feeds for name in fields)


def _types(feeds: dict[str, EventMapping]) -> str:
    known = sorted({name for events in feeds.values() for name in event_types_of(events)})
    return f"it has {', '.join(known)}"
