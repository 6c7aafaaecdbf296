"""The shop of sessions as a night plays it: sessions that start on the days of the test episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rl.data.dataset import Dataset
from rl.data.discount_function import DiscountFunction
from rl.policy import StochasticPolicy
from rl.shops.played_shop import KnownShop
from rl.shops.recommendation.shop_settings import SHOP_FILE, ShopSettings
from rl.shops.recommendation.true_value import TrueValue, observing, true_behavior_value, true_policy_value
from rl.shops.true_value import EpisodeValue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
N_SESSIONS = 60_000


@dataclass(frozen=True)
class PlayedSessionShop:
    """A shop of sessions.

    Attributes:
        settings: the shop's.
        first_date: first business day of the judged sessions' starts.
        last_date: last one.
        discount: of points, by the decision that earned them.
        n_sessions: to play for each policy, about.
        seed: of the truth's own chance.
    """

    settings: ShopSettings
    first_date: date
    last_date: date
    discount: DiscountFunction
    n_sessions: int
    seed: int

    def values(self, policies: Mapping[str, StochasticPolicy]) -> tuple[EpisodeValue, dict[str, EpisodeValue]]:
        """Return the value of the behavior policy, and of each given policy, per session.

        Raises:
            ShopError: the days aren't the shop's.
        """
        behavior = true_behavior_value(
            self.settings,
            first_date=self.first_date,
            last_date=self.last_date,
            discount=self.discount,
            n_sessions=self.n_sessions,
            seed=self.seed,
        )
        return _of_episodes(behavior), {name: _of_episodes(self._value(one)) for name, one in policies.items()}

    def _value(self, policy: StochasticPolicy) -> TrueValue:
        return true_policy_value(
            self.settings,
            observing(policy, policy.encode),
            action_keys=list(policy.vocabulary.names),
            first_date=self.first_date,
            last_date=self.last_date,
            discount=self.discount,
            n_sessions=self.n_sessions,
            seed=self.seed,
        )


def open_shop(folder: Path, dataset: Dataset, n_episodes: int, seed: int) -> PlayedSessionShop:
    """Return the shop of the folder, judged on the test days of the dataset."""
    first, last = test_days(dataset)
    discount = DiscountFunction.of(dataset.pipeline.scenario.discount)
    return PlayedSessionShop(SHOP_FILE.load(folder), first, last, discount, n_episodes, seed)


RECOMMENDATION = KnownShop(SHOP_FILE.name, open_shop, N_SESSIONS)


def test_days(dataset: Dataset) -> tuple[date, date]:
    """Return the first and last business day of the test episodes: days whose noon lies in the split.

    Where no noon does, both are the day of its middle.
    """
    interval, zone = dataset.intervals["test"], ZoneInfo(dataset.pipeline.source.zone)
    start, end = (EPOCH + timedelta(microseconds=moment) for moment in (interval.start, interval.end))
    n_days = (end - start).days + 2
    noons = [
        datetime.combine(start.astimezone(zone).date() + timedelta(days=n), time(12), tzinfo=zone)
        for n in range(n_days)
    ]
    inside = [noon.date() for noon in noons if start <= noon < end]
    middle = (start + (end - start) / 2).astimezone(zone).date()
    return (inside[0], inside[-1]) if inside else (middle, middle)


def _of_episodes(value: TrueValue) -> EpisodeValue:
    return EpisodeValue(value.value, value.standard_error, value.n_sessions)
