"""A delivery is compared with the feed's earlier ones: columns, filled fields, event types, magnitudes, volume.

A log whose prices turn into cents, or whose files are cut to a tenth, is read line by line without a rejection; only
the deliveries before it show that it is another log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.event_types import EVENT_TYPE_RANK
from conf.publication import IGNORED_WHERE
from conf.specs.source import Source
from conf.tables import READ_RIGHT
from jobs.landing.delivery_limits import RejectedLines, unread_fields
from jobs.landing.missing_days import missing_days
from jobs.landing.raw_deliveries import RawDelivery, feed_of, is_split
from jobs.landing.unknown_words import WORD, count_words, words_of
from jobs.landing.unlikely_deliveries import Unlikely
from jobs.parsing.event_parsing import RECORD_FIELDS

IntArray = npt.NDArray[np.int64]

# Counts of one feed's lines in one delivery, by name.
Profile = Mapping[str, int]
Profiles = Mapping[date, Mapping[str, Profile]]

# How many earlier deliveries count, how many there must be, and how many lines or events must speak.
_N_EARLIER, _LEAST_EARLIER, _LEAST_LINES, _LEAST_DAILY = 14, 3, 100, 10
# How many earlier deliveries of the same day of the week count, and how many make a habit.
_N_WEEKS, _LEAST_WEEKS = 4, 3

# A price in cents is a hundred times as much: 6.6 binary digits; five are a factor of 32.
_BITS = 5
_MAGNITUDES = ("price", "quantity")
_MONEY = ("price", "amount", "quantity")
_NO_DELIVERY = "no delivery came for"
_FIELDS = ("user_id", *[name for name in RECORD_FIELDS if name != "event_type"])


@dataclass(frozen=True)
class Drift:
    """What differs from the feed's earlier deliveries; `is_unlikely`: so much that the delivery can't be right.

    A feed without a name stands for all of them.
    """

    delivery_date: date
    feed: str
    what: str
    is_unlikely: bool = False

    @property
    def sentence(self) -> str:
        """What a person is told."""
        return f"delivery_date={self.delivery_date}{f' feed {self.feed}' if self.feed else ''}: {self.what}"


def profile_of(lines: pa.Table) -> dict[str, dict[str, int]]:
    """Return, for each feed, what is counted of a delivery's lines; names that count nothing are left out.

    Args:
        lines: columns of `PARSED_SCHEMA`, feed, reason and shape.
    """
    found = {}
    for feed in pc.unique(lines["feed"]).to_pylist():
        of_feed = lines.filter(pc.equal(lines["feed"], feed))
        taken = of_feed.filter(pc.is_null(of_feed["reason"]))
        counts = {"n_lines": of_feed.num_rows, "n_accepted": taken.num_rows}
        counts |= {f"filled/{name}": taken.num_rows - taken[name].null_count for name in _FIELDS}
        kinds = pc.value_counts(taken["event_type"]).to_pylist()
        counts |= {f"type/{one['values']}": one["counts"] for one in kinds if one["values"] in EVENT_TYPE_RANK}
        counts |= count_words(of_feed)
        for name in _MAGNITUDES:
            positive = np.asarray(taken[name].drop_null().combine_chunks())
            positive = positive[positive > 0]
            counts |= {f"positive/{name}": len(positive), f"bits/{name}": int(n_bits(positive).sum())}
        found[feed] = {name: int(n) for name, n in counts.items() if n}
    return found


def n_bits(values: IntArray) -> IntArray:
    """Return how many binary digits positive whole numbers have, `(n,)`."""
    # A float rounds numbers beyond 2**53 up to the next power of two, or not: one digit too many at most.
    upper: IntArray = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    found: IntArray = upper - ((values >> (upper - 1)) == 0)
    return found


def sum_of_profiles(
    profiles: Mapping[date, Sequence[Mapping[str, Profile]]], lines: Sequence[RejectedLines]
) -> dict[date, dict[str, Profile]]:
    """Return the same of whole deliveries, and why their lines were rejected.

    Args:
        profiles: of the parts of each delivery.
        lines: the same lines, counted by reason.
    """
    found: dict[date, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for day, parts in profiles.items():
        for part in parts:
            for feed, counted in part.items():
                found[day][feed].update(counted)
    for one in lines:
        if one.reason == "ignored" and one.field is not None:
            found[one.delivery_date][one.feed][f"{IGNORED_WHERE}{one.field}"] += one.n_lines
        if one.reason is not None and one.reason not in READ_RIGHT:
            name = "rejected/" + " ".join(word for word in (one.reason, one.field) if word)
            found[one.delivery_date][one.feed][name] += one.n_lines
    return {day: {feed: _with_few_words(counted) for feed, counted in feeds.items()} for day, feeds in found.items()}


def _with_few_words(counted: Counter[str]) -> dict[str, int]:
    """Return the counts without unknown event types, where these are none: what stands there is nobody's business."""
    kept = words_of(counted)
    return {name: n for name, n in counted.items() if not name.startswith(WORD) or name.removeprefix(WORD) in kept}


