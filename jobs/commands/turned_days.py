"""Whether day and month of a log's dates may be the other way round: then its days jump from month to month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from conf.specs.source import Source
from jobs.commands.source_outlook import OutlookEvent
from jobs.landing.raw_deliveries import is_split
from jobs.proposal.day_order import is_narrower, turned

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = 12


def turned_days(events: Sequence[OutlookEvent], source: Source) -> str | None:
    """Return a question on the pattern, where every day can be read either way and nothing says that it is right.

    Args:
        events: of lines of a feed.
        source: narrowed to the feed; where its files name their days, lines of another day are rejected anyway.
    """
    pattern = source.events.event_time.pattern or ""
    if not is_split(source) or turned(pattern) == pattern:
        return None
    zone = ZoneInfo(source.events.event_time.zone or source.zone)
    days = {(_EPOCH + timedelta(microseconds=event.time)).astimezone(zone).date() for event in events}
    if not days or any(day.day > _MONTHS for day in days) or all(day.day == day.month for day in days):
        return None
    others = {date(day.year, day.day, day.month) for day in days}
    is_right = is_narrower(days, others)
    if is_right:
        return None
    width, other_width = ((max(some) - min(some)).days + 1 for some in (days, others))
    spread = f"; so the days lie within {width} days, and turned within {other_width}" if is_right is False else ""
    return (
        f"every date can be read with day and month the other way round{spread}: is it pattern: {pattern}, or "
        f"{turned(pattern)}?"
    )
