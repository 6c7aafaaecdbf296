"""What is delivered and when, and what holds for all of a log: windows, bots, decisions, sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from conf.event_types import EventType
from conf.file_dates import refuse_pattern
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel, suggest

# How often a delivered log may be wrong before it is taken for another log than the source describes.
MAX_REJECTED_SHARE = 0.2


# StrictModel trims texts, which would leave nothing of a tab.
_Untrimmed = Annotated[str, StringConstraints(strip_whitespace=False)]


class FillDown(StrictModel):
    """Columns that only the first of several lines that belong together fills in."""

    by: str = Field(
        description="Names the column that lines which belong together share, such as an order's number.",
        examples=["Name"],
    )
    columns: tuple[str, ...] = Field(
        min_length=1,
        description="Lists the columns that are taken from the line before where they are empty.",
        examples=[["Created at", "Currency"]],
    )


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
        description="Says whether the first line of every file, behind those that are skipped, names the columns.",
        examples=[True],
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

    fill_down: FillDown | None = Field(
        default=None,
        description="Says which columns hold the value of the line before where they are empty, as long as the lines "
        "belong together: exports of orders often fill an order's columns in its first line alone.",
        examples=[{"by": "Name", "columns": ["Created at", "Currency"]}],
    )
    line_number: str | None = Field(
        default=None,
        description="Names a column that is added behind the file's own: each line's number, where a log names nobody "
        "and every line is a shopper. It begins anew in each file: several files need `file_name` beside it.",
        examples=["row"],
    )
    file_name: str | None = Field(
        default=None,
        description="Names a column that is added behind the file's own and `line_number`: a keyed hash of the file's "
        "relative path, the same in all lines of the file and no other's.",
        examples=["file"],
    )
    skip_lines: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Says how many lines stand above the header, or above the first record where there is none: a "
        "title, the day of the export, a blank line. They hold no record and aren't counted.",
        examples=[2],
    )
    lists: dict[str, _Untrimmed] = Field(
        default={},
        description="Gives columns that hold several values each, with what stands between these: `impressions[]` is "
        "then mapped as one event an element, as a path through a list of JSON is.",
        examples=[{"impressions": " "}],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset(
        {"quoted_line_breaks", "fill_down", "line_number", "file_name", "skip_lines", "lists"}
    )

    @property
    def changes_lines(self) -> bool:
        """True where lines are completed as they are read: what follows sees no empty cell that was filled."""
        return self.fill_down is not None or bool(self.added)

    @property
    def n_lines_above(self) -> int:
        """How many lines stand above the first record."""
        return self.skip_lines + self.has_header

    @property
    def added(self) -> tuple[str, ...]:
        """Columns that are added behind the file's own."""
        return tuple(name for name in (self.line_number, self.file_name) if name is not None)

    def with_added(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the file's own columns and those that are added."""
        return (*columns, *self.added)

    def list_of(self, column: str) -> str | None:
        """Return the column of several values whose elements a mapped column stands for; None where it is whole."""
        name = column.removesuffix("[]")
        return name if name != column and name in self.lists else None

    @field_validator("lists")
    @classmethod
    def _separators(cls, lists: dict[str, str]) -> dict[str, str]:
        if empty := [name for name, separator in lists.items() if not separator]:
            raise ValueError(f"{', '.join(empty)}: give what stands between the values, such as a blank")
        return lists

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
        if twice := [name for name in self.added if self.with_added(self.columns or ()).count(name) > 1]:
            raise ValueError(f"line_number, file_name: there is another column {twice[0]!r}; name the added one anew")
        used = [*self.lists, *((self.fill_down.by, *self.fill_down.columns) if self.fill_down is not None else ())]
        if self.columns is not None and (unknown := [name for name in used if name not in self.columns]):
            raise ValueError(f"no column {unknown[0]!r} among columns{suggest(unknown[0], list(self.columns))}")
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


Clock = Literal["session_step", "shopper_week", "sku_day"]


class DecisionSpec(GrownModel):
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
    clock: Clock = Field(
        default="session_step",
        description="Says when decisions are made: within a shopper's sessions (`session_step`), or for every shopper "
        "once a week (`shopper_week`), or for every product once a day or week, with the count that begins it "
        "(`sku_day`). Scenarios of that clock run on the source.",
        examples=["shopper_week"],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"clock"})


class Delivery(StrictModel):
    """How files become deliveries."""

    layout: Literal["dated_files", "by_event_date"] = Field(
        description="Says where a delivery's date is found: in every file's relative path (`dated_files`), or in the "
        "lines of a log that isn't daily and is split by business date (`by_event_date`).",
        examples=["dated_files"],
    )
    date_pattern: str = Field(
        default=r"(\d{4}-\d{2}-\d{2})",
        description="Gives the regular expression that finds the day in a file's path below `LOGS`. What stands in "
        "round brackets is the date. As `2026-06-01` or `20260601`, one pair of brackets holds it: `_(\\d{8})_` for "
        "`export_20260601_web.csv.gz`. In any other form, three pairs with names hold its parts: "
        "`(?P<year>\\d{4})/(?P<month>\\d{2})/(?P<day>\\d{2})/` for `2026/06/01/x.json`, "
        "`(?P<day>\\d{1,2})[.](?P<month>\\d{1,2})[.](?P<year>\\d{4})` for `1.6.2026.csv`.",
        examples=[r"_(\d{8})_"],
    )
    files: tuple[str, ...] = Field(
        default=("**/*",),
        description="Lists patterns of the relative paths of files that hold events.",
        examples=[["**/events*.jsonl", "**/events*.jsonl.gz"]],
    )

    @field_validator("date_pattern")
    @classmethod
    def _date_can_be_found(cls, pattern: str) -> str:
        refuse_pattern(pattern)
        return pattern


class SessionSpec(StrictModel):
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
