"""What could be learned of a log's products, by some of its lines: who is sold, and whether times are dates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from conf.specs.orders import is_counted
from conf.specs.scenario import MILLIONTHS, Pipeline
from jobs.commands.source_outlook import OutlookEvent, attributable, money_line

REPLAYED = (
    "orders are judged by replay on what was sold: no propensities are asked for, and a night promotes or rejects"
)
SIMULATED = (
    "nobody counts stock: a product is decided on the mornings after it was sold, stock is simulated "
    "(orders.declared_stock), and a night promotes or rejects by replay over what was sold; every page says so"
)


def product_lines(events: Iterable[OutlookEvent], pipeline: Pipeline) -> list[str]:
    """Return what could be learned of products, a line of text each."""
    told = list(events)
    sales = [event for event in told if event.event_type == "purchase"]
    products = {event.fields.get("item_id") for event in sales} - {None}
    found = [product_verdict(pipeline), f"{len(sales)} purchases of {len(products)} products among these lines"]
    if (money := attributable(told, pipeline)).n_without_money:
        found.append(money_line(money, pipeline))
    ordering, n = pipeline.scenario.ordering, at_one_instant(sales, pipeline)
    if ordering is not None and 2 * n > len(sales):
        found.append(
            f"{n} of {len(sales)} purchases are at one full hour before {ordering.hour}:00 in {pipeline.source.zone}: "
            "the log seems to tell dates for times, and each would count for the day before, which a build refuses; "
            "write ordering: {hour: 0}, or map the time itself"
        )
    return found


def product_verdict(pipeline: Pipeline) -> str:
    """Return which verdict is possible on a way to order that is learned from such a log."""
    return REPLAYED if is_counted(pipeline.scenario) else SIMULATED


def at_one_instant(events: Iterable[OutlookEvent], pipeline: Pipeline) -> int:
    """Return how many events are at their most frequent full hour before a product's day starts."""
    zone, ordering = ZoneInfo(pipeline.source.zone), pipeline.scenario.ordering
    moments = [datetime.fromtimestamp(event.time / MILLIONTHS, UTC).astimezone(zone) for event in events]
    hours = [
        one.hour
        for one in moments
        if one.time() == time(one.hour) and ordering is not None and one.hour < ordering.hour
    ]
    return max(Counter(hours).values(), default=0)
