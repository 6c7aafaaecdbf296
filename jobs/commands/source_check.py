"""What a source makes of lines of a log: counts, rejections with their places, and fields that stay empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from conf.specs.scenario import Pipeline
from conf.specs.side_table import RATES
from conf.specs.source import Source
from jobs.commands.day_rhythm import rhythm_question
from jobs.commands.feed_warnings import feed_warnings
from jobs.commands.file_pieces import FilePieces, read_pieces
from jobs.commands.line_samples import looked_at, n_lines_about, sample_pieces, spread
from jobs.commands.outlook import lines_of
from jobs.commands.source_outlook import OutlookEvent, ToldEvents
from jobs.commands.turned_days import turned_days
from jobs.commands.unended_files import lacks_last_line_end, unended_lines
from jobs.errors import DeliveryError
from jobs.landing.currency_rates import read_rates
from jobs.landing.days_beyond import hours_beyond, told_beyond
from jobs.landing.delivered_files import (
    DeliveredFile,
    explaining_damage,
    find_files,
    read_columns,
    read_side_columns,
    unread_files,
)
from jobs.landing.delivery_limits import RejectedLines, example_of, problem_of, unread_fields
from jobs.landing.raw_deliveries import feed_of, is_split
from jobs.landing.raw_lines import LineFile, reading_of
from jobs.landing.unknown_words import words_told
from jobs.parsing.event_parsing import EventParser, ParsedLine, Refusal
from jobs.parsing.field_reading import path_values
from jobs.parsing.money import Rates
from jobs.parsing.passed_over import PassedOver, passed_over_line
from jobs.parsing.source_columns import mapped_columns, path_patterns

N_LINES = 1_000
_EPOCH = date(1970, 1, 1)

# Hashes of lines are compared within one check and never shown.
_PASSING_KEY = b"one check"
_MOST_CLOSED = 8
"""Files at the end of a log that may be of closed days."""

_HINTS = {
    "unreadable": "not one whole record: more values than columns, broken JSON, elements of two mapped lists, or bytes "
    "that aren't text in a mapped column (encoding?)",
    "missing_field": "a field that such an event needs, or the mapping requires, is empty or holds a null word",
    "half_record": "fewer values than columns: cut off, or another delimiter, quote or line break within quotes",
    "bad_timestamp": "the time doesn't have the form that unit or pattern says",
    "bad_id": "true, false, a list or object, a float beyond 2^53, or a value that extract or map doesn't know",
    "bad_number": "no number, out of its bounds, or a value that extract or map doesn't know",
    "unknown_event_type": "a value that stands neither in map (or match) nor in ignore",
    "unknown_currency": "no currency, or one that the delivered rates of currencies don't have on the event's day "
    "(of weekends: currencies.hold_days)",
    "outside_window": "after its delivery's day (further than hours_past_day), later than lateness_days before it, or "
    "outside the window",
    "duplicate": "the same line, or the same given id, again",
}


@dataclass
class FeedCheck:
    """What became of lines of one feed.

    files: whose lines they are, of n_files; unended: of all files; unfit: of all files, those that can't be taken in,
    and why; n_about: lines of all files, as their sizes tell; is_all: no line was left out; has_ends: also
    lines from middles and ends were looked at; hours_beyond: of lines of dated files that lie beyond their days;
    even_times: of lines evenly spread over the files, microseconds since the epoch.
    """

    name: str
    source: Source
    files: list[str] = field(default_factory=list)
    n_files: int = 0
    n_about: int | None = None
    is_all: bool = True
    has_ends: bool = False
    unfit: dict[str, str] = field(default_factory=dict)
    unended: list[str] = field(default_factory=list)
    n_lines: int = 0
    n_events: Counter[str] = field(default_factory=Counter)
    rejected: dict[tuple[str, str | None], list[RejectedLines]] = field(default_factory=dict)
    n_filled: Counter[str] = field(default_factory=Counter)
    n_ignored: Counter[str] = field(default_factory=Counter)
    n_shifted: Counter[str] = field(default_factory=Counter)
    n_passed_over: Counter[str] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    days: set[int] = field(default_factory=set)
    seen: set[tuple[date, str]] = field(default_factory=set)
    events: list[OutlookEvent] = field(default_factory=list)
    hours_beyond: Counter[str] = field(default_factory=Counter)
    even_times: list[int] = field(default_factory=list)

    @property
    def n_rejected(self) -> int:
        """Lines of any reason."""
        return sum(len(lines) for lines in self.rejected.values())

    def ignored_where(self) -> dict[str, int]:
        """Return how many lines each column of `ignore_where` set aside; none that set aside nothing."""
        found = {column: len(lines) for (reason, column), lines in self.rejected.items() if reason == "ignored"}
        return {column: n for column, n in sorted(found.items(), key=str) if column is not None and n}

    def unknown_words(self) -> Counter[str]:
        """Return the event types that the source doesn't know, with their lines."""
        lines = self.rejected.get(("unknown_event_type", None), [])
        return Counter(line.shape for line in lines if line.shape is not None)

    def empty_fields(self) -> list[str]:
        """Return mapped fields that no event has; a shopper that is mapped to nobody is meant to be none."""
        events = self.source.events
        left_out = {"event_type", "derived", "ignore_where", *(["user_id"] if events.user_id.constant == "" else [])}
        mapped = [name for name in events.columns_of_fields if name not in left_out]
        return [name for name in mapped if not self.n_filled[name]]

    def problem(self) -> str | None:
        """Return why a delivery like these lines would not be published; None where it would be."""
        if self.n_lines == 0:
            return f"feed {self.name}: no line was found"
        counts = {" ".join(word for word in key if word): len(lines) for key, lines in self.rejected.items()}
        unread = unread_fields(self.n_filled, counts) if self.source.max_drop < 1 else {}
        told = [problem_of(self._summary(accepted=True), self.source), *[f"  {one}" for one in unread.values()]]
        if self.source.max_rejected_share < 1 and (beyond := self.beyond()):
            told.append(f"  feed {self.name}: {beyond}")
        told += [f"  its delivery would be held back: {one}" for one in self.unfit.values()]
        return "\n".join(one for one in told if one) or None

    def lines(self) -> Iterator[str]:
        """Yield the report, for people."""
        told = looked_at(
            self.n_lines, self.files, self.n_files, self.n_about, is_all=self.is_all, has_ends=self.has_ends
        )
        yield f"{self.name}: {told}"
        left_out = self.ignored_where()
        told = ", ".join(f"{column} {n}" for column, n in left_out.items())
        ignored = f", {sum(left_out.values())} of them set aside by ignore_where ({told})" if left_out else ""
        yield f"  accepted {self.n_lines - self.n_rejected}, rejected {self.n_rejected}{ignored}"
        if self.n_events:
            kinds = ", ".join(f"{kind} {n}" for kind, n in self.n_events.most_common())
            yield f"  events: {kinds}; {len(self.users)} shoppers; {self._span()}"
        for one in self._summary(accepted=False):
            yield f"  {example_of(one, self.source)}"
            if one.reason is None:
                continue
            if one.reason == "ignored" and one.field is None and self.n_ignored:
                told = _some([f"{word} {n}" for word, n in self.n_ignored.most_common(10)], 10)
                yield f"      by their event types, which the source says mean nothing: {told}"
            if one.reason in _HINTS:
                yield f"      {_HINTS[one.reason]}"
            if one.reason == "unknown_event_type" and (words := self.unknown_words()):
                yield f"      {words_told(words)}"
            further = [f"{line.file} line {line.line_number}" for line in self.rejected[one.reason, one.field][1:]]
            if further:
                yield f"      also {_some(further, 4)}"
        for shift, n in sorted(self.n_shifted.items()):
            yield f"  {n} local times that the zone's clock {'skipped' if shift == 'skipped' else 'showed twice'}"
        for path, n in sorted(self.n_passed_over.items()):
            yield f"  {passed_over_line(path, n)} event of each"
        yield from unended_lines(self.unended)
        if self.unfit:
            yield f"  {len(self.unfit)} of {self.n_files} files can't be taken in: {_some(list(self.unfit), 5)}"
        if self.n_events and (empty := self.empty_fields()):
            yield f"  mapped, and empty in every event: {_some(empty, 20)}"
        yield from (f"  {one}" for one in self.warnings())

    def beyond(self) -> str | None:
        """Return what lines just beyond their delivery's day say about the zone; None where they are few."""
        return told_beyond(self.hours_beyond | {"n_accepted": self.n_lines - self.n_rejected}, self.source)

    def warnings(self) -> list[str]:
        """Return what is probably wrong although lines are read."""
        beyond = self.beyond()
        of_events = feed_warnings(self.events, self.source, is_all=self.is_all, n_files=self.n_files)
        told = [beyond, rhythm_question(self.even_times, self.source), turned_days(self.events, self.source)]
        return [*[one for one in told if one], *self._rules_without_effect(), *of_events]

    def _rules_without_effect(self) -> Iterator[str]:
        """Yield the rules of `ignore_where` that leave out nothing here: misspelled ones, maybe; or everything."""
        left_out = self.ignored_where()
        for column in dict.fromkeys(one.column for one in self.source.events.ignore_where):
            if self.n_lines and column not in left_out:
                yield (
                    f"ignore_where: {column} left out none of {self.n_lines} lines. Do column and values stand there "
                    "as the file writes them?"
                )
        if self.n_lines and sum(left_out.values()) == self.n_lines:
            yield f"ignore_where left out all {self.n_lines} lines: no event would be left"

    def result(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "n_lines": self.n_lines,
            "n_accepted": self.n_lines - self.n_rejected,
            "events": dict(sorted(self.n_events.items())),
            "rejected": {
                " ".join(word for word in key if word): len(lines)
                for key, lines in sorted(self.rejected.items(), key=str)
            },
            "empty_fields": self.empty_fields(),
            "passed_over": dict(sorted(self.n_passed_over.items())),
            "n_files": self.n_files,
            "n_files_looked_at": len(self.files),
            "n_lines_about": self.n_lines if self.is_all else self.n_about,
            "unknown_event_types": dict(self.unknown_words().most_common(20)),
            "ignored_where": self.ignored_where(),
            "ignored_event_types": dict(self.n_ignored.most_common(20)),
            "warnings": self.warnings(),
            "unended_files": self.unended,
            "unfit_files": self.unfit,
            "problem": self.problem(),
        }

    def _summary(self, *, accepted: bool) -> list[RejectedLines]:
        found = sorted(self.rejected.values(), key=len, reverse=True)
        grouped = [
            RejectedLines(
                one.delivery_date,
                one.feed,
                one.reason,
                one.field,
                None,
                len(some),
                one.file,
                one.line_number,
                one.shape,
                len({each.file for each in some}),
            )
            for some in found
            for one in some[:1]
        ]
        n_accepted = self.n_lines - self.n_rejected
        if accepted and n_accepted:
            files = sorted(set(self.files))
            grouped.append(
                RejectedLines(_EPOCH, self.name, None, None, None, n_accepted, files[0], 0, None, len(files))
            )
        return grouped

    def _span(self) -> str:
        first, last = (_EPOCH + timedelta(days=day) for day in (min(self.days), max(self.days)))
        return f"{first}" if first == last else f"{first} to {last}"


