"""Launches of known gain in a shop of returning shoppers, day by day, judged by the code that judges real ones.

A shopper comes on a day with a probability of their own, or every so many days, and brings points, by a rate of their
own; both stay. A day has a level that all shoppers share (weekdays, seasons, fashions). The new version multiplies what
its shoppers bring, and one of the two versions may drive shoppers away. What was served goes through `stage_values` as
rows, as nights have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conf.specs.rollout import Rollout
from rl.rollout.assignment import drawn
from rl.rollout.comparison import BoolArray, FloatArray, IntArray
from rl.rollout.looking import judged
from rl.rollout.returning import return_days
from rl.rollout.served_values import ServedRows, StageAsked, StageShares, date_of, stage_values

LAG_DAYS = 1
"""Days until a day's attribution has closed."""

LAUNCH_DAY = 20_000
"""Days since the epoch."""


@dataclass(frozen=True)
class Lapse:
    """Shoppers who stay away for good after a visit.

    Attributes:
        by_new: whether the new version drives them away; otherwise the replaced one.
        poorest: share of the shoppers who may be driven away, those who bring least.
        chance: of it, at each visit.
    """

    by_new: bool
    poorest: float = 0.5
    chance: float = 0.5


@dataclass(frozen=True)
class Failure:
    """When the fallback decides instead of a version.

    Attributes:
        of_new: share of the new version's decisions that fail.
        down_every: of so many days, from the second one of the launch on, one on which the whole service is down; 0
            for none.
        fallback_gain: what a visit brings by the fallback, relative to the replaced version.
    """

    of_new: float = 0.0
    down_every: int = 0
    fallback_gain: float = -0.5

    def is_down(self, number: int) -> bool:
        """Return whether the service is down for both arms on a day of the launch."""
        return self.down_every > 0 and number >= 0 and number % self.down_every == 1


NEVER_FAILING = Failure()


@dataclass(frozen=True)
class Shop:
    """A shop of returning shoppers.

    Attributes:
        n_shoppers: who may come at all.
        visits_a_day: of a shopper, on average.
        purchase_points: what a purchase brings, beside clicks of one point each.
        history_days: days before the launch, of which shoppers' values are known.
        period: days from each visit of a shopper to the next; None where visits come by chance.
        lapse: who is driven away from the launch on; None where visits don't depend on who decides.
    """

    n_shoppers: int = 60_000
    visits_a_day: float = 0.12
    purchase_points: float = 10.0
    history_days: int = 28
    period: int | None = None
    lapse: Lapse | None = None

    @cached_property
    def weekdays(self) -> FloatArray:
        """Level of each weekday, `(7,)`."""
        return np.array([0.8, 0.85, 0.9, 1.0, 1.15, 1.3, 1.0])


