"""How the time of an event is read from the raw columns of a line."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel
from conf.specs.time_patterns import compile_pattern


class TimeOffset(StrictModel):
    """What has passed since the time that a mapping reads."""

    column: str = Field(
        description="Names the raw column (or JSON path) that holds how much has passed; a line without it has no "
        "time.",
        examples=["hits.time"],
    )
    unit: Literal["seconds", "milliseconds", "microseconds"] = Field(
        description="Says what it is counted in; parts of a unit count.",
        examples=["milliseconds"],
    )


class TimeMapping(GrownModel):
    """The event time: a column, or several joined by a space, and how to read it."""

    column: str | None = Field(
        default=None,
        description="Names the raw column (or JSON path) that holds the time; give it or `columns`.",
        examples=["timestamp"],
    )
    unit: Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "iso", "pattern", "day_number"] = Field(
        description="Says how the time is written: seconds, milliseconds, microseconds or nanoseconds since 1970 in "
        "UTC; `iso` as ISO 8601, local to `zone` where it has no offset; `pattern` as the pattern says, likewise; "
        "`day_number` as the number of the day, 1 being `day_one`, and in a second of `columns` the local time of "
        "day, as `905` or `09:05`.",
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

    constant: str | None = Field(
        default=None,
        description="Gives every line the same time, as `unit` says, where a log holds none: an experiment's, say.",
        examples=["2020-01-01T00:00:00"],
    )
    day_one: date | None = Field(
        default=None,
        description="Gives the calendar day of day number 1, with unit `day_number` alone; where a log hides it, any.",
        examples=[date(2020, 1, 1)],
    )

    offset: TimeOffset | None = Field(
        default=None,
        description="Adds what has passed since that time: of clicks that count from their session's start.",
        examples=[{"column": "hits.time", "unit": "milliseconds"}],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset(
        {"columns", "milliseconds", "zone", "constant", "day_one", "offset"}
    )

    @property
    def parts(self) -> tuple[str, ...]:
        """Columns whose joined texts are the time."""
        if self.constant is not None:
            return ()
        return self.columns or (self.column or "",)

    @property
    def raw_columns(self) -> list[str]:
        """Columns that the time is read from."""
        milliseconds = [] if self.milliseconds is None else [self.milliseconds]
        return [*self.parts, *milliseconds, *([] if self.offset is None else [self.offset.column])]

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        return zone if zone is None else known_zone(zone)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(one is not None for one in (self.column, self.columns, self.constant)) != 1:
            raise ValueError("give exactly one of column, columns, constant")
        if self.unit == "day_number" and len(self.parts) > 2:
            raise ValueError("a day number stands in one column, or in two with the time of day")
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
        if (self.unit == "day_number") != (self.day_one is not None):
            raise ValueError("give day_one with unit: day_number, and only then")
        return self


def known_zone(zone: str) -> str:
    """Return the zone's name; raise ValueError, for a model's validator, if no such IANA zone exists."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no such time zone; expected an IANA name such as Europe/Berlin") from error
    return zone