def check_source(source: Source, logs: Path, n_lines: int = N_LINES) -> tuple[list[FeedCheck], list[str]]:
    """Return what lines of each feed become, and the files that no pattern matches.

    Lines are from the beginnings, middles and ends of files spread over all of the feed's.

    Raises:
        DeliveryError: no file, or one that can't be read.
    """
    checks = {name: FeedCheck(name, feed) for name, feed in source.feeds_alone().items()}
    files = find_files(source, logs)
    rates = _rates_among(files, source)
    by_feed: dict[str, list[DeliveredFile]] = {name: [] for name in checks}
    for file in files:
        if file.kind == "events":
            feed = feed_of(source, file.name)
            by_feed[feed.feed_name or feed.name].append(file)
    for name, of_feed in by_feed.items():
        _check_feed(checks[name], of_feed, rates, n_lines)
    return list(checks.values()), unread_files(source, logs)


def _rates_among(files: Sequence[DeliveredFile], source: Source) -> Rates:
    """Return the rates of exchange that the files of them say."""
    of_rates = [file for file in files if file.kind == RATES]
    table = source.side_tables.get(RATES)
    headers = [read_side_columns(file, table, source) or () for file in of_rates] if table is not None else []
    line_files = [LineFile(file.path, file.name, file.delivery_date, n) for n, file in enumerate(of_rates)]
    return read_rates(line_files, source, _PASSING_KEY, headers)


