"""Whether a log is quiet at night: one that is quietest by day has times in another zone than its source says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from conf.specs.source import Source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOURS, _MOST = 24, 4_000_000_000_000_000
# Six hours in a row, from 23 to 5 at the earliest and from 3 to 9 at the latest: where shops of all kinds are quietest.
_WINDOW, _EARLIEST, _LATEST = 6, 23, 3
_LEAST_EVENTS, _LEAST_DAYS = 400, 3
# A log that is nearly alike all day, as one of shops all over the world, has no night to speak of.
_MOST_QUIET = 0.5


def rhythm_question(times: Sequence[int], source: Source) -> str | None:
    """Return a question on the zone, where the quietest hours of a log lie in the day; None where nothing is odd.

    Shops sleep at night: events that are counted by the hour of the source's clock show where its night lies. A till is
    shut for most of the day, so that its quiet hours say little; neither do few events or a single day. A
    zone that is wrong by an hour or two isn't told by this.

    Args:
        times: of lines evenly spread over a feed's files, microseconds since the epoch, UTC.
        source: narrowed to the feed, whose zone the hours are of.
    """
    zone = ZoneInfo(source.zone)
    # Broken times lie in years that no zone has.
    moments = [(_EPOCH + timedelta(microseconds=time)).astimezone(zone) for time in times if 0 < time < _MOST]
    days = {moment.date() for moment in moments}
    if len(moments) < _LEAST_EVENTS or len(days) < _LEAST_DAYS:
        return None
    counts = [0] * _HOURS
    for moment in moments:
        counts[moment.hour] += 1
    sums = {hour: sum(counts[(hour + step) % _HOURS] for step in range(_WINDOW)) for hour in range(_HOURS)}
    fewest = min(sums.values())
    quiet = [hour for hour, n in sums.items() if n <= fewest + 0.01 * len(moments)]
    is_even = fewest > _MOST_QUIET * len(moments) * _WINDOW / _HOURS
    if is_even or any(_is_at_night(hour) for hour in quiet):
        return None
    begins = min(quiet, key=lambda hour: (sums[hour], hour))
    return (
        f"the quietest hours are {begins}:00 to {(begins + _WINDOW) % _HOURS}:00 by the clock of {source.zone}, "
        "not the night: is `zone` right (and event_time.zone, where times are in another)?"
    )


def _is_at_night(begins: int) -> bool:
    return begins >= _EARLIEST or begins <= _LATEST
