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

    pattern: str = Field(description="Gives the regular expression that the whole value must match.", examples=["C.*"])
    type: EventType = Field(
        description="Names the event type of lines whose value matches the pattern.", examples=["refund"]
    )

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return _compiled(pattern).pattern


class FieldMapping(GrownModel):
    """Where a canonical field comes from: exactly one of `column`, `columns`, `constant` and `from_path`."""

    column: str | None = Field(
        default=None,
        description="Names the raw column that holds the value; in JSON lines and Parquet, a key or a path to it such "
        "as `user.id`, `items[0].id` or `params[key=page].value`. A path through `items[]` makes one event of each "
        "element.",
        examples=["visitorid"],
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        description="Lists raw columns whose values are joined by `separator`; the field is null where one of them is.",
        examples=[["invoice", "line"]],
    )
    constant: str | int | None = Field(
        default=None, description="Gives the same value to every line.", examples=["EUR"]
    )
    from_path: str | None = Field(
        default=None,
        description="Gives a regular expression with one group, which reads the value off the delivered file's "
        "relative path.",
        examples=["(?:^|/)(random|bts)/"],
    )
    required: bool = Field(
        default=False,
        description="Rejects lines without the value as `missing_field`, where it is true; a price or quantity is not "
        "asked of impressions, views and clicks.",
        examples=[True],
    )
    whole: bool = Field(
        default=False,
        description="Reads text such as `17850.0` as the id `17850`, where it is true: a column of whole numbers with "
        "gaps is often written so.",
        examples=[True],
    )
    separator: _Untrimmed = Field(
        default="|", description="Gives what stands between the values of columns that are joined.", examples=["-"]
    )
    extract: str | None = Field(
        default=None,
        description="Gives a regular expression with one group: the part of the column's value that counts. Lines in "
        "whose value it finds nothing are rejected as `bad_id` or `bad_number`.",
        examples=["^GA1\\.\\d\\.(.+)$"],
    )
    map: dict[str, str] | None = Field(
        default=None,
        description="Says what each value of the column, or what was extracted of it, stands for; lines with another "
        "value are rejected as `bad_id` or `bad_number`.",
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
    """The event time: a column, or several joined by a space, and how to read it."""

    column: str | None = Field(
        default=None,
        description="Names the raw column (or JSON path) that holds the time; give it or `columns`.",
        examples=["timestamp"],
    )
    unit: Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "iso", "pattern"] = Field(
        description="Says how the time is written: seconds, milliseconds, microseconds or nanoseconds since 1970 in "
        "UTC; `iso` as ISO 8601, local to `zone` where it has no offset; `pattern` as the pattern says, likewise.",
        examples=["milliseconds"],
    )
    pattern: str | None = Field(
        default=None,
        description="Gives the datetime pattern of the time, its letters as Spark's, with unit `pattern` alone.",
        examples=["yyyy-MM-dd HH:mm:ss"],
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Lists the raw columns of a date and a time of day that stand apart: their texts are joined by a "
        "space, then read.",
        examples=[["date", "time"]],
    )
    milliseconds: str | None = Field(
        default=None,
        description="Names the raw column with the milliseconds of the time, 0 to 999.",
        examples=["ms"],
    )
    zone: str | None = Field(
        default=None,
        description="Names the time zone (IANA) of times that don't say their own; left out, it is the source's. Times "
        "that its clock skipped or showed twice are counted.",
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

    column: str | None = Field(
        default=None,
        description="Names the raw column that tells what happened, with `map` or `match`.",
        examples=["event"],
    )
    map: dict[str, EventType] | None = Field(
        default=None,
        description="Gives the event type of each value of the column; lines with another value are rejected as "
        "`unknown_event_type`, unless `ignore` lists it.",
        examples=[{"view": "view", "addtocart": "cart"}],
    )
    match: tuple[EventTypePattern, ...] | None = Field(
        default=None,
        description="Lists patterns of the column's values, in order: the first that matches the whole value wins.",
        examples=[[{"pattern": "C.*", "type": "refund"}, {"pattern": "[0-9]+", "type": "purchase"}]],
    )
    constant: EventType | None = Field(
        default=None, description="Makes every line this type, where the log holds only one.", examples=["impression"]
    )
    ignore: tuple[str, ...] = Field(
        default=(),
        description="Lists values (patterns, beside `match`) whose lines mean nothing: they are rejected as `ignored`, "
        "and don't count towards `max_rejected_share`.",
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
    """A number: where it comes from, as for text, and what is accepted; the rest is rejected as `bad_number`."""

    above: float | None = Field(
        default=None, description="Accepts only numbers above this one, in the field's own unit.", examples=[0]
    )
    at_least: float | None = Field(
        default=None, description="Accepts only numbers from this one on, in the field's own unit.", examples=[1]
    )
    at_most: float | None = Field(
        default=None, description="Accepts only numbers up to this one, in the field's own unit.", examples=[1]
    )
    absolute: bool = Field(
        default=False,
        description="Drops the sign before the bounds are checked, where it is true (a refund's negative quantity).",
        examples=[True],
    )
    times: str | None = Field(
        default=None,
        description="Names the raw column with a number that multiplies the value, exactly.",
        examples=["quantity"],
    )
    divided_by: str | None = Field(
        default=None,
        description="Names the raw column with a number that divides the value; the quotient is rounded once, at the "
        "end.",
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

    column: str = Field(description="Names the raw column that tells whether there was one.", examples=["click"])
    values: tuple[str, ...] = Field(
        min_length=1, description="Lists the column's values that mean there was one.", examples=[["1", "1.0"]]
    )
    type: EventType = Field(description="Names the type of the further event.", examples=["click"])


class CsvFormat(GrownModel):
    """How the records of a delimited file are cut: one a line, unless quotes hold line breaks."""

    delimiter: _Untrimmed = Field(
        default=",",
        description="Gives the one or more characters between two fields of a line; `tab` stands for a tab.",
        examples=[";"],
    )
    quote: str = Field(
        default='"',
        description="Gives the character around fields that hold the delimiter; empty, quotes mean nothing.",
        examples=["'"],
    )
    has_header: bool = Field(
        description="Says whether the first line of every file names the columns.", examples=[True]
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        description="Names the columns in their order, where there is no header.",
        examples=[["user", "item", "category", "behavior", "unix_seconds"]],
    )
    quoted_line_breaks: bool = Field(
        default=False,
        description="Lets a value in quotes hold line breaks, where it is true: its record goes over several lines and "
        "is known by the first.",
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
    """First and last business day the log can hold; other lines are rejected as `outside_window`."""

    first: date = Field(description="Gives the first business day of the log.", examples=[date(2017, 11, 25)])
    last: date = Field(description="Gives the last business day of the log.", examples=[date(2017, 12, 3)])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first {self.first} is after last {self.last}")
        return self


class BotRule(StrictModel):
    """When a shopper is taken for a bot."""

    max_events_per_hour: int = Field(
        gt=0,
        description="Rejects all of a shopper's events of one delivery as `bot_rate` once any clock hour holds more "
        "events of the shopper than this.",
        examples=[600],
    )


class Decisions(StrictModel):
    """What counts as a decision."""

    kind: Literal["logged", "implied"] = Field(
        description="Says whether the log holds what the shop chose to show (`logged`), or events are read as if they "
        "had been chosen (`implied`). Implied decisions have no propensity: the verdict on a policy learned from them "
        "is always abstain.",
        examples=["logged"],
    )
    event_type: EventType = Field(
        description="Names the type of the events that are the decisions.", examples=["impression"]
    )


class Delivery(StrictModel):
    """How files become deliveries."""

    layout: Literal["dated_files", "by_event_date"] = Field(
        description="Says where a delivery's date is found: in every file's relative path (`dated_files`), or in the "
        "lines of a log that isn't daily and is split by business date (`by_event_date`).",
        examples=["dated_files"],
    )
    date_pattern: str = Field(
        default=r"(\d{4}-\d{2}-\d{2})",
        description="Gives the regular expression that finds the date in a file's relative path, as an ISO date in "
        "its one group.",
        examples=[r"day=(\d{4}-\d{2}-\d{2})/"],
    )
    files: tuple[str, ...] = Field(
        default=("**/*",),
        description="Lists patterns of the relative paths of files that hold events.",
        examples=[["**/events*.jsonl", "**/events*.jsonl.gz"]],
    )


class SideFile(StrictModel):
    """A table delivered beside the events (JSON lines): items or availability sets."""

    files: tuple[str, ...] = Field(
        min_length=1,
        description="Lists patterns of the relative paths of files that hold the table, as JSON lines.",
        examples=[["**/items*.jsonl"]],
    )


class SessionRule(StrictModel):
    """When a shopper's session ends."""

    gap_minutes: int = Field(
        gt=0,
        le=24 * 60,
        description="Ends a session once the shopper did nothing for this many minutes.",
        examples=[30],
    )
    max_hours: int = Field(
        gt=0, le=24, description="Cuts a session that lasts longer than this many hours.", examples=[4]
    )


class EventMapping(StrictModel):
    """Which raw columns hold the fields of an event; a field that isn't named is null."""

    event_time: TimeMapping = Field(
        description="Says when it happened: a column and how to read it.",
        examples=[{"column": "timestamp", "unit": "milliseconds"}],
    )
    event_type: EventTypeMapping = Field(
        description="Says what happened: a column and its values, or a constant.",
        examples=[{"column": "event", "map": {"view": "view", "addtocart": "cart"}}],
    )
    user_id: FieldMapping = Field(
        description="Says who the shopper was; only a keyed hash of it is stored.",
        examples=[{"column": "visitorid", "required": True}],
    )
    event_id: FieldMapping | None = Field(
        default=None,
        description="Gives an event its own id; left out, a keyed hash of the raw line is its id.",
        examples=[{"column": "event_id"}],
    )
    item_id: FieldMapping | None = Field(
        default=None,
        description="Names the item by its natural key.",
        examples=[{"column": "itemid", "required": True}],
    )
    category_id: FieldMapping | None = Field(
        default=None,
        description="Names the item's category by its natural key.",
        examples=[{"column": "category"}],
    )
    currency: FieldMapping | None = Field(
        default=None,
        description="Names the currency of the price.",
        examples=[{"constant": "EUR"}],
    )
    decision_id: FieldMapping | None = Field(
        default=None,
        description="Names the decision an event belongs to: a reward may be attributed by it.",
        examples=[{"column": "decision_id"}],
    )
    slate_id: FieldMapping | None = Field(
        default=None,
        description="Names the slate (what was shown together) that a decision is part of.",
        examples=[{"column": "slate_id"}],
    )
    action: FieldMapping | None = Field(
        default=None,
        description="Names what a decision chose; left out, it is the item.",
        examples=[{"column": "action"}],
    )
    availability_id: FieldMapping | None = Field(
        default=None,
        description="Names the set of actions that were available at a decision.",
        examples=[{"column": "availability_id"}],
    )
    policy_version: FieldMapping | None = Field(
        default=None,
        description="Names the version of the policy that decided.",
        examples=[{"from_path": "(?:^|/)(random|bts)/"}],
    )
    price: NumberMapping | None = Field(
        default=None,
        description="Gives the price of one piece, in units of the currency.",
        examples=[{"column": "price", "at_least": 0}],
    )
    quantity: NumberMapping | None = Field(
        default=None,
        description="Gives the number of pieces.",
        examples=[{"column": "quantity", "at_least": 1}],
    )
    position: NumberMapping | None = Field(
        default=None,
        description="Gives a decision's place in its slate, counted as the log counts it.",
        examples=[{"column": "position", "at_least": 0}],
    )
    propensity: NumberMapping | None = Field(
        default=None,
        description="Gives the probability with which the logged action was chosen.",
        examples=[{"column": "propensity", "above": 0, "at_most": 1}],
    )
    derived: tuple[DerivedEvent, ...] = Field(
        default=(),
        description="Lists further events that are read off the same raw lines.",
        examples=[[{"column": "click", "values": ["1"], "type": "click"}]],
    )

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
        description="Names the feed in messages and in hashes of lines: equal lines of two feeds are two events.",
        examples=["orders"],
    )
    format: Literal["csv", "jsonl", "parquet"] = Field(
        description="Says how the feed's files are written, as for a source.", examples=["jsonl"]
    )
    csv: CsvFormat | None = Field(
        default=None,
        description="Says how delimited text is cut; it is given with format `csv` alone.",
        examples=[{"has_header": True}],
    )
    encoding: str | None = Field(
        default=None,
        description="Names how the feed's text is written; left out, it is as the source says.",
        examples=["latin-1"],
    )
    null_words: tuple[str, ...] | None = Field(
        default=None,
        description="Lists the feed's words for a missing value; left out, they are the source's.",
        examples=[["-", ""]],
    )
    max_rejected_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Bounds the feed's share of rejected lines; left out, the source's bound holds.",
        examples=[0.5],
    )
    delivery: Delivery = Field(
        description="Says which files the feed has, and how they become deliveries.",
        examples=[{"layout": "dated_files", "files": ["**/orders*.csv"]}],
    )
    events: EventMapping = Field(
        description="Maps the feed's raw columns to the fields of an event, as for a source.",
        examples=[
            {
                "event_time": {"column": "timestamp", "unit": "milliseconds"},
                "event_type": {"constant": "purchase"},
                "user_id": {"column": "customer"},
            }
        ],
    )


_FEED_KEYS = ("format", "csv", "delivery", "events")
_SHARED_KEYS = ("encoding", "null_words", "max_rejected_share")


class Source(GrownModel):
    """One shop's raw format: one log, or several feeds whose events meet in one table."""

    reference: ClassVar[str] = "docs/reference-sources.md"

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Names the source as its file is named, in lower-case letters, digits and underscores.",
        examples=["my_shop"],
    )
    title: str = Field(description="Says in a few words what the log is, for pages and DAGs.", examples=["My shop"])
    zone: str = Field(
        default="UTC",
        description="Names the time zone (IANA) whose midnights begin a business day; dates of events and deliveries "
        "are days there.",
        examples=["Europe/Berlin"],
    )
    format: Literal["csv", "jsonl", "parquet"] = Field(
        description="Says how files are written: delimited text, JSON lines or Parquet; text may be packed (`.gz`, "
        "`.zst`, or `.zip` with one file in it).",
        examples=["jsonl"],
    )
    csv: CsvFormat | None = Field(
        default=None,
        description="Says how delimited text is cut; it is given with format `csv` alone.",
        examples=[{"has_header": True}],
    )
    delivery: Delivery = Field(
        description="Says how files become deliveries, one a day.",
        examples=[{"layout": "dated_files", "files": ["**/events*.jsonl"]}],
    )
    window: Window | None = Field(
        default=None,
        description="Bounds the business days that the log can hold; left out, nothing bounds them.",
        examples=[{"first": date(2017, 11, 25), "last": date(2017, 12, 3)}],
    )
    events: EventMapping = Field(
        description="Maps raw columns to the fields of an event; fields that aren't named are null.",
        examples=[
            {
                "event_time": {"column": "timestamp", "unit": "milliseconds"},
                "event_type": {"column": "event", "map": {"view": "view", "addtocart": "cart"}},
                "user_id": {"column": "visitorid", "required": True},
            }
        ],
    )
    items: SideFile | None = Field(
        default=None,
        description="Says which files hold items, with category and price; left out, there are none.",
        examples=[{"files": ["**/items*.jsonl"]}],
    )
    availability: SideFile | None = Field(
        default=None,
        description="Says which files hold the sets of available actions; left out, there are none.",
        examples=[{"files": ["**/availability*.jsonl"]}],
    )
    duplicates: Literal["reject", "keep"] = Field(
        description="Says what becomes of a line whose event id, or whole text where it has none, stood in the same "
        "delivery before: it is rejected as `duplicate`, or kept as an event of its own.",
        examples=["reject"],
    )
    bots: BotRule | None = Field(
        default=None,
        description="Says when a shopper is taken for a bot; left out, nobody is.",
        examples=[{"max_events_per_hour": 600}],
    )
    lateness_days: int = Field(
        default=0,
        ge=0,
        le=30,
        description="Accepts events up to this many days after their own business day; later ones are rejected as "
        "`outside_window`.",
        examples=[1],
    )
    session: SessionRule = Field(
        description="Says when a shopper's session ends.", examples=[{"gap_minutes": 30, "max_hours": 4}]
    )
    decisions: Decisions = Field(
        description="Says which events are the decisions that a policy would make.",
        examples=[{"kind": "logged", "event_type": "impression"}],
    )
    user_buckets: int = Field(
        default=4,
        ge=1,
        le=1024,
        description="Sets into how many files, by shopper, the events of a day and delivery are split.",
        examples=[16],
    )
    is_simulated: bool = Field(
        default=False,
        description="Says that a simulated shop wrote the log, whose true policy values can be computed.",
        examples=[True],
    )
    max_rejected_share: float = Field(
        default=MAX_REJECTED_SHARE,
        ge=0,
        le=1,
        description="Publishes no delivery of which more than this share of the lines is rejected; lines that are "
        "ignored, delivered twice or a bot's don't count.",
        examples=[0.5],
    )
    encoding: str = Field(
        default="utf-8",
        description="Names how text is written in the files (`utf-8`, `latin-1`, `cp1252`, ...); a byte that isn't "
        "text rejects its line only where it stands in a mapped column.",
        examples=["latin-1"],
    )
    feeds: tuple[Feed, ...] = Field(
        default=(),
        description="Lists several logs, each with files, format and mapping of its own, in place of the source's.",
        examples=[
            [
                {
                    "name": "orders",
                    "format": "jsonl",
                    "delivery": {"layout": "dated_files", "files": ["**/orders*.jsonl"]},
                    "events": {
                        "event_time": {"column": "timestamp", "unit": "milliseconds"},
                        "event_type": {"constant": "purchase"},
                        "user_id": {"column": "customer"},
                    },
                }
            ]
        ],
    )
    null_words: tuple[str, ...] = Field(
        default=NULL_WORDS,
        description="Lists the words that mean a missing value in any column, in place of the usual ones.",
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
    """Return the names of all sources in the folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _refuse_unfit_paths(events: EventMapping) -> None:
    """Raise if a column is no path, or if columns lie below different lists.

    Raises:
        ValueError: says which.
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