def _check_feed(check: FeedCheck, files: Sequence[DeliveredFile], rates: Rates, n_lines: int) -> None:
    check.n_files = len(files)
    if check.source.csv is not None:
        check.unended = [file.name for file in files if lacks_last_line_end(file.path)]
    headers = dict(_headers(check, files))
    fit = [file for file in files if file.name in headers]
    pieces = list(_pieces(check, spread(fit, n_lines), n_lines))
    pieces += _last_with_lines(check, fit, pieces, n_lines)
    samples = sample_pieces(pieces, n_lines)
    check.has_ends = any(one.end for _, one in pieces)
    check.is_all = len(samples) == len(files) and all(is_whole for _, _, is_whole in samples)
    sizes = [(file, len(lines), sum(len(line.encode()) + 1 for _, line, _ in lines)) for file, lines, _ in samples]
    check.n_about = n_lines_about(files, sizes)
    for file, piece in pieces:
        parser = EventParser(check.source, headers[file.name], rates)
        check.even_times += [time for line in piece.even if (time := parser.time_of(line)) is not None]
    for file, lines, _ in samples:
        _check_lines(check, file, EventParser(check.source, headers[file.name], rates), lines)


def _last_with_lines(
    check: FeedCheck,
    files: Sequence[DeliveredFile],
    pieces: Sequence[tuple[DeliveredFile, FilePieces]],
    n_lines: int,
) -> list[tuple[DeliveredFile, FilePieces]]:
    """Return the last file with lines, where the last of all has none: of a day on which the shop was closed."""
    if not pieces or len(pieces[-1][1]):
        return []
    known = {file.name: bool(len(piece)) for file, piece in pieces}
    for file in reversed(files[-_MOST_CLOSED:]):
        if known.get(file.name):
            return []
        if file.name not in known and (found := [one for one in _pieces(check, [file], n_lines) if len(one[1])]):
            return found
    return []


