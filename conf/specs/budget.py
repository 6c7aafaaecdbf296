"""What may be committed in a week, and who may get an offer at all: of scenarios that decide by the week."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from conf.observation_features import NOTHING_OFFERED, window_of
from conf.specs.key_kinds import OPERATION
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel

DAYS_PER_WEEK = 7
CAP_WINDOW = "n_offers"
"""The windowed feature that caps are read off."""


class OfferCap(StrictModel):
    """How many offers a shopper gets in some weeks at most."""

    offers: int = Field(
        ge=1,
        description="Sends a shopper no further offer where this many were sent in the last `weeks` weeks.",
        examples=[2],
    )
    weeks: int = Field(
        ge=1,
        le=52,
        description="Sets how many weeks before a decision count; the observation must hold `n_offers_<days>d` of as "
        "many days, off which the cap is read.",
        examples=[4],
    )

    @property
    def feature(self) -> str:
        """The feature that counts the offers of the weeks before a decision."""
        return f"{CAP_WINDOW}_{DAYS_PER_WEEK * self.weeks}d"


class Pacing(StrictModel):
    """A budget for some weeks together, spread over their lists."""

    weeks: int = Field(
        ge=2,
        le=53,
        description="Makes this many weeks a period, whose lists may commit `weekly` times as much together. Each list "
        "gets an equal share of what the period's earlier ones left, over the weeks still to come.",
        examples=[13],
    )
    starts: date = Field(
        description="Gives the day on which a period starts, which must be `week.weekday`; periods follow one another "
        "before and after it.",
        examples=[date(2026, 1, 5)],
    )
    most: float = Field(
        default=2.0,
        ge=1,
        le=100,
        description="Bounds what a week may commit at this many times `weekly`, however much is left; what can't be "
        "committed so lapses with the period.",
        examples=[1.5],
    )


class Budget(GrownModel):
    """What all offers of a week may commit together."""

    weekly: float = Field(
        gt=0,
        description="Sets what a week's offers may commit together, over all shoppers, in the unit of the reward. A "
        "list never commits more; the price of money that policies are judged at is fixed by it.",
        examples=[1500],
    )
    committed: dict[str, float] | Literal["offers"] = Field(
        default="offers",
        description="Says what sending each action commits, whatever is redeemed: by its natural key, in the unit of "
        "the reward, or `offers`: the `cost` of the source's table of offers, as known before the decision. `none` "
        "commits nothing unless it is said.",
        examples=[{"reminder": 0.04, "voucher": 5.04}],
    )
    caps: tuple[OfferCap, ...] = Field(
        default=(),
        description="Lists how many offers a shopper gets in some weeks at most; all of them hold.",
        examples=[[{"offers": 2, "weeks": 4}]],
    )
    pacing: Pacing | None = Field(
        json_schema_extra=OPERATION,
        default=None,
        description="Spreads the budget of a period over its weekly lists: what one leaves is there for others, and "
        "all together never commit more. Left out, each week's budget is its own. Policies are priced and judged "
        "at `weekly` either way.",
        examples=[{"weeks": 13, "starts": date(2026, 1, 5)}],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"pacing"})

    @field_validator("committed")
    @classmethod
    def _at_least_nothing(cls, committed: dict[str, float] | str) -> dict[str, float] | str:
        if isinstance(committed, str):
            return committed
        if below := [f"{name} {cost:g}" for name, cost in committed.items() if not 0 <= cost < 1e9]:
            raise ValueError(f"{', '.join(below)}: expected what sending commits, at least 0")
        if not committed:
            raise ValueError("expected what each action commits, or `offers`")
        return committed

    @field_validator("caps")
    @classmethod
    def _one_cap_a_window(cls, caps: tuple[OfferCap, ...]) -> tuple[OfferCap, ...]:
        weeks = [cap.weeks for cap in caps]
        if repeated := sorted({week for week in weeks if weeks.count(week) > 1}):
            raise ValueError(f"two caps over {', '.join(map(str, repeated))} weeks; keep the lower one")
        for cap in caps:
            if window_of(cap.feature) is None:
                raise ValueError(f"{cap.feature} is no feature; expected fewer weeks")
        return caps


class Eligibility(StrictModel):
    """Who may get an offer in a week's list; who may not gets `none`."""

    active_days: int = Field(
        ge=1,
        le=365,
        description="Sends offers to shoppers alone who came within this many days before the decision; not more than "
        "`observation.history_days`.",
        examples=[91],
    )
    opted_out: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Names attributes of shoppers, and the values of each with which a shopper gets no offer, as told "
        "before the decision; capital or small letters and blanks around a value make no difference.",
        examples=[{"newsletter": ["nein"]}],
    )
    available: str | None = Field(
        default=None,
        description="Names the availability set of shoppers who may get offers; it is given where `action.mask` is "
        "`availability`, and only there.",
        examples=["everyone"],
    )
    unavailable: str | None = Field(
        default=None,
        description=f"Names the availability set of the others, which offers `{NOTHING_OFFERED}` alone; it is given "
        "with `available`.",
        examples=["blocked"],
    )

    @property
    def input_name(self) -> str:
        """What manifests of observations name it by among their inputs."""
        # Observations of earlier releases compared values to the letter: another one, who says the same otherwise.
        comparison = "by plain words" if self.opted_out else ""
        content = self.model_dump_json() + comparison
        return f"eligibility/{sha256(content.encode('utf-8')).hexdigest()[:16]}"


def plain_word(value: str) -> str:
    """Return a value without blanks around it, its letters alike whether capital or small.

    >>> plain_word(" Nein ")
    'nein'
    """
    return value.strip().casefold()
