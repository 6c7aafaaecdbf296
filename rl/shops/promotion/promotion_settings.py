"""Frozen settings of a simulated shop of weekly offers: everything it is derived from, with a JSON round trip."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field, field_validator, model_validator

from conf.specs.strict_yaml import StrictModel
from rl.shops.promotion.shopper_kinds import USUAL_KINDS, ShopperKind
from rl.shops.settings_file import SettingsFile

NOBODY = "none"
"""Natural key of the action that sends nothing; its index is 0."""

MONDAY = 0


class Offer(StrictModel):
    """An offer: a share of the basket up to a bound is taken off, once, in the week in which it was sent.

    Attributes:
        key: natural key of the action.
        code: what the campaign tool's export calls it.
        discount_percent: of the list price of the basket; 100 for a voucher of the largest discount's value.
        largest_discount_cents: what one sending can cost in discount at most.
        contact_cost_millionths: what writing costs, whatever follows.
        reach: multiplies what being written to means to a shopper: a letter more than a mail.
    """

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    code: str = Field(pattern=r"^[A-Z][A-Z0-9-]*$")
    discount_percent: int = Field(default=0, ge=0, le=100)
    largest_discount_cents: int = Field(default=0, ge=0, le=100_000)
    contact_cost_millionths: int = Field(ge=0, le=100_000_000)
    reach: float = Field(default=1.0, gt=0)

    @property
    def committed_millionths(self) -> int:
        """What sending it commits the shop to: the contact, and the largest discount."""
        return self.contact_cost_millionths + self.largest_discount_cents * 10_000


USUAL_OFFERS = (
    Offer(key="reminder", code="NL-ERINNERUNG", contact_cost_millionths=40_000),
    Offer(
        key="percent_15",
        code="NL-15PROZENT",
        discount_percent=15,
        largest_discount_cents=900,
        contact_cost_millionths=42_500,
    ),
    Offer(
        key="voucher_5",
        code="GS-5",
        discount_percent=100,
        largest_discount_cents=500,
        contact_cost_millionths=42_500,
    ),
    Offer(
        key="letter_10",
        code="BRIEF-10",
        discount_percent=100,
        largest_discount_cents=1000,
        contact_cost_millionths=1_137_500,
        reach=1.6,
    ),
)


class Dynamics(StrictModel):
    """How shoppers' state moves, all kinds alike. Log hazards unless named probability, rate or weeks.

    Fatigue is the sum over the last `fatigue_weeks` weeks of `fatigue_decay` to the power of how many weeks ago, for
    each week with an offer. Good effects of an offer are multiplied by exp(-`weariness` times fatigue). Distance has
    levels from 0 (bought last week) to `farthest` (gone); each level takes `distance_cost` off the log hazard of a
    purchase, the last one `gone_cost` more. Supplies last `stocked_weeks` after a purchase, `pulled_weeks` after one
    with a redeemed offer. Each unit of fatigue adds `opt_out_fatigue` to the opt-out rate, as a share of it.
    """

    fatigue_weeks: int = Field(default=4, ge=1, le=8)
    fatigue_decay: float = Field(default=0.7, gt=0, le=1)
    weariness: float = Field(default=0.55, ge=0)
    farthest: int = Field(default=7, ge=1, le=12)
    distance_cost: float = Field(default=0.28, ge=0)
    gone_cost: float = Field(default=1.8, ge=0)
    stocked_weeks: int = Field(default=1, ge=0, le=12)
    pulled_weeks: int = Field(default=5, ge=0, le=12)
    opt_out_fatigue: float = Field(default=0.6, ge=0)
    refund_probability: float = Field(default=0.07, ge=0, le=1)
    resale_probability: float = Field(default=0.8, ge=0, le=1)
    refund_days: int = Field(default=20, ge=1, le=60)
    inactive_weeks: int = Field(default=26, ge=1, le=1000)


class LoggingRule(StrictModel):
    """The behavior policy: each week's share of shoppers gets an offer, more of those who haven't bought for a while.

    Attributes:
        share_bounds: between which the share of a week lies; it is drawn with the shop.
        tilt: factors of the share by weeks since the last purchase: at most 1, 2 to 4, 5 to 9, more or never.
        lowest, highest: bounds of a shopper's probability of any offer.
        mix: relative frequency of each offer.
    """

    share_bounds: tuple[float, float] = (0.3, 0.6)
    tilt: tuple[float, float, float, float] = (0.7, 1.1, 1.3, 0.9)
    lowest: float = Field(default=0.15, gt=0, lt=1)
    highest: float = Field(default=0.8, gt=0, lt=1)
    mix: tuple[float, ...] = (1.0, 1.0, 1.0, 0.8)
    policy_version: str = "campaign-plan-1"

    @model_validator(mode="after")
    def _shares_in_order(self) -> Self:
        low, high = self.share_bounds
        if not 0 < low <= high < 1 or self.lowest > self.highest:
            raise ValueError(f"shares {self.share_bounds} and bounds {self.lowest}, {self.highest} must be in order")
        if any(weight <= 0 for weight in self.mix):
            raise ValueError(f"mix {self.mix}; expected every offer above 0, or nothing could be learned of it")
        return self


class FeedDirt(StrictModel):
    """Rates per real line at which dirt is added to each feed; no rate ever costs a real line."""

    duplicate_rate: float = Field(default=0.01, ge=0, le=0.5)
    late_rate: float = Field(default=0.01, ge=0, le=0.5)
    broken_rate: float = Field(default=0.003, ge=0, le=0.5)
    unknown_type_rate: float = Field(default=0.003, ge=0, le=0.5)
    bad_number_rate: float = Field(default=0.002, ge=0, le=0.5)
    bad_timestamp_rate: float = Field(default=0.002, ge=0, le=0.5)
    missing_shopper_rate: float = Field(default=0.002, ge=0, le=0.5)
    unknown_offer_rate: float = Field(default=0.004, ge=0, le=0.5)
    other_id_form_rate: float = Field(default=0.2, ge=0, le=1)
    ignored_rate: float = Field(default=0.02, ge=0, le=0.5)

    @classmethod
    def none(cls) -> Self:
        """Return the rates of deliveries without any dirt."""
        return cls(**dict.fromkeys(cls.model_fields, 0))


class PromotionSettings(StrictModel):
    """A shop: its catalogue and weekly shares follow from `catalogue_seed`, shoppers and their weeks from `seed`.

    So logs with several seeds are samples of one shop, and a policy has one true value in all of them.

    Attributes:
        first_monday: the day of the first decision.
        n_weeks: weeks of decisions, each from its decision to the next.
        decision_hour: hour of the shop's zone at which a week is decided.
        joining_weeks: over which newcomers join, of a shop that has gone on since; None for all of its weeks.
        newcomer_share: of the shoppers, those who join evenly over the weeks; the others are there from the first.
        segment_accuracy: probability that a shopper's segment, which the log shows, is that of the kind.
        spread: standard deviation of shoppers' own log hazard of a purchase within a kind.
        no_consent_share: of the shoppers, those who never consented to being learned from.
    """

    first_monday: date = date(2025, 9, 1)
    n_weeks: int = Field(default=26, ge=1, le=260)
    decision_hour: int = Field(default=9, ge=7, le=22)
    zone: str = "Europe/Berlin"
    seed: int = Field(default=1, ge=0)
    catalogue_seed: int = Field(default=1, ge=0)
    n_shoppers: int = Field(default=2000, ge=1)
    joining_weeks: int | None = Field(default=None, ge=1, le=260)
    newcomer_share: float = Field(default=0.25, ge=0, lt=1)
    segment_accuracy: float = Field(default=0.6, ge=0, le=1)
    spread: float = Field(default=0.35, ge=0)
    no_consent_share: float = Field(default=0.01, ge=0, lt=1)
    n_items: int = Field(default=24, ge=1)
    n_categories: int = Field(default=6, ge=1)
    favorite_share: float = Field(default=0.55, ge=0, le=1)
    kinds: tuple[ShopperKind, ...] = USUAL_KINDS
    offers: tuple[Offer, ...] = Field(default=USUAL_OFFERS, min_length=1)
    dynamics: Dynamics = Dynamics()
    logging: LoggingRule = LoggingRule()
    dirt: FeedDirt = FeedDirt()

    @field_validator("first_monday")
    @classmethod
    def _begins_on_monday(cls, day: date) -> date:
        if day.weekday() != MONDAY:
            raise ValueError(f"{day} is no Monday; weeks are decided on Mondays")
        return day

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.n_items < self.n_categories:
            raise ValueError(f"{self.n_items} items can't fill {self.n_categories} categories")
        if len(self.logging.mix) != len(self.offers):
            raise ValueError(f"logging.mix has {len(self.logging.mix)} entries, expected one for each offer")
        for what, names in (("kinds", [kind.name for kind in self.kinds]), ("offers", [o.key for o in self.offers])):
            if len(set(names)) < len(names) or NOBODY in names:
                raise ValueError(f"{what} are called {', '.join(names)}; expected different names, none {NOBODY!r}")
        return self

    @property
    def drawn_weeks(self) -> int:
        """Weeks that the shop had when it was made: further ones follow from them, and change none of them."""
        return self.n_weeks if self.joining_weeks is None else self.joining_weeks

    @property
    def action_keys(self) -> list[str]:
        """Natural keys of the actions; the first sends nothing."""
        return [NOBODY, *[offer.key for offer in self.offers]]


SHOP_FILE = SettingsFile(
    PromotionSettings, "promotion_shop.json", command="simulate-promotion", what="a simulated shop of offers"
)
"""Where the settings stand, beside the logs."""