def _headers(check: FeedCheck, files: Sequence[DeliveredFile]) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Yield each file's column names; note those that would hold their deliveries back.

    Raises:
        DeliveryError: a file that belongs to no single delivery is unfit, or all are.
    """
    for file in files:
        try:
            yield file.name, read_columns(file, check.source)
        except DeliveryError as error:
            _note_unfit(check, file, error)


def _pieces(
    check: FeedCheck, files: Sequence[DeliveredFile], n_lines: int
) -> Iterator[tuple[DeliveredFile, FilePieces]]:
    for file in files:
        try:
            with explaining_damage(file):
                yield file, read_pieces(file, reading_of(check.source, _PASSING_KEY), n_lines)
        except DeliveryError as error:
            _note_unfit(check, file, error)


def _note_unfit(check: FeedCheck, file: DeliveredFile, error: DeliveryError) -> None:
    check.unfit[file.name] = str(error)
    if file.delivery_date is None or len(check.unfit) == check.n_files:
        raise error


def _check_lines(
    check: FeedCheck, file: DeliveredFile, parser: EventParser, lines: Sequence[tuple[int, str, str]]
) -> None:
    source = check.source
    path = path_values(path_patterns(source), file.name)
    passed_over = PassedOver(mapped_columns(source) if source.csv is None else ())
    check.files.append(file.name)
    for number, line, line_hash in lines:
        day = file.delivery_date or _own_day(parser, line, source)
        parsed = parser.parse(line, path, day)
        check.n_passed_over.update(passed_over.lists_of(line))
        at = RejectedLines(day, check.name, None, None, None, 1, file.name, number, None)
        _count(check, parsed, at, line_hash)
        is_outside = parsed.refusal is not None and parsed.refusal.reason == "outside_window"
        if is_outside and parsed.event_time is not None and file.delivery_date is not None:
            check.hours_beyond.update(hours_beyond(np.array([parsed.event_time]), day, source))
        if parsed.refusal is not None and (parsed.refusal.reason, parsed.refusal.field) == ("ignored", None):
            check.n_ignored.update(set(parser.type_words(line)))


def _own_day(parser: EventParser, line: str, source: Source) -> date:
    """Return the delivery that a line of a log that isn't daily goes to."""
    time = parser.time_of(line) if is_split(source) else None
    first = source.window.first if source.window is not None else date.min
    return _EPOCH + timedelta(days=parser.day_of(time)) if time is not None else first


