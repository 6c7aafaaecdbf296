"""Decisions of a log that counts no stock: a morning after each sale of late, and what was asked for on its day."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from conf.kernel import attribution, mornings
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel.version import PRODUCT_VERSION
from conf.kernel_rules import partition_date, rules_of
from conf.specs.scenario import Pipeline, load_pipeline
from jobs.transitions import morning_rows
from jobs.transitions.checks import dates_for_times
from jobs.transitions.tallies import handed_over, outcomes, summed_tallies
from jobs.transitions.transitions import Made
from tests.conf.kernel.planted_faults import Fault
from tests.jobs.transitions.shop_events import Row, event, made_of

BASE = load_pipeline("orders_from_sales", "simulated_sales")
DAY = timedelta(days=1)
STARTS = {"UTC": date(2026, 1, 12), "Europe/Berlin": date(2026, 3, 20), "America/New_York": date(2026, 10, 25)}
"""First days of logs: clocks change within them."""


def pipeline_of(*, zone: str = "UTC", hour: int = 4, range_days: int = 3, periods: int = 5) -> Pipeline:
    content = BASE.scenario.model_dump(mode="json")
    content["ordering"] |= {"hour": hour, "range_days": range_days, "periods": periods}
    content["observation"] = {"history_days": range_days + 2, "features": [{"name": "units_sold_day_1"}]}
    content["reward"] = {
        "unit": "EUR",
        "terms": [{"event": "purchase", "value": "margin"}, {"event": "stock", "value": "units", "weight": -0.02}],
        "attribution": {"link": "last_decision", "window_hours": 100},
    }
    source = BASE.source.model_copy(update={"zone": zone})
    return Pipeline(source=source, scenario=type(BASE.scenario).model_validate(content))


@dataclass(frozen=True)
class SalesLog:
    """Lines of sales and refunds, and what they are read with."""

    pipeline: Pipeline
    rows: list[Row]
    first: date
    horizon: date

    @property
    def dates(self) -> list[date]:
        days = [self.first + n * DAY for n in range((self.horizon - self.first).days + 1)]
        return sorted({partition_date(self.pipeline, day) for day in days})


@cache
def random_log(seed: int) -> SalesLog:
    """Few products, moments around a period's start, late lines, days without any; refunds in every other log."""
    chance = random.Random(seed)
    zone, first = chance.choice(sorted(STARTS.items()))
    pipeline = pipeline_of(
        zone=zone, hour=chance.choice((0, 2, 4)), range_days=chance.choice((1, 3, 6)), periods=chance.choice((3, 7))
    )
    hour, rows = pipeline.scenario.ordering.hour, []  # type: ignore[union-attr]
    for number in range(chance.randrange(2, 40)):
        day = first + chance.randrange(3 if seed % 3 == 1 else 20) * DAY
        hours = chance.choice((0, hour, hour, 12, 23)) * 60 + chance.choice((-30, -1, 0, 1, 30))
        moment = datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC) + timedelta(minutes=hours)
        local = moment.astimezone(ZoneInfo(zone)).date()
        pieces = chance.choice((1, 2, 2, 6))
        rows.append(
            event(
                chance.choice(("purchase", "purchase", "purchase", "refund" if seed % 2 else "purchase")),
                event_id=f"e{number:03d}",
                event_time=moment,
                event_date=local,
                delivery_date=local + chance.choice((0, 0, 0, 1, 3)) * DAY,
                user_id=chance.choice(("hat", "shoe")),
                quantity=pieces,
                amount=pieces * 5_000_000,
                cost=pieces * 2_000_000,
                order_id=chance.choice((None, "o1", "o2", f"r{number}")),
                shopper_id=chance.choice(("ann", "ann", "bob")),
            )
        )
    horizon = first + chance.randrange(8, 22) * DAY
    kept = [row for row in rows if row["delivery_date"] <= horizon]
    return SalesLog(pipeline, [row | {"item_id": row["user_id"]} for row in kept], first - 7 * DAY, horizon)


def made(log: SalesLog, dates: Sequence[date] | None = None) -> tuple[list[Row], list[Row]]:
    rows, tallies = made_of(log.rows, log.pipeline, dates=log.dates if dates is None else dates, horizon=log.horizon)
    found = sorted(rows.to_pylist(), key=lambda row: (row["user_id"], row["decision_time"]))
    return found, tallies.to_pylist()


def start_of(log: SalesLog, day: date) -> datetime:
    zone, hour = ZoneInfo(log.pipeline.source.zone), log.pipeline.scenario.ordering.hour  # type: ignore[union-attr]
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)


