"""Until when an event may have happened to be of a delivery: its day's end, or some hours past it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from conf.specs.source import Source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def end_past_day(source: Source, delivery_date: date) -> int | None:
    """Return the first moment that a delivery's files don't hold any more, microseconds since the epoch, UTC.

    None where the source says nothing of hours past the day: then the business day alone decides.

    Args:
        source: narrowed to the feed whose files they are.
        delivery_date: the business day of the delivery.
    """
    return _end(source.zone, delivery_date, source.hours_past_day) if source.hours_past_day else None


@lru_cache(maxsize=1024)
def _end(zone: str, day: date, hours: int) -> int:
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return (midnight + timedelta(hours=hours) - _EPOCH) // timedelta(microseconds=1)