def drifts(
    due: Sequence[RawDelivery], landed: Mapping[date, RawDelivery], known: Profiles, source: Source
) -> list[Drift]:
    """Return what differs in the deliveries that are due, by date.

    Args:
        due: the deliveries that are ingested.
        landed: all that were landed, by date.
        known: profiles of the due deliveries and of those published before.
        source: with all its feeds.
    """
    found = []
    for delivery in sorted(due, key=lambda one: one.delivery_date):
        day = delivery.delivery_date
        earlier = [one for one in sorted(known) if one < day][-_N_EARLIER:]
        for name, feed in source.feeds_alone().items():
            before = [known[one][name] for one in earlier if name in known[one]]
            now = known.get(day, {}).get(name)
            found += [Drift(day, name, what) for what in _column_changes(delivery, landed, earlier, source, feed)]
            weekdays = _weekday_lines(name, day, known)
            changes: list[tuple[str, bool]] = []
            if len(before) >= _LEAST_EARLIER:
                changes = _changes(now or {}, before, weekdays, feed)
                if not changes and not (now or {}).get("n_lines", 0):
                    changes = _silence(before, feed, is_daily=_is_daily(name, earlier, known))
            if not changes and not (now or {}).get("n_lines", 0):
                changes = _weekly_silence(weekdays, day, feed)
            found += [Drift(day, name, what, unlikely) for what, unlikely in changes]
    days = {one.delivery_date for one in due}
    found += [one for one in gap_drifts(landed) if one.delivery_date in days]
    for name, feed in source.feeds_alone().items():
        found += _unread({one.delivery_date for one in due}, name, feed, known)
    return found


def gap_drifts(landed: Collection[date]) -> list[Drift]:
    """Return which deliveries came after days that lack one, by date.

    Args:
        landed: dates of all deliveries.
    """
    return [
        Drift(day, "", f"{_NO_DELIVERY} {', '.join(map(str, gap))}, which counts as without visitors until it does")
        for day, gap in sorted(missing_days(landed).items())
    ]


def is_of_gap(sentence: str) -> bool:
    """Return whether a sentence of a manifest is of days that lacked a delivery then: they may have one now."""
    return sentence.partition(": ")[2].startswith(_NO_DELIVERY)


def _is_daily(name: str, earlier: Sequence[date], known: Profiles) -> bool:
    """Return whether every earlier delivery since the feed's first one has lines of it."""
    has_lines = [known[day].get(name, {}).get("n_lines", 0) > 0 for day in earlier]
    return True in has_lines and all(has_lines[has_lines.index(True) :])


def _weekday_lines(name: str, day: date, known: Profiles) -> list[int]:
    """Return how many lines of a feed the latest deliveries of the same day of the week had, since its first one."""
    with_lines = [one for one in known if known[one].get(name, {}).get("n_lines", 0)]
    first = min(with_lines, default=day)
    alike = [one for one in sorted(known) if first <= one < day and one.weekday() == day.weekday()]
    return [known[one].get(name, {}).get("n_lines", 0) for one in alike[-_N_WEEKS:]]


