"""What a shop's raw log looks like, as a strict model of a YAML file: a new shop is a file, no code."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from conf.errors import SpecError
from conf.event_types import EventType
from conf.strict_yaml import StrictModel, parse_model, read_yaml

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


class EventTypePattern(StrictModel):
    """One rule of an event type read off a column: the first pattern that matches the whole value wins."""

    pattern: str = Field(description="Gives the regular expression that the whole value must match.", examples=["C.*"])
    type: EventType = Field(
        description="Names the event type of lines whose value matches the pattern.", examples=["refund"]
    )

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern


class FieldMapping(StrictModel):
    """Where a canonical field comes from: exactly one of `column`, `columns`, `constant` and `from_path`."""

    column: str | None = Field(
        default=None, description="Names the raw column (or JSON field) that holds the value.", examples=["visitorid"]
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        description="Lists raw columns whose values are joined by `|`; the field is null where one of them is.",
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
        description="Rejects lines without the value as `missing_field`, where it is true.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _exactly_one_origin(self) -> Self:
        origins = [self.column, self.columns, self.constant, self.from_path]
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("give exactly one of column, columns, constant, from_path")
        return self


class TimeMapping(StrictModel):
    """The event time: a column and how to read it."""

    column: str = Field(description="Names the raw column that holds the time.", examples=["timestamp"])
    unit: Literal["seconds", "milliseconds", "microseconds", "iso", "pattern"] = Field(
        description="Says how the time is written: seconds, milliseconds or microseconds since 1970 in UTC; `iso` as "
        "ISO 8601, local to the source's `zone` where it has no offset; `pattern` as the pattern says, likewise.",
        examples=["milliseconds"],
    )
    pattern: str | None = Field(
        default=None,
        description="Gives the Spark datetime pattern of the time, with unit `pattern` alone.",
        examples=["yyyy-MM-dd HH:mm:ss"],
    )

    @model_validator(mode="after")
    def _pattern_where_needed(self) -> Self:
        if (self.unit == "pattern") != (self.pattern is not None):
            raise ValueError("give pattern with unit: pattern, and only then")
        return self


class EventTypeMapping(StrictModel):
    """The event type: a column with a map of its values, a column with patterns, or a constant."""

    column: str | None = Field(
        default=None,
        description="Names the raw column that tells what happened, with `map` or `match`.",
        examples=["event"],
    )
    map: dict[str, EventType] | None = Field(
        default=None,
        description="Gives the event type of each value of the column; lines with another value are rejected as "
        "`unknown_event_type`.",
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

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.map, self.match, self.constant)) != 1:
            raise ValueError("give exactly one of map, match, constant")
        if (self.constant is None) != (self.column is not None):
            raise ValueError("give column with map or match, and only then")
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


class DerivedEvent(StrictModel):
    """A further event read off the same raw line, where a column holds one of the values (a click flag)."""

    column: str = Field(description="Names the raw column that tells whether there was one.", examples=["click"])
    values: tuple[str, ...] = Field(
        min_length=1, description="Lists the column's values that mean there was one.", examples=[["1", "1.0"]]
    )
    type: EventType = Field(description="Names the type of the further event.", examples=["click"])


class CsvFormat(StrictModel):
    """How the lines of a delimited file are cut; one record a line."""

    delimiter: str = Field(default=",", description="Gives the character between two fields of a line.", examples=[";"])
    quote: str = Field(
        default='"', description="Gives the character around fields that hold the delimiter.", examples=["'"]
    )
    has_header: bool = Field(
        description="Says whether the first line of every file names the columns.", examples=[True]
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        description="Names the columns in their order, where there is no header.",
        examples=[["user", "item", "category", "behavior", "unix_seconds"]],
    )

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


class Source(StrictModel):
    """One shop's raw format."""

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
        description="Says how files are written: delimited text, JSON lines or Parquet; text may be gzipped (`.gz`).",
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

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("no such time zone; expected an IANA name such as Europe/Berlin") from error
        return zone

    @model_validator(mode="after")
    def _csv_where_needed(self) -> Self:
        if (self.format == "csv") != (self.csv is not None):
            raise ValueError("give csv with format: csv, and only then")
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
