"""Tables that are delivered beside the events, and how their fields are read from raw columns."""

from __future__ import annotations

import re
from datetime import date
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from conf.specs.delivery import CsvFormat
from conf.specs.field_mapping import NULL_WORDS, NumberMapping
from conf.specs.key_kinds import DATA
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import suggest
from conf.specs.time_mapping import TimeMapping

FieldKind = Literal["key", "shopper", "text", "money", "count", "flag", "element", "attribute", "currency", "rate"]
"""What a field is: part of the key, a shopper's id (of which a keyed hash is stored), text, an amount of money, whole
pieces, yes or no, one element of a list, one a record, text under a name of the source's own, a currency's three
capital letters, or a rate above 0."""

SIDE_TABLES: dict[str, dict[str, FieldKind]] = {
    "items": {
        "item_id": "key",
        "category_id": "text",
        "price": "money",
        "cost": "money",
        "pack_size": "count",
        "volume": "count",
    },
    "availability": {"availability_id": "key", "actions": "element"},
    "consent": {"user_id": "shopper", "is_given": "flag"},
    "offers": {"offer_id": "key", "cost": "money"},
    "stock": {"item_id": "key", "quantity": "count"},
    "holidays": {"name": "key"},
    "shoppers": {"user_id": "shopper"},
    "item_attributes": {"item_id": "key"},
    "currencies": {"currency": "currency", "rate": "rate"},
}
"""The fields of each table, `valid_from` aside; those of kinds other than text, money and count are needed."""

CANONICAL = ("items", "availability")
"""Tables that may be delivered as JSON lines with the table's own names; each delivery has them, if empty ones."""

OPEN = ("shoppers", "item_attributes")
"""Tables whose further columns are attributes, under names that the source chooses; each becomes a row of its own."""