def period_of(log: SalesLog, row: Row) -> date:
    day: date = row["event_date"]
    return day if row["event_time"] >= start_of(log, day) else day - DAY


def expected(log: SalesLog) -> dict[tuple[str, date], int]:
    """What was asked for of each product on each of its days, by loops over the lines."""
    range_days = log.pipeline.scenario.ordering.range_days  # type: ignore[union-attr]
    days: dict[tuple[str, date], int] = {}
    for row in log.rows:
        if row["event_type"] != "purchase":
            continue
        day = max(row["event_date"], row["delivery_date"]) + DAY
        while day <= min(row["event_date"] + range_days * DAY, log.horizon):
            days[row["user_id"], day] = 0
            day += DAY
    for key in days:
        days[key] = sum(row["quantity"] for row in left_of(log, key))
    return dict(sorted(days.items()))


def left_of(log: SalesLog, key: tuple[str, date]) -> list[Row]:
    """Purchases of a product's day that no refund of the day takes back: those that name an order choose first."""
    own = [row for row in log.rows if (row["user_id"], period_of(log, row)) == key]
    left = [row for row in own if row["event_type"] == "purchase"]
    refunds = [row for row in own if row["event_type"] == "refund"]
    for row in sorted(refunds, key=lambda one: not names_purchase(log, one)):
        names = names_purchase(log, row)
        for one in left:
            is_alike = all(one[name] == row[name] for name in ("quantity", "shopper_id"))
            if is_alike and (not names or one["order_id"] == row["order_id"]):
                left.remove(one)
                break
    return left


def names_purchase(log: SalesLog, refund: Row) -> bool:
    back = rules_of(log.pipeline).attribution.look_back_days
    return refund["order_id"] is not None and any(
        (row["event_type"], row["user_id"], row["order_id"]) == ("purchase", refund["user_id"], refund["order_id"])
        and 0 <= (refund["event_date"] - row["event_date"]).days <= back
        for row in log.rows
    )


def differences(log: SalesLog) -> list[str]:
    """Where the worker's rows differ from the loops."""
    rows, tallies = made(log)
    wanted = {(product, start_of(log, day)): units for (product, day), units in expected(log).items()}
    found = {(row["user_id"], row["decision_time"]): row["metrics"]["sold"] for row in rows}
    wrong = [
        f"{key}: {found.get(key)}; expected {wanted.get(key)}"
        for key in found | wanted
        if found.get(key) != wanted.get(key)
    ]
    lines = Counter((row["event_date"], row["event_type"]) for row in log.rows)
    if (seen := Counter(handed_over(tallies))) != lines:
        wrong.append(f"events {seen}; expected {lines}")
    inside = {product: {day for name, day in expected(log) if name == product} for product in ("hat", "shoe")}
    if all(row["event_type"] == "purchase" for row in log.rows):  # what refunds take back is told elsewhere
        sold_outside = [row["quantity"] for row in log.rows if period_of(log, row) not in inside[row["user_id"]]]
        told = sum(worth for _, outcome, _, worth in outcomes(tallies) if outcome == "no_earlier_decision")
        if told != 3_000_000 * sum(sold_outside):
            wrong.append(f"sales of no decision {told}; expected {sold_outside} pieces")
    return wrong


FAULTS = {
    "a product leaves a day later": Fault(
        mornings.mornings_after, "sales.day + range_days", "sales.day + range_days + 1"
    ),
    "mornings overlap": Fault(mornings.mornings_after, "covered + 1", "covered"),
    "a sale shows its own day": Fault(
        morning_rows.with_mornings, "np.maximum(day, delivered) + 1", "np.maximum(day, delivered)"
    ),
    "a late line is seen at once": Fault(morning_rows.with_mornings, "np.maximum(day, delivered) + 1", "day + 1"),
    "another product's morning is its own": Fault(
        mornings.own_decisions, "(stream.unit[latest] == stream.unit) & ", ""
    ),
    "a sale after the range's end is the last day's": Fault(
        mornings.own_decisions, " & (period[latest] == period)", ""
    ),
    "what was cancelled was asked for": Fault(
        mornings._matched, "_numbers(of_bought) < n_back", "_numbers(of_bought) < 0 * n_back"
    ),
    "a refund of other pieces cancels": Fault(
        mornings._matched, "np.abs(stream.quantity[rows])", "0 * stream.quantity[rows]"
    ),
    "another shopper's refund cancels": Fault(mornings._matched, "stream.shopper[rows]", "0 * order"),
    "an order's number means nothing": Fault(mornings._matched, "if by_order", "if False"),
    "a refund cancels every purchase alike": Fault(
        mornings._matched, "_numbers(of_bought) < n_back", "0 * _numbers(of_bought) < n_back"
    ),
    "a refund of yesterday's order cancels today's": Fault(
        mornings._names_purchase, "(first < end) & ", "(stream.order[back] < 0) & "
    ),
    "a decision earns what comes after its day": Fault(
        attribution.links, "if decisions.period is None else", "if True else"
    ),
    "mornings before the block are nobody's": Fault(SkuDay.mornings, "- look_back_days - 1", "- 1"),
    "mornings are events of the log": Fault(SkuDay.decide, "period = None if self.is_counted", "period = None if True"),
}


