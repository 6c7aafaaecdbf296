"""Simulated sessions whose chance of a purchase is known at every step: intent, which carts tell of, at evenings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.sessions import SessionRule
from rl.shopper_models.daily_activity import DailyActivity, daily_activity
from rl.shopper_models.running_sessions import RunningSessions, running_sessions

MOST_STEPS = 12
CARTS = np.array([0.04, 0.3])  # a step's chance of a cart, without and with intent
BUYS, LEAVES = 0.25, 0.12  # a step's chance of a purchase once there is a cart, and of leaving
RULE = SessionRule(gap_us=30 * 60_000_000, longest_us=4 * 3_600_000_000)
SECONDS = 60


def intent(hour):
    """Intent is likely in the evening alone."""
    return np.where((hour >= 18) & (hour < 21), 0.7, 0.1)


def chances_ahead():
    """Chance of a purchase from each step on, by intent and whether there is a cart, `(MOST_STEPS + 1, 2, 2)`."""
    ahead = np.zeros((MOST_STEPS + 1, 2, 2))
    for step in reversed(range(MOST_STEPS)):
        with_cart = BUYS + (1 - BUYS) * (1 - LEAVES) * ahead[step + 1, :, 1]
        without = (1 - LEAVES) * ahead[step + 1, :, 0]
        ahead[step, :, 1] = with_cart
        ahead[step, :, 0] = CARTS * with_cart + (1 - CARTS) * without
    return ahead


@dataclass(frozen=True)
class SimulatedSessions:
    """Events of sessions, one a shopper and day, and the truth at each view in the order of shopper and time."""

    columns: dict
    truth: np.ndarray
    n_days: int

    def running(self) -> RunningSessions:
        return running_sessions(self.columns, RULE, step_types=("view",), zone="UTC")

    def activity(self) -> DailyActivity:
        nothing = np.zeros(len(self.columns["day"]), dtype=np.int64)
        return daily_activity({**self.columns, "spend": nothing, "discount": nothing}, complete_through=self.n_days - 1)


def simulate_sessions(n_shoppers: int, n_days: int, seed: int) -> SimulatedSessions:
    """Each shopper comes on a day with a chance of a third, at any hour."""
    rng, ahead = np.random.default_rng(seed), chances_ahead()
    rows, truth = [], []
    for shopper in range(n_shoppers):
        for day in np.flatnonzero(rng.random(n_days) < 1 / 3):
            hour = int(rng.integers(6, 22))
            has_intent = int(rng.random() < intent(hour))
            start = (int(day) * 24 + hour) * 3_600_000_000
            events, known = _session(rng, has_intent, float(intent(hour)), ahead)
            rows += [(f"s{shopper:05d}", kind, int(day), start + at * 1_000_000) for kind, at in events]
            truth += known
    user, kind, days, time = (np.array(one) for one in zip(*rows, strict=True))
    event = np.array([f"e{place:08d}" for place in range(len(rows))])
    columns = {"user_id": user, "event_type": kind, "event_id": event, "time_us": time, "day": days}
    return SimulatedSessions({**columns, "delivery_day": days}, np.array(truth), n_days)


def _session(rng, has_intent, prior, ahead):
    """Events as kind and second, and at each view the chance of a purchase given the steps before it."""
    events, truth = [], []
    odds, has_cart = np.array([1 - prior, prior]), 0
    for step in range(MOST_STEPS):
        belief = odds / odds.sum()
        truth.append(float(belief @ ahead[step, :, has_cart]))
        events.append(("view", step * SECONDS))
        if not has_cart:
            has_cart = int(rng.random() < CARTS[has_intent])
            odds = odds * (CARTS if has_cart else 1 - CARTS)
            if has_cart:
                events.append(("cart", step * SECONDS + 20))
        if has_cart and rng.random() < BUYS:
            events.append(("purchase", step * SECONDS + 40))
            break
        if rng.random() < LEAVES:
            break
    return events, truth
