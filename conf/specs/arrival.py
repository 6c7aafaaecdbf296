"""When a day's delivery is whole, until when it is waited for, and when somebody is told that it isn't."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from conf.specs.strict_yaml import StrictModel

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Arrival(StrictModel):
    """What makes a delivery whole: all that is given here has to hold. A delivery that isn't whole is never landed."""

    marker: str | None = Field(
        default=None,
        description="Gives the pattern of a file that is delivered last and says that the others are there; its date "
        "stands in its path as theirs does. Left out, none is waited for.",
        examples=["**/_SUCCESS"],
    )
    feeds: tuple[str, ...] = Field(
        default=(),
        description="Lists the feeds and side tables of which each delivery has a file at least; a source without "
        "`feeds` is a feed of its own name.",
        examples=[["items"]],
    )
    share_of_usual: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Takes a feed's files for half of them where they hold fewer bytes than this share of what its "
        "deliveries usually do: the median of those of the same weekday, three at least, else of the last seven days. "
        "Left out, and as long as fewer than three were landed, size isn't looked at.",
        examples=[0.5],
    )
    by: str = Field(
        default="09:00",
        description="Gives the time, by the source's clock on the day after, at which an alert tells that the delivery "
        "isn't whole.",
        examples=["06:30"],
    )
    wait_hours: int = Field(
        default=15,
        ge=0,
        le=168,
        description="Waits for so many hours after `by`; then the run fails.",
        examples=[4],
    )

    @field_validator("by", mode="before")
    @classmethod
    def _is_a_time(cls, by: object) -> object:
        if not isinstance(by, str) or not _CLOCK.fullmatch(by):
            raise ValueError(f'got {by!r}; expected hours and minutes in quotes, such as "06:30"')
        return by

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.marker is None and not self.feeds and self.share_of_usual is None:
            raise ValueError("nothing says when a delivery is whole; give marker, feeds or share_of_usual")
        return self

    def deadline(self, day: date, zone: str) -> datetime:
        """Return the moment at which somebody is told that a day's delivery isn't whole."""
        return datetime.combine(day + timedelta(days=1), time.fromisoformat(self.by), ZoneInfo(zone))

    def given_up(self, day: date, zone: str) -> datetime:
        """Return the moment from which a day's delivery isn't waited for any more."""
        # Hours that pass, whatever the clock does on a night on which it is set.
        ends = self.deadline(day, zone).timestamp() + self.wait_hours * 3600
        return datetime.fromtimestamp(ends, ZoneInfo(zone))
