"""A home with a simulated shop's log of orders, as builds would have published it, and the shop's own record."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from conf.kernel_rules import partition_date
from conf.paths import Lake, simulated_shop
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.orders.order_history import OrderHistory
from rl.shops.inventory.inventory_settings import SHOP_FILE
from rl.shops.inventory.stock_days import StockDays
from rl.shops.inventory.stock_record import StockRecord
from rl.shops.inventory.writer import STOCK_FILE
from tests.rl.factories import Row, make_observation, make_row, write_items, write_transitions
from tests.rl.orders.shop_history import PIPELINE, history_of

SOURCE, SCENARIO = "simulated_inventory", "inventory"


def write_order_lake(
    home: Path, days: StockDays, pipeline: Pipeline = PIPELINE, *, history: OrderHistory | None = None
) -> tuple[Settings, OrderHistory]:
    """Publish all days but the last; return the settings, and the history that must be read back.

    Args:
        home: to be made.
        days: of the shop.
        pipeline: whose observations are written.
        history: of the days; None takes the one that they make.
    """
    settings = Settings.from_environment(
        {"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": "a key for tests only"}
    )
    # As the log has them: articles, whose record the shop keeps.
    history = history_of(days) if history is None else history
    lake = Lake(settings.lake, pipeline.source.name)
    by_partition: dict[date, list[Row]] = defaultdict(list)
    for product, name in enumerate(history.products):
        steps: dict[date, int] = defaultdict(int)
        for day in np.flatnonzero(history.is_known[product]).tolist():
            partition = partition_date(pipeline, history.first_day + timedelta(days=day))
            by_partition[partition].append(
                _row(pipeline, history, days, product, day, f"{name}-{partition}", steps[partition])
            )
            steps[partition] += 1
    for partition, rows in sorted(by_partition.items()):
        write_transitions(lake, pipeline, partition, rows, horizon=history.last_day)
    names = history.products
    write_items(
        lake,
        pipeline,
        history.first_day,
        dict(zip(names, history.category, strict=True)),
        dict(zip(names, history.pack_size.tolist(), strict=True)),
    )
    shop = simulated_shop(home, pipeline.source.name)
    shop.mkdir(parents=True)
    SHOP_FILE.save(days.settings, shop)
    StockRecord(days).write(shop / STOCK_FILE)
    return settings, history


def _row(
    pipeline: Pipeline, history: OrderHistory, days: StockDays, product: int, day: int, episode: str, step: int
) -> Row:
    units = {name: int(values[product, day]) for name, values in history.units.items()}
    margin, ordered = int(history.margin[product, day]), units["ordered"]
    is_last = day == history.n_days - 1 or not history.is_known[product, day + 1]
    metrics = dict.fromkeys(pipeline.scenario.metrics, 0) | units
    metrics |= {"margin": margin, "ran_out": int(days.ran_out[product, day])}
    metrics["shrinkage"] = units["opening"] + units["received"] - units["sold"] - units["closing"]
    metrics = {name: metrics[name] for name in pipeline.scenario.metrics}
    late = (history.next_due, history.next_overdue)
    awaited = [0 if units is None else int(units[product]) for units in late]
    business_day = history.first_day + timedelta(days=day)
    return make_row(
        pipeline,
        action_key="0",
        episode_id=episode,
        step=step,
        user_id=history.products[product],
        decision_time=datetime.combine(business_day, time(5, 30), ZoneInfo(pipeline.source.zone)),
        observation=_observed(pipeline, history.pipeline[product, day], history.promoted[product, day]),
        next_observation=_observed(pipeline, history.next_pipeline[product], history.next_promoted[product], *awaited)
        if is_last
        else _observed(pipeline, history.pipeline[product, day + 1], history.promoted[product, day + 1]),
        reward=margin - 20_000 * units["closing"] - 500_000 * (ordered > 0),
        metrics=metrics,
        terminal=False,
        timeout=is_last,
        propensity=None,
        propensity_source="none",
        policy_version=None,
        elapsed_seconds=86_400,
    )


def _observed(pipeline: Pipeline, stock: np.ndarray, promoted: np.ndarray, due_now: int = 0, overdue: int = 0) -> Row:
    due = {f"units_due_in_{day}d": int(units) for day, units in enumerate(stock) if day}
    told = {f"is_reduced_in_{day}d": int(one) for day, one in enumerate(promoted)}
    # All of today's stock was counted in the morning, but for what is told to be due.
    due |= {"units_due_in_0d": due_now, "units_overdue": overdue}
    return make_observation(pipeline, units_on_hand=int(stock[0]) - due_now, **due, **told)