def _count(check: FeedCheck, parsed: ParsedLine, at: RejectedLines, line_hash: str) -> None:
    check.n_lines += 1
    refusal = parsed.refusal or _repetition(check, parsed, at.delivery_date, line_hash)
    if refusal is not None:
        line = RejectedLines(
            at.delivery_date, at.feed, refusal.reason, refusal.field, None, 1, at.file, at.line_number, refusal.shape
        )
        check.rejected.setdefault((refusal.reason, refusal.field), []).append(line)
        return
    check.n_filled["event_time"] += 1
    check.n_filled.update([name for name in ("event_id", "user_id") if getattr(parsed, name) is not None])
    if parsed.user_id is not None:
        check.users.add(parsed.user_id)
    if parsed.event_day is not None:
        check.days.add(parsed.event_day)
    if parsed.shift is not None:
        check.n_shifted[parsed.shift] += 1
    for record in parsed.records:
        check.n_events[record["event_type"]] += 1
        fields = {name: value for name, value in record.items() if value is not None}
        check.n_filled.update(list(fields))
        check.events.append(OutlookEvent(parsed.event_time or 0, parsed.user_id, record["event_type"], fields))


def _repetition(check: FeedCheck, parsed: ParsedLine, day: date, line_hash: str) -> Refusal | None:
    if check.source.duplicates != "reject":
        return None
    identity = (day, f"given {parsed.event_id}" if parsed.event_id is not None else line_hash)
    if identity in check.seen:
        return Refusal("duplicate")
    check.seen.add(identity)
    return None


def report_lines(
    checks: Sequence[FeedCheck],
    unread: Sequence[str],
    source: Source,
    pipeline: Pipeline | None = None,
    of_sides: Sequence[str] = (),
    told: ToldEvents | None = None,
) -> list[str]:
    """Return the report on all feeds, a line of text each.

    Args:
        checks: what lines of each feed become.
        unread: files that no pattern matches.
        source: the source of all feeds.
        pipeline: a scenario on it, whose rewards and features are looked at.
        of_sides: the report on its side tables, which follows that on the feeds.
        told: the feeds' events with what items tell of them; None where nothing is asked of items.
    """
    lines = [*[line for check in checks for line in check.lines()], *of_sides]
    events = [event for check in checks for event in check.events]
    is_all = all(check.is_all for check in checks)
    lines += lines_of(told or ToldEvents(events, events), source, pipeline, is_all=is_all)
    if unread:
        lines.append(f"files that no pattern matches: {_some(unread, 10)}")
    return lines


def _some(names: Sequence[str], most: int) -> str:
    return f"{', '.join(names[:most])}{', ...' if len(names) > most else ''}"
