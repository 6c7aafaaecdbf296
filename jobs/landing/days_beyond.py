"""A delivery whose lines lie just beyond its own day: its files are cut at another zone's midnights, or hold sessions.

Such lines are rejected as `outside_window`, the same hours of every day: far fewer than a log of garbage has, and a
tenth of the revenue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.specs.source import Source
from jobs.landing.unlikely_deliveries import Unlikely

IntArray = npt.NDArray[np.int64]

PAST, BEFORE = "hours_past/", "hours_before/"

_HOUR = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A day of lines: those further away are dirt, or another mistake than of the zone.
_MOST_HOURS = 24
# No zone is further from another than this, within a day.
_ZONE_HOURS = 14
# Some lines of clocks that are ahead, or that came late, lie beyond any delivery.
_LEAST_LINES, _LEAST_SHARE = 5, 0.01


def hours_of_feeds(lines: pa.Table, day: date, source: Source) -> dict[str, dict[str, int]]:
    """Return the same as `hours_beyond` of each feed that has such lines.

    Args:
        lines: feed, reason and event_time of one delivery, among others.
        day: of the delivery.
        source: whose zone's midnights begin and end its days.
    """
    # A line without a readable time isn't outside of anything.
    outside = lines.filter(pc.fill_null(pc.equal(lines["reason"], "outside_window"), fill_value=False))
    outside = outside.filter(pc.is_valid(outside["event_time"]))
    found = {}
    for feed in pc.unique(outside["feed"]).to_pylist():
        times = outside.filter(pc.equal(outside["feed"], feed))["event_time"].cast(pa.timestamp("us")).cast(pa.int64())
        if hours := hours_beyond(np.asarray(times.combine_chunks()), day, source):
            found[feed] = hours
    return found


def hours_beyond(event_times: IntArray, day: date, source: Source) -> dict[str, int]:
    """Return how many lines lie within each begun hour after a day's end, or before its beginning: at most a day.

    Args:
        event_times: microseconds since the epoch, UTC, `(n,)`.
        day: of the delivery.
        source: whose zone's midnights begin and end its days.
    """
    past = (event_times - _midnight(day + timedelta(days=1), source)) // _HOUR + 1
    before = -((event_times - _midnight(day, source)) // _HOUR)
    found = Counter[str]()
    for name, hours in ((PAST, past), (BEFORE, before)):
        near = hours[(hours >= 1) & (hours <= _MOST_HOURS)]
        found.update(f"{name}{hour:02d}" for hour in near.tolist())
    return dict(sorted(found.items()))


def told_beyond(counted: Mapping[str, int], feed: Source) -> str | None:
    """Return what is probably wrong with a feed's days; None where few lines lie beyond them.

    Args:
        counted: of `hours_beyond`, and `n_accepted`, among others.
        feed: whose lines they are. Where it allows late lines, what is before the day says nothing about its zone.
    """
    for name, where in ((PAST, "past"), (BEFORE, "before")):
        hours = {int(one.removeprefix(name)): n for one, n in counted.items() if one.startswith(name)}
        n_near = sum(hours.values())
        share = n_near / max(1, n_near + counted.get("n_accepted", 0))
        if n_near < _LEAST_LINES or share <= _LEAST_SHARE or (name == BEFORE and feed.lateness_days > 0):
            continue
        furthest = _hour_of_most(hours)
        asked = "is `zone` right?"
        if name == PAST:
            asked = f"is `zone` right, or do its files hold whole sessions ({_key(hours, furthest)})?"
        if furthest > _ZONE_HOURS:
            if name == BEFORE:
                continue
            asked = "is the day in its name its own?"
        elif name == BEFORE:
            asked = "is `zone` right, or do lines come late (lateness_days)?"
        return f"{n_near} lines ({share:.1%}) are up to {furthest} h {where} the delivery's day: {asked}"
    return None


def unlikely_days(
    profiles: Mapping[date, Mapping[str, Mapping[str, int]]], source: Source, accepted: Collection[date]
) -> list[Unlikely]:
    """Return the deliveries of which a considerable share lies just beyond their days, and that nobody accepted.

    Args:
        profiles: what is counted of the lines, by delivery and feed.
        source: whose deliveries they are. A feed all of whose lines may be rejected is held back by none.
        accepted: deliveries that a person has looked at.
    """
    feeds, found = source.feeds_alone(), []
    zone_cure = (
        f"mend `zone` in conf/sources/{source.name}.yaml, the zone at whose midnights the files are cut (and "
        "`event_time.zone`, where times are written in another)"
    )
    session_cure = (
        "; where a file holds whole sessions of those that began on its day, give the feed `hours_past_day`, so that "
        "what followed midnight counts on its own day"
    )
    for day, of_feeds in sorted(profiles.items()):
        for name, counted in sorted(of_feeds.items()):
            if day in accepted or name not in feeds or feeds[name].max_rejected_share >= 1:
                continue
            if told := told_beyond(counted, feeds[name]):
                cure = zone_cure + (session_cure if "hours_past_day" in told else "")
                feed = f" feed {feeds[name].feed_name}" if feeds[name].feed_name is not None else ""
                found.append(Unlikely(day, f"  delivery_date={day}{feed}: {told}", cure))
    return found


def _hour_of_most(hours: Mapping[int, int]) -> int:
    """Return the hour up to which nearly all lines lie: a single one of dirt is no border."""
    reached = 0
    for hour in sorted(hours):
        reached += hours[hour]
        if reached >= 0.98 * sum(hours.values()):
            return hour
    return max(hours)


def _key(hours: Mapping[int, int], furthest: int) -> str:
    """Return the key that takes nearly all such lines in: the last one as well, unless it is far from the others."""
    last = max(hours)
    return f"hours_past_day: {last if last <= furthest + 1 else furthest}"


def _midnight(day: date, source: Source) -> int:
    begins = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(source.zone))
    return (begins.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
