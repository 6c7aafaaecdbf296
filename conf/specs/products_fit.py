"""What the clock of products asks of a source: known from the specs alone, before any file is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from conf.event_types import EventType
from conf.specs.event_mapping import EventMapping, event_types_of
from conf.specs.problem import Ordering
from conf.specs.source import Source

if TYPE_CHECKING:  # a scenario is checked as it is loaded
    from conf.specs.scenario import Scenario

_COUNT: EventType = "stock"
_SALE: EventType = "purchase"
_AHEAD = ("price_in_{n}d", "is_reduced_in_{n}d")


def ordering_misfits(scenario: Scenario, source: Source) -> Iterator[tuple[str, str]]:
    """Yield what the source lacks for decisions of products: the key that asks for it, and what is wrong."""
    if scenario.ordering is None:
        return
    feeds = {name: feed.events for name, feed in source.feeds_alone().items()}
    if scenario.ordering.is_counted:
        if source.decisions.event_type != _COUNT:
            got = source.decisions.event_type
            absent = "; where the log counts no stock, write ordering.stock: none" if got == _SALE else ""
            yield "decisions.event_type", f"clock sku_day decides with each count; expected stock, got {got}{absent}"
        yield from _of_feeds(scenario.ordering, source.name, feeds)
    else:
        yield from _of_sales(source, feeds)
    told = () if source.items is None else tuple(source.items.columns)
    has_all = source.items is not None and not told
    asked = [form for form, _ in scenario.observation.of_products.values()]
    if "product_category" in asked and not has_all and "category_id" not in told:
        yield "observation.features", f"product_category: source {source.name} has no table of items with category_id"
    if set(_AHEAD) & set(asked) and not has_all and "price" not in told:
        yield "observation.features", f"prices ahead: source {source.name} has no table of items with price"
    limit = None if scenario.orders is None else scenario.orders.shared_limit
    if limit is not None and limit.of != "units" and not has_all and limit.of not in told:
        yield "orders.shared_limit", f"{limit.of}: source {source.name} has no table of items with {limit.of}; map it"
    yield from _of_shelf(scenario, source, told=None if has_all else told)


def _of_sales(source: Source, feeds: Mapping[str, EventMapping]) -> Iterator[tuple[str, str]]:
    """Yield what a source whose log counts no stock lacks, or has too much."""
    if (source.decisions.kind, source.decisions.event_type) != ("implied", _SALE):
        got = f"{source.decisions.kind}, {source.decisions.event_type}"
        yield (
            "decisions",
            f"ordering.stock is none, so that nothing but sales implies what is ordered: expected kind: implied, "
            f"event_type: {_SALE}; got {got}",
        )
    told = sorted({event for one in feeds.values() for event in event_types_of(one)} & {"stock", "order", "receipt"})
    if told:
        yield (
            "ordering.stock",
            f"none, and lines of source {source.name} become {', '.join(told)} events, which a declared stock would "
            "contradict; write stock: counted, or use a source without them",
        )
    yield from _lacking({_SALE: ("item_id", "quantity")}, source.name, feeds)
    for mapping in feeds.values():
        if _SALE in event_types_of(mapping) and mapping.quantity is not None and not mapping.quantity.required:
            yield (
                "events.quantity",
                f"a {_SALE} of {source.name} may lack its pieces, and would count as nothing asked for; write "
                "quantity: {required: true}, so that such lines are rejected and counted",
            )


def _of_shelf(scenario: Scenario, source: Source, *, told: Collection[str] | None) -> Iterator[tuple[str, str]]:
    """Yield what the shelf lacks among the columns that items tell; None for all columns."""
    shelf = None if scenario.orders is None else scenario.orders.shelf
    if shelf is None or told is None:
        return
    if shelf.charged and "cost" not in told:
        yield (
            "orders.shelf",
            f"source {source.name} has no table of items with cost, which waste is charged at; map it, or write "
            "charged: false",
        )
    if shelf.categories and "category_id" not in told:
        yield "orders.shelf.categories", f"source {source.name} has no table of items with category_id; map it"


def _of_feeds(ordering: Ordering, source: str, feeds: Mapping[str, EventMapping]) -> Iterator[tuple[str, str]]:
    has_receipts = ordering.receipts == "delivered"
    tied = ("item_id", "quantity", "order_id")
    needed: dict[EventType, tuple[str, ...]] = {
        "stock": tied[:2],
        "purchase": tied[:2],
        "order": tied if has_receipts else tied[:2],
        **({"receipt": tied} if has_receipts else {}),
    }
    yield from _lacking(needed, source, feeds)


def _lacking(
    needed: Mapping[EventType, tuple[str, ...]], source: str, feeds: Mapping[str, EventMapping]
) -> Iterator[tuple[str, str]]:
    """Yield events that no line becomes, and fields that aren't mapped of them."""
    for event, fields in needed.items():
        of_event = [one for one in feeds.values() if event in event_types_of(one)]
        if not of_event:
            absent = "; where the log has no receipts, write ordering.receipts: none" if event == "receipt" else ""
            yield "clock", f"sku_day: no line of {source} becomes a {event} event{absent}"
        lacking = [f"events.{field}" for field in fields if any(getattr(one, field) is None for one in of_event)]
        if lacking:
            yield "clock", f"sku_day: source {source} maps no {', '.join(lacking)} of its {event} events"
