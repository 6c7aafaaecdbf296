"""What Spark read of the events, counted once: the other side of what the kernel says that it saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.kernel_rules import reward_terms
from conf.specs.scenario import Scenario
from jobs.events.events_reading import IS_REPEATED
from jobs.transitions.worth import with_item_costs, worth_of_events


class EventsRead(NamedTuple):
    """Events that are alike in what ledger and checks ask of them.

    Attributes:
        event_date: their business day.
        event_type: canonical.
        is_of_nobody: the shop's own, without a shopper.
        is_repeated: an earlier delivery holds them, so that they don't count.
        names_decision: whether they name the decision that led to them.
        n: how many there are.
        worth: millionths, before anything is attributed.
        first: time of the earliest, in words, UTC.
    """

    event_date: date
    event_type: str
    is_of_nobody: bool
    is_repeated: bool
    names_decision: bool
    n: int
    worth: int
    first: str


def count_events(events: DataFrame, scenario: Scenario, items: DataFrame | None = None) -> list[EventsRead]:
    """Return what was read, in one pass.

    Args:
        events: of `read_all_events`: columns of the table, event_date and IS_REPEATED.
        scenario: says what an event is worth.
        items: what was told of items, where purchases lack their cost.
    """
    if items is not None:
        events = with_item_costs(events, items)
    keys = {
        "event_date": F.col("event_date"),
        "event_type": F.col("event_type"),
        "is_of_nobody": F.col("user_id") == "",
        "is_repeated": F.col(IS_REPEATED),
        "names_decision": F.col("decision_id").isNotNull(),
    }
    terms = reward_terms(scenario)
    of_money, of_one = [term for term in terms if term.value != "count"], Counter[str]()
    for term in terms:
        of_one[term.event] += term.factor if term.value == "count" else 0
    # Decimals take long: what each event of a type is worth alike is multiplied afterwards.
    money = F.sum(worth_of_events(of_money)) if of_money else F.lit(0)
    counted = events.groupBy(*[column.alias(name) for name, column in keys.items()]).agg(
        F.count(F.lit(1)).alias("n"),
        money.alias("worth"),
        F.date_format(F.min("event_time"), "yyyy-MM-dd HH:mm:ss").alias("first"),
    )
    found = [EventsRead(**row.asDict()) for row in counted.collect()]
    return [one._replace(worth=int(one.worth) + one.n * of_one[one.event_type]) for one in found]


def worth_by_day(read: Iterable[EventsRead]) -> dict[date, int]:
    """Return the millionths that events are worth, by business day, before anything is attributed."""
    found: Counter[date] = Counter()
    for one in read:
        found[one.event_date] += one.worth
    return dict(found)
