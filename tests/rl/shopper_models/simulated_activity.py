"""Simulated shoppers whose hazard is known: classes of rates, a weekly rhythm, cycles of buying, and churn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.shopper_models.daily_activity import DailyActivity, daily_activity

RATES = np.array([0.03, 0.08, 0.16])
CYCLES = np.array([28, 14, 7])
LEAVING = np.array([0.004, 0.006, 0.012])
WEEK = np.array([0.6, 0.7, 0.9, 1.0, 1.2, 1.5, 1.1])


def hazard(kind, since, day):
    """A purchase is likely about a cycle after the last one, and on some weekdays."""
    near = np.exp(-0.5 * ((since - CYCLES[kind]) / (0.15 * CYCLES[kind])) ** 2)
    return np.clip(RATES[kind] * WEEK[day % 7] * (0.35 + 5.0 * near), 0, 0.95)


@dataclass(frozen=True)
class Simulated:
    """Purchases of shoppers on days from 0, `(n_shoppers, n_days)`."""

    bought: np.ndarray

    def activity(self) -> DailyActivity:
        shopper, day = np.nonzero(self.bought)
        return activity_of([f"s{one:06d}" for one in shopper], day, n_days=self.bought.shape[1])

    def true_probability(self, shopper, as_of_day, horizon):
        """Probability of a purchase within the horizon given all that was bought before: an exact filter."""
        belief = np.full((len(self.bought), 3), 1 / 3)
        alive = np.ones((len(self.bought), 3))
        since = np.full(len(self.bought), 1)
        found = np.zeros(len(shopper))
        for day in range(self.bought.shape[1]):
            asked = np.flatnonzero(as_of_day == day)
            if len(asked):
                rows = shopper[asked]
                found[asked] = self._any(belief[rows] * alive[rows], belief[rows], since[rows], day, horizon)
            chance = np.stack([hazard(np.full(len(since), k), since, day) for k in range(3)], axis=1)
            stays = alive * (1 - LEAVING)
            bought = self.bought[:, day]
            seen = np.where(bought[:, None], stays * chance, 1 - stays * chance)
            if day:
                alive = np.where(bought[:, None], 1.0, stays * (1 - chance) / np.maximum(seen, 1e-300))
                belief = belief * seen
                belief /= belief.sum(axis=1, keepdims=True)
            since = np.where(bought, 1, since + 1)
        return found

    @staticmethod
    def _any(alive, belief, since, day, horizon):
        none = np.ones((len(since), 3))
        for ahead in reversed(range(horizon)):
            chance = np.stack([hazard(np.full(len(since), k), since + ahead, day + ahead) for k in range(3)], axis=1)
            none = LEAVING + (1 - LEAVING) * (1 - chance) * none
        return ((1 - none) * alive).sum(axis=1) / belief.sum(axis=1)


def simulate(n_shoppers: int, n_days: int, seed: int) -> Simulated:
    """All shoppers buy on day 0; each day they leave for good or buy by their hazard."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n_shoppers)
    is_alive, since = np.ones(n_shoppers, dtype=bool), np.ones(n_shoppers, dtype=np.int64)
    bought = np.zeros((n_shoppers, n_days), dtype=bool)
    bought[:, 0] = True
    for day in range(1, n_days):
        is_alive &= rng.random(n_shoppers) >= LEAVING[kind]
        bought[:, day] = is_alive & (rng.random(n_shoppers) < hazard(kind, since, day))
        since = np.where(bought[:, day], 1, since + 1)
    return Simulated(bought)


def activity_of(user_id, day, *, n_days, delivery_day=None, event_type=None, spend=None) -> DailyActivity:
    """Purchases, or other events, as daily activity that is complete through the last day."""
    day = np.asarray(day)
    return daily_activity(
        {
            "user_id": np.asarray(user_id, dtype=str),
            "event_type": np.full(len(day), "purchase") if event_type is None else np.asarray(event_type),
            "day": day,
            "delivery_day": day if delivery_day is None else np.asarray(delivery_day),
            "spend": np.full(len(day), 10_000_000) if spend is None else np.asarray(spend),
            "discount": np.zeros(len(day), dtype=np.int64),
        },
        complete_through=n_days - 1,
    )


def bg_nbd_purchases(n, n_days, seed, r=0.8, alpha=8.0, a=0.8, b=2.5):
    """Shoppers and days of purchases, times rounded to days; the first one of each lies in the first 60 days."""
    rng = np.random.default_rng(seed)
    rate, leaves = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    shoppers, days = [], []
    time, shopper = rng.uniform(0, 60, n), np.arange(n)
    while len(shopper):
        shoppers.append(shopper)
        days.append(time)
        stays = (rng.random(len(shopper)) >= leaves[shopper]) | (len(shoppers) == 1)
        shopper, time = shopper[stays], time[stays] + rng.exponential(1 / rate[shopper[stays]])
        shopper, time = shopper[time < n_days], time[time < n_days]
    return np.concatenate(shoppers), np.concatenate(days)
