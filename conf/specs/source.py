"""What a shop's raw log looks like, as a strict model of a YAML file: a new shop is a file, no code."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.errors import SpecError
from conf.specs.arrival import Arrival
from conf.specs.delivery import (
    MAX_REJECTED_SHARE,
    BotRule,
    CsvFormat,
    DecisionSpec,
    Delivery,
    SessionSpec,
    Window,
)
from conf.specs.event_mapping import EventMapping, refuse_unfit_lists, refuse_unfit_paths
from conf.specs.field_mapping import NULL_WORDS
from conf.specs.json_paths import read_path
from conf.specs.key_kinds import DATA, LANDING, LEARNING, OPERATION
from conf.specs.later_keys import GrownModel
from conf.specs.side_table import CANONICAL, SIDE_TABLES, ConsentTable, RateTable, SideTable
from conf.specs.strict_yaml import parse_model, read_yaml, suggest
from conf.specs.time_mapping import known_zone

SOURCES_FOLDER = Path(__file__).parent.parent / "sources"


class Feed(GrownModel):
    """One of several logs of a shop: files of one format, with a mapping of their own."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Names the feed in messages and in hashes of lines: equal lines of two feeds are two events.",
        examples=["orders"],
    )
    format: Literal["csv", "jsonl", "parquet"] = Field(
        json_schema_extra=LANDING,
        description="Says how the feed's files are written, as for a source.",
        examples=["jsonl"],
    )
    csv: CsvFormat | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says how delimited text is cut; it is given with format `csv` alone.",
        examples=[{"has_header": True}],
    )
    unnest: str | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Names the list (key, or path of keys) in the feed's records whose elements are "
        "lines of their own, as for a source.",
        examples=["hits"],
    )
    encoding: str | None = Field(
        json_schema_extra=LANDING,
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
        json_schema_extra=OPERATION,
        default=None,
        ge=0,
        le=1,
        description="Bounds the feed's share of rejected lines; left out, the source's bound holds.",
        examples=[0.5],
    )
    max_drop: float | None = Field(
        json_schema_extra=OPERATION,
        default=None,
        ge=0,
        le=1,
        description="Bounds how far the feed may fall behind its earlier deliveries; left out, it is the source's.",
        examples=[1],
    )
    hours_past_day: int | None = Field(
        default=None,
        ge=0,
        le=24,
        description="Says up to how many hours past their day the feed's files hold events, as for a source; left out, "
        "it is as the source says.",
        examples=[4],
    )
    delivery: Delivery = Field(
        json_schema_extra=LANDING,
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

    later_keys: ClassVar[frozenset[str]] = frozenset({"unnest", "hours_past_day"})


_FEED_KEYS = ("format", "csv", "unnest", "delivery", "events")


_SHARED_KEYS = ("encoding", "null_words", "max_rejected_share", "max_drop", "hours_past_day")


class Source(GrownModel):
    """One shop's raw format: one log, or several feeds whose events meet in one table."""

    reference: ClassVar[str] = "docs/reference-sources.md"

    name: str = Field(
        json_schema_extra=DATA,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Names the source as its file is named, in lower-case letters, digits and underscores.",
        examples=["my_shop"],
    )
    title: str = Field(
        json_schema_extra=LEARNING,
        description="Says in a few words what the log is, for pages and DAGs.",
        examples=["My shop"],
    )
    zone: str = Field(
        json_schema_extra=DATA,
        default="UTC",
        description="Names the time zone (IANA) whose midnights begin a business day; dates of events and deliveries "
        "are days there.",
        examples=["Europe/Berlin"],
    )
    format: Literal["csv", "jsonl", "parquet"] = Field(
        json_schema_extra=LANDING,
        description="Says how files are written: delimited text, JSON lines or Parquet; text may be packed (`.gz`, "
        "`.zst`, or `.zip` with one file in it).",
        examples=["jsonl"],
    )
    csv: CsvFormat | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says how delimited text is cut; it is given with format `csv` alone.",
        examples=[{"has_header": True}],
    )
    unnest: str | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Names the list (key, or path of keys) in the records of JSON lines or Parquet whose elements are "
        "lines of their own, each with what its record says beside the list: sessions that hold clicks with times. "
        "Columns then name an element's parts as `hits.at`. An empty list has no lines.",
        examples=["hits"],
    )
    delivery: Delivery = Field(
        json_schema_extra=LANDING,
        description="Says how files become deliveries, one a day.",
        examples=[{"layout": "dated_files", "files": ["**/events*.jsonl"]}],
    )
    window: Window | None = Field(
        json_schema_extra=DATA,
        default=None,
        description="Bounds the business days that the log can hold; left out, nothing bounds them.",
        examples=[{"first": date(2017, 11, 25), "last": date(2017, 12, 3)}],
    )
    events: EventMapping = Field(
        json_schema_extra=DATA,
        description="Maps raw columns to the fields of an event; fields that aren't named are null.",
        examples=[
            {
                "event_time": {"column": "timestamp", "unit": "milliseconds"},
                "event_type": {"column": "event", "map": {"view": "view", "addtocart": "cart"}},
                "user_id": {"column": "visitorid", "required": True},
            }
        ],
    )
    items: SideTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold items, with category and price; left out, there are none.",
        examples=[{"files": ["**/items*.jsonl"]}],
    )
    availability: SideTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold the sets of available actions; left out, there are none.",
        examples=[{"files": ["**/availability*.jsonl"]}],
    )
    consent: ConsentTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold from when a shopper gave or took back consent; left out, nobody is asked.",
        examples=[
            {
                "files": ["consent.csv"],
                "format": "csv",
                "csv": {"has_header": True},
                "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}},
            }
        ],
    )
    offers: SideTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold offers and what each costs; left out, there are none.",
        examples=[{"files": ["offers.jsonl"], "columns": {"offer_id": {"column": "code"}, "cost": {"column": "eur"}}}],
    )
    stock: SideTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold how many pieces of an item are in stock; left out, there are none.",
        examples=[
            {
                "files": ["stock.parquet"],
                "format": "parquet",
                "columns": {"item_id": {"column": "sku"}, "quantity": {"column": "n"}},
            }
        ],
    )
    holidays: SideTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold holidays, valid from the start of their day; left out, there are none.",
        examples=[
            {
                "files": ["holidays.jsonl"],
                "columns": {"name": {"column": "name"}},
                "valid_from": {"column": "day", "unit": "pattern", "pattern": "yyyy-MM-dd"},
            }
        ],
    )
    shoppers: SideTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold attributes of shoppers, and from when on each holds; features named "
        "`shopper_` and an attribute observe it. Left out, there are none.",
        examples=[
            {
                "files": ["customers.jsonl"],
                "columns": {"user_id": {"column": "id"}, "tier": {"column": "tier"}, "country": {"column": "land"}},
                "valid_from": {"column": "since", "unit": "iso"},
            }
        ],
    )
    item_attributes: SideTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files hold further attributes of items, and from when on each holds; a scenario's "
        "`action.attributes` names those that learners score items by. Left out, there are none.",
        examples=[
            {
                "files": ["items.jsonl"],
                "columns": {"item_id": {"column": "sku"}, "brand": {"column": "brand"}, "weight": {"column": "grams"}},
                "beside_events": True,
            }
        ],
    )
    currency: str | None = Field(
        json_schema_extra=DATA,
        default=None,
        pattern="^[A-Z]{3}$",
        description="Names the currency that the source's money is counted in; left out, money is stored as each "
        "event gives it. An event in another currency is converted, or rejected as `unknown_currency`.",
        examples=["EUR"],
    )
    currencies: RateTable | None = Field(
        json_schema_extra=LANDING,
        default=None,
        description="Says which files of a delivery hold rates of exchange: `currency`, and `rate`, what one unit of "
        "it was worth in the source's `currency` on the day of `valid_from`. Without `columns` they are JSON lines of "
        "`day`, `currency` and `rate`.",
        examples=[{"files": ["**/rates*.jsonl"]}],
    )
    duplicates: Literal["reject", "keep"] = Field(
        json_schema_extra=DATA,
        description="Says what becomes of a line whose event id, or whole text where it has none, stood in the same "
        "delivery before: it is rejected as `duplicate`, or kept as an event of its own.",
        examples=["reject"],
    )
    bots: BotRule | None = Field(
        json_schema_extra=DATA,
        default=None,
        description="Says when a shopper is taken for a bot; left out, nobody is.",
        examples=[{"max_events_per_hour": 600}],
    )
    lateness_days: int = Field(
        json_schema_extra=DATA,
        default=0,
        ge=0,
        le=30,
        description="Accepts events up to this many days after their own business day; later ones are rejected as "
        "`outside_window`.",
        examples=[1],
    )
    hours_past_day: int = Field(
        json_schema_extra=DATA,
        default=0,
        ge=0,
        le=24,
        description="Accepts events up to this many hours after the end of their delivery's day, each into its own "
        "business day: files that hold whole sessions hold what followed midnight too. It needs `delivery.layout` "
        "`dated_files`; at 0 such events are rejected as `outside_window`.",
        examples=[4],
    )
    session: SessionSpec = Field(
        json_schema_extra=DATA,
        description="Says when a shopper's session ends.",
        examples=[{"gap_minutes": 30, "max_hours": 4}],
    )
    decisions: DecisionSpec = Field(
        json_schema_extra=DATA,
        description="Says which events are the decisions that a policy would make.",
        examples=[{"kind": "logged", "event_type": "impression"}],
    )
    user_buckets: int = Field(
        json_schema_extra=DATA,
        default=4,
        ge=1,
        le=1024,
        description="Sets into how many files, by shopper, the events of a day and delivery are split.",
        examples=[16],
    )
    is_simulated: bool = Field(
        json_schema_extra=DATA,
        default=False,
        description="Says that a simulated shop wrote the log, whose true policy values can be computed.",
        examples=[True],
    )
    max_rejected_share: float = Field(
        json_schema_extra=OPERATION,
        default=MAX_REJECTED_SHARE,
        ge=0,
        le=1,
        description="Publishes no delivery of which more than this share of the lines is rejected; lines that are "
        "ignored, delivered twice or a bot's don't count.",
        examples=[0.5],
    )
    max_drop: float = Field(
        json_schema_extra=OPERATION,
        default=0.9,
        ge=0,
        le=1,
        description="Publishes no delivery whose lines, or values of a mapped field, are down by this share or more "
        "against the feed's earlier ones, or whose prices are of another magnitude; 1 only says so.",
        examples=[0.8],
    )
    encoding: str = Field(
        json_schema_extra=LANDING,
        default="utf-8",
        description="Names how text is written in the files (`utf-8`, `latin-1`, `cp1252`, ...); a byte that isn't "
        "text rejects its line only where it stands in a mapped column.",
        examples=["latin-1"],
    )
    feeds: tuple[Feed, ...] = Field(
        json_schema_extra=DATA,
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
        json_schema_extra=DATA,
        default=NULL_WORDS,
        description="Lists the words that mean a missing value in any column, in place of the usual ones.",
        examples=[["NULL", "n/a", ""]],
    )

    arrival: Arrival | None = Field(
        json_schema_extra=OPERATION,
        default=None,
        description="Says when a day's delivery is whole, so that a half one is waited for instead of landed; left "
        "out, whatever is there is taken for all of it.",
        examples=[{"marker": "**/_SUCCESS", "by": "06:30"}],
    )
    scenarios: tuple[str, ...] | None = Field(
        json_schema_extra=OPERATION,
        default=None,
        min_length=1,
        description="Lists the scenarios that run on the source; left out, all that decide by the clock of its "
        "decisions do.",
        examples=[["recommendation"]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "arrival",
            "scenarios",
            "max_rejected_share",
            "max_drop",
            "encoding",
            "null_words",
            "feeds",
            "currency",
            "unnest",
            "hours_past_day",
        }
    ) | (SIDE_TABLES.keys() - set(CANONICAL))

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
            _refuse_unfit_columns(feed.csv, feed.events, feed.unnest)
            if feed.encoding is not None:
                self._encoding_keeps_line_ends(feed.encoding)
        return self

    @model_validator(mode="after")
    def _side_tables_have_their_fields(self) -> Self:
        for name in SIDE_TABLES:
            table: SideTable | None = getattr(self, name)
            if table is not None:
                table.refuse_unfit(name)
        return self

    @model_validator(mode="after")
    def _arrival_names_what_is_delivered(self) -> Self:
        if self.arrival is None:
            return self
        if any(feed.delivery.layout != "dated_files" for feed in self.feeds_alone().values()):
            raise ValueError("arrival needs delivery.layout dated_files: a log that is split by date has no deliveries")
        known = [*self.feeds_alone(), *(name for name in SIDE_TABLES if getattr(self, name) is not None)]
        if unknown := [name for name in self.arrival.feeds if name not in known]:
            raise ValueError(f"arrival.feeds: no feed or side table {unknown[0]!r}{suggest(unknown[0], known)}")
        return self

    @model_validator(mode="after")
    def _days_that_are_passed_are_of_files(self) -> Self:
        for name, one in self.feeds_alone().items():
            if one.hours_past_day and one.delivery.layout != "dated_files":
                where = f"feed {name}: " if self.feeds else ""
                raise ValueError(
                    f"{where}hours_past_day needs delivery.layout dated_files: a log that is split by date has every "
                    "event in its own day; leave hours_past_day out"
                )
        return self

    @property
    def side_tables(self) -> dict[str, SideTable]:
        """The tables that are delivered beside the events, by name, as they are read: each with columns.

        Rates without columns are none of them: the ingest reads them as they stand.
        """
        given = {name: table for name in SIDE_TABLES if (table := getattr(self, name)) is not None}
        found = {name: table.under_own_names(name, self.encoding) for name, table in given.items()}
        return {name: table for name, table in found.items() if table.columns}

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

    @field_validator("zone", mode="before")
    @classmethod
    def _zone_is_said(cls, zone: object) -> object:
        if zone is None:
            raise ValueError(
                "empty; name the zone at whose midnights the shop's days begin, and in which times stand that name "
                "none, such as Europe/Berlin"
            )
        return zone

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        return known_zone(zone)

    @model_validator(mode="after")
    def _rates_of_a_currency(self) -> Self:
        if self.currencies is not None and self.currency is None:
            raise ValueError("currencies needs currency: which one the rates lead to")
        return self

    @model_validator(mode="after")
    def _rules_can_hold(self) -> Self:
        for one in self.feeds_alone().values():
            values = [value for rule in one.events.ignore_where for value in rule.values]
            if missing := [value for value in values if value in one.null_words]:
                raise ValueError(
                    f"ignore_where: {missing[0]!r} means a missing value, of which no rule holds; take it out there, "
                    "or out of null_words"
                )
        return self

    @model_validator(mode="after")
    def _csv_where_needed(self) -> Self:
        if (self.format == "csv") != (self.csv is not None):
            raise ValueError("give csv with format: csv, and only then")
        _refuse_unfit_columns(self.csv, self.events, self.unnest)
        return self


def unnested_keys(path: str) -> tuple[str, ...]:
    """Return the keys that lead to a list whose elements are lines of their own.

    Raises:
        ValueError: the path has more than keys.
    """
    found = read_path(path.removesuffix("[]"))
    keys = tuple(step for step in found.steps if isinstance(step, str))
    if found.list_steps is not None or len(keys) != len(found.steps):
        raise ValueError(f"unnest: {path!r} is no path of keys; write it as hits or session.hits")
    return keys


def _refuse_unfit_columns(form: CsvFormat | None, events: EventMapping, unnest: str | None) -> None:
    if form is None:
        refuse_unfit_paths(events, None if unnest is None else unnested_keys(unnest))
        return
    if unnest is not None:
        raise ValueError("unnest is for JSON lines and Parquet; a delimited file holds no lists of records")
    refuse_unfit_lists(events, form)
    known = form.with_added(form.columns or ())
    mapped = dict.fromkeys(name for names in events.columns_of_fields.values() for name in names)
    unknown = [name for name in mapped if (form.list_of(name) or name) not in known]
    if form.columns is not None and unknown:
        raise ValueError(f"events: no column {unknown[0]!r} among csv.columns{suggest(unknown[0], list(known))}")


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
