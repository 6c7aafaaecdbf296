"""The simulated shop's raw deliveries: a folder a day, with realistic dirt and a record of every kind of line."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np

from rl.errors import ShopError
from rl.shops.recommendation.canonical_lines import availability_lines, event_records, item_lines
from rl.shops.recommendation.delivery_dirt import (
    REASON_OF_KIND,
    DeliveredLine,
    LineKind,
    dirty_lines,
    in_delivered_order,
    is_duplicated,
)
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import SHOP_FILE, ShopSettings
from rl.shops.recommendation.simulate import Simulation, simulate
from rl.shops.settings_file import changed_settings

LOGS_FOLDER = "logs"
DELIVERED_FILE = "delivered.json"
N_FILES = 2


def write_shop_logs(
    out: Path, settings: ShopSettings, first_date: date | None = None, n_days: int | None = None
) -> dict[str, object]:
    """Write `shop.json`, `delivered.json` and `logs/<date>/` of every day to the folder, replacing earlier logs.

    The same settings and days give the same bytes. Returns what `delivered.json` says.

    Args:
        out: the shop's folder.
        settings: the shop.
        first_date: first day, where it isn't the settings' own.
        n_days: number of days, where it isn't the settings' own.

    Raises:
        ShopError: the folder can't be written, or the days can't be a shop's.
    """
    days = {"first_date": first_date, "n_days": n_days}
    settings = changed_settings(settings, **{name: value for name, value in days.items() if value is not None})
    simulation = simulate(build_shop(settings), is_observed=False)
    staged = out / f".{LOGS_FOLDER}.{os.getpid()}"
    try:
        shutil.rmtree(staged, ignore_errors=True)
        delivered = deliver(simulation, staged)
        shutil.rmtree(out / LOGS_FOLDER, ignore_errors=True)
        staged.replace(out / LOGS_FOLDER)
        (out / DELIVERED_FILE).write_text(json.dumps(delivered, indent=2) + "\n", encoding="utf-8")
        SHOP_FILE.save(settings, out)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise ShopError(f"{out}: the simulated shop's logs can't be written: {error}") from error
    return delivered


def deliver(simulation: Simulation, logs: Path) -> dict[str, object]:
    """Write the days' files to the folder and return the counts of each kind of line by day, and in all."""
    shop = simulation.shop
    rng = np.random.default_rng([shop.settings.seed, 3])
    real, n_undelivered = _real_lines(simulation)
    from_yesterday: list[DeliveredLine] = []
    by_day: dict[str, Counter[LineKind]] = {}
    for day, lines in enumerate(real):
        folder, is_last = logs / str(shop.calendar.date(day)), day + 1 == len(real)
        kinds, from_yesterday = deliver_lines(shop, folder, lines, from_yesterday, day=day, is_last=is_last, rng=rng)
        for name, content in (("items", item_lines(shop, day)), ("availability", availability_lines(shop, day))):
            write_lines(folder / f"{name}.jsonl", content)
        by_day[str(shop.calendar.date(day))] = kinds
    return summary_of(by_day, n_undelivered)


def deliver_lines(
    shop: Shop,
    folder: Path,
    lines: list[DeliveredLine],
    from_yesterday: list[DeliveredLine],
    *,
    day: int,
    is_last: bool,
    rng: np.random.Generator,
) -> tuple[Counter[LineKind], list[DeliveredLine]]:
    """Write a day's events with the dirt of a delivery, and return its lines by kind, and those to repeat tomorrow.

    Args:
        shop: whose rates of dirt hold.
        folder: of the delivery, made where it isn't there.
        lines: real ones.
        from_yesterday: lines that are delivered once more.
        day: business day.
        is_last: whether no delivery follows that could repeat a line.
        rng: source of all chance.
    """
    again, from_today = _duplicates(lines, is_last=is_last, rate=shop.settings.dirt.duplicate_rate, rng=rng)
    together = lines + again + from_yesterday + dirty_lines(shop, lines, day=day, rng=rng)
    ordered = in_delivered_order(together, shop.settings.dirt.disorder_minutes, rng)
    folder.mkdir(parents=True, exist_ok=True)
    part = rng.integers(0, N_FILES, len(ordered))
    for number in range(N_FILES):
        chosen = [line.text for line, place in zip(ordered, part.tolist(), strict=True) if place == number]
        content = "".join(f"{text}\n" for text in chosen).encode("utf-8")
        # Without a time in its header, the same lines give the same bytes.
        (folder / f"events-{number}.jsonl.gz").write_bytes(gzip.compress(content, compresslevel=5, mtime=0))
    return Counter(line.kind for line in together), from_today


def write_lines(path: Path, lines: list[str]) -> None:
    """Write the lines to the file."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _real_lines(simulation: Simulation) -> tuple[list[list[DeliveredLine]], int]:
    """Return the real lines by day of delivery, and the number of events that happen after the last one."""
    calendar, events, n_days = simulation.shop.calendar, simulation.events, simulation.shop.settings.n_days
    delivery = (calendar.day(events.time) + events.is_late).tolist()
    real: list[list[DeliveredLine]] = [[] for _ in range(n_days)]
    rows = zip(event_records(simulation), delivery, events.is_late.tolist(), events.time.tolist(), strict=True)
    for record, day, is_late, time in rows:
        if day < n_days:
            real[day].append(DeliveredLine("late" if is_late else "on_time", json.dumps(record), time))
    return real, len(delivery) - sum(map(len, real))


def _duplicates(
    lines: list[DeliveredLine], *, is_last: bool, rate: float, rng: np.random.Generator
) -> tuple[list[DeliveredLine], list[DeliveredLine]]:
    """Return the lines delivered again with today's, and with tomorrow's; late lines aren't put off once more."""
    again: list[DeliveredLine] = []
    tomorrow: list[DeliveredLine] = []
    chosen = is_duplicated(len(lines), rate, rng)
    for line, is_chosen, is_put_off in zip(lines, chosen, is_duplicated(len(lines), 0.5, rng), strict=True):
        if is_chosen and is_put_off and line.kind == "on_time" and not is_last:
            tomorrow.append(DeliveredLine("duplicate_next_delivery", line.text, line.time))
        elif is_chosen:
            again.append(DeliveredLine("duplicate_same_delivery", line.text, line.time))
    return again, tomorrow


def summary_of(by_day: Mapping[str, Counter[LineKind]], n_undelivered: int) -> dict[str, object]:
    """Return what `delivered.json` says: lines by kind, day and reason for rejection."""
    totals = sum(by_day.values(), Counter[LineKind]())
    rejected: Counter[str] = Counter()
    for kind, reason in REASON_OF_KIND.items():
        rejected[reason] += totals[kind]
    return {
        "n_lines": totals.total(),
        "n_events": totals.total() - rejected.total(),
        "n_rejected": rejected.total(),
        "rejected": {reason: n for reason, n in sorted(rejected.items()) if n},
        "n_after_last_delivery": n_undelivered,
        "kinds": dict(sorted(totals.items())),
        "days": {day: dict(sorted(kinds.items())) for day, kinds in by_day.items()},
    }
