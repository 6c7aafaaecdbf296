"""A lake of transitions straight from the simulated shop of weekly offers, as a perfect pipeline builds it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from conf.kernel.calendar import date_of
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.kernel_rules import clock_of
from conf.paths import Lake, simulated_shop
from conf.specs.scenario import MILLIONTHS, Pipeline
from rl.shops.promotion.promotion_settings import SHOP_FILE, PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.week_calendar import DAYS_A_WEEK
from tests.bench.promotion.simulated_night import SeenLog, seen_log
from tests.rl.factories import Row, make_row, write_availability, write_transitions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SETS = ("blocked", "everyone")


def write_promotion_lake(home: Path, lake: Lake, pipeline: Pipeline, settings: PromotionSettings) -> date:
    """All blocks' transitions and the sets are published, and promotion_shop.json lies in the home; gives the last day.

    Blocks are dated by their first day, which may lie before the shop's first week.
    """
    SHOP_FILE.save(settings, simulated_shop(home, pipeline.source.name))
    log = seen_log(settings, pipeline)
    clock = clock_of(pipeline)
    assert isinstance(clock, ShopperWeek)
    day_of_week = np.array(
        [(settings.first_monday - date(1970, 1, 1)).days + DAYS_A_WEEK * week for week in range(settings.n_weeks)]
    )
    first_days = clock.partition_days(day_of_week)
    keys = settings.action_keys
    write_availability(lake, pipeline, settings.first_monday, {SETS[0]: keys[:1], SETS[1]: keys})
    last_day = settings.first_monday + timedelta(days=DAYS_A_WEEK * settings.n_weeks - 1)
    step, calendar = _steps(log, first_days), build_shop(settings).calendar
    times = [calendar.decision_time(week) for week in range(settings.n_weeks)]
    for day in np.unique(first_days).tolist():
        rows = np.flatnonzero(first_days[log.week] == day)
        is_last = step[rows] + 1 == np.bincount(log.shopper[rows])[log.shopper[rows]]
        made = [
            _row(pipeline, settings, log, row)
            | {"episode_id": f"{day}-{log.shopper[row]}", "step": int(step[row]), "timeout": bool(last)}
            | {"decision_time": EPOCH + timedelta(microseconds=times[log.week[row]])}
            for row, last in zip(rows.tolist(), is_last.tolist(), strict=True)
        ]
        write_transitions(lake, pipeline, date_of(day), made, horizon=last_day)
    return last_day


def _steps(log: SeenLog, first_days: np.ndarray) -> np.ndarray:
    """How many weeks of its block each row's shopper had before."""
    found = np.zeros(len(log.week), dtype=np.int64)
    seen: dict[tuple[int, int], int] = {}
    for row, (week, shopper) in enumerate(zip(log.week.tolist(), log.shopper.tolist(), strict=True)):
        key = (int(first_days[week]), shopper)
        found[row] = seen.get(key, 0)
        seen[key] = int(found[row]) + 1
    return found


def _row(pipeline: Pipeline, settings: PromotionSettings, log: SeenLog, row: int) -> Row:
    shopper, week = int(log.shopper[row]), int(log.week[row])
    return make_row(
        pipeline,
        action_key=settings.action_keys[int(log.action[row])],
        user_id=f"shopper-{shopper}",
        decision_id=f"{week}-{shopper}",
        observation=_observation(log.seen, row),
        next_observation=_observation(log.next_seen, row),
        reward=round(float(log.reward[row]) * MILLIONTHS),
        metrics=dict.fromkeys(pipeline.scenario.metrics, 0) | {"purchases": int(log.metrics["purchases"][row])},
        terminal=False,
        propensity=Decimal(repr(float(log.propensity[row]))).quantize(Decimal("1e-15")),
        availability_id=SETS[int(log.is_reachable[row])],
        next_availability_id=SETS[int(log.is_reachable_next[row])],
        elapsed_seconds=DAYS_A_WEEK * 24 * 3600,
    )


def _observation(columns: dict[str, np.ndarray], row: int) -> Row:
    return {
        name: values[row].item() if values.ndim == 1 else [one for one in values[row].tolist() if one]
        for name, values in columns.items()
    }
