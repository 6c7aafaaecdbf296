"""Logs of a few shoppers for Hypothesis to search through, dense in what the rules turn on.

Each event is one number, which seeds how long after the shopper's last event it comes (nothing, the gap and its
neighbors, the longest duration, the window's edge, the next midnight, days), what happened, to what, and when it was
delivered. So a log shrinks by losing events.
"""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from conf.observation_features import OBSERVATION_FEATURES, WINDOWED_FEATURES
from conf.specs.problem import WEEKDAYS
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.strict_yaml import merge

Row = dict[str, Any]

MICROSECOND = timedelta(microseconds=1)
TYPES = ("impression", "view", "click", "purchase", "cart", "favorite", "refund", "promotion")
# Clocks go forward or back within a day or two of the start; in Havana at midnight, on Lord Howe by half an hour.
STARTS = {
    "UTC": datetime(2026, 1, 5, 20, tzinfo=UTC),
    "Europe/Berlin": datetime(2026, 3, 28, 15, tzinfo=UTC),
    "America/New_York": datetime(2026, 10, 31, 20, tzinfo=UTC),
    "America/Havana": datetime(2026, 3, 7, 12, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 3, 22, tzinfo=UTC),
    "Asia/Shanghai": datetime(2017, 11, 26, 9, tzinfo=UTC),
}
LARGEST = 2**32
ACTIONS = ("hat", "shoe", "feet", "head")


@dataclass(frozen=True)
class MadeLog:
    """A log and what it is read with; rows are what had been delivered by the horizon."""

    pipeline: Pipeline = field(repr=False)
    rows: list[Row]
    sets: list[Row]
    dates: list[date]
    horizon: date
    shoppers: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)

    @property
    def zone(self) -> str:
        return self.pipeline.source.zone


def random_pipelines(n: int, seed: int = 1) -> list[Pipeline]:
    """Pipelines with all features whose rules are short enough to matter within a few events."""
    return [
        _with_told(pipeline, random.Random(f"{seed} {number}"))
        for number, pipeline in enumerate(pipelines_of_events(n, seed))
    ]


def pipelines_of_events(n: int, seed: int) -> list[Pipeline]:
    """The same without what side tables tell: neither attributes of shoppers nor categories of items."""
    rng = random.Random(seed)
    return [_random_pipeline(rng) for _ in range(n)]


def money_pipelines(n: int, seed: int = 1) -> list[Pipeline]:
    """Pipelines whose reward and metrics are money, by every link, less refunds and costs of all kinds."""
    rng = random.Random(seed)
    return [_with_money(_random_pipeline(rng), rng) for _ in range(n)]


def week_pipelines(n: int, seed: int = 1) -> list[Pipeline]:
    """Pipelines whose clock is a shopper's week, with features that have windows of their own; some count money."""
    rng = random.Random(seed)
    return [_with_weeks(_with_money(_random_pipeline(rng), rng), rng) for _ in range(n)]