def _weekly_silence(weekdays: Sequence[int], day: date, feed: Source) -> list[tuple[str, bool]]:
    """Return that a feed brings nothing on a day of the week on which it brought something each time."""
    if len(weekdays) < _LEAST_WEEKS or min(weekdays) < _LEAST_DAILY or is_split(feed):
        return []
    return [(f"no line, where {median(weekdays):g} are usual on a {day:%A} and each had some", feed.max_drop < 1)]


def _silence(before: Sequence[Profile], feed: Source, *, is_daily: bool) -> list[tuple[str, bool]]:
    """Return that a feed brings nothing which brought something each time: few lines speak where none are left."""
    usual = median([one.get("n_lines", 0) for one in before])
    if not is_daily or usual < _LEAST_DAILY or is_split(feed):
        return []
    return [(f"no line, where {usual:g} are usual and every delivery had some", feed.max_drop < 1)]


def _unread(days: Collection[date], name: str, feed: Source, known: Profiles) -> list[Drift]:
    """Return the fields of which neither these days' deliveries nor any before brought a value that could be read."""
    filled, rejected = Counter[str](), Counter[str]()
    for day, by_feed in known.items():
        for word, n_lines in by_feed.get(name, {}).items():
            kind, _, what = word.partition("/")
            filled[what] += n_lines if kind == "filled" else 0
            rejected[what] += n_lines if kind == "rejected" and day in days else 0
    return [
        Drift(day, name, told, feed.max_drop < 1)
        for what, told in unread_fields(filled, rejected).items()
        for day in sorted(days)
        if known.get(day, {}).get(name, {}).get(f"rejected/{what}")
    ]


def unlikely_drift(found: Sequence[Drift], source: Source, accepted: Collection[date]) -> list[Unlikely]:
    """Return the deliveries that differ so much from the feed's earlier ones that they can't be right.

    Args:
        found: what differs.
        source: whose deliveries they are.
        accepted: deliveries that a person has looked at.
    """
    cure = f"deliver the files again, mend conf/sources/{source.name}.yaml, or raise its max_drop"
    return [
        Unlikely(one.delivery_date, f"  {one.sentence}", cure)
        for one in found
        if one.is_unlikely and one.delivery_date not in accepted
    ]


def _column_changes(
    delivery: RawDelivery, landed: Mapping[date, RawDelivery], earlier: Sequence[date], source: Source, feed: Source
) -> list[str]:
    """Return columns that the feed's files have now and hadn't in the delivery before, and the reverse."""
    now = _columns(delivery, source, feed)
    before = next(
        (found for day in reversed(earlier) if day in landed and (found := _columns(landed[day], source, feed))), None
    )
    if not now or before is None:
        return []
    changes = [f"column {name!r} is new" for name in now if name not in before]
    return changes + [f"column {name!r} is gone" for name in before if name not in now]


def _columns(delivery: RawDelivery, source: Source, feed: Source) -> list[str]:
    files = [one for one in delivery.of_kind("events") if one.header is not None and feed_of(source, one.name) == feed]
    return list(dict.fromkeys(name for one in files for name in one.header or ()))


def _changes(now: Profile, before: Sequence[Profile], weekdays: Sequence[int], feed: Source) -> list[tuple[str, bool]]:
    """Return what differs, and whether the delivery can't be right with it."""
    return [
        *_volume_change(now, before, weekdays, feed),
        *_share_changes(now, before, feed),
        *_magnitude_changes(now, before, feed),
        *_rejection_changes(now, before),
    ]


