"""How far back attribution looks, and where the reward goes that no shopper's decision can have earned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

from conf.kernel.earnings import REFUND
from conf.kernel_rules import attribution_rule
from conf.specs.scenario import Pipeline, Scenario
from jobs.transitions.events_read import EventsRead


def look_back_days(scenario: Scenario) -> int:
    """Return how many business days before an event can decide where it goes; a day's history reaches as far.

    Bounded, so that a partition needs a bounded number of days: a decision beyond them counts as not there.
    """
    return attribution_rule(scenario).reach_days


def unattributable(read: Iterable[EventsRead], pipeline: Pipeline) -> list[tuple[date, str, date | None, int]]:
    """Return what the shop's own events are worth: no shopper's decision can have led to them.

    By business day and residual; as `tallies.outcomes` tells those of shoppers.
    """
    counted = attribution_rule(pipeline.scenario).counted
    found: Counter[tuple[date, str]] = Counter()
    for one in read:
        if one.is_of_nobody and not one.is_repeated and one.event_type in counted:
            found[one.event_date, _residual(one, pipeline)] += one.worth
    return [(day, outcome, None, worth) for (day, outcome), worth in sorted(found.items())]


def _residual(events: EventsRead, pipeline: Pipeline) -> str:
    rule = attribution_rule(pipeline.scenario)
    if rule.follows_purchases and events.event_type == REFUND:
        return "refund_without_purchase"
    return "unknown_decision" if rule.link == "decision_id" and events.names_decision else "no_earlier_decision"
