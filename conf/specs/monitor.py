"""What is done about what is served: when a person is told, and what a broken promise leads to."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from conf.specs.later_keys import GrownModel


class Monitor(GrownModel):
    """How what is served is watched."""

    later_keys: ClassVar[frozenset[str]] = frozenset({"most_unexplained"})

    on_broken_promise: Literal["alert", "rollback"] = Field(
        default="alert",
        description="Says what follows where a champion's gain is shown to stay below what was promised: an `alert`, "
        "or a `rollback` to the champion before (or the shop's own rule) as well, unless it is shown to gain something "
        "all the same.",
        examples=["rollback"],
    )
    false_alarms_a_year: float = Field(
        default=0.5,
        gt=0,
        le=50,
        description="Sets how many false alarms there may be in a year, on average, over all series and days together "
        "while nothing changes; the fewer, the longer a change goes unnoticed.",
        examples=[0.5],
    )
    most_unexplained: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Alerts on a day of whose decisions more than this share have another propensity than the champion "
        "gives them: the nights to come learn and weigh by these. null alerts only where none could be explained.",
        examples=[0.2],
    )
