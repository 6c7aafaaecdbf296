"""What a policy holds of money: what each action commits, what a unit of money has to bring, and at which budget.

Given the price, what a shopper gets depends on no other shopper. The price was fixed on earlier weeks, as was the path
of prices for all other budgets, so that one policy serves any budget without being trained again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.observation_encoder import ObservationEncoder

FloatArray = npt.NDArray[np.float64]
FeatureArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class Cap:
    """No offer where a count has reached a number.

    Attributes:
        feature: scalar feature of the observation that counts a shopper's latest offers.
        offers: the number.
    """

    feature: str
    offers: int


@dataclass(frozen=True)
class OfferPrices:
    """A price of money, and what it is taken times of.

    Attributes:
        committed: what sending each action commits, in millionths of currency, in the vocabulary's order.
        outputs_per_money: how much of the network's outputs one unit of money is: for values, one over what rewards
            were divided by in training; 1 for logits, whose price then has no meaning beyond the budget that it keeps.
        price: what a unit of committed money has to bring beyond itself, at least 0.
        weekly_budget: at which the price was fixed, in millionths of currency.
        n_shoppers: a week, where it was fixed.
        path_prices: ascending, from 0 on, `(n_points,)`.
        path_spend: what a shopper's week is expected to commit at each of them, descending, in currency.
        nothing: index of the action that offers nothing, which caps leave alone; None where there is none.
        caps: all of them hold.
    """

    committed: tuple[int, ...]
    outputs_per_money: float
    price: float
    weekly_budget: int
    n_shoppers: float
    path_prices: tuple[float, ...]
    path_spend: tuple[float, ...]
    nothing: int | None = None
    caps: tuple[Cap, ...] = ()

    def __post_init__(self) -> None:
        problems = []
        if not self.committed or min(self.committed) < 0:
            problems.append("an action commits less than nothing")
        if not (np.isfinite(self.price) and self.price >= 0 and np.isfinite(self.outputs_per_money)):
            problems.append(f"the price of money is {self.price}, expected a number of at least 0")
        if not (self.outputs_per_money > 0 and self.n_shoppers > 0):
            problems.append("outputs_per_money and n_shoppers must be above 0")
        n_points = len(self.path_prices)
        if not n_points or n_points != len(self.path_spend) or list(self.path_prices) != sorted(self.path_prices):
            problems.append("the path of prices must ascend and have a spend at each")
        if self.caps and self.nothing is None:
            problems.append("offers are capped, and no action offers nothing")
        if problems:
            raise PolicyError("prices of offers: " + "; ".join(problems))

    @property
    def costs(self) -> FloatArray:
        """What each action commits, in currency, `(n_actions,)`."""
        return np.array(self.committed, dtype=np.float64) / MILLIONTHS

    @property
    def charges(self) -> FloatArray:
        """What is taken off the network's output of each action, `(n_actions,)`."""
        return self.price * self.outputs_per_money * self.costs

    def at_price(self, price: float) -> OfferPrices:
        """Return the same at another price."""
        return replace(self, price=price)

    def at_budget(self, weekly_budget: int) -> OfferPrices:
        """Return the same at another weekly budget, in millionths: at the least price of the path that keeps it.

        Between two points of the path the spend is taken as a straight line, as far as the budget for the shoppers of
        the weeks on which the path was made leaves room for one shopper's dearest action, which a list needs.
        """
        return replace(self, price=self._price_of(weekly_budget), weekly_budget=weekly_budget)

    def with_committed(self, committed: tuple[int, ...]) -> OfferPrices:
        """Return the same where actions commit something else."""
        return replace(self, committed=committed)

    def spend_at(self, price: float) -> float:
        """Return what a shopper's week is expected to commit at a price, in currency, read off the path."""
        return float(np.interp(price, self.path_prices, self.path_spend))

    def allowed(self, encoder: ObservationEncoder, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the mask without what caps forbid, `(n, n_actions)`; a row in which all is an offer keeps it.

        Args:
            encoder: that made the features.
            features: encoded observations, `(n, n_features)`.
            mask: available actions, `(n, n_actions)`.
        """
        if not self.caps:
            return mask
        is_capped = np.zeros(len(mask), dtype=np.bool_)
        for cap in self.caps:
            is_capped |= encoder.is_at_least(features, cap.feature, cap.offers)
        without = np.zeros_like(mask)
        if self.nothing is not None:
            without[:, self.nothing] = mask[:, self.nothing]
        return np.asarray(np.where(is_capped[:, None] & without.any(axis=1, keepdims=True), without, mask))

    def cheapest(self, mask: BoolArray) -> BoolArray:
        """Return True at the available actions of each row that commit least, `(n, n_actions)`."""
        costs = np.where(mask, np.array(self.committed, dtype=np.int64), np.iinfo(np.int64).max)
        return np.asarray(mask & (costs == costs.min(axis=1, keepdims=True)))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        content = asdict(self)
        return content | {"caps": [asdict(cap) for cap in self.caps]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> OfferPrices:
        """Return what `to_json` wrote."""
        lists = {name: tuple(content[name]) for name in ("committed", "path_prices", "path_spend")}
        return cls(**{**content, **lists, "caps": tuple(Cap(**cap) for cap in content["caps"])})

    def _price_of(self, weekly_budget: int) -> float:
        room = plannable(weekly_budget, self.committed) / self.n_shoppers
        if self.path_spend[0] <= room:
            return 0.0
        # Spend descends along the path.
        return float(np.interp(-room, -np.array(self.path_spend), self.path_prices))


def plannable(weekly_budget: int, committed: tuple[int, ...]) -> float:
    """Return what a week may be expected to commit, in currency: a drawn list may commit one dearest action more.

    Args:
        weekly_budget: in millionths.
        committed: by each action, in millionths.
    """
    dearest = max(committed) - min(committed)
    return max(weekly_budget - dearest, 0) / MILLIONTHS
