"""What shoppers do in a week, as functions of kind and state: log, truth and exact tables share them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.promotion.promotion_settings import PromotionSettings

USUAL_BASKET_CENTS = 4000
APPEALING_DISCOUNT_CENTS = 1000
"""The discount on a usual basket whose appeal is 1; twice as much appeals by the square root of two."""

CONTACTED_VISITS = 1.4
"""How many times the usual visits a shopper makes in a week with an offer, before fatigue."""


@dataclass(frozen=True)
class ShopperStates:
    """What a week begins with, `(n,)` each.

    Attributes:
        kind: index of the kind.
        eagerness: own log hazard of a purchase.
        distance: levels away, 0 to the farthest.
        fatigue: weight of recent offers.
        pantry: weeks for which supplies last.
    """

    kind: IntArray
    eagerness: FloatArray
    distance: IntArray
    fatigue: FloatArray
    pantry: IntArray


@dataclass(frozen=True)
class Reactions:
    """The probabilities by which shoppers react, for one shop.

    Attributes:
        settings: the shop's.
    """

    settings: PromotionSettings

    def of_kind(self, name: str, kind: IntArray) -> FloatArray:
        """Return a parameter of each shopper's kind, `(n,)`."""
        found: FloatArray = self._by_kind[name][kind]
        return found

    def purchase_probability(self, states: ShopperStates, action: IntArray) -> FloatArray:
        """Return the probability of a purchase in the week, `(n,)`."""
        dynamics = self.settings.dynamics
        log_hazard = self.of_kind("purchase", states.kind) + states.eagerness
        log_hazard -= dynamics.distance_cost * states.distance
        log_hazard -= dynamics.gone_cost * (states.distance == dynamics.farthest)
        log_hazard -= self.of_kind("pantry", states.kind) * states.pantry
        log_hazard += self._pull(states, action)
        return np.asarray(-np.expm1(-np.exp(log_hazard)))

    def redemption_probability(self, states: ShopperStates, action: IntArray) -> FloatArray:
        """Return the probability of a purchase in the week for which the offer is redeemed, `(n,)`.

        Who wouldn't have bought without the offer redeems it; the others do where they notice it.
        """
        with_offer = self.purchase_probability(states, action)
        without = self.purchase_probability(states, np.zeros_like(action))
        anyway = np.minimum(with_offer, without) * self.of_kind("notice_probability", states.kind)
        return np.where(self.has_discount[action], anyway + np.maximum(with_offer - without, 0), 0.0)

    def drift_probability(self, states: ShopperStates, action: IntArray) -> FloatArray:
        """Return the probability of moving one level away in a week without a purchase, `(n,)`."""
        rate = self.of_kind("drift_rate", states.kind)
        kept = self.of_kind("retention", states.kind) * self._freshness(states)
        moved = np.where(action > 0, self.of_kind("annoyance", states.kind) - kept, 0.0)
        return np.asarray(np.minimum(rate * np.exp(moved), 1.0))

    def opt_out_probability(self, states: ShopperStates, action: IntArray) -> FloatArray:
        """Return the probability of opting out in the week, `(n,)`."""
        rate = self.of_kind("opt_out_rate", states.kind)
        tired = 1 + self.settings.dynamics.opt_out_fatigue * states.fatigue
        return np.where(action > 0, np.minimum(rate * tired, 1.0), 0.0)

    def mean_visits(self, states: ShopperStates, action: IntArray) -> FloatArray:
        """Return the mean of visits in the week beside those that end in a purchase, `(n,)`."""
        nearness = np.exp(-self.settings.dynamics.distance_cost * states.distance)
        called = np.where(action > 0, 1 + (CONTACTED_VISITS - 1) * self._freshness(states), 1.0)
        return np.asarray(self.of_kind("visits", states.kind) * nearness * called)

    @cached_property
    def has_discount(self) -> BoolArray:
        """Whether each action takes something off, `(n_actions,)`."""
        return np.array([False, *[offer.largest_discount_cents > 0 for offer in self.settings.offers]])

    def _pull(self, states: ShopperStates, action: IntArray) -> FloatArray:
        """Return what the offer adds to the log hazard; fatigue takes from good effects, never from bad ones."""
        reach = np.array([0.0, *[offer.reach for offer in self.settings.offers]])[action]
        appeal = np.sqrt(np.array([0.0, *self._usual_discounts]) / APPEALING_DISCOUNT_CENTS)[action]
        pull = reach * self.of_kind("contact_response", states.kind)
        pull += appeal * self.of_kind("discount_response", states.kind)
        return np.where(pull > 0, pull * self._freshness(states), pull)

    @property
    def _usual_discounts(self) -> list[float]:
        """What each offer takes off a usual basket, in cents."""
        offers = self.settings.offers
        return [min(one.discount_percent * USUAL_BASKET_CENTS / 100, one.largest_discount_cents) for one in offers]

    def _freshness(self, states: ShopperStates) -> FloatArray:
        return np.asarray(np.exp(-self.settings.dynamics.weariness * states.fatigue))

    @cached_property
    def _by_kind(self) -> dict[str, FloatArray]:
        kinds = self.settings.kinds
        names = [name for name in type(kinds[0]).model_fields if name not in ("name", "share")]
        return {name: np.array([getattr(kind, name) for kind in kinds], dtype=np.float64) for name in names}
