"""What could be learned of a log's products, by some of its lines: who is sold, and whether times are dates."""

from __future__ import annotations

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
    ordering, n = pipeline.scenario.ordering, at_midnight(sales, pipeline)
    if ordering is not None and ordering.hour and 2 * n > len(sales):
        found.append(
            f"{n} of {len(sales)} purchases are at 00:00:00 in {pipeline.source.zone}: the log seems to tell dates "
            f"alone, and with ordering.hour {ordering.hour} each would count for the day before, which a build "
            "refuses; write ordering: {hour: 0}"
        )
    return found


def product_verdict(pipeline: Pipeline) -> str:
    """Return which verdict is possible on a way to order that is learned from such a log."""
    return REPLAYED if is_counted(pipeline.scenario) else SIMULATED


def at_midnight(events: Iterable[OutlookEvent], pipeline: Pipeline) -> int:
    """Return how many events are at the first instant of a business day."""
    zone = ZoneInfo(pipeline.source.zone)
    moments = (datetime.fromtimestamp(event.time / MILLIONTHS, UTC).astimezone(zone) for event in events)
    return sum(moment.time() == time() for moment in moments)
