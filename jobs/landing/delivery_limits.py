"""A delivery that can't be right is not published: more of its lines are rejected than the source allows.

A log in other units, with other columns or of another shop is read line by line without an error, and leaves nothing:
the next night would take the gap for a day without visitors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from conf.specs.source import Source
from conf.tables import READ_RIGHT
from jobs.landing.unlikely_deliveries import Unlikely
from jobs.parsing.exact_numbers import FRACTION

# So many lines with an unreadable value of a field, and none with a readable one, are no dirt.
_LEAST_UNREAD = 20

# So many wrong lines, and no more than half of them all, say nothing of a share: of four lines one is soon a quarter.
_FEW = 2

_WHOLE_CURE = (
    "quantities are whole: map a smaller unit (kilograms with scale: 1000 are grams, their price then with scale: "
    "0.001), or leave quantity out and map amount alone"
)

_FIELDS = {"bad_timestamp": "event_time", "unknown_event_type": "event_type", "outside_window": "event_time"}
_UNITS_BY_DIGITS = {10: "seconds", 13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}


@dataclass(frozen=True)
class RejectedLines:
    """Lines of a delivery that share a reason; the place and shape of the first of them.

    reason, field: null for accepted lines; shift: what a zone's clock made of these lines' local times.
    n_files: in how many files of the delivery such lines lie.
    """

    delivery_date: date
    feed: str
    reason: str | None
    field: str | None
    shift: str | None
    n_lines: int
    file: str
    line_number: int
    shape: str | None
    n_files: int = 1


def summarize(lines: pa.Table, day: date) -> list[RejectedLines]:
    """Return how many lines of a delivery share a reason and field, with the first of them as an example.

    Args:
        lines: feed, file, line_number, reason, detail, shift and shape, among others.
        day: of the delivery.
    """
    # A rejected line's time is no event's: what a clock made of it would only split its reason.
    is_rejected = pc.is_valid(lines["reason"])
    shift = pc.if_else(is_rejected, pa.scalar(None, pa.string()), lines["shift"])
    keys = {name: lines[name] for name in ("feed", "file", "reason", "detail")} | {"shift": shift}
    named = pa.table({name: _coded(column) for name, column in keys.items()} | {"line_number": lines["line_number"]})
    grouped = named.group_by(list(keys)).aggregate([("line_number", "count"), ("line_number", "min")])
    shapes = _shapes(lines.filter(is_rejected), pc.unique(grouped["line_number_min"]))
    return [
        RejectedLines(
            delivery_date=day,
            feed=row["feed"],
            reason=row["reason"],
            field=row["detail"],
            shift=row["shift"],
            n_lines=row["line_number_count"],
            file=row["file"],
            line_number=row["line_number_min"],
            shape=shapes.get((row["file"], row["line_number_min"])) if row["reason"] is not None else None,
        )
        for row in grouped.to_pylist()
    ]


def sum_of_summaries(lines: Sequence[RejectedLines]) -> list[RejectedLines]:
    """Return the same of several parts and files of deliveries: one of each reason, field and shift."""
    grouped: dict[tuple[object, ...], list[RejectedLines]] = defaultdict(list)
    for one in lines:
        grouped[one.delivery_date, one.feed, one.reason, one.field, one.shift].append(one)
    found = [
        replace(
            min(some, key=lambda one: (one.file, one.line_number)),
            n_lines=sum(one.n_lines for one in some),
            n_files=len({one.file for one in some}),
        )
        for some in grouped.values()
    ]
    return sorted(found, key=lambda one: (one.delivery_date, -one.n_lines, one.file, one.line_number))


def _coded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.dictionary_encode() if pa.types.is_string(values.type) else values


def _shapes(rejected: pa.Table, numbers: pa.Array) -> dict[tuple[str, int], str]:
    """Return the shapes of the lines with such numbers, by file and number."""
    asked = rejected.select(["file", "line_number", "shape"]).filter(
        pc.is_in(rejected["line_number"], value_set=numbers)
    )
    return {(one["file"], one["line_number"]): one["shape"] for one in asked.to_pylist()}


def n_shifted(lines: Sequence[RejectedLines], day: date) -> dict[str, int]:
    """Return how many accepted lines of a delivery have a local time that a clock skipped or showed twice."""
    return {
        f"n_{shift}_local_times": sum(
            one.n_lines for one in lines if one.delivery_date == day and one.shift == shift and one.reason is None
        )
        for shift in ("skipped", "repeated")
    }


def unlikely_lines(lines: Sequence[RejectedLines], source: Source, accepted: Collection[date]) -> list[Unlikely]:
    """Return the deliveries that were neither read within their feeds' bounds nor accepted as they are.

    Args:
        lines: what became of the lines of each delivery.
        source: states the bound of each feed.
        accepted: deliveries that a person has looked at.
    """
    cure = f"mend conf/sources/{source.name}.yaml, raise its max_rejected_share, or deliver the files again"
    return [
        Unlikely(day, message, cure)
        for day in sorted({one.delivery_date for one in lines if one.delivery_date not in accepted})
        for name, feed in source.feeds_alone().items()
        if (message := problem_of([one for one in lines if (one.delivery_date, one.feed) == (day, name)], feed))
    ]


def problem_of(lines: Sequence[RejectedLines], source: Source) -> str | None:
    """Return what is wrong with a feed's lines of one delivery; None where few enough of them are."""
    counted = [one for one in lines if one.reason not in READ_RIGHT]
    wrong = [one for one in counted if one.reason is not None]
    n_lines, n_wrong = sum(one.n_lines for one in counted), sum(one.n_lines for one in wrong)
    if n_lines == 0 or n_wrong / n_lines <= source.max_rejected_share or _are_few(n_wrong, n_lines, source):
        return None
    share, bound = f"{n_wrong / n_lines:.1%}", f"{source.max_rejected_share:.1%}"
    examples = [f"    {example_of(one, source)}" for one in wrong[:5]]
    head = f"{n_wrong} of {n_lines} lines are rejected ({share}, at most {bound})"
    feed = f" feed {source.feed_name}" if source.feed_name is not None else ""
    told = [f"  delivery_date={lines[0].delivery_date}{feed}: {head}", *examples]
    return "\n".join(told + ([f"    {bad}"] if (bad := _one_bad_file(wrong, counted)) else []))


