"""What a caller sends and gets: strict models, so that what doesn't fit is named by its field."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from conf.event_types import EventType
from conf.specs.field_mapping import NULL_WORDS
from conf.specs.scenario import MILLIONTHS
from rl.serving.decide import Group
from rl.serving.histories import State

MOST_EVENTS, MOST_ACTIONS, MOST_POSITIONS, MOST_REQUESTS = 1_000, 20_000, 20, 500
MOST_UNKNOWN_NAMED = 20

Key = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class Body(BaseModel):
    """A model that knows its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Event(Body):
    """What the shopper did, or was shown, as the shop's own log tells it."""

    event_type: EventType = Field(description="Canonical type.", examples=["click"])
    event_time: AwareDatetime = Field(
        description="When it happened, with an offset from UTC.", examples=["2026-03-30T09:23:36.713418Z"]
    )
    event_id: Key | None = Field(default=None, description="Settles the order of equal types at one instant.")
    item_id: Key | None = Field(default=None, description="Natural key of the item.", examples=["item-023"])
    category_id: Key | None = Field(default=None, description="Natural key of its category.", examples=["category-2"])
    action: Key | None = Field(default=None, description="Natural key of what a decision chose.", examples=["item-023"])
    price: Annotated[Decimal, Field(ge=0, lt=10**12)] | None = Field(
        default=None, description="Price of one piece, in currency units.", examples=[19.95]
    )
    decision_id: Key | None = Field(
        default=None,
        description="Decision that an impression tells of; told again on one day, it counts once.",
        examples=["decision-7"],
    )
    position: Annotated[int, Field(ge=0, lt=2**31)] | None = Field(
        default=None, description="Place of what an impression shows in its slate.", examples=[0]
    )

    @property
    def price_millionths(self) -> int | None:
        """The price as the events table holds it."""
        if self.price is None:
            return None
        return int((self.price * MILLIONTHS).quantize(Decimal(1), rounding=ROUND_HALF_UP))


_EXAMPLE: Any = {
    "user_id": "shopper-00002",
    "events": [
        {
            "event_type": "impression",
            "event_time": "2026-03-30T09:23:36.713418Z",
            "item_id": "item-023",
            "category_id": "category-2",
            "action": "item-023",
        },
        {
            "event_type": "click",
            "event_time": "2026-03-30T09:23:41.002Z",
            "item_id": "item-023",
            "category_id": "category-2",
            "price": 19.95,
        },
    ],
    "available_actions": ["item-023", "item-004", "item-007"],
}


class DecideRequest(Body):
    """A request for the decision about one shopper."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    user_id: Key = Field(description="The shopper's id as the shop's logs hold it; it is never written or logged.")
    events: tuple[Event, ...] = Field(
        default=(),
        max_length=MOST_EVENTS,
        description="The running session's events so far, in any order; earlier sessions may be among them.",
    )
    available_actions: tuple[Key, ...] | None = Field(
        default=None, min_length=1, max_length=MOST_ACTIONS, description="Natural keys of what may be shown."
    )
    availability_id: Key | None = Field(default=None, description="Id of a delivered set of them, in place of a list.")
    n: int = Field(default=1, ge=1, le=MOST_POSITIONS, description="Positions to fill, each with another action.")
    opted_out: bool = Field(default=False, description="Decide without anything that is known of the shopper.")
    decision_time: AwareDatetime | None = Field(
        default=None, description="When it is decided; taken by a service that replays a log alone."
    )

    @model_validator(mode="after")
    def _one_way_to_say_what_is_available(self) -> DecideRequest:
        if self.available_actions is not None and self.availability_id is not None:
            raise ValueError("give available_actions or availability_id, not both")
        if self.user_id in NULL_WORDS:
            raise ValueError(f"user_id {self.user_id!r} is a word for no shopper: leave such decisions to the shop")
        return self


class BatchRequest(Body):
    """Requests for decisions about several shoppers at once."""

    requests: tuple[DecideRequest, ...] = Field(min_length=1, max_length=MOST_REQUESTS)


class ServedDecision(BaseModel):
    """One position's decision."""

    decision_id: str = Field(description="What the shop's later events of it name.")
    position: int = Field(description="Place in the slate, from 0.")
    action: str = Field(description="Natural key of what to show.")
    propensity: float = Field(description="The probability with which it was chosen, as it is logged.")
    policy_version: str = Field(description="Who chose.")
    group: Group = Field(description="Why it was chosen so.")
    event: dict[str, object] = Field(description="The decision as an event, to send among the session's later ones.")


class HistoryAge(BaseModel):
    """What was known of the shopper's earlier days."""

    state: State = Field(description="`known`, or why a new shopper's state stood in.")
    age_days: int | None = Field(description="Days between what is known and the decision.")


class DecideAnswer(BaseModel):
    """What was decided for one shopper."""

    group: Literal["champion", "incumbent", "control", "fallback"] = Field(
        description="Who decides for the shopper: `control` keeps what the shop had before the champion; `incumbent` "
        "is what a champion that is rolled out by stages replaces, for shoppers who don't get it yet."
    )
    use_yours: bool = Field(description="The shop decides as it always did, and logs what it did.")
    slate_id: str = Field(description="Names the decisions together.")
    decisions: list[ServedDecision] = Field(
        description="By position; fewer than asked where nothing was left to choose."
    )
    reason: str = Field(
        default="",
        description="Why fewer decisions than asked for were made; empty where all were, or where the shop decides.",
    )
    n_unknown_actions: int = Field(
        description="How many of the available actions the policy doesn't know: new, sold out for long, or misspelt. "
        "It never chooses them; only a fallback does."
    )
    unknown_actions: list[str] = Field(description="The first of them, up to 20.")
    history: HistoryAge


class BatchAnswer(BaseModel):
    """What was decided for several shoppers, in the order of the requests."""

    answers: list[DecideAnswer]
