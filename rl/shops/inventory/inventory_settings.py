"""Frozen settings of a simulated shop that orders stock: everything it is derived from, with a JSON round trip."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field, model_validator

from conf.specs.problem import Weekday
from conf.specs.strict_yaml import StrictModel
from rl.inventory.order_days import OrderDays
from rl.shops.inventory.many_products import ManyProducts
from rl.shops.settings_file import SettingsFile


class StockDirt(StrictModel):
    """Rates per real line at which dirt is added to each feed; only missed counts cost real lines."""

    duplicate_rate: float = Field(default=0.01, ge=0, le=0.5)
    late_rate: float = Field(default=0.01, ge=0, le=0.5)
    broken_rate: float = Field(default=0.003, ge=0, le=0.5)
    ignored_rate: float = Field(default=0.01, ge=0, le=0.5)
    unknown_type_rate: float = Field(default=0.003, ge=0, le=0.5)
    bad_number_rate: float = Field(default=0.003, ge=0, le=0.5)
    bad_timestamp_rate: float = Field(default=0.002, ge=0, le=0.5)
    missing_article_rate: float = Field(default=0.002, ge=0, le=0.5)
    missed_count_rate: float = Field(default=0.0005, ge=0, le=0.5)
    recount_rate: float = Field(default=0.002, ge=0, le=0.5)

    @classmethod
    def none(cls) -> Self:
        """Return the rates of deliveries without any dirt."""
        return cls(**dict.fromkeys(cls.model_fields, 0))


class InventorySettings(StrictModel):
    """A shop: its products follow from `catalogue_seed`, what happens on its days from `seed`.

    Attributes:
        first_day: of the logs.
        first_drawn_days: that the shop was made for, of one that has gone on since; None for all of its days.
        lead_days: from order to receipt, as promised.
        lead_shares: of orders that come a day early, as promised, a day late, two days late, and so on.
        split_share: of orders of several packs, those that come in two receipts, the second a day later.
        newcomer_share, leaver_share: of the products, those that come into the range or leave it while the log runs.
        shrinkage_rate: of the units in stock, those that are gone each night without a record.
        found_rate: of product-nights, those on which a unit turns up that no record had.
        refund_share: of sales, those that are given back some days later, never to be sold again.
        notice_days: how long before a promotion its prices are told.
        order_weekdays: on which the buyer orders, by name, each time for the days until the next order arrives; none
            named for every day.
        n_shoppers: who buy.
        extra_variance, promotion_share, forecast_error, buyer_safety: as of `ManyProducts`.
    """

    first_day: date = date(2025, 9, 1)
    n_days: int = Field(default=182, ge=28, le=2000)
    first_drawn_days: int | None = Field(default=None, ge=28, le=2000)
    zone: str = "Europe/Berlin"
    seed: int = Field(default=1, ge=0)
    catalogue_seed: int = Field(default=1, ge=0)
    n_products: int = Field(default=60, ge=1)
    n_categories: int = Field(default=6, ge=1)
    n_shoppers: int = Field(default=400, ge=1)
    lead_days: int = Field(default=3, ge=1, le=14)
    lead_shares: tuple[float, ...] = Field(default=(0.15, 0.6, 0.2, 0.05), min_length=1, max_length=10)
    split_share: float = Field(default=0.1, ge=0, le=1)
    pack_sizes: tuple[int, ...] = Field(default=(1, 6, 12), min_length=1)
    newcomer_share: float = Field(default=0.15, ge=0, lt=1)
    leaver_share: float = Field(default=0.1, ge=0, lt=1)
    shrinkage_rate: float = Field(default=0.002, ge=0, lt=1)
    found_rate: float = Field(default=0.002, ge=0, lt=1)
    refund_share: float = Field(default=0.01, ge=0, lt=1)
    promotion_share: float = Field(default=0.15, ge=0, le=1)
    notice_days: int = Field(default=14, ge=1, le=60)
    forecast_error: float = Field(default=0.25, ge=0)
    extra_variance: float = Field(default=0.05, ge=0)
    buyer_safety: float = Field(default=1.5)
    order_weekdays: tuple[Weekday, ...] = ()
    dirt: StockDirt = StockDirt()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if min(self.lead_shares) < 0 or sum(self.lead_shares) <= 0:
            raise ValueError(f"lead_shares {self.lead_shares}; expected shares from 0 on, some above")
        if min(self.pack_sizes) < 1:
            raise ValueError(f"pack_sizes {self.pack_sizes}; expected at least one piece in each")
        if self.n_days < 7 * (self.lead_days + 1):
            raise ValueError(f"{self.n_days} days are few for {self.lead_days} days of waiting; expected some weeks")
        return self

    @property
    def order_days(self) -> OrderDays:
        """The days on which the buyer orders."""
        return OrderDays.of(self.order_weekdays)

    @property
    def n_ahead(self) -> int:
        """Days that the buyer's forecast looks ahead at, the day itself included."""
        return self.lead_days + self.order_days.longest_gap

    @property
    def drawn_days(self) -> int:
        """Days that the shop had when it was made: further ones follow from them, and change none of them."""
        return self.n_days if self.first_drawn_days is None else self.first_drawn_days

    @property
    def demand(self) -> ManyProducts:
        """What the shop's demand is made of."""
        return ManyProducts(
            n_products=self.n_products,
            n_days=self.n_days,
            lead_time=self.lead_days,
            promotion_share=self.promotion_share,
            forecast_error=self.forecast_error,
            extra_variance=self.extra_variance,
            buyer_safety=self.buyer_safety,
        )


SHOP_FILE = SettingsFile(
    InventorySettings, "inventory_shop.json", command="simulate-inventory", what="a simulated shop that orders stock"
)
"""Where the settings stand, beside the logs."""