def _volume_change(
    now: Profile, before: Sequence[Profile], weekdays: Sequence[int], feed: Source
) -> list[tuple[str, bool]]:
    """Return a volume far below the usual one: that of the same day of the week, where enough of them are known."""
    n_lines, counts = now.get("n_lines", 0), [one.get("n_lines", 0) for one in before]
    if len(weekdays) >= _LEAST_WEEKS:
        counts = list(weekdays)
    usual, least = median(counts), min(counts)
    if usual < _LEAST_LINES or n_lines > 0.5 * least or n_lines > 0.1 * usual:
        return []
    if weekdays and n_lines >= 0.5 * min(weekdays):
        return []
    # The last day of a log that is split by date is often cut; a feed that brings nothing has no lines to judge.
    is_unlikely = not is_split(feed) and 1 - n_lines / usual >= feed.max_drop < 1
    return [(f"{n_lines} lines, where {usual:g} are usual (the least was {least})", is_unlikely)]


def _share_changes(now: Profile, before: Sequence[Profile], feed: Source) -> list[tuple[str, bool]]:
    """Return fields that are hardly filled any more, or filled for the first time, and event types that are gone."""
    n_events = now.get("n_accepted", 0)
    if n_events < _LEAST_LINES:
        return []
    found: list[tuple[str, bool]] = []
    for name in sorted({name for one in (*before, now) for name in one if name.startswith(("filled/", "type/"))}):
        kind, _, word = name.partition("/")
        share, shares = (
            now.get(name, 0) / n_events,
            [one.get(name, 0) / max(1, one.get("n_accepted", 0)) for one in before],
        )
        usual = median(shares)
        told = f"{word} in {share:.0%} of its events, in {usual:.0%} before"
        if kind == "type":
            told = f"{word} events are {share:.1%}, {usual:.1%} before"
        if share <= 0.1 * usual and usual * n_events >= 20 and share < 0.5 * min(shares):
            # Money stands in few events of most logs: gone from all of them is gone, if there still are purchases.
            is_gone = usual >= 0.5 or (share == 0 and word in _MONEY and now.get("type/purchase", 0) >= 20)
            is_unlikely = kind == "filled" and is_gone and 1 - share / usual >= feed.max_drop < 1
            found.append((told, is_unlikely))
        elif max(shares) == 0 and share >= 0.1:
            found.append((told, False))
    return found


def _magnitude_changes(now: Profile, before: Sequence[Profile], feed: Source) -> list[tuple[str, bool]]:
    found = []
    for name in _MAGNITUDES:
        own, others = _mean_bits(now, name), [bits for one in before if (bits := _mean_bits(one, name)) is not None]
        if own is None or len(others) < _LEAST_EARLIER:
            continue
        nearest = min(others, key=lambda bits: abs(bits - own))
        if abs(own - nearest) >= _BITS:
            factor = 2 ** abs(own - median(others))
            way = "times as large as" if own > nearest else "times smaller than"
            unit = " (cents for units?)" if name == "price" and 50 <= factor <= 200 else ""
            found.append((f"{name} is about {factor:.0f} {way} before{unit}", feed.max_drop < 1))
    return found


def _mean_bits(one: Profile, name: str) -> float | None:
    n = one.get(f"positive/{name}", 0)
    return one[f"bits/{name}"] / n if n >= 20 else None


def _rejection_changes(now: Profile, before: Sequence[Profile]) -> list[tuple[str, bool]]:
    """Return reasons for rejection that have become usual: a column of another type, say; and for being ignored."""
    n_lines, found = max(1, now.get("n_lines", 0)), list[tuple[str, bool]]()
    for name in sorted(one for one in now if one.startswith(("rejected/", IGNORED_WHERE))):
        share = now[name] / n_lines
        most = max(one.get(name, 0) / max(1, one.get("n_lines", 0)) for one in before)
        if now[name] >= 20 and share >= 0.05 and share >= 3 * most:
            kind, _, what = name.partition("/")
            told = what if kind == "rejected" else f"ignored by {what}"
            found.append((f"{told}: {share:.0%} of its lines, at most {most:.1%} before", False))
    return found
