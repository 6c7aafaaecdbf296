"""Kinds of shoppers: how each buys, answers offers, stocks up, drifts away and opts out. No log shows a kind."""

from __future__ import annotations

from pydantic import Field

from conf.specs.strict_yaml import StrictModel


class ShopperKind(StrictModel):
    """A kind of shopper. Log hazards a week unless named rate, share or probability.

    Attributes:
        name: names the kind in truths and records.
        share: of all shoppers, up to the sum over kinds.
        purchase: log hazard of a purchase of a shopper who is near, rested and out of stock.
        contact_response: what being written to adds, before fatigue; below 0 an offer drives the shopper away.
        discount_response: what ten units off a usual basket add, before fatigue; other discounts add by their root.
        notice_probability: that a shopper who would have bought anyway redeems the offer.
        pantry: what each week of supplies in the house takes off.
        drift_rate: probability of moving one level away in a week without a purchase.
        retention: how much an offer lowers the log of that rate, before fatigue.
        annoyance: how much an offer raises it.
        opt_out_rate: probability that an offer to a rested shopper makes them opt out.
        second_order_probability: that a purchase is followed by another in the same week.
        more_lines_probability: that an order has a second line, and that one a third.
        visits: mean visits a week of a shopper who is near.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    share: float = Field(gt=0, le=1)
    purchase: float
    contact_response: float = 0.0
    discount_response: float = 0.0
    notice_probability: float = Field(default=0.8, ge=0, le=1)
    pantry: float = Field(default=0.3, ge=0)
    drift_rate: float = Field(default=0.2, ge=0, le=1)
    retention: float = Field(default=0.0, ge=0)
    annoyance: float = Field(default=0.0, ge=0)
    opt_out_rate: float = Field(default=0.004, ge=0, le=1)
    second_order_probability: float = Field(default=0.05, ge=0, le=1)
    more_lines_probability: float = Field(default=0.45, ge=0, le=1)
    visits: float = Field(default=1.0, ge=0, le=10)


USUAL_KINDS = (
    ShopperKind(
        name="sure_thing",
        share=0.16,
        purchase=-1.1,
        contact_response=0.02,
        discount_response=0.03,
        notice_probability=0.9,
        drift_rate=0.15,
        visits=1.6,
    ),
    ShopperKind(
        name="persuadable",
        share=0.3,
        purchase=-3.1,
        contact_response=0.4,
        discount_response=3.3,
        drift_rate=0.3,
        retention=0.8,
        visits=0.9,
    ),
    ShopperKind(
        name="bargain_hunter",
        share=0.16,
        purchase=-1.8,
        contact_response=0.15,
        discount_response=2.1,
        notice_probability=0.95,
        pantry=1.2,
        drift_rate=0.15,
        visits=1.4,
    ),
    ShopperKind(
        name="drifting",
        share=0.2,
        purchase=-1.7,
        contact_response=0.4,
        discount_response=2.2,
        drift_rate=0.6,
        retention=2.6,
        visits=1.0,
    ),
    ShopperKind(
        name="sleeping_dog",
        share=0.12,
        purchase=-1.4,
        contact_response=-0.9,
        drift_rate=0.25,
        annoyance=0.9,
        opt_out_rate=0.06,
        visits=1.2,
    ),
    ShopperKind(
        name="browser",
        share=0.06,
        purchase=-4.5,
        discount_response=0.2,
        drift_rate=0.2,
        opt_out_rate=0.01,
        more_lines_probability=0.2,
        visits=2.2,
    ),
)