def _one_bad_file(wrong: Sequence[RejectedLines], lines: Sequence[RejectedLines]) -> str | None:
    """Return which file alone holds all that is wrong, where others are right; None where it isn't one."""
    files = {one.file for one in wrong}
    others = {one.file for one in lines} - files
    is_split = others or any(one.n_files > 1 for one in lines)
    if len(files) > 1 or any(one.n_files > 1 for one in wrong) or not is_split:
        return None
    return (
        f"all of them lie in {files.pop()}; other files are read: deliver this one again, or take it "
        "away, and land the logs again"
    )


def unread_fields(filled: Mapping[str, int], rejected: Mapping[str, int]) -> dict[str, str]:
    """Return what to say of each field of which many values were there and none could be read, by reason and field.

    Prices with a decimal comma that the source doesn't state reject every purchase, and stay below any bound where
    most lines are views.

    Args:
        filled: accepted lines that hold each field.
        rejected: lines by their reason and field, as `bad_number price`.
    """
    found = {}
    for name, n_lines in sorted(rejected.items()):
        reason, _, field = name.partition(" ")
        plain = field.removesuffix(FRACTION)
        if reason in ("bad_number", "bad_id") and n_lines >= _LEAST_UNREAD and not filled.get(plain):
            told = f"no value of {plain} could be read: {n_lines} lines are {reason}, and no event has one"
            found[name] = f"{told}; {_WHOLE_CURE}" if field == f"quantity{FRACTION}" else told
    return found


def _are_few(n_wrong: int, n_lines: int, source: Source) -> bool:
    """Return whether so few lines are wrong that a small feed may have them; none may where the source allows none."""
    return n_wrong <= _FEW and 2 * n_wrong <= n_lines and source.max_rejected_share > 0


def example_of(lines: RejectedLines, source: Source) -> str:
    """Return one line for people: how many, why, which field, where the first stands and what it looks like."""
    name = lines.field or _FIELDS.get(lines.reason or "")
    about = f" {name}" if name else ""
    looks = f" ({_looks(lines.shape, name, source)})" if lines.shape else ""
    return f"{lines.n_lines} {lines.reason}{about}: first in {lines.file} line {lines.line_number}{looks}"


def _looks(shape: str, name: str | None, source: Source) -> str:
    mapping = source.events.event_time
    text = f"looks like {shape}"
    if name == f"quantity{FRACTION}":
        return f"{text}: {_WHOLE_CURE}"
    if name != "event_time":
        return text
    digits = shape.partition(".")[0].strip("-")
    unit = _UNITS_BY_DIGITS.get(len(digits)) if set(digits) == {"9"} else None
    if unit is not None and unit != mapping.unit:
        return f"{text}: so many digits are {unit}, the source says {mapping.unit}"
    return f"{text}, the source says {mapping.pattern or mapping.unit}"
