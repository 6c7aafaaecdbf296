"""What a decision earns: events by number or in money, less refunds, less what the decision itself cost."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from conf.event_types import EventType
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel

MILLIONTHS = 1_000_000

# Beyond, the worth of a single event could be more than 64 bits hold.
_LARGEST_MONEY_WEIGHT = 100


class Attribution(StrictModel):
    """Which decision a later reward event belongs to."""

    link: Literal["decision_id", "last_touch", "last_decision", "itself"] = Field(
        description="Says which decision an event rewards: the one it names (`decision_id`), the shopper's latest "
        "earlier decision on the same item, or category where actions are categories (`last_touch`), the shopper's "
        "latest earlier decision, whatever it chose (`last_decision`), or, where the decisions are the purchases "
        "themselves, the event's own (`itself`).",
        examples=["decision_id"],
    )
    window_hours: int = Field(
        ge=1,
        le=24 * 60,
        description="Counts an event only within this many hours after the decision; so are refunds.",
        examples=[12],
    )


class RewardTerm(StrictModel):
    """A part of the reward: what attributed events of a type are worth."""

    event: EventType = Field(description="Names the type of the events.", examples=["purchase"])
    value: Literal["margin", "revenue", "count", "units"] = Field(
        description="Says what an event is worth: what the shopper paid (`revenue`), that less the cost of the goods "
        "(`margin`), 1 (`count`), or its pieces (`units`). Refunds are taken off the money of purchases, not off "
        "their units.",
        examples=["margin"],
    )
    weight: float = Field(
        default=1.0,
        description="Multiplies the value, with at most six decimals; of money and units at most 100.",
        examples=[1],
    )

    @model_validator(mode="after")
    def _exact(self) -> Self:
        if not _is_exact(self.weight):
            raise ValueError(f"weight {self.weight} has more than six decimals")
        if self.is_money and self.event == "refund":
            raise ValueError(
                "refunds are taken off the money of their purchases by themselves; write the term for event: purchase"
            )
        if self.value != "count" and abs(self.weight) > _LARGEST_MONEY_WEIGHT:
            of = "units" if self.value == "units" else "money"
            raise ValueError(f"weight {self.weight:g} of {of}; expected at most {_LARGEST_MONEY_WEIGHT}")
        return self

    @property
    def is_money(self) -> bool:
        """True where an event is worth money rather than a number of points."""
        return self.value not in ("count", "units")


STOCK_FLOWS = ("opening", "ordered", "received", "sold", "closing", "shrinkage", "ran_out")
"""What becomes of a product's stock between one count and the next: values of metrics of `stock`."""


SumOf = Literal["margin", "revenue", "discount", "cost", "units"]


class EventMetric(StrictModel):
    """A side metric in money or pieces, or of what became of a product's stock."""

    event: EventType = Field(description="Names the type of the events.", examples=["purchase"])
    value: Literal[
        "margin",
        "revenue",
        "discount",
        "cost",
        "units",
        "opening",
        "ordered",
        "received",
        "sold",
        "closing",
        "shrinkage",
        "ran_out",
    ] = Field(
        description="Says what of attributed events is summed: their money, less what refunds say of that of "
        "purchases, or their pieces (`units`). The others are for `event: stock` with `clock: sku_day`, in units from "
        "one count to the next: what was there (`opening`), was `ordered`, came in (`received`), was `sold`, what the "
        "next count finds (`closing`), what none of these explains (`shrinkage`: opening + received - sold - closing, "
        "below 0 where units turned up), and whether nothing was left at some moment, so that demand may be larger "
        "than what was sold (`ran_out`, 1 or 0). Before another count, `closing` is what the others make it.",
        examples=["discount"],
    )

    @property
    def is_money(self) -> bool:
        """True where it is money rather than a number of pieces."""
        return self.value != "units" and not self.is_of_stock

    @property
    def sum_of(self) -> SumOf:
        """What is summed of events.

        Raises:
            ValueError: it is of stock.
        """
        if self.is_of_stock:
            raise ValueError(f"{self.value} is no sum of events")
        return cast(SumOf, self.value)

    @property
    def is_of_stock(self) -> bool:
        """True where it says what became of a product's stock."""
        return self.value in STOCK_FLOWS

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.event == "refund":
            raise ValueError("money of refunds is taken off that of purchases by itself; write event: purchase")
        if self.is_of_stock and self.event != "stock":
            raise ValueError(f"{self.value} is told by counts; write event: stock")
        return self