def test_mornings_and_demand_are_those_of_loops_over_the_lines() -> None:
    """Whatever the zone, the hour and the day on which clocks change."""
    logs = [random_log(seed) for seed in range(150)]
    assert [found for log in logs if (found := differences(log))] == []
    assert sum(len(expected(log)) for log in logs) > 1_500


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of the logs at least, the worker's rows and the loops differ, or a check refuses to go on."""
    monkeypatch.setattr(fault.function, "__code__", fault.code)
    assert any(_fails(random_log(seed)) for seed in range(150))


def _fails(log: SalesLog) -> bool:
    try:
        return bool(differences(log)) or any(
            ledger_of(log, made(log, [day])[1], day) != ledger_of(log, made(log)[1], day) for day in log.dates
        )
    except ValueError:
        return True


@pytest.mark.parametrize("seed", range(20))
def test_no_row_depends_on_what_else_is_made(seed: int) -> None:
    """A block alone is what it is among all others, and so is where each event of its days, or its decisions, went.

    A night makes the last blocks alone: what a refund of an earlier block's purchase is worth is in that block's
    ledger already.
    """
    log = random_log(seed)
    rows, tallies = made(log)
    for day in log.dates:
        alone, others = made(log, [day])
        assert alone == [row for row in rows if row["date"] == day]
        assert ledger_of(log, others, day) == ledger_of(log, tallies, day)


def ledger_of(log: SalesLog, tallies: list[Row], day: date) -> Counter[tuple[Any, ...]]:
    """What a block's manifest counts: what its decisions earned, and its own days' residuals."""
    found: Counter[tuple[Any, ...]] = Counter()
    for event_day, outcome, decision_day, worth in outcomes(tallies):
        if decision_day == day or (decision_day is None and partition_date(log.pipeline, event_day) == day):
            found[event_day, outcome, decision_day] += worth
    return found


def test_a_refund_goes_where_its_purchase_went_though_a_night_makes_its_own_block_alone() -> None:
    """Two blocks after one another, and a return of three days over the boundary."""
    pipeline = pipeline_of(range_days=4, periods=5)
    starts = [day for day in (date(2026, 1, 12) + n * DAY for n in range(12)) if partition_date(pipeline, day) == day]
    boundary = starts[1]
    bought = [_sale((boundary - n * DAY).day, "10:00", 2) for n in (4, 3, 2, 1)]
    back = _sale((boundary + DAY).day, "10:00", 2) | {"event_type": "refund", "event_id": "back"}
    log = SalesLog(pipeline, [*bought, back], boundary - 5 * DAY, boundary + 2 * DAY)
    _, tallies = made(log, [boundary])
    told = outcomes(tallies)
    outcome = {(one, decided): worth for day, one, decided, worth in told if day == back["event_date"] and worth}
    assert outcome == {("attributed", partition_date(pipeline, boundary - DAY)): -6_000_000}


def test_a_product_that_comes_back_is_decided_again_from_the_day_after() -> None:
    """Its sale of the day on which it came back is no decision's, and its days before stay closed."""
    log = SalesLog(
        pipeline_of(range_days=2),
        [_sale(12, "10:00", 3), _sale(15, "09:00", 1), _sale(15, "09:30", 4)],
        date(2026, 1, 12),
        date(2026, 1, 17),
    )
    rows, tallies = made(log)
    assert [(row["decision_time"].day, row["metrics"]["sold"]) for row in rows] == [(13, 0), (14, 0), (16, 0), (17, 0)]
    assert sum(row["reward"] for row in rows) == 0
    # The first day's and the day's on which it came back.
    assert [(outcome, worth) for _, outcome, _, worth in sorted(outcomes(tallies)) if worth] == [
        ("no_earlier_decision", 9_000_000),
        ("no_earlier_decision", 15_000_000),
    ]