RATES = "currencies"
"""The table that money is converted by: it may be JSON lines that the ingest reads itself, and is then no table."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class SideTable(GrownModel):
    """A table delivered beside the events, each row valid from a moment on."""

    files: tuple[str, ...] = Field(
        min_length=1,
        description="Lists patterns of the relative paths of files that hold the table.",
        examples=[["**/items*.jsonl"]],
    )
    format: Literal["csv", "jsonl", "parquet"] = Field(
        default="jsonl", description="Says how the table's files are written, as for a source.", examples=["csv"]
    )
    csv: CsvFormat | None = Field(
        default=None,
        description="Says how delimited text is cut; it is given with format `csv` alone.",
        examples=[{"has_header": True, "delimiter": ";"}],
    )
    encoding: str = Field(
        default="utf-8", description="Names how the table's text is written, as for a source.", examples=["latin-1"]
    )
    null_words: tuple[str, ...] = Field(
        json_schema_extra=DATA,
        default=NULL_WORDS,
        description="Lists the words that mean a missing value in the table.",
        examples=[["-", ""]],
    )
    columns: dict[str, NumberMapping] = Field(
        json_schema_extra=DATA,
        default_factory=dict,
        description="Maps raw columns to the table's fields, as an event's fields are mapped; left out, items, "
        "availability and currencies are JSON lines with the fields' own names. Columns of `shoppers` beside "
        "`user_id`, and of `item_attributes` beside `item_id`, are attributes under names of the source's own.",
        examples=[{"item_id": {"column": "sku"}, "category_id": {"column": "department"}}],
    )
    valid_from: TimeMapping | None = Field(
        json_schema_extra=DATA,
        default=None,
        description="Says from when a row holds; left out, from the start of the business day of its delivery. It "
        "stands beside `columns`.",
        examples=[{"column": "since", "unit": "iso"}],
    )

    beside_events: bool = Field(
        default=False,
        description="Leaves the table's files to others as well, where it is true: to the feeds, whose lines are "
        "events and tell of their shoppers, or to `items`, whose lines hold further attributes.",
        examples=[True],
    )
    delivered: date | None = Field(
        default=None,
        description="Gives the delivery day of files whose paths name none: that of what an experiment knew of its "
        "shoppers before it began, say. Left out, they come with the first day of a log that is split.",
        examples=[date(2008, 3, 19)],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset(
        {"format", "csv", "encoding", "null_words", "columns", "valid_from", "beside_events", "delivered"}
    )

    @property
    def raw_columns(self) -> list[str]:
        """Raw columns that the mapping reads, each once."""
        names = [name for mapping in self.columns.values() for name in mapping.raw_columns]
        if self.valid_from is not None:
            names += [*self.valid_from.parts, *([self.valid_from.milliseconds] if self.valid_from.milliseconds else [])]
        return list(dict.fromkeys(names))

    @model_validator(mode="after")
    def _csv_where_needed(self) -> Self:
        if (self.format == "csv") != (self.csv is not None):
            raise ValueError("give csv with format: csv, and only then")
        if not self.columns and SideTable.later_keys & self.model_fields_set:
            raise ValueError("give columns: without them, files are JSON lines with the table's own names")
        if unread := [name for name, mapping in self.columns.items() if mapping.from_path is not None]:
            raise ValueError(f"{', '.join(unread)}: a side table's fields are not read off the path of its file")
        return self

    def fields_of(self, table: str) -> dict[str, FieldKind]:
        """Return the fields that the table has here: its own, and the attributes of one that has any."""
        fields = SIDE_TABLES[table]
        if table not in OPEN:
            return fields
        return fields | {name: "attribute" for name in self.columns if name not in fields}

    def under_own_names(self, table: str, encoding: str) -> SideTable:
        """Return the table as it is read where it maps no columns: JSON lines whose keys are the fields' own names.

        Args:
            table: its name.
            encoding: of the source's text, which is the table's as well.
        """
        if self.columns or table not in CANONICAL:
            return self
        columns = {
            name: NumberMapping(column=f"{name}[]" if kind == "element" else name)
            for name, kind in SIDE_TABLES[table].items()
        }
        own = {"columns": columns, "valid_from": TimeMapping(column="valid_from", unit="iso"), "encoding": encoding}
        return self.model_copy(update=own)

    def says_whole_rows(self, table: str) -> bool:
        """Return whether a line says all of its rows, rather than one element of a list that several lines hold."""
        lists = [name for name, kind in SIDE_TABLES[table].items() if kind == "element" and name in self.columns]
        return all("[]" in column for name in lists for column in self.columns[name].raw_columns)

    def refuse_unfit(self, table: str) -> None:
        """Raise if the mapping isn't one of the table's fields.

        Raises:
            ValueError: names fields that are unknown, or missing.
        """
        fields = self.fields_of(table)
        if not self.columns:
            if table not in (*CANONICAL, RATES):
                attributes = ", and attributes by names of your own" if table in OPEN else ""
                raise ValueError(f"{table}: give columns, which map {', '.join(fields)}{attributes}")
            return
        if table in OPEN:
            _refuse_unfit_attributes(table, [name for name, kind in fields.items() if kind == "attribute"])
        unknown = [f"{name}{suggest(name, list(fields))}" for name in self.columns if name not in fields]
        needed = [name for name, kind in fields.items() if kind not in ("text", "money", "count", "attribute")]
        missing = [name for name in needed if name not in self.columns]
        if unknown or missing:
            problems = [f"unknown field {one}" for one in unknown] + [f"{name} is not mapped" for name in missing]
            raise ValueError(f"{table}.columns: {'; '.join(problems)}")


class RateTable(SideTable):
    """Rates of exchange delivered beside the events, each row of a day."""

    hold_days: int = Field(
        json_schema_extra=DATA,
        default=0,
        ge=0,
        le=31,
        description="Lets a day without a rate of its own take that of the latest earlier day, at most this many days "
        "back: a central bank sets none on weekends and holidays.",
        examples=[4],
    )

    later_keys: ClassVar[frozenset[str]] = SideTable.later_keys | {"hold_days"}


class ConsentTable(SideTable):
    """Who lets the shop learn from them, each row valid from a moment on."""

    unlisted: Literal["given", "refused"] = Field(
        json_schema_extra=DATA,
        default="refused",
        description="Says what holds for a shopper of whom no row says anything by then: `refused` where everybody is "
        "asked, `given` where the table lists those who opted out.",
        examples=["given"],
    )

    later_keys: ClassVar[frozenset[str]] = SideTable.later_keys | {"unlisted"}

    @property
    def takes_unlisted(self) -> bool:
        """Return whether a shopper of whom no row says anything consents."""
        return self.unlisted == "given"


def _refuse_unfit_attributes(table: str, names: list[str]) -> None:
    """Raise if there are none, or one can't be part of a feature's name.

    Raises:
        ValueError: names them.
    """
    if not names:
        raise ValueError(f"{table}.columns: no attribute is mapped; name one, such as tier: {{column: tier}}")
    if table == "item_attributes" and (own := [name for name in names if name in SIDE_TABLES["items"]]):
        raise ValueError(f"{table}.columns: {', '.join(own)}: columns of the table items; map them in items")
    if unfit := [name for name in names if _NAME.fullmatch(name) is None]:
        raise ValueError(
            f"{table}.columns: {', '.join(unfit)}: attributes are named in lower-case letters, digits and underscores"
        )