class ActionCost(StrictModel):
    """What a decision costs, whatever follows: declared by action, or logged with the decision."""

    logged: bool = Field(
        default=False,
        description="Takes the `cost` of the decision's own event, where it is true; one without costs nothing.",
        examples=[True],
    )
    declared: dict[str, float] | None = Field(
        default=None,
        description="Gives each action's cost by its natural key, in the reward's unit, with at most six decimals.",
        examples=[{"none": 0, "email": 0.1}],
    )
    otherwise: float | None = Field(
        default=None,
        ge=0,
        description="Gives the cost of all other actions; it is given with `declared`, and only then.",
        examples=[0],
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.logged == (self.declared is not None):
            raise ValueError("give exactly one of logged: true and declared")
        if (self.declared is None) != (self.otherwise is None):
            raise ValueError("give otherwise with declared, and only then")
        costs = {**(self.declared or {}), "otherwise": self.otherwise or 0.0}
        if wrong := [name for name, cost in costs.items() if cost < 0 or not _is_exact(cost)]:
            raise ValueError(f"expected costs from 0 on, with at most six decimals: {', '.join(wrong)}")
        return self


class Reward(GrownModel):
    """What a decision earns."""

    unit: str = Field(
        description="Names the unit of rewards and values, for pages and verdicts: a word, or the source's currency "
        "where rewards are money.",
        examples=["points"],
    )
    weights: dict[EventType, float] = Field(
        default_factory=dict,
        description="Gives the reward of an event of each type, in the unit, with at most six decimals; other types "
        "earn nothing.",
        examples=[{"click": 1, "cart": 3, "purchase": 10}],
    )
    terms: tuple[RewardTerm, ...] = Field(
        default=(),
        description="Lists what events are worth in money or by number, beside or in place of `weights`; a decision "
        "earns their sum.",
        examples=[[{"event": "purchase", "value": "margin", "weight": 1}]],
    )
    margin_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Takes this share of the amount for the margin, where the log has no cost of goods.",
        examples=[0.3],
    )
    item_costs: bool = Field(
        default=False,
        description="Gives purchases and refunds that name no cost that of their pieces, where it is true: `cost` of "
        "the source's `items`, as told by the end of the event's day, times `quantity`. An event whose item has none "
        "then lacks its money, and is counted.",
        examples=[True],
    )
    action_cost: ActionCost | None = Field(
        default=None,
        description="Says what a decision costs: it is taken off what the decision earns.",
        examples=[{"declared": {"email": 0.1}, "otherwise": 0}],
    )
    attribution: Attribution = Field(
        description="Says which decision an event rewards.",
        examples=[{"link": "decision_id", "window_hours": 12}],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"terms", "margin_rate", "action_cost", "item_costs"})

    @field_validator("weights")
    @classmethod
    def _exact(cls, weights: dict[EventType, float]) -> dict[EventType, float]:
        if inexact := [name for name, weight in weights.items() if not _is_exact(weight)]:
            raise ValueError(f"more than six decimals: {', '.join(inexact)}")
        return weights

    @model_validator(mode="after")
    def _counts_once(self) -> Self:
        if not self.weights and not self.terms:
            raise ValueError("give weights or terms: nothing would earn anything")
        given = [(name, "count") for name in self.weights] + [(term.event, term.value) for term in self.terms]
        if twice := sorted({f"{value} of {event}" for event, value in given if given.count((event, value)) > 1}):
            raise ValueError(f"counted twice: {', '.join(twice)}; keep one of each in weights and terms")
        return self

    @model_validator(mode="after")
    def _one_source_of_costs(self) -> Self:
        if self.item_costs and self.margin_rate is not None:
            raise ValueError("give one of item_costs and margin_rate: both say what goods cost")
        return self

    @model_validator(mode="after")
    def _exact_shares(self) -> Self:
        for term in self.terms:
            if term.value == "margin" and not _is_exact(self.factor(term)):
                raise ValueError(
                    f"weight {term.weight:g} times margin_rate {self.margin_rate} has more than six decimals"
                )
        return self

    def factor(self, term: RewardTerm | EventMetric) -> float:
        """Return what the term multiplies: its weight, times the declared rate where its margin is one."""
        weight = Decimal(str(term.weight)) if isinstance(term, RewardTerm) else Decimal(1)
        is_declared = term.value == "margin" and self.margin_rate is not None
        return float(weight * Decimal(str(self.margin_rate)) if is_declared else weight)

    @property
    def weight_millionths(self) -> dict[str, int]:
        """Weight of each event type in millionths of the unit."""
        return {name: millionths(weight) for name, weight in self.weights.items()}


def millionths(value: float) -> int:
    """Return a value of at most six decimals in millionths."""
    return round(value * MILLIONTHS)


def _is_exact(value: float) -> bool:
    return millionths(value) / MILLIONTHS == value
