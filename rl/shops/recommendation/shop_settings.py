"""Frozen settings of a simulated shop: everything it is derived from, with a JSON round trip."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Self

from pydantic import Field, model_validator

from conf.specs.strict_yaml import StrictModel
from rl.shops.settings_file import SettingsFile, changed_settings

# Every second in which a shopper may still be looking must lie before midnight, or history features would change
# within a session: visits start at most this long after the business day's start (a day of 23 hours exists).
LATEST_VISIT_MINUTES = 21 * 60 + 45
EARLIEST_VISIT_MINUTES = 6 * 60
LONGEST_VISIT_MINUTES = 45


class Dynamics(StrictModel):
    """How a shopper reacts to a shown item. Log-odds unless named rate or probability.

    Showing an item raises boredom with its category by `boredom_step` (to `boredom_cap`) and lowers every other
    category's by `boredom_recovery`. Boredom costs `click_boredom` per level in the log-odds of a click and
    `leave_boredom` per level in the probability to leave. Clicks warm a shopper up (to `warmth_cap`), and each level
    of warmth adds `cart_warmth` to the log-odds of a cart. Misses in a row (to `miss_cap`) add `leave_miss` each.
    """

    max_steps: int = Field(default=6, ge=1, le=40)
    click_base: float = -1.1
    click_boredom: float = Field(default=0.20, ge=0)
    click_repeat: float = Field(default=0.8, ge=0)
    boredom_step: int = Field(default=2, ge=0)
    boredom_recovery: int = Field(default=1, ge=0)
    boredom_cap: int = Field(default=4, ge=0)
    cart_base: float = -1.4
    cart_warmth: float = Field(default=0.6, ge=0)
    warmth_cap: int = Field(default=3, ge=0)
    buy_after_cart_probability: float = Field(default=0.4, ge=0, le=1)
    buy_after_click_probability: float = Field(default=0.05, ge=0, le=1)
    purchase_delay_minutes: float = Field(default=80.0, gt=0, description="median")
    purchase_delay_sigma: float = Field(default=1.1, gt=0)
    refund_rate: float = Field(default=0.05, ge=0, le=1)
    leave_base: float = Field(default=0.06, ge=0, le=1)
    leave_boredom: float = Field(default=0.20, ge=0)
    leave_miss: float = Field(default=0.03, ge=0)
    miss_cap: int = Field(default=3, ge=0)
    leave_cap: float = Field(default=0.95, ge=0, le=1)
    looking_seconds_mean: float = Field(default=20.0, ge=0)
    looking_seconds_max: float = Field(default=120.0, gt=25)

    @model_validator(mode="after")
    def _visits_end_before_midnight(self) -> Self:
        longest = self.max_steps * self.looking_seconds_max / 60
        if longest > LONGEST_VISIT_MINUTES:
            raise ValueError(f"a visit may take {longest:.0f} minutes, expected at most {LONGEST_VISIT_MINUTES}")
        return self


class LoggingRule(StrictModel):
    """The behavior policy: a uniform share over what is available, else a softmax of popularity."""

    uniform_share: float = Field(default=0.5, gt=0, le=1)
    temperature: float = Field(default=1.5, gt=0)
    policy_version: str = "popularity-1"


class Dirt(StrictModel):
    """Rates per real event line at which dirt is added; no rate ever costs a real event."""

    duplicate_rate: float = Field(default=0.01, ge=0, le=0.5)
    late_rate: float = Field(default=0.01, ge=0, le=0.5)
    broken_rate: float = Field(default=0.002, ge=0, le=0.5)
    unknown_event_type_rate: float = Field(default=0.002, ge=0, le=0.5)
    bad_number_rate: float = Field(default=0.001, ge=0, le=0.5)
    bad_timestamp_rate: float = Field(default=0.001, ge=0, le=0.5)
    missing_field_rate: float = Field(default=0.0005, ge=0, le=0.5)
    outside_window_rate: float = Field(default=0.0005, ge=0, le=0.5)
    bots_per_day: float = Field(default=0.7, ge=0, le=20)
    disorder_minutes: float = Field(default=20.0, ge=0)

    @classmethod
    def none(cls) -> Self:
        """Return the rates of deliveries without any dirt."""
        return cls(**dict.fromkeys(cls.model_fields, 0))


class ShopSettings(StrictModel):
    """A shop: its catalogue and stock follow from `catalogue_seed`, its shoppers and their days from `seed`.

    So logs with several seeds are samples of one shop, and a policy has one true value in all of them.
    """

    first_date: date = date(2026, 3, 2)
    n_days: int = Field(default=14, ge=1, le=400)
    seed: int = Field(default=1, ge=0)
    catalogue_seed: int = Field(default=1, ge=0)
    n_shoppers: int = Field(default=1100, ge=1)
    n_items: int = Field(default=30, ge=1)
    n_categories: int = Field(default=7, ge=1)
    n_taste_types: int = Field(default=5, ge=1)
    taste_spread: float = Field(default=0.8, ge=0)
    taste_noise: float = Field(default=0.4, ge=0)
    appeal_spread: float = Field(default=0.5, ge=0)
    mean_visits_per_day: float = Field(default=0.9, gt=0)
    max_visits_per_day: int = Field(default=3, ge=1, le=6)
    out_of_stock_rate: float = Field(default=0.15, ge=0, lt=1)
    dynamics: Dynamics = Dynamics()
    logging: LoggingRule = LoggingRule()
    dirt: Dirt = Dirt()

    @model_validator(mode="after")
    def _an_item_per_category(self) -> Self:
        if self.n_items < self.n_categories:
            raise ValueError(f"{self.n_items} items can't fill {self.n_categories} categories")
        return self

    @property
    def last_date(self) -> date:
        return self.first_date + timedelta(days=self.n_days - 1)

    def flat(self) -> ShopSettings:
        """Return the same shop where looking ahead doesn't pay: no boredom or warmth, prompt purchases, steady leaving.

        What is shown then changes nothing but its own reward, so the greedy policy is optimal.
        """
        flat_dynamics = {
            "click_boredom": 0.0,
            "click_repeat": 0.0,
            "boredom_step": 0,
            "cart_warmth": 0.0,
            "leave_boredom": 0.0,
            "leave_miss": 0.0,
            "leave_base": 0.2,
            "purchase_delay_minutes": 0.1,
            "purchase_delay_sigma": 0.1,
        }
        return changed_settings(self, dynamics=self.dynamics.model_dump() | flat_dynamics)


SHOP_FILE = SettingsFile(ShopSettings, "shop.json", command="simulate-shop", what="a simulated shop")
"""Where the settings stand, beside the logs."""
