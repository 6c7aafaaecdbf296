"""Launches of known gain in a shop of returning shoppers, day by day, judged by the code that judges real ones.

A shopper comes on a day with a probability of their own and brings points, by a rate of their own; both stay. A day
has a level that all shoppers share (weekdays, seasons, fashions). The new version multiplies what its shoppers bring.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conf.specs.rollout import Rollout
from rl.rollout.comparison import BoolArray, Comparison, FloatArray, IntArray, StageUnits, compare
from rl.rollout.mismatch import size_mismatch
from rl.rollout.stage_rule import StageLook, judge_stage

LAG_DAYS = 1
"""Days until a day's attribution has closed."""


@dataclass(frozen=True)
class Shop:
    """A shop of returning shoppers.

    Attributes:
        n_shoppers: who may come at all.
        visits_a_day: of a shopper, on average.
        purchase_points: what a purchase brings, beside clicks of one point each.
        history_days: days before the launch, of which shoppers' values are known.
    """

    n_shoppers: int = 60_000
    visits_a_day: float = 0.12
    purchase_points: float = 10.0
    history_days: int = 28

    @cached_property
    def weekdays(self) -> FloatArray:
        """Level of each weekday, `(7,)`."""
        return np.array([0.8, 0.85, 0.9, 1.0, 1.15, 1.3, 1.0])


@dataclass(frozen=True)
class LaunchEnd:
    """How a simulated launch went.

    Attributes:
        gain: true relative gain of the new version.
        share: largest share that was reached.
        n_days: until it was complete or went back, or the time was over.
        ended: `complete`, `retreat`, or `open` where the time was over.
        n_smaller_arm: shoppers of the smaller arm at the look that first grew; 0 where none did.
        spread: standard deviation of a shopper's value over its mean, at the first look with a comparison.
        held_by_mismatch: whether a look found arms of the wrong sizes.
    """

    gain: float
    share: float
    n_days: int
    ended: str
    n_smaller_arm: int
    spread: float
    held_by_mismatch: bool


class ShopDays:
    """Who came and what they brought, day by day."""

    def __init__(self, shop: Shop, generator: np.random.Generator, gain: float) -> None:
        self._shop, self._generator, self._gain = shop, generator, gain
        n = shop.n_shoppers
        self._visiting = np.minimum(generator.gamma(0.7, shop.visits_a_day / 0.7, n), 0.95).astype(np.float32)
        self._rate = generator.gamma(2.0, 0.5, n)
        self._level = 1.0

    def before(self) -> FloatArray:
        """Return what shoppers brought in the days before, `(n_shoppers,)`."""
        days = self._shop.history_days
        n_visits = self._generator.binomial(days, self._visiting)
        return self._brought(n_visits * self._rate)

    def day(self, number: int, gets_new: BoolArray) -> tuple[IntArray, FloatArray]:
        """Return who came on a day, and what each brought."""
        came = np.flatnonzero(self._generator.random(self._shop.n_shoppers, dtype=np.float32) < self._visiting)
        self._level *= float(np.exp(self._generator.normal(0.01, 0.05)))
        level = self._level * self._shop.weekdays[number % 7]
        worth = self._rate[came] * np.where(gets_new[came], 1 + self._gain, 1.0)
        return came, self._brought(worth * level)

    def _brought(self, rate: FloatArray) -> FloatArray:
        """Return points: clicks, and now and then a purchase, both in proportion to the rate."""
        clicks = self._generator.poisson(rate)
        purchases = self._generator.poisson(0.05 * rate)
        return np.asarray(clicks + self._shop.purchase_points * purchases, dtype=np.float64)


@dataclass
class _Stage:
    """A stage as far as it has come: what each shopper brought since its start, day by day."""

    share: float
    gets_new: BoolArray
    n_days: int
    entry: IntArray
    value: FloatArray
    came_first: BoolArray

    @classmethod
    def begin(cls, share: float, lots: FloatArray) -> _Stage:
        n = len(lots)
        return cls(share, lots < share, 0, np.full(n, -1), np.zeros(n), np.zeros(n, dtype=np.bool_))

    def add(self, came: IntArray, brought: FloatArray, was_there: BoolArray) -> None:
        """Add a day; `was_there`: who came before since the launch."""
        new_here = came[self.entry[came] < 0]
        self.entry[new_here] = self.n_days
        self.came_first[new_here] = ~was_there[new_here]
        self.value[came] += brought
        self.n_days += 1

    def units(self, before: FloatArray) -> StageUnits:
        here = self.entry >= 0
        return StageUnits(self.gets_new[here], self.entry[here], self.value[here], before[here])

    def mismatch(self) -> float:
        n_new = int(self.gets_new[self.came_first].sum())
        return size_mismatch(n_new, int(self.came_first.sum()) - n_new, self.share)


def simulate_launch(
    rollout: Rollout, shop: Shop, generator: np.random.Generator, *, gain: float, n_days: int = 30, lost: float = 0.0
) -> LaunchEnd:
    """Return how a launch of a version of known gain goes, looked at every day.

    A growth is served from the second day after what its look has counted: the night sees a day once its attribution
    has closed.

    Args:
        rollout: the rule.
        shop: in which.
        generator: of everything that happens.
        gain: true relative gain of the new version.
        n_days: after which the launch is left open.
        lost: share of the new arm's shoppers whose decisions never arrive.
    """
    days = ShopDays(shop, generator, gain)
    before = days.before()
    lots = generator.random(shop.n_shoppers)
    is_lost = (generator.random(shop.n_shoppers) < lost) if lost else None
    stage = _Stage.begin(rollout.stages[0], lots)
    was_there = np.zeros(shop.n_shoppers, dtype=np.bool_)
    n_smaller, spread, mismatched, next_counted = 0, 0.0, False, 0
    for number in range(n_days - LAG_DAYS):
        came, brought = days.day(number, stage.gets_new)
        if is_lost is not None:
            kept = ~(is_lost[came] & stage.gets_new[came])
            came, brought = came[kept], brought[kept]
        if number >= next_counted:
            stage.add(came, brought, was_there)
        was_there[came] = True
        if number < next_counted:
            continue
        units = stage.units(before)
        look = StageLook(stage.share, stage.n_days, compare(units), stage.mismatch(), scheduled=_due(rollout, stage))
        found = judge_stage(rollout, look)
        mismatched |= "not as large" in found.why
        if isinstance(look.found, Comparison) and not spread:
            spread = float(units.value.std() / units.value.mean())
        if found.decision in ("grow", "complete"):
            n_smaller = n_smaller or int(min(units.is_new.sum(), (~units.is_new).sum()))
            if found.decision == "complete":
                return LaunchEnd(gain, 1.0, number + 1 + LAG_DAYS, "complete", n_smaller, spread, mismatched)
            stage = _Stage.begin(rollout.next_share(stage.share), lots)
            next_counted = number + 1 + LAG_DAYS
        elif found.decision == "retreat":
            return LaunchEnd(gain, stage.share, number + 1 + LAG_DAYS, "retreat", n_smaller, spread, mismatched)
    return LaunchEnd(gain, stage.share, n_days, "open", n_smaller, spread, mismatched)


def _due(rollout: Rollout, stage: _Stage) -> int:
    schedule = rollout.schedule
    return stage.n_days // schedule.days if schedule is not None and stage.n_days % schedule.days == 0 else 0