def made_logs(pipelines: list[Pipeline], *, max_events: int = 30) -> st.SearchStrategy[MadeLog]:
    """Logs of up to three shoppers and `max_events` events."""

    def made(pipeline: int, numbers: list[int], seed: int) -> MadeLog:
        return _made_log(pipelines[pipeline], numbers, seed)

    number = st.integers(0, LARGEST)
    # Few events for simple logs, many for rare meetings.
    many = st.lists(number, min_size=max_events // 2, max_size=max_events)
    numbers = st.lists(number, max_size=6) | many | many
    # A pipeline's place is told where a log fails, not all that it says.
    return st.builds(made, st.integers(0, len(pipelines) - 1), numbers, st.integers(0, LARGEST))


def random_log(pipeline: Pipeline, *, seed: int, n_logs: int, max_events: int = 40) -> MadeLog:
    """Many such logs as one: the shoppers and events of each have names of their own; all dates are asked for."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for number in range(n_logs):
        numbers = [chance.randrange(LARGEST) for _ in range(chance.randrange(max_events))]
        for row in _rows(pipeline, numbers):
            named = {name: f"{row[name]} of {number}" for name in ("user_id", "event_id")}
            link = row["decision_id"] and f"{row['decision_id']} of {number}"
            rows.append(row | named | {"decision_id": link})
    made = _made_log(pipeline, [], seed)
    first, horizon = min(row["event_date"] for row in rows), made.dates[0] + timedelta(days=6)
    dates = [first + timedelta(days=n) for n in range(30)]
    return MadeLog(pipeline, _delivered(rows, horizon), made.sets, dates, horizon)


def many_logs(pipelines: list[Pipeline], seed: int, *, n_logs: int = 12) -> MadeLog:
    """As many logs as one, read with one of the pipelines: a call of the kernel costs the same for all as for one.

    The shoppers, events and links of each have names of their own; sets, items, dates and horizon are the same.
    """
    chance = random.Random(seed)
    pipeline = chance.choice(pipelines)
    rows, shoppers = list[Row](), list[Row]()
    for number in range(n_logs):
        numbers = [chance.randrange(LARGEST) for _ in range(chance.choice((chance.randrange(7), 25, 30)))]
        rows += [_named(row, number) for row in _rows(pipeline, numbers)]
        shoppers += [_named(row, number) for row in _made_log(pipeline, [], chance.randrange(LARGEST)).shoppers]
    first = _made_log(pipeline, [], seed)
    ends = _horizons_at_an_end(pipeline, rows)
    horizon = chance.choice(ends) if ends and chance.random() < 0.5 else first.horizon
    return MadeLog(
        pipeline,
        _delivered(rows, horizon),
        [one for one in first.sets if one["delivery_date"] <= horizon],
        first.dates,
        horizon,
        [one for one in shoppers if one["delivery_date"] <= horizon],
        [one for one in first.items if one["delivery_date"] <= horizon],
    )


def _named(row: Row, number: int) -> Row:
    names = ("user_id", "event_id", "decision_id")
    return row | {name: f"{row[name]} of {number}" for name in names if row.get(name) is not None}


@cache
def _loaded() -> Row:
    return load_pipeline("recommendation", "canonical").model_dump()


def _random_pipeline(rng: random.Random) -> Pipeline:
    loaded = deepcopy(_loaded())
    is_logged = rng.random() < 0.5
    lengths = {name: rng.randint(1, 4) for name, known in OBSERVATION_FEATURES.items() if known.kind == "list"}
    source = {
        "zone": rng.choice(list(STARTS)),
        "lateness_days": rng.randint(0, 2),
        "session": {"gap_minutes": rng.choice([30, 400, 1440]), "max_hours": rng.choice([4, 20, 24])},
        "decisions": {"kind": "logged", "event_type": "impression"}
        if is_logged
        else {"kind": "implied", "event_type": rng.choice(["view", "purchase"])},
    }
    scenario = {
        "episode": {"max_steps": rng.randint(1, 4)},
        "observation": {
            "features": [{"name": name, "length": lengths.get(name)} for name in OBSERVATION_FEATURES],
            "history_days": rng.randint(1, 4),
        },
        "action": {"key": rng.choice(["item", "category"]), "mask": rng.choice(["availability", "none"])},
        "gate": {"guardrails": []},
    }
    merged = merge(loaded["scenario"], scenario)
    merged["reward"] |= {
        "weights": rng.choice([{"click": 1, "purchase": 10.5}, {"view": 2}, {"impression": 1, "cart": 0.000001}]),
        "attribution": {
            "link": rng.choice(["decision_id", "last_touch"]),
            "window_hours": rng.choice([1, 12, 30, 100]),
        },
    }
    merged["metrics"] = rng.choice([{}, {"refunds": "refund", "carts": "cart"}])
    return Pipeline.model_validate({"source": merge(loaded["source"], source), "scenario": merged})


def _with_told(pipeline: Pipeline, rng: random.Random) -> Pipeline:
    """With attributes of shoppers among the features, and at times with the categories of items."""
    content = pipeline.model_dump()
    content["source"]["shoppers"] = {
        "files": ["shoppers"],
        "columns": {name: {"column": name} for name in ("user_id", "tier", "land")},
    }
    observation = content["scenario"]["observation"]
    observation["item_categories"] = rng.random() < 0.7
    observation["features"] = [
        *observation["features"],
        {"name": "shopper_tier", "values": ["gold", "silver"]},
        {"name": "shopper_land", "values": ["gold"]},
    ]
    return Pipeline.model_validate(content)


def _with_weeks(pipeline: Pipeline, rng: random.Random) -> Pipeline:
    content = pipeline.model_dump()
    scenario = content["scenario"]
    hour = rng.choice([0, 0, 3, 20])
    scenario |= {
        "clock": "shopper_week",
        "week": {"weekday": rng.choice(WEEKDAYS), "hour": hour, "weeks": rng.choice([1, 2, 3])},
    }
    if scenario["reward"]["attribution"]["link"] != "itself":
        scenario["reward"]["attribution"] = {"link": "last_decision", "window_hours": rng.choice([12, 168])}
    observation = scenario["observation"]
    windows = [{"name": f"{name}_{rng.randint(1, 9)}d"} for name in WINDOWED_FEATURES]
    observation |= {"features": [*observation["features"], *windows], "history_days": 9}
    return Pipeline.model_validate(content)


def _with_money(pipeline: Pipeline, rng: random.Random) -> Pipeline:
    scenario = pipeline.scenario.model_dump()
    reward = scenario["reward"]
    purchases = {"event": "purchase", "value": rng.choice(["margin", "revenue"]), "weight": rng.choice([1, 0.3, -2.5])}
    more = rng.choice([[], [{"event": "cart", "value": "revenue", "weight": 0.000001}]])
    reward["terms"] = [purchases, *more, {"event": "favorite", "value": "count", "weight": 0.5}]
    reward["weights"] = rng.choice([{}, {"click": 1, "refund": -1}])
    reward["margin_rate"] = 0.3 if purchases["value"] == "margin" and rng.random() < 0.5 else None
    reward["action_cost"] = rng.choice(
        [None, {"logged": True}, {"declared": {"hat": 0.1, "feet": 2}, "otherwise": rng.choice([0, 0.000001])}]
    )
    reward["attribution"]["link"] = rng.choice(["decision_id", "last_touch", "itself"])
    values = ("margin", "revenue", "discount", "cost")
    scenario["metrics"] = {value: {"event": "purchase", "value": value} for value in rng.sample(values, 2)}
    scenario["metrics"]["refunds"] = "refund"
    return Pipeline.model_validate({"source": pipeline.source.model_dump(), "scenario": scenario})


def _made_log(pipeline: Pipeline, numbers: list[int], seed: int) -> MadeLog:
    chance = random.Random(seed)
    start = STARTS[pipeline.source.zone]
    first = start.date() - timedelta(days=1)
    made = _rows(pipeline, numbers)
    horizon = first + timedelta(days=chance.choice((2, 3, 4, 6, 8, 12)))
    ends = _horizons_at_an_end(pipeline, made)
    if ends and seed % 3 == 0:
        horizon = ends[seed % len(ends)]
    dates = [first + timedelta(days=n) for n in _asked_days(pipeline) if chance.randrange(4)]
    sets = [
        {
            "availability_id": f"set {chance.randrange(3)}",
            "valid_from": start + timedelta(hours=chance.randrange(60)),
            "delivery_date": first + timedelta(days=chance.choice((0, 1, 2, 3, 9))),
        }
        for _ in range(chance.randrange(4))
    ]
    # One id, one set of actions.
    offered = {f"set {n}": chance.sample(ACTIONS, chance.choice((2, 3, 4, 4))) for n in range(3)}
    sets = [one | {"actions": offered[one["availability_id"]]} for one in sets if one["delivery_date"] <= horizon]
    shoppers = [
        _told(chance, start, first)
        | {
            "user_id": f"shopper {chance.choice((0, 0, 1))}",
            "attribute": chance.choice(("tier", "tier", "land")),
            "value": chance.choice(("gold", "silver", "tin", None)),
        }
        for _ in range(chance.randrange(6))
    ]
    items = [
        _told(chance, start, first)
        | {"item_id": chance.choice(("hat", "shoe")), "category_id": chance.choice(("head", "feet", "all", None))}
        for _ in range(chance.randrange(5))
    ]
    return MadeLog(
        pipeline,
        _delivered(made, horizon),
        sets,
        dates,
        horizon,
        _once(shoppers, ("user_id", "attribute"), horizon),
        _once(items, ("item_id",), horizon),
    )


def _asked_days(pipeline: Pipeline) -> range:
    """Days after the first one that episodes may start on: blocks of weeks start before their events."""
    week = pipeline.scenario.week
    return range(14) if week is None else range(-7 * week.weeks, 28)


def _horizons_at_an_end(pipeline: Pipeline, rows: list[Row]) -> list[date]:
    """Horizons whose day, or whose last complete one, ends at the moment at which a row's window or gap does."""
    source, attribution = pipeline.source, pipeline.scenario.reward.attribution
    spans = [
        (timedelta(hours=attribution.window_hours), timedelta(days=1)),
        (timedelta(minutes=source.session.gap_minutes), timedelta(days=1 - source.lateness_days)),
    ]
    zone = ZoneInfo(source.zone)
    ends = [((row["event_time"] + span).astimezone(zone), back) for row in rows for span, back in spans]
    return [end.date() - back for end, back in ends if end.time() == time()]


def _told(chance: random.Random, start: datetime, first: date) -> Row:
    """From when a row of a side table holds, few moments so that rows meet, and when it was delivered."""
    hours = chance.choice((-48, 0, 0, 1, 9, 9, 30))
    return {
        "valid_from": start + timedelta(hours=hours),
        "delivery_date": first + timedelta(days=chance.choice((-3, 0, 0, 1, 1, 2, 3, 9))),
    }


def _once(rows: list[Row], key: tuple[str, ...], horizon: date) -> list[Row]:
    """What had been delivered by the horizon, each key and moment once a delivery, as it is published."""
    found = {(*(row[name] for name in key), row["valid_from"], row["delivery_date"]): row for row in rows}
    return [row for row in found.values() if row["delivery_date"] <= horizon]


def _delivered(rows: list[Row], horizon: date) -> list[Row]:
    return [row for row in rows if row["event_date"] <= horizon and row["delivery_date"] <= horizon]


def _rows(pipeline: Pipeline, numbers: list[int]) -> list[Row]:
    last_times: dict[int, datetime] = {}
    return [_event(random.Random(number), place, pipeline, last_times) for place, number in enumerate(numbers)]


def _event(chance: random.Random, place: int, pipeline: Pipeline, last_times: dict[int, datetime]) -> Row:
    zone = ZoneInfo(pipeline.source.zone)
    shopper = chance.choice((0, 0, 0, 0, 1, 2))
    rewarded = pipeline.scenario.reward.weights
    bought = ("purchase", "refund") * 4 if pipeline.scenario.counts_money else ()
    nothing = ("none",) if pipeline.scenario.week is not None else ()
    before = last_times.get(shopper)
    moment = STARTS[pipeline.source.zone] if before is None else before + _pause(chance, pipeline, before)
    last_times[shopper] = moment
    day = moment.astimezone(zone).date()
    row = {
        "event_type": chance.choice((*TYPES, *[pipeline.source.decisions.event_type] * 4, *rewarded, *bought)),
        # Ids whose order isn't that of the lines.
        "event_id": f"e{place * 37 % 41}",
        "event_time": moment,
        "user_id": f"shopper {shopper}",
        "event_date": day,
        "delivery_date": day + timedelta(days=chance.choice((0, 0, 1, 2))),
        "item_id": chance.choice(("hat", "shoe", None)),
        "category_id": chance.choice(("head", "feet", None)),
        "action": chance.choice((None, "hat", "shoe", "feet", *nothing)),
        # An event may name the id of a decision's own line.
        "decision_id": chance.choice((None, "d1", "d2", f"e{chance.randrange(41)}")),
        "has_consent": chance.random() < 0.95,
        "position": chance.choice((None, None, 1, 2)),
        "price": chance.choice((None, 0, 19_990_000, 2**33)),
        "availability_id": chance.choice((None, "set 9", *["set 0", "set 1", "set 2"] * 3)),
    }
    return row | _money(chance) if pipeline.scenario.counts_money else row


def _money(chance: random.Random) -> Row:
    """Amounts that round to both sides, of either sign, or missing; few orders."""
    return {
        "quantity": chance.choice((None, 1, 3)),
        "amount": chance.choice((None, 1, 5, -5, 19_990_001, 333_333, -7_500_000)),
        "cost": chance.choice((None, None, 0, 2, 4_000_000, 25_000_000)),
        "discount": chance.choice((None, 3, 1_500_000)),
        "order_id": chance.choice((None, "o1", "o2")),
    }


def _pause(chance: random.Random, pipeline: Pipeline, before: datetime) -> timedelta:
    gap = timedelta(minutes=pipeline.source.session.gap_minutes)
    longest = timedelta(hours=pipeline.source.session.max_hours)
    window = timedelta(hours=pipeline.scenario.reward.attribution.window_hours)
    zone = ZoneInfo(pipeline.source.zone)
    tomorrow = before.astimezone(zone).date() + timedelta(days=1)
    to_midnight = datetime.combine(tomorrow, time(), tzinfo=zone).astimezone(UTC) - before
    short = (timedelta(0), timedelta(0), timedelta(seconds=20), timedelta(minutes=9, microseconds=7), gap / 2, gap)
    rare: tuple[timedelta, ...] = (
        gap - MICROSECOND,
        gap + MICROSECOND,
        longest,
        window,
        window + MICROSECOND,
        to_midnight,
        timedelta(days=2),
    )
    # So that the gap or the window after the event ends with a day.
    day = timedelta(days=1)
    with_day = ((to_midnight - gap) % day, (to_midnight - window) % day)
    if pipeline.scenario.week is not None:
        rare = (*rare, timedelta(days=3), timedelta(days=7), to_midnight + timedelta(hours=pipeline.scenario.week.hour))
    chosen: timedelta = chance.choice((*short, *short, *short, *rare, *with_day))
    return chosen
