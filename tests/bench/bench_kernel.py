"""How many rows a second each function of the kernel takes, and how long that is in sorts of the same rows.

Prints JSON lines. Run by `make bench-kernel`; ROWS says how many events (1 million), REPEATS how often each function
is measured.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import MICROS_PER_DAY, MICROS_PER_MINUTE, MICROS_PER_SECOND, IntArray
from conf.kernel.attribution import attribute, links, touches_of
from conf.kernel.calendar import calendar_of, day_number
from conf.kernel.daily_counts import daily_counts
from conf.kernel.decisions import decisions
from conf.kernel.earnings import worth
from conf.kernel.history_features import HISTORY_LISTS, HISTORY_SCALARS, history_features
from conf.kernel.session_features import SESSION_LISTS, SESSION_SCALARS, session_features
from conf.kernel.sessions import sessions
from conf.kernel.stream import Stream, stream_of, total_order
from conf.kernel.transitions import transitions
from conf.kernel_rules import as_of, rules_of
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.source import Source

FIRST, N_DAYS, LIST_LENGTH = date(2026, 3, 1), 30, 20


def main() -> None:
    n_rows, n_repeats = int(os.environ.get("ROWS", "1000000")), int(os.environ.get("REPEATS", "3"))
    pipeline = long_lists(load_pipeline("recommendation", "simulated_shop"))
    columns = random_columns(n_rows, pipeline.source)
    key = {name: columns[name] for name in ("unit", "time_us", "rank")}
    sort_seconds, order = median_seconds(lambda: total_order(**key, event=np.arange(n_rows)), n_repeats)
    tell("total_order", n_rows, sort_seconds, sort_seconds)
    stream = stream_of({name: column[order] for name, column in columns.items()})
    for name, function in functions(stream, pipeline).items():
        seconds, _ = median_seconds(function, n_repeats)
        tell(name, n_rows, seconds, sort_seconds)


def functions(stream: Stream, pipeline: Pipeline) -> dict[str, Callable[[], Any]]:
    """What is measured, by name; each is given what the ones before it make."""
    rules, last = rules_of(pipeline), FIRST + timedelta(days=N_DAYS)
    known = as_of(pipeline.source, dates=[FIRST + timedelta(days=n) for n in range(N_DAYS)], horizon=last)
    asked = {"calendar": known.calendar, "span": known.span, "watermark_us": known.watermark_us}
    in_sessions, decided, daily = (
        sessions(stream, rules.session),
        decisions(stream, rules.decision),
        daily_counts(stream),
    )
    points = rules.clock.points(stream, in_sessions, decided, **asked)
    link = links(stream, decided, rules.attribution)
    touches = touches_of(stream, decided, link, rules.attribution)
    attributed = attribute(stream, touches, link, rules.attribution)
    of_session = {name: length for name, length in rules.lengths.items() if name in SESSION_SCALARS | SESSION_LISTS}
    of_history = {name: length for name, length in rules.lengths.items() if name in HISTORY_SCALARS | HISTORY_LISTS}
    days, made = rules.history_days, transitions(stream, rules, known)
    return {
        "sessions": lambda: sessions(stream, rules.session),
        "decisions": lambda: decisions(stream, rules.decision),
        "points": lambda: rules.clock.points(stream, in_sessions, decided, **asked),
        "session_features": lambda: session_features(stream, decided, points, of_session),
        "daily_counts": lambda: daily_counts(stream),
        "history_features": lambda: history_features(
            daily, points.unit, points.as_of_day, of_history, history_days=days
        ),
        "attribute": lambda: attribute(stream, touches, link, rules.attribution),
        "worth": lambda: worth(stream, attributed.row, rules.reward),
        "transitions": lambda: transitions(stream, rules, known),
        "observation": lambda: made.observation,
    }


def long_lists(pipeline: Pipeline) -> Pipeline:
    """The pipeline with lists of recent ids as long as a sequence encoder takes them."""
    changed = pipeline.model_dump()
    for feature in changed["scenario"]["observation"]["features"]:
        if feature["length"] is not None and feature["name"].startswith("recent"):
            feature["length"] = LIST_LENGTH
    return Pipeline.model_validate(changed)


def random_columns(n_rows: int, source: Source) -> dict[str, IntArray]:
    """Events of a month in any order: a heavy tail of shoppers and items, a tenth delivered a day late."""
    rng = np.random.default_rng(1)
    n_visits = n_rows // 12
    visit = rng.integers(0, n_visits, n_rows)
    unit = ((rng.pareto(1.2, n_visits) * 2000).astype(np.int64) % (n_rows // 50))[visit]
    start = rng.integers(0, N_DAYS * 24 * 60, n_visits) * MICROS_PER_MINUTE
    time_us = day_number(FIRST) * MICROS_PER_DAY + start[visit] + rng.integers(0, 40 * 60, n_rows) * MICROS_PER_SECOND
    calendar = calendar_of(source.zone, day_number(FIRST), day_number(FIRST) + N_DAYS)
    day = calendar.day(time_us)
    type_ = rng.choice(
        [EVENT_TYPE_RANK[name] for name in ("impression", "view", "click", "cart", "purchase")],
        p=[0.5, 0.36, 0.1, 0.03, 0.01],
        size=n_rows,
    )
    ids = rng.integers(-(2**62), 2**62, 20_000)
    item = ids[(rng.pareto(1.1, n_rows) * 100).astype(np.int64) % len(ids)]
    is_decision = type_ == EVENT_TYPE_RANK["impression"]
    # A third of what isn't a decision names one of its shopper's decisions, or one that isn't there.
    link = unit * 50 + rng.integers(1, 50, n_rows)
    return {
        "unit": unit,
        "time_us": time_us,
        "rank": type_,
        "day": day,
        "delivery_day": day + (rng.random(n_rows) < 0.1),
        "type": type_,
        "item": item,
        "category": item % 200 + 1,
        "action": np.where(is_decision, item, 0),
        **{name: rng.integers(0, 10**9, n_rows) for name in ("price", "amount", "cost", "discount")},
        "order": rng.integers(1, n_rows, n_rows),
        "link": np.where(is_decision | (rng.random(n_rows) < 1 / 3), link, 0),
        "own_link": np.zeros(n_rows, dtype=np.int64),
        "position": np.arange(n_rows),
        "consent": np.ones(n_rows, dtype=np.int64),
        "availability": np.ones(n_rows, dtype=np.int64),
    }


def median_seconds(function: Callable[[], Any], n_repeats: int) -> tuple[float, Any]:
    """Median time of some calls, and what the last one gave."""
    seconds, found = [], None
    for _ in range(n_repeats):
        started = time.perf_counter()
        found = function()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), found


def tell(name: str, n_rows: int, seconds: float, sort_seconds: float) -> None:
    line = {
        "function": name,
        "rows": n_rows,
        "seconds": round(seconds, 4),
        "rows_per_second": round(n_rows / seconds),
        "sorts": round(seconds / sort_seconds, 3),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
