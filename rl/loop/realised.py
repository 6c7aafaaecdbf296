"""What each policy earned on the days that it decided: mean discounted returns by day, from the log alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from conf.paths import Lake
from conf.specs.scenario import Pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, IntArray
from rl.data.transitions_reading import read_transitions

_MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class Realised:
    """What a policy earned on a day.

    Attributes:
        day: business day of the episodes' starts.
        policy_version: that decided, as the log names it.
        value: mean discounted return an episode, in the reward's unit.
        standard_error: of the value, by shopper; infinite where there is one shopper.
        n_episodes: that it decided.
    """

    day: date
    policy_version: str
    value: float
    standard_error: float
    n_episodes: int


def realised_values(pipeline: Pipeline, lake: Lake, horizon: date) -> list[Realised]:
    """Return what was earned on each day whose rewards are settled, by day and policy.

    An episode counts for the policy that made all its decisions; episodes of several count for none.
    """
    rows = read_transitions(pipeline, lake, horizon).transitions
    lengths = np.diff(rows.offsets)
    episode = np.repeat(np.arange(rows.n_episodes), lengths)
    step = np.arange(rows.n_transitions) - np.repeat(rows.offsets[:-1], lengths)
    elapsed = rows.decision_time - np.repeat(rows.start_time, lengths)
    discount = DiscountFunction.of(pipeline.scenario.discount).since_start(step, elapsed)
    returns = np.bincount(episode, weights=rows.reward / _MILLIONTHS * discount, minlength=rows.n_episodes)
    first, last = (_extreme(rows.policy_version, rows.offsets, how) for how in (np.minimum, np.maximum))
    is_settled = _extreme(rows.is_settled.astype(np.int64), rows.offsets, np.minimum) > 0
    days = _days(rows.start_time, pipeline.source.zone)
    found = []
    for day in sorted(set(days)):
        on_day = np.array([one == day for one in days])
        if not is_settled[on_day].all():
            continue
        for version, name in enumerate(rows.policy_versions):
            chosen = on_day & (first == version) & (last == version)
            if chosen.any():
                found.append(_value(day, name, returns[chosen], rows.user[chosen]))
    return found


def _value(day: date, name: str, returns: FloatArray, user: IntArray) -> Realised:
    value = float(returns.mean())
    _, code = np.unique(user, return_inverse=True)
    by_shopper = np.bincount(code, weights=returns - value)
    n = len(by_shopper)
    error = np.sqrt(n / (n - 1) * (by_shopper**2).sum()) / len(returns) if n > 1 else np.inf
    return Realised(day, name, value, float(error), len(returns))


def _extreme(values: IntArray, offsets: IntArray, how: np.ufunc) -> IntArray:
    found: IntArray = how.reduceat(values, offsets[:-1])
    return found


def _days(time_us: IntArray, zone: str) -> list[date]:
    local = ZoneInfo(zone)
    return [
        datetime.fromtimestamp(moment / _MILLIONTHS, tz=UTC).astimezone(local).date() for moment in time_us.tolist()
    ]
