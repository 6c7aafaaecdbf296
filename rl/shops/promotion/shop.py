"""A shop as its settings make it: catalogue, calendar and shoppers' reactions."""

from __future__ import annotations

from dataclasses import dataclass

from rl.shops.promotion.catalogue import Catalogue, build_catalogue
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shopper_reactions import Reactions
from rl.shops.promotion.week_calendar import WeekCalendar


@dataclass(frozen=True)
class Shop:
    """A shop that was built from its settings.

    Attributes:
        settings: all that it follows from.
        catalogue: what it sells.
        calendar: its weeks.
        reactions: how its shoppers react.
    """

    settings: PromotionSettings
    catalogue: Catalogue
    calendar: WeekCalendar
    reactions: Reactions

    @property
    def n_actions(self) -> int:
        return len(self.settings.offers) + 1


def build_shop(settings: PromotionSettings) -> Shop:
    """Return the shop."""
    calendar = WeekCalendar.of(
        zone=settings.zone,
        first_monday=settings.first_monday,
        n_weeks=settings.n_weeks,
        decision_hour=settings.decision_hour,
    )
    return Shop(settings, build_catalogue(settings), calendar, Reactions(settings))