@dataclass(frozen=True)
class LaunchEnd:
    """How a simulated launch went.

    Attributes:
        gain: true relative gain of the new version, in what a visit brings.
        share: of the shoppers when it ended, or when it was left.
        n_days: from its start to its end.
        ended: `complete`, `retreat` or `open`.
        n_smaller_arm: shoppers of the smaller arm when it grew first; 0 where it never did.
        spread: of a shopper's value over its mean, at the first look that could compare the arms.
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
    """Who came and what they brought, day by day; `level` is that of the last day, without its weekday's."""

    def __init__(self, shop: Shop, generator: np.random.Generator, gain: float) -> None:
        self._shop, self._generator, self._gain = shop, generator, gain
        n = shop.n_shoppers
        self._visiting = np.minimum(generator.gamma(0.7, shop.visits_a_day / 0.7, n), 0.95).astype(np.float32)
        self._phase = generator.integers(0, shop.period or 1, n)
        self._rate = generator.gamma(2.0, 0.5, n)
        self.level = 1.0
        self._is_gone = np.zeros(n, dtype=np.bool_)
        self._may_lapse = self._rate <= np.quantile(self._rate, 0.0 if shop.lapse is None else shop.lapse.poorest)

    def day(
        self, number: int, gets_new: BoolArray, fails: BoolArray | None = None, fallback_gain: float = 0.0
    ) -> tuple[IntArray, FloatArray]:
        """Return who came on a day, and what each brought; days before the launch have numbers below 0.

        Who is decided for by the fallback (`fails`) brings as much as by the replaced version, and its gain.
        """
        came = self._came(number)
        self.level *= float(np.exp(self._generator.normal(0.01, 0.05)))
        level = self.level * self._shop.weekdays[number % 7]
        factor = np.where(gets_new[came], 1 + self._gain, 1.0)
        if fails is not None:
            factor = np.where(fails[came], 1 + fallback_gain, factor)
        worth = self._rate[came] * factor
        brought = self._brought(worth * level)
        if self._shop.lapse is not None and number >= 0:
            self._lapse(self._shop.lapse, came, gets_new)
        return came, brought

    def _came(self, number: int) -> IntArray:
        if self._shop.period is not None:
            return np.flatnonzero((self._phase == number % self._shop.period) & ~self._is_gone)
        chance = self._generator.random(self._shop.n_shoppers, dtype=np.float32)
        return np.flatnonzero((chance < self._visiting) & ~self._is_gone)

    def _lapse(self, lapse: Lapse, came: IntArray, gets_new: BoolArray) -> None:
        may = came[(gets_new[came] == lapse.by_new) & self._may_lapse[came]]
        self._is_gone[may[self._generator.random(len(may)) < lapse.chance]] = True

    def _brought(self, rate: FloatArray) -> FloatArray:
        """Return points: clicks, and now and then a purchase, both in proportion to the rate."""
        clicks = self._generator.poisson(rate)
        purchases = self._generator.poisson(0.05 * rate)
        return np.asarray(clicks + self._shop.purchase_points * purchases, dtype=np.float64)


def true_gain(shop: Shop, gain: float, *, n_days: int, seed: int = 0) -> float:
    """Return how much more all shoppers bring within the days by the new version than by the replaced one.

    Every day counts at the same level but for its weekday: levels wander, those of two runs apart from each other, so
    that totals of eight weeks would differ by half whatever the version does.
    """
    totals = []
    for is_new in (False, True):
        days = ShopDays(shop, np.random.default_rng(seed), gain)
        everyone = np.full(shop.n_shoppers, is_new)
        totals.append(sum(float(days.day(number, everyone)[1].sum()) / days.level for number in range(n_days)))
    return totals[1] / totals[0] - 1


class _Served:
    """What was served until now, as rows."""

    def __init__(self, n_shoppers: int) -> None:
        self._names = tuple(map(str, range(n_shoppers)))
        self._n = 0
        self._shopper = np.zeros(0, dtype=np.int64)
        self._day, self._reward = np.zeros(0, dtype=np.int64), np.zeros(0)
        self._is_new, self._is_fallback = np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.bool_)

    def add(self, day: int, came: IntArray, brought: FloatArray, is_new: BoolArray, fails: BoolArray) -> None:
        """Add a day's decisions, one a visit; where they fail the fallback made them."""
        here = slice(self._n, self._n + len(came))
        if here.stop > len(self._shopper):
            room = 2 * here.stop
            self._shopper, self._day = np.resize(self._shopper, room), np.resize(self._day, room)
            self._reward, self._is_new = np.resize(self._reward, room), np.resize(self._is_new, room)
            self._is_fallback = np.resize(self._is_fallback, room)
        self._shopper[here], self._day[here], self._reward[here] = came, day, brought
        self._is_new[here], self._is_fallback[here] = is_new & ~fails, fails
        self._n = here.stop

    def rows(self) -> ServedRows:
        """Return all rows, their attribution closed."""
        is_new, is_fallback = self._is_new[: self._n], self._is_fallback[: self._n]
        return ServedRows(
            shopper=self._shopper[: self._n],
            names=self._names,
            day=self._day[: self._n],
            reward=self._reward[: self._n],
            is_settled=np.ones(self._n, dtype=np.bool_),
            is_new_version=is_new,
            is_replaced_version=~is_new & ~is_fallback,
            is_fallback=is_fallback,
        )


