"""What a shop's raw log looks like, as a strict model of a YAML file: a new shop is a file, no code."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from conf.errors import SpecError
from conf.event_types import EventType
from conf.json_paths import Step, is_path, read_path
from conf.later_keys import GrownModel
from conf.strict_yaml import StrictModel, parse_model, read_yaml
from conf.time_patterns import compile_pattern

SOURCES_FOLDER = Path(__file__).parent / "sources"

NUMBER_FIELDS = ("price", "quantity", "position", "propensity")
TEXT_FIELDS = (
    "event_id",
    "user_id",
    "item_id",
    "category_id",
    "currency",
    "decision_id",
    "slate_id",
    "action",
    "availability_id",
    "policy_version",
)

# Words that stand for a missing value, unless a source says otherwise.
NULL_WORDS = ("NULL", "null", "nan", "NaN", "None", "\\N", "")

# How often a delivered log may be wrong before it is taken for another log than the source describes.
MAX_REJECTED_SHARE = 0.2

# StrictModel trims texts, which would leave nothing of a tab.
_Untrimmed = Annotated[str, StringConstraints(strip_whitespace=False)]


class EventTypePattern(StrictModel):
    """One rule of an event type read off a column: the first pattern that matches the whole value wins."""

    pattern: str
    type: EventType

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return _compiled(pattern).pattern


class FieldMapping(GrownModel):
    """Where a canonical field comes from: one of a column, several columns joined, a constant, or the path.

    `from_path` is a regular expression with one group, matched against the delivered file's relative path.
    """

    column: str | None = None
    columns: tuple[str, ...] | None = None
    constant: str | int | None = None
    from_path: str | None = None
    required: bool = False
    whole: bool = Field(
        default=False,
        description="text such as 17850.0 is the id 17850, as a column of whole numbers with gaps is often written",
        examples=[True],
    )

    separator: _Untrimmed = Field(
        default="|", description="what stands between the values of columns that are joined", examples=["-"]
    )
    extract: str | None = Field(
        default=None,
        description="a regular expression with one group: the part of the value that counts; others are no value of it",
        examples=["^GA1\\.\\d\\.(.+)$"],
    )
    map: dict[str, str] | None = Field(
        default=None,
        description="what each value, or what was extracted of it, stands for; others are no value of the field",
        examples=[{"1": "mobile", "2": "desktop"}],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"whole", "separator", "extract", "map"})

    @property
    def raw_columns(self) -> list[str]:
        """Raw columns it is read from."""
        return [self.column] if self.column is not None else list(self.columns or ())

    @field_validator("extract", "from_path")
    @classmethod
    def _one_group(cls, pattern: str | None) -> str | None:
        return pattern if pattern is None else _with_one_group(pattern)

    @model_validator(mode="after")
    def _exactly_one_origin(self) -> Self:
        origins = [self.column, self.columns, self.constant, self.from_path]
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("give exactly one of column, columns, constant, from_path")
        return self


class TimeMapping(GrownModel):
    """The event time: a column, or several (a date and a time of day) joined by a space, and how to read it.

    unit `iso` reads ISO 8601 (with an offset, or local to the source's zone without one); `pattern` reads the given
    Spark datetime pattern in the source's zone; the others count since the epoch, in UTC.
    """

    column: str | None = None
    unit: Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "iso", "pattern"]
    pattern: str | None = None
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="a date and a time of day apart: their texts are joined by a space, then read",
        examples=[["date", "time"]],
    )
    milliseconds: str | None = Field(
        default=None, description="column with the milliseconds of the time, 0 to 999", examples=["ms"]
    )
    zone: str | None = Field(
        default=None,
        description="zone (IANA) of times that don't say their own, where it isn't that of the business day; times "
        "that its clock skipped or showed twice are counted",
        examples=["America/New_York"],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"columns", "milliseconds", "zone"})

    @property
    def parts(self) -> tuple[str, ...]:
        """Columns whose joined texts are the time."""
        return self.columns or (self.column or "",)

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        return zone if zone is None else _known_zone(zone)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give exactly one of column, columns")
        return self

    @field_validator("pattern")
    @classmethod
    def _pattern_is_known(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            compile_pattern(pattern)
        return pattern

    @model_validator(mode="after")
    def _pattern_where_needed(self) -> Self:
        if (self.unit == "pattern") != (self.pattern is not None):
            raise ValueError("give pattern with unit: pattern, and only then")
        return self


class EventTypeMapping(GrownModel):
    """The event type: a column with a map of its values, a column with patterns, or a constant."""

    column: str | None = None
    map: dict[str, EventType] | None = None
    match: tuple[EventTypePattern, ...] | None = None
    constant: EventType | None = None
    ignore: tuple[str, ...] = Field(
        default=(),
        description="values (patterns, beside match) whose lines mean nothing: they are counted as ignored",
        examples=[["heartbeat", "page_scroll"]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"ignore"})

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.map, self.match, self.constant)) != 1:
            raise ValueError("give exactly one of map, match, constant")
        if (self.constant is None) != (self.column is not None):
            raise ValueError("give column with map or match, and only then")
        if self.ignore and self.constant is not None:
            raise ValueError("ignore needs a column")
        if both := sorted(set(self.ignore) & set(self.map or {})):
            raise ValueError(f"{', '.join(both)}: both in map and in ignore")
        for pattern in self.ignore if self.match is not None else ():
            _compiled(pattern)
        return self


class NumberMapping(FieldMapping):
    """A number: `above` and `at_least` bound what is accepted; outside is rejected as bad_number."""

    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    absolute: bool = False
    times: str | None = Field(
        default=None, description="column with a number that multiplies it, exactly", examples=["quantity"]
    )
    divided_by: str | None = Field(
        default=None,
        description="column with a number that divides it, rounded once at the end",
        examples=["quantity"],
    )

    later_keys: ClassVar[frozenset[str]] = FieldMapping.later_keys | {"times", "divided_by"}

    @property
    def raw_columns(self) -> list[str]:
        """Raw columns it is read from."""
        return [*super().raw_columns, *[name for name in (self.times, self.divided_by) if name is not None]]

    @model_validator(mode="after")
    def _one_operation(self) -> Self:
        if self.times is not None and self.divided_by is not None:
            raise ValueError("give one of times, divided_by")
        return self


class DerivedEvent(StrictModel):
    """A further event read off the same raw line, where a column holds one of the values (a click flag)."""

    column: str
    values: tuple[str, ...] = Field(min_length=1)
    type: EventType


class CsvFormat(GrownModel):
    """How the lines of a delimited file are cut; one record a line.

    delimiter: one or more characters, `tab` for a tab; quote: one character, or empty where quotes mean nothing.
    """

    delimiter: _Untrimmed = ","
    quote: str = '"'
    has_header: bool
    columns: tuple[str, ...] | None = None
    quoted_line_breaks: bool = Field(
        default=False,
        description="a value in quotes may hold line breaks: its record goes over several lines, known by the first",
        examples=[True],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"quoted_line_breaks"})

    @field_validator("delimiter")
    @classmethod
    def _delimiter_separates(cls, delimiter: str) -> str:
        found = "\t" if delimiter in ("tab", "\\t") else delimiter
        if not found or "\n" in found or "\r" in found:
            raise ValueError('give one or more characters that stand between values, such as ";", "::" or tab')
        return found

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, quote: str) -> str:
        if len(quote) > 1:
            raise ValueError('give one character, or "" where quotes mean nothing')
        return quote

    @model_validator(mode="after")
    def _quotes_for_line_breaks(self) -> Self:
        if self.quoted_line_breaks and not self.quote:
            raise ValueError("quoted_line_breaks needs a quote")
        return self

    @model_validator(mode="after")
    def _columns_without_header(self) -> Self:
        if self.has_header == (self.columns is not None):
            raise ValueError("give columns where there is no header, and only then")
        return self


class Window(StrictModel):
    """First and last business day the log can hold; other lines are rejected as outside_window."""

    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first {self.first} is after last {self.last}")
        return self


class BotRule(StrictModel):
    """All of a user's events of one delivery are rejected as bot_rate once any clock hour holds more than this."""

    max_events_per_hour: int = Field(gt=0)


class Decisions(StrictModel):
    """What counts as a decision: a logged decision line, or (implied) an event read as if it had been one.

    Implied decisions have no propensity: the verdict on a policy learned from them is always abstain.
    """

    kind: Literal["logged", "implied"]
    event_type: EventType


class Delivery(StrictModel):
    """How files become deliveries.

    `dated_files`: every file carries its delivery date in its relative path (`date_pattern`, one group, ISO date).
    `by_event_date`: the log isn't daily; it is split by business date, keeping file, line number and offset.
    """

    layout: Literal["dated_files", "by_event_date"]
    date_pattern: str = r"(\d{4}-\d{2}-\d{2})"
    files: tuple[str, ...] = ("**/*",)


class SideFile(StrictModel):
    """A table delivered beside the events (JSON lines): items or availability sets."""

    files: tuple[str, ...] = Field(min_length=1)


class SessionRule(StrictModel):
    """A session ends after the gap, and is cut at the longest duration."""

    gap_minutes: int = Field(gt=0, le=24 * 60)
    max_hours: int = Field(gt=0, le=24)


class EventMapping(StrictModel):
    """Raw columns -> canonical event fields; what isn't named is null."""

    event_time: TimeMapping
    event_type: EventTypeMapping
    user_id: FieldMapping
    event_id: FieldMapping | None = None
    item_id: FieldMapping | None = None
    category_id: FieldMapping | None = None
    currency: FieldMapping | None = None
    decision_id: FieldMapping | None = None
    slate_id: FieldMapping | None = None
    action: FieldMapping | None = None
    availability_id: FieldMapping | None = None
    policy_version: FieldMapping | None = None
    price: NumberMapping | None = None
    quantity: NumberMapping | None = None
    position: NumberMapping | None = None
    propensity: NumberMapping | None = None
    derived: tuple[DerivedEvent, ...] = ()

    @property
    def columns_of_fields(self) -> dict[str, list[str]]:
        """Raw columns of each canonical field that the mapping names."""
        time, type_ = self.event_time, self.event_type
        found = {
            "event_time": [*time.parts, *([time.milliseconds] if time.milliseconds is not None else [])],
            "event_type": [type_.column] if type_.column is not None else [],
        }
        for name in (*TEXT_FIELDS, *NUMBER_FIELDS):
            mapping = getattr(self, name)
            if mapping is not None:
                found[name] = mapping.raw_columns
        return found | {"derived": [one.column for one in self.derived]}


class Feed(StrictModel):
    """One of several logs of a shop: files of one format, with a mapping of their own."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="what messages and hashes of lines call it: equal lines of two feeds are two events",
        examples=["orders"],
    )
    format: Literal["csv", "jsonl", "parquet"] = Field(description="form of its files", examples=["csv"])
    csv: CsvFormat | None = Field(
        default=None, description="how its lines are cut, with format csv", examples=[{"has_header": True}]
    )
    encoding: str | None = Field(default=None, description="as the source's, which holds where this is left out")
    null_words: tuple[str, ...] | None = Field(
        default=None, description="as the source's, which hold where this is left out", examples=[["-", ""]]
    )
    max_rejected_share: float | None = Field(
        default=None, ge=0, le=1, description="as the source's, which holds where this is left out", examples=[0.5]
    )
    delivery: Delivery = Field(
        description="its files, and how they become deliveries",
        examples=[{"layout": "dated_files", "files": ["**/orders*.csv"]}],
    )
    events: EventMapping = Field(
        description="its columns, as a source's", examples=[{"user_id": {"column": "customer"}}]
    )


_FEED_KEYS = ("format", "csv", "delivery", "events")
_SHARED_KEYS = ("encoding", "null_words", "max_rejected_share")


class Source(GrownModel):
    """One shop's raw format: one log, or several feeds whose events meet in one table.

    zone: business-day zone (IANA); dates of events and deliveries are days there.
    lateness_days: an event may arrive this many days after its own day; later is rejected as outside_window.
    user_buckets: files an events cell is split into by user.
    is_simulated: the log comes from a simulated shop, whose true policy values can be computed.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    zone: str = "UTC"
    format: Literal["csv", "jsonl", "parquet"]
    csv: CsvFormat | None = None
    delivery: Delivery
    window: Window | None = None
    events: EventMapping
    items: SideFile | None = None
    availability: SideFile | None = None
    duplicates: Literal["reject", "keep"]
    bots: BotRule | None = None
    lateness_days: Annotated[int, Field(ge=0, le=30)] = 0
    session: SessionRule
    decisions: Decisions
    user_buckets: int = Field(default=4, ge=1, le=1024)
    is_simulated: bool = False
    max_rejected_share: float = Field(
        default=MAX_REJECTED_SHARE,
        ge=0,
        le=1,
        description="above this share of rejected lines a delivery is not published; lines that are ignored, delivered "
        "twice or a bot's do not count",
        examples=[0.5],
    )
    encoding: str = Field(
        default="utf-8",
        description="how text is written in the files (utf-8, latin-1, cp1252, ...); a byte that isn't text rejects "
        "its line only where it stands in a mapped column",
        examples=["latin-1"],
    )
    feeds: tuple[Feed, ...] = Field(
        default=(),
        description="several logs, each with files, format and mapping of its own, in place of those of the source",
        examples=[[{"name": "orders", "format": "csv"}]],
    )
    null_words: tuple[str, ...] = Field(
        default=NULL_WORDS,
        description="words that mean a missing value in any column; the list takes the place of the usual one",
        examples=[["NULL", "n/a", ""]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"max_rejected_share", "encoding", "null_words", "feeds"})

    @model_validator(mode="before")
    @classmethod
    def _first_feed_stands_for_all(cls, content: Any) -> Any:
        """Let a source of feeds have the keys of its first one, so that every source has a format and a mapping."""
        if not isinstance(content, dict) or not content.get("feeds") or not isinstance(content["feeds"][0], dict):
            return content
        first = {name: content["feeds"][0].get(name) for name in _FEED_KEYS}
        beside = [name for name in _FEED_KEYS if content.get(name) not in (None, first[name])]
        if beside:
            raise ValueError(f"{', '.join(beside)}: give them in each feed, not beside the feeds")
        return content | {name: value for name, value in first.items() if value is not None}

    @model_validator(mode="after")
    def _feeds_differ(self) -> Self:
        names = [feed.name for feed in self.feeds]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two feeds are called {', '.join(twice)}")
        for feed in self.feeds:
            if (feed.format == "csv") != (feed.csv is not None):
                raise ValueError(f"feed {feed.name}: give csv with format: csv, and only then")
            if feed.format != "csv":
                _refuse_unfit_paths(feed.events)
            if feed.encoding is not None:
                self._encoding_keeps_line_ends(feed.encoding)
        return self

    @property
    def feed_name(self) -> str | None:
        """Name of the feed, where the source was narrowed to one or has but one; None without feeds."""
        return self.feeds[0].name if len(self.feeds) == 1 else None

    def feeds_alone(self) -> dict[str, Source]:
        """Return the source narrowed to each of its feeds, by the feed's name; itself where it names none.

        All that reads one file's lines takes such a source: its format, mapping and words are the feed's.
        """
        if not self.feeds:
            return {self.name: self}
        return {feed.name: self._narrowed(feed) for feed in self.feeds}

    def _narrowed(self, feed: Feed) -> Source:
        own = {name: getattr(feed, name) for name in _FEED_KEYS}
        shared = {name: value for name in _SHARED_KEYS if (value := getattr(feed, name)) is not None}
        return self.model_copy(update=own | shared | {"feeds": (feed,)})

    @field_validator("encoding")
    @classmethod
    def _encoding_keeps_line_ends(cls, encoding: str) -> str:
        ascii_text = bytes(range(128))
        try:
            is_fit = ascii_text.decode(encoding) == ascii_text.decode("ascii")
        except (LookupError, UnicodeDecodeError):
            is_fit = False
        if not is_fit:
            raise ValueError(
                "no encoding of single bytes and line ends that is known; expected utf-8, latin-1, cp1252 or the like "
                "(convert UTF-16 before delivery)"
            )
        return encoding

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        return _known_zone(zone)

    @model_validator(mode="after")
    def _csv_where_needed(self) -> Self:
        if (self.format == "csv") != (self.csv is not None):
            raise ValueError("give csv with format: csv, and only then")
        if self.format != "csv":
            _refuse_unfit_paths(self.events)
        return self


def load_source(name: str, folder: Path = SOURCES_FOLDER) -> Source:
    """Return the source's spec.

    Raises:
        SpecError: unknown source, or a file that doesn't fit; with suggestions.
    """
    path = folder / f"{name}.yaml"
    source = parse_model(Source, read_yaml(path), str(path))
    if source.name != name:
        raise SpecError(f"{path}: name is {source.name!r}, expected {name!r} as the file is called")
    return source


def source_names(folder: Path = SOURCES_FOLDER) -> list[str]:
    """Return names of all sources in the folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _refuse_unfit_paths(events: EventMapping) -> None:
    """Nothing, where every column is a path, and those below a list are below the same one.

    Raises:
        ValueError: says which field isn't.
    """
    lists: dict[tuple[Step, ...], str] = {}
    for field, columns in events.columns_of_fields.items():
        for path in [read_path(column) for column in columns if is_path(column)]:
            if path.list_steps is None:
                continue
            if field in ("event_time", "user_id", "event_id"):
                raise ValueError(f"{field} is read from {path.column!r}: a line has one, whatever its list holds")
            lists.setdefault(path.list_steps, path.column)
    if len(lists) > 1:
        raise ValueError(f"{' and '.join(lists.values())} lie below different lists; one line can follow one list")


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no such time zone; expected an IANA name such as Europe/Berlin") from error
    return zone


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error


def _with_one_group(pattern: str) -> str:
    n_groups = _compiled(pattern).groups
    if n_groups != 1:
        raise ValueError(
            f"expected one group in parentheses, found {n_groups}; write (?:...) for those that don't count"
        )
    return pattern
