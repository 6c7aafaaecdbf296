"""A source's events of delivered files, in plain Python: what ingest would store, in rows that a person can check."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from conf.specs.source import Source
from jobs.landing.delivered_files import find_files, read_columns
from jobs.landing.raw_deliveries import feed_of
from jobs.landing.raw_lines import LineFile, read_batches, reading_of
from jobs.parsing.event_parsing import EventParser, ParsedLine
from jobs.parsing.field_reading import path_values
from jobs.parsing.source_columns import path_patterns

SAMPLES = Path(__file__).parent / "samples"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class PlainLog:
    """events: (time in UTC, type, shopper, fields named); rejected: (file, line, reason, field)."""

    events: list[tuple[object, ...]] = field(default_factory=list)
    rejected: list[tuple[object, ...]] = field(default_factory=list)


def plain_log(source: Source, logs: Path, *names: str) -> PlainLog:
    """The events of all files in their order, with the fields that are named."""
    found = PlainLog()
    for file in find_files(source, logs):
        if file.kind != "events":
            continue
        feed = feed_of(source, file.name)
        parser, path = EventParser(feed, read_columns(file, feed)), path_values(path_patterns(feed), file.name)
        for batch in read_batches(LineFile(file.path, file.name), reading_of(feed, b"key")):
            for number, line in zip(batch.numbers, batch.lines, strict=True):
                day = file.delivery_date or _own_day(parser, line)
                _note(found, parser.parse(line, path, day), (file.name, number), names)
    return found


def _own_day(parser: EventParser, line: str) -> date:
    time = parser.time_of(line)
    return date(1970, 1, 1) + timedelta(days=parser.day_of(time)) if time is not None else date(1970, 1, 1)


def _note(found: PlainLog, parsed: ParsedLine, place: tuple[object, ...], names: tuple[str, ...]) -> None:
    if parsed.refusal is not None:
        found.rejected.append((*place, parsed.refusal.reason, parsed.refusal.field))
        return
    assert parsed.event_time is not None
    at = (_EPOCH + timedelta(microseconds=parsed.event_time)).replace(tzinfo=None).isoformat()
    for record in parsed.records:
        found.events.append((at, record["event_type"], parsed.user_id, *[record[name] for name in names]))
