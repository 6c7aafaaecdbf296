"""True values of policies in the shop that a simulated log came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from conf.paths import simulated_shop
from rl.data.dataset import Dataset
from rl.data.discount_function import DiscountFunction
from rl.errors import ShopError
from rl.policy import StochasticPolicy
from rl.shops.recommendation.shop_settings import SETTINGS_FILE, ShopSettings, load_shop
from rl.shops.recommendation.true_value import TrueValue, observing, true_behavior_value, true_policy_value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
N_SESSIONS = 60_000


@dataclass(frozen=True)
class TrueValues:
    """True values, or the reason there are none.

    Attributes:
        behavior: true value of the policy that made the log.
        policies: of the others, by name.
        note: why they are unknown; empty where they are known.
    """

    behavior: TrueValue | None = None
    policies: Mapping[str, TrueValue] = field(default_factory=dict)
    note: str = ""


def true_values(
    home: Path,
    dataset: Dataset,
    policies: Mapping[str, StochasticPolicy],
    *,
    n_sessions: int = N_SESSIONS,
    seed: int = 0,
) -> TrueValues:
    """Return the values of the behavior policy and of the given policies on the test days.

    All are played on the same starts. Nothing is known, with a note, where the log's shop isn't at hand.
    """
    source = dataset.pipeline.source
    folder = simulated_shop(home, source.name)
    if not source.is_simulated:
        return TrueValues(note="the log is of a real shop")
    if dataset.pipeline.scenario.clock != "session_step":
        return TrueValues(note="a night plays the simulated shop of sessions alone")
    if not (folder / SETTINGS_FILE).exists():
        return TrueValues(note=f"no {SETTINGS_FILE} in {folder}: the shop that made this log isn't known")
    try:
        first, last = test_days(dataset)
        return _played(
            load_shop(folder),
            policies,
            first_date=first,
            last_date=last,
            discount=DiscountFunction.of(dataset.pipeline.scenario.discount),
            n_sessions=n_sessions,
            seed=seed,
        )
    except ShopError as error:
        return TrueValues(note=f"the shop of {folder} didn't make this log: {error}")


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


def _played(
    shop: ShopSettings,
    policies: Mapping[str, StochasticPolicy],
    *,
    first_date: date,
    last_date: date,
    discount: DiscountFunction,
    n_sessions: int,
    seed: int,
) -> TrueValues:
    behavior = true_behavior_value(
        shop, first_date=first_date, last_date=last_date, discount=discount, n_sessions=n_sessions, seed=seed
    )
    return TrueValues(
        behavior,
        {
            name: true_policy_value(
                shop,
                observing(policy, policy.encode),
                action_keys=list(policy.vocabulary.names),
                first_date=first_date,
                last_date=last_date,
                discount=discount,
                n_sessions=n_sessions,
                seed=seed,
            )
            for name, policy in policies.items()
        },
    )