@pytest.mark.parametrize("clock", ["09:00", "11:00"])
def test_a_purchase_that_was_none_earns_nothing_whatever_number_its_refund_has(clock: str) -> None:
    """Also a credit before a new invoice; what comes back without a cost is lost, as everywhere."""
    bought = _sale(13, "10:00", 5) | {"order_id": "o1", "shopper_id": "ann"}
    back = _sale(13, clock, 5) | {"event_type": "refund", "event_id": "c1", "order_id": "c1", "shopper_id": "ann"}
    first = _sale(12, "10:00", 1) | {"order_id": "o0", "shopper_id": "bob"}
    log = SalesLog(pipeline_of(), [first, bought, back], date(2026, 1, 12), date(2026, 1, 14))
    rows, tallies = made(log)
    assert [(row["metrics"]["sold"], row["metrics"]["margin"], row["reward"]) for row in rows] == [(0, 0, 0), (0, 0, 0)]
    assert {outcome for _, outcome, _, worth in outcomes(tallies) if worth} == {"attributed", "no_earlier_decision"}


def test_what_is_held_and_ordered_is_worth_nothing_in_rows() -> None:
    """Nobody counted it: a row's reward is the margin of what was sold, and its action is that of no units."""
    log = SalesLog(pipeline_of(), [_sale(12, "10:00", 3), _sale(13, "10:00", 2)], date(2026, 1, 12), date(2026, 1, 14))
    rows, _ = made(log)
    assert [(row["reward"], row["action_key"], row["propensity_source"]) for row in rows] == [
        (6_000_000, "0", "none"),
        (0, "0", "none"),
    ]


def _sale(day: int, clock: str, pieces: int) -> dict[str, Any]:
    money = {"quantity": pieces, "amount": pieces * 5_000_000, "cost": pieces * 2_000_000}
    return event("purchase", clock, day=date(2026, 1, day), user_id="hat", item_id="hat", **money)


@pytest.mark.parametrize(
    ("hour", "clocks", "is_refused"),
    [
        (4, ("00:00", "00:00", "00:00"), True),
        (4, ("01:00", "01:00", "01:00"), True),  # midnight of another zone
        (4, ("10:00", "10:00", "00:00"), True),  # of late
        (4, ("00:00", "10:00", "11:00"), False),
        (4, ("03:10", "03:20", "02:45"), False),  # who sells at night has other times
        (4, ("10:00", "10:00", "10:00"), False),
        (0, ("00:00", "00:00", "00:00"), False),
    ],
)
def test_dates_for_times_are_refused_where_a_day_starts_later(
    hour: int, clocks: tuple[str, ...], is_refused: bool
) -> None:
    """Each purchase would be the day before's, whose morning would seem to have seen it coming."""
    pipeline = pipeline_of(hour=hour)
    rows = [_sale(12 + number, clock, 2) for number, clock in enumerate(clocks) for _ in range(3)]
    rows += [_sale(12 + number, "16:00", 1) for number in range(3)]
    log = SalesLog(pipeline, rows, date(2026, 1, 12), date(2026, 1, 15))
    _, tallies = made(log)
    found = dates_for_times(Made([], summed_tallies(tallies)), pipeline, "transitions/x", dates=log.dates)
    assert bool(found) is is_refused
    if found:
        assert "most purchases are at one full hour before 4:00 in UTC" in found[0]
        assert "write ordering: {hour: 0}" in found[0]
    assert not dates_for_times(Made([], summed_tallies(tallies)), pipeline, "x", dates=[])


def test_mornings_have_one_name_whatever_else_is_there() -> None:
    """A decision's id says which product and day it is of."""
    log = SalesLog(pipeline_of(), [_sale(12, "10:00", 3)], date(2026, 1, 12), date(2026, 1, 13))
    (row,), _ = made(log)
    again, _ = made(SalesLog(log.pipeline, [*log.rows, _sale(12, "11:00", 1)], log.first, log.horizon))
    assert [one["decision_id"] for one in again] == [row["decision_id"]]
    assert isinstance(row["decision_id"], str)
    assert pa.scalar(row["decision_id"]).as_py()


DIGESTS = {3: "778adc0be055478d1067228409fc1364"}
"""By version of products: of what is made of 30 random logs that count nothing."""


def test_what_is_made_of_a_log_without_counts_is_its_version_of_products() -> None:
    """Raise PRODUCT_VERSION and add the digest where something else is meant to be made of such logs."""
    state = sha256()
    for seed in range(30):
        rows, tallies = made(random_log(seed))
        told = sorted(json.dumps(one, sort_keys=True, default=str) for one in tallies)
        state.update(json.dumps([rows, told], sort_keys=True, default=str).encode())
    assert state.hexdigest()[:32] == DIGESTS[PRODUCT_VERSION]
