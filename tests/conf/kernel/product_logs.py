"""Logs of a few products for Hypothesis to search through, dense in what the rules turn on.

Each event is one number, which seeds how long after the product's last event it comes (nothing, the next period's start
and its neighbors, the window's edge, hours, days), what it is, of how many pieces, of which order, and when delivered.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from conf.observation_features import PRODUCT_FEATURES
from conf.specs.problem import WEEKDAYS
from conf.specs.reward import STOCK_FLOWS
from conf.specs.scenario import Pipeline, Scenario, load_pipeline
from tests.conf.kernel.made_logs import LARGEST, STARTS
from tests.conf.kernel.product_reference import Periods

Row = dict[str, Any]
MICROSECOND = timedelta(microseconds=1)
KINDS = ("stock",) * 8 + ("purchase",) * 6 + ("order",) * 4 + ("receipt",) * 4 + ("refund",) * 2 + ("view",)
PRODUCTS = ("hat", "scarf", "shoe")


@dataclass(frozen=True)
class ProductLog:
    """A log and what it is read with; rows are what had been delivered by the horizon."""

    pipeline: Pipeline = field(repr=False)
    rows: list[Row]
    items: list[Row]
    dates: list[date]
    horizon: date


def product_pipelines(n: int, seed: int = 1) -> list[Pipeline]:
    """Pipelines that order products, with all features, whose rules are short enough to matter in a few events."""
    rng = random.Random(seed)
    return [_pipeline(rng) for _ in range(n)]


def _pipeline(rng: random.Random) -> Pipeline:
    base = load_pipeline("inventory", "simulated_inventory")
    every, has_receipts = rng.choice(("day", "day", "day", "week")), rng.random() < 0.7
    history = rng.choice((3, 5, 9))
    numbers = {"units_sold_{n}d": (1, 2, 3), "units_sold_day_{n}": (1, 2, 3), "units_due_in_{n}d": (0, 1, 2)}
    names = [
        name.replace("{n}", str(number))
        for name in PRODUCT_FEATURES
        for number in (numbers.get(name, (0, 2)) if "{n}" in name else (0,))
        if has_receipts or name not in ("last_lead_days", "units_overdue")
    ]
    features = [{"name": name} | ({"length": 2} if name == "product_category" else {}) for name in names]
    features += [{"name": name} for name in ("day_of_week", "n_purchases_2d", "spend_3d")]
    flows = STOCK_FLOWS if has_receipts else ("opening", "ordered", "sold")
    of_stock = {name: {"event": "stock", "value": name} for name in flows}
    summed = {"revenue": {"event": "purchase", "value": "revenue"}, "pieces": {"event": "receipt", "value": "units"}}
    terms = [
        {"event": "purchase", "value": rng.choice(("margin", "revenue")), "weight": rng.choice((1, 0.333333))},
        {"event": "stock", "value": "units", "weight": rng.choice((-0.02, -1.5))},
        {"event": "order", "value": rng.choice(("count", "units")), "weight": -0.5},
    ]
    window = rng.choice((26, 48, 60, 100) if every == "day" else (170, 200))
    changed = {
        "ordering": {
            "every": every,
            "weekday": rng.choice(WEEKDAYS),
            "hour": rng.choice((0, 0, 3, 6)),
            "periods": rng.choice((1, 2, 3, 5)),
            "lead_days": rng.choice((1, 2, 4)),
            "receipts": "delivered" if has_receipts else "none",
            **(
                {"overdue_days": rng.choice((None, 0, 1)), "rests": rng.choice(("expected", "dropped"))}
                if has_receipts
                else {}
            ),
        },
        "episode": {"max_steps": rng.choice((1, 2, 3, 10))},
        "observation": {"history_days": history, "features": features},
        "action": base.scenario.action.model_dump(mode="json") | {"quantities": rng.choice(([0, 1, 5], [0, 2, 3, 9]))},
        "reward": {
            "unit": "EUR",
            "terms": terms[: rng.choice((2, 3))],
            "attribution": {"link": "last_decision", "window_hours": window},
        },
        "metrics": of_stock | summed | {"views": "view"},
        "gate": base.scenario.gate.model_dump(mode="json") | {"guardrails": []},
        "orders": None,  # which ask for a day's decisions and for what came in
    }
    learned = load_pipeline("recommendation", "simulated_shop").scenario.model_dump(mode="json")
    changed |= {name: learned[name] for name in ("candidates", "policy", "exploration", "evaluation")}
    scenario = Scenario.model_validate(base.scenario.model_dump(mode="json") | changed)
    source = base.source.model_copy(update={"zone": rng.choice(tuple(STARTS)), "lateness_days": rng.choice((0, 1, 2))})
    return Pipeline(source=source, scenario=scenario)


def product_logs(pipelines: list[Pipeline], *, max_events: int = 40) -> st.SearchStrategy[ProductLog]:
    """Logs of up to three products and `max_events` events."""

    def made(pipeline: int, numbers: list[int], seed: int) -> ProductLog:
        return product_log(pipelines[pipeline], numbers, seed)

    number = st.integers(0, LARGEST)
    many = st.lists(number, min_size=max_events // 2, max_size=max_events)
    numbers = st.lists(number, max_size=6) | many | many
    return st.builds(made, st.integers(0, len(pipelines) - 1), numbers, st.integers(0, LARGEST))


def many_product_logs(pipelines: list[Pipeline], seed: int, *, n_logs: int = 12) -> ProductLog:
    """As many logs as one, read with one of the pipelines; the products and events of each have names of their own."""
    chance = random.Random(seed)
    pipeline = chance.choice(pipelines)
    first = product_log(pipeline, [], seed)
    rows, items = list[Row](), list[Row]()
    for number in range(n_logs):
        one = product_log(pipeline, [chance.randrange(LARGEST) for _ in range(40)], chance.randrange(LARGEST))
        rows += [_named(row, number, "user_id", "item_id", "event_id") for row in one.rows]
        items += [_named(row, number, "item_id") for row in one.items]
    rows = [row for row in rows if row["event_date"] <= first.horizon and row["delivery_date"] <= first.horizon]
    return ProductLog(pipeline, rows, items, first.dates, first.horizon)


def _named(row: Row, number: int, *names: str) -> Row:
    return row | {name: f"{row[name]} of {number}" for name in names}


def product_log(pipeline: Pipeline, numbers: list[int], seed: int) -> ProductLog:
    """The log of the numbers; the seed decides prices, dates and horizon."""
    chance, start = random.Random(seed), STARTS[pipeline.source.zone]
    last_times: dict[str, datetime] = {}
    rows = [_event(random.Random(number), place, pipeline, last_times) for place, number in enumerate(numbers)]
    first = start.date()
    horizon = first + timedelta(days=chance.choice((2, 5, 9, 20)))
    dates = [first + timedelta(days=day) for day in range(-40, 25) if chance.random() < 0.9]
    items = [_told(chance, pipeline, first) for _ in range(chance.choice((0, 4, 8)))]
    kept = {(one["item_id"], one["valid_from"]): one for one in reversed(items)}
    rows = [row for row in rows if row["event_date"] <= horizon and row["delivery_date"] <= horizon]
    return ProductLog(pipeline, rows, list(kept.values()), dates, horizon)


def _told(chance: random.Random, pipeline: Pipeline, first: date) -> Row:
    day = first + timedelta(days=chance.choice((chance.randrange(-3, 8), chance.randrange(-70, 8))))
    moment = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(pipeline.source.zone))
    return {
        "item_id": chance.choice(PRODUCTS),
        "valid_from": moment.astimezone(UTC) + timedelta(hours=chance.choice((0, 0, 3))),
        "delivery_date": day - timedelta(days=chance.choice((-1, 0, 1, 3, 5))),
        "category_id": chance.choice(("clothes", "shoes", None)),
        "price": chance.choice((None, 0, 1_000_000, 2_500_000, 990_000)),
    }


def _event(chance: random.Random, place: int, pipeline: Pipeline, last_times: dict[str, datetime]) -> Row:
    product = chance.choice((*PRODUCTS[:1] * 3, *PRODUCTS))
    last = last_times.get(product, STARTS[pipeline.source.zone])
    time = last + _step(chance, pipeline, last)
    last_times[product] = max(time, last)
    day = time.astimezone(ZoneInfo(pipeline.source.zone)).date()
    kind, late = chance.choice(KINDS), (*(0,) * 6, *range(pipeline.source.lateness_days + 1))
    return {
        "event_id": f"e{chance.randrange(100):02}-{place}",
        "user_id": product,
        "item_id": product,
        "event_time": time,
        "event_date": day,
        "delivery_date": day + timedelta(days=chance.choice(late)),
        "event_type": kind,
        "quantity": None if chance.random() < 0.04 else chance.choice((0, 1, 1, 2, 3, 5, 9)),
        "amount": chance.choice((None, 1_999_999, 2_500_000, 7_000_001)),
        "cost": chance.choice((None, 0, 1_000_003)),
        "discount": chance.choice((None, 0, 250_000)),
        "order_id": chance.choice((None, "A", "A", "B", "B", "C")),
        **dict.fromkeys(("category_id", "action", "price", "decision_id", "availability_id", "position")),
    }


def _step(chance: random.Random, pipeline: Pipeline, last: datetime) -> timedelta:
    """How long after the product's last event the next one comes; now and then before it."""
    window = timedelta(hours=pipeline.scenario.reward.attribution.window_hours)
    periods = Periods(pipeline)
    day = last.astimezone(periods.zone).date()
    following = periods.start(periods.of({"event_time": last, "event_date": day}) + 1) - last
    near = chance.choice((-MICROSECOND, timedelta(0), timedelta(0), MICROSECOND))
    return chance.choice(
        (
            timedelta(0),
            timedelta(0),
            MICROSECOND,
            timedelta(minutes=chance.randrange(600)),
            timedelta(minutes=chance.randrange(600)),
            timedelta(hours=-chance.randrange(30)),
            max(following + near, timedelta(0)),
            max(following + near, timedelta(0)),
            max(following, timedelta(0)) + timedelta(minutes=chance.randrange(300)),
            max(following, timedelta(0)) + timedelta(minutes=chance.randrange(300)),
            timedelta(days=chance.choice((1, 1, 2, 3))),
            window + near,
        )
    )