def simulate_launch(
    rollout: Rollout,
    shop: Shop,
    generator: np.random.Generator,
    *,
    gain: float,
    n_days: int = 30,
    lost: float = 0.0,
    failure: Failure = NEVER_FAILING,
) -> LaunchEnd:
    """Return how a launch of a version of known gain goes, looked at every day.

    A growth is served from the second day after what its look has counted: the night sees a day once its attribution
    has closed.

    Args:
        rollout: the rule.
        shop: in which.
        generator: of everything that happens.
        gain: true relative gain of the new version, in what a visit brings.
        n_days: after which the launch is left open.
        lost: share of the new arm's shoppers whose decisions never arrive.
        failure: when the fallback decides.
    """
    days, served = ShopDays(shop, generator, gain), _Served(shop.n_shoppers)
    lots = generator.integers(0, 2**64, shop.n_shoppers, dtype=np.uint64)
    is_lost = generator.random(shop.n_shoppers) < lost
    nobody = np.zeros(shop.n_shoppers, dtype=np.bool_)
    for number in range(-shop.history_days, 0):
        came, brought = days.day(number, nobody)
        served.add(LAUNCH_DAY + number, came, brought, nobody[came], nobody[came])
    returned = rollout.lasting.days or return_days(served.rows(), date_of(LAUNCH_DAY))
    former, share, first_counted = 0.0, rollout.stages[0], 0
    n_smaller, spread, mismatched = 0, 0.0, False
    for number in range(n_days - LAG_DAYS):
        gets_new = drawn(lots, share if number >= first_counted else former)
        fails = _failing(failure, number, gets_new, generator)
        came, brought = days.day(number, gets_new, fails, failure.fallback_gain)
        kept = ~(is_lost[came] & gets_new[came])
        served.add(LAUNCH_DAY + number, came[kept], brought[kept], gets_new[came[kept]], fails[came[kept]])
        if number < first_counted:
            continue
        asked = StageAsked(
            shares=StageShares(rollout.stages[0], former, share),
            launched=date_of(LAUNCH_DAY),
            first_day=date_of(LAUNCH_DAY + first_counted),
            horizon=date_of(LAUNCH_DAY + number),
            covariate_days=rollout.covariate_days,
            return_days=returned,
        )
        found = stage_values(served.rows(), lots, asked)
        if isinstance(found, str):
            continue
        units = found.stage.units
        evidence = judged(rollout, asked, found, scheduled=_due(rollout, found.stage.days.n))
        mismatched |= "not as large" in evidence.why
        if evidence.stage is not None and not spread:
            spread = float(units.value.std() / units.value.mean())
        if evidence.decision in ("grow", "complete"):
            n_smaller = n_smaller or int(min(units.is_new.sum(), (~units.is_new).sum()))
            if evidence.decision == "complete":
                return LaunchEnd(gain, 1.0, number + 1 + LAG_DAYS, "complete", n_smaller, spread, mismatched)
            former, share = share, rollout.next_share(share)
            first_counted = number + 1 + LAG_DAYS
        elif evidence.decision == "retreat":
            return LaunchEnd(gain, share, number + 1 + LAG_DAYS, "retreat", n_smaller, spread, mismatched)
    return LaunchEnd(gain, share, n_days, "open", n_smaller, spread, mismatched)


def _failing(failure: Failure, number: int, gets_new: BoolArray, generator: np.random.Generator) -> BoolArray:
    """Return for whom the fallback decides on a day, `(n_shoppers,)`."""
    if failure.is_down(number):
        return np.ones(len(gets_new), dtype=np.bool_)
    if not failure.of_new:
        return np.zeros(len(gets_new), dtype=np.bool_)
    fails: BoolArray = gets_new & (generator.random(len(gets_new)) < failure.of_new)
    return fails


def _due(rollout: Rollout, n_days: int) -> int:
    schedule = rollout.schedule
    return n_days // schedule.days if schedule is not None and n_days % schedule.days == 0 else 0
