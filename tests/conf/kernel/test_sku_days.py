"""The clock of products against loops over rows, and what it says of days told by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

from conf.kernel import (
    orders_on_the_way,
    prices_before,
    product_features,
    stock_flows,
    timed_blocks,
    transitions,
)
from conf.kernel.calendar import calendar_of, date_of, day_number
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel.orders_on_the_way import OrderChanges
from conf.kernel.product_features import FEATURES, ProductFacts
from conf.kernel.told import Told, value_as_of
from conf.kernel.transitions import StreamTransitions
from conf.kernel.transitions import transitions as kernel
from conf.kernel_rules import as_of, longest_closing_days, rules_of
from conf.observation_features import PRODUCT_FEATURES
from conf.specs.problem import Ordering
from conf.specs.scenario import load_pipeline
from tests.conf.kernel.columns_of_rows import Log, array, ids, log_of, micros
from tests.conf.kernel.comparison import told_outcomes, told_quarantine, told_transitions
from tests.conf.kernel.planted_faults import Fault
from tests.conf.kernel.product_logs import ProductLog, Row, many_product_logs, product_logs, product_pipelines
from tests.conf.kernel.product_reference import told_of

PIPELINES = product_pipelines(120, seed=5)
LOGS = product_logs(PIPELINES)
N_LOGS = 250
"""Some times as many as the rarest fault needs: a change of what is drawn may make it rarer."""

FAULTS = {
    "periods start at midnight": Fault(SkuDay._period, "if not self.hour or not len(period)", "if True"),
    "weeks start on Mondays": Fault(SkuDay._first_day, "+ _A_MONDAY + self.weekday", "+ _A_MONDAY"),
    "every count is a decision": Fault(
        SkuDay.decide, "changes(stream.unit[counts],", "changes(stream.time_us[counts], stream.unit[counts],"
    ),
    "a block is a period": Fault(SkuDay.visits, "// self.periods", "// 1"),
    "a block closes at the next period's start": Fault(SkuDay._closings, "following != NOBODY", "following < NOBODY"),
    "an episode of products is terminal": Fault(
        timed_blocks.block_points, "np.zeros_like(is_last)", "np.ones_like(is_last)"
    ),
    "a missing count is overlooked": Fault(SkuDay.missed, "== period + 1", ">= period + 1"),
    "what left the range has missed a count": Fault(SkuDay.missed, "(goes_on & is_known)", "is_known"),
    "what is sold on without a count has left the range": Fault(SkuDay.missed, "(is_followed | ", "(is_followed & "),
    "a count is missed before its day is known": Fault(SkuDay.missed, "(goes_on & is_known)", "goes_on"),
    "a day's own sales tell that it went on": Fault(SkuDay._goes_on, ">= ends_us[count[moves]]", ">= 0"),
    "an order of the bound is the action below": Fault(SkuDay.decide, 'side="right"', 'side="left"'),
    "another product's count begins the period": Fault(
        stock_flows.counts_of, "(stream.unit[latest] == stream.unit) & ", ""
    ),
    "a period's events have no end": Fault(stock_flows.counts_of, "<= window_us", "<= 10 * window_us"),
    "the window's last moment is outside": Fault(stock_flows.counts_of, "<= window_us", "< window_us"),
    "another product's count closes": Fault(
        stock_flows.next_counts, " & (stream.unit[following] == stream.unit[rows])", ""
    ),
    "what came in doesn't count": Fault(stock_flows.book_changes, 'units_of(stream, "receipt")', "0"),
    "a day runs out at its end alone": Fault(
        stock_flows.stock_flows, "(_least(stream, rows, count, opening) <= 0)", "(book <= 0)"
    ),
    "what the days before brought fills the stock": Fault(stock_flows._least, " - running[rows[of]]", ""),
    "a recount is worth something": Fault(transitions.attributed_events, "decided.is_repeated[found.row]", "False"),
    "a late order is on its way at once": Fault(
        orders_on_the_way.order_changes, "np.maximum(stream.day, stream.delivery_day)", "stream.day"
    ),
    "an order is seen on its day": Fault(orders_on_the_way.order_changes, "[rows] + 1", "[rows]"),
    "an order is looked at a day longer": Fault(
        orders_on_the_way.order_changes, "day + rule.history_days,", "day + rule.history_days + 1,"
    ),
    "what is overdue is expected a day longer": Fault(
        orders_on_the_way.order_changes, "due + rule.overdue_days", "due + rule.overdue_days + 1"
    ),
    "rests are always expected": Fault(orders_on_the_way.order_changes, "if rule.drops_rests", "if False"),
    "a rest is dropped before its promised day is over": Fault(
        orders_on_the_way.order_changes, "np.maximum(due + 1, _first_seen", "np.minimum(due + 9, _first_seen"
    ),
    "what is due today is overdue": Fault(OrderChanges.overdue, "self.due + 1", "self.due"),
    "more may come than was ordered": Fault(
        orders_on_the_way._outstanding, "np.maximum(total - before, 0)", "(total - before)"
    ),
    "a receipt is of an order of any number": Fault(
        orders_on_the_way._grouped, "(known_pair[found] == asked_pair) & ", ""
    ),
    "what is overdue isn't due today": Fault(OrderChanges.due_in, "if not n_days", "if False"),
    "the last lead is of the last receipt": Fault(
        orders_on_the_way._tied, "(receipts, order_day,", "(order_day, receipts,"
    ),
    "a price ahead is today's": Fault(product_features._Asked.ahead, "+ n_days * MICROS_PER_DAY", "+ 0"),
    "another price is a higher one": Fault(prices_before._time_above, "value > asked", "value != asked"),
    "a price before the first one is none": Fault(prices_before._time_above, "(value == NO_ID) & ~is_last", "False"),
    "a price of two weeks isn't usual": Fault(prices_before.is_below_usual, ">= USUAL_US", "> USUAL_US"),
    "any higher price was usual": Fault(prices_before.is_below_usual, ">= USUAL_US", "> 0"),
    "what is told later is known before": Fault(
        prices_before._time_above, "told.delivery_day[row] < asked.day[question]", "told.delivery_day[row] >= 0"
    ),
    "the stock at an end is the last count": Fault(
        product_features._units_on_hand, " + running[np.maximum(points.row_end - 1, 0)] - running[last_row]", ""
    ),
    "a day's sales are those up to it": Fault(product_features._sold_on_day, " - asked.sold(number - 1)", ""),
}


def kernel_transitions(log: ProductLog) -> tuple[Log, StreamTransitions]:
    """The log's columns and what the kernel makes of them."""
    columns, source = log_of(log.rows), log.pipeline.source
    known = as_of(source, dates=log.dates, horizon=log.horizon, longest_days=longest_closing_days(log.pipeline))
    return columns, kernel(columns.stream, rules_of(log.pipeline), known, facts=facts_of(columns, log.items))


def facts_of(columns: Log, items: list[Row]) -> ProductFacts:
    units = {name: number for number, name in enumerate(columns.shoppers)}
    kept = [one for one in items if one["item_id"] in units]
    priced = [one for one in kept if one["price"] is not None]
    return ProductFacts(
        _told(priced, units, array(one["price"] + 1 for one in priced)), _told(kept, units, ids(kept, "category_id"))
    )


def _told(rows: list[Row], units: dict[str, int], values: np.ndarray) -> Told:
    return Told(
        array(units[one["item_id"]] for one in rows),
        array(micros(one["valid_from"]) for one in rows),
        array(day_number(one["delivery_date"]) for one in rows),
        values,
    )


def told(log: ProductLog) -> list[Row]:
    columns, made = kernel_transitions(log)
    return told_transitions(columns, made, log.pipeline)


def differences(log: ProductLog) -> list[str]:
    """Where kernel and reference differ: one line for each row and column."""
    columns, made = kernel_transitions(log)
    expected = told_of(log.rows, log.pipeline, items=log.items, dates=log.dates, horizon=log.horizon)
    found = told_transitions(columns, made, log.pipeline)
    wrong = []
    if (names := [row["event_id"] for row in found]) != (wanted := [row["event_id"] for row in expected.rows]):
        return [f"decisions {names}; expected {wanted}"]
    for row, one in zip(found, expected.rows, strict=True):
        wrong += [f"{row['event_id']} {key}: {row[key]}; expected {one[key]}" for key in row if row[key] != one[key]]
    if (outcomes := told_outcomes(columns, made)) != expected.outcomes:
        wrong.append(f"outcomes {outcomes}; expected {expected.outcomes}")
    if (aside := told_quarantine(columns, made)) != expected.aside:
        wrong.append(f"set aside {aside}; expected {expected.aside}")
    return wrong


@cache
def searched(seed: int) -> ProductLog:
    return many_product_logs(PIPELINES, seed)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(LOGS)
def test_days_of_products_are_those_of_loops_over_the_rows(log: ProductLog) -> None:
    """Every feature, reward, metric, end and outcome of every row, whatever the period, hour, zone and lateness."""
    assert differences(log) == []


def test_days_of_many_products_are_those_of_loops_over_the_rows() -> None:
    """The same of some hundred logs, twelve at once; they hold what the rules turn on."""
    logs = [searched(seed) for seed in range(60)]
    assert [found for log in logs if (found := differences(log))] == []
    made = [row for log in logs for row in told(log)]
    assert len(made) > 1_000
    assert {row["step"] for row in made} >= {0, 1, 2}
    assert not any(row["terminal"] for row in made)
    assert {row["metrics"].get("ran_out") for row in made} >= {0, 1}
    assert any(row["observation"]["units_due_in_1d"] for row in made)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of the logs at least, kernel and reference differ, and without the fault they don't."""
    monkeypatch.setattr(fault.function, "__code__", fault.code)
    found = next((seed for seed in range(N_LOGS) if differences(searched(seed))), None)
    assert found is not None
    monkeypatch.undo()
    assert differences(searched(found)) == []


def test_each_feature_has_its_meaning() -> None:
    """What the kernel computes is what specs may name."""
    assert set(FEATURES) == set(PRODUCT_FEATURES)


@pytest.mark.parametrize("seed", range(12))
def test_rows_of_a_block_need_only_the_days_around_it(seed: int) -> None:
    """As many before as history and attribution reach, as many behind as a partition takes to settle."""
    log = searched(seed)
    rule = rules_of(log.pipeline).attribution
    for day in {row["date"] for row in told(log)}:
        first, last = day - timedelta(days=rule.reach_days), day + timedelta(days=log.pipeline.settle_days)
        around = [row for row in log.rows if first <= row["event_date"] <= last]
        cut = ProductLog(log.pipeline, around, log.items, [day], log.horizon)
        expected = [row for row in told(log) if row["date"] == day]
        # The first event of a block names its episode; what lies before the day isn't of it.
        assert told(cut) == expected


def test_periods_hold_together_over_a_change_of_clocks() -> None:
    """Days start at their hour on the wall, on days on which clocks change, too."""
    clock = SkuDay(days=1, weekday=0, hour=6, periods=7, max_steps=10, window_us=0)
    calendar = calendar_of("Europe/Berlin", day_number(date(2026, 3, 1)), day_number(date(2026, 4, 30)))
    days = np.array([day_number(date(2026, 3, day)) for day in (28, 29, 30)], dtype=np.int64)
    starts = [datetime.fromtimestamp(one / 1e6, UTC) for one in clock.starts_us(clock._period_of_day(days), calendar)]
    assert starts == [
        datetime(2026, 3, 28, 5, tzinfo=UTC),
        datetime(2026, 3, 29, 4, tzinfo=UTC),
        datetime(2026, 3, 30, 4, tzinfo=UTC),
    ]


@pytest.mark.parametrize(("days", "periods"), [(1, 1), (1, 28), (7, 4)])
def test_each_day_has_one_partition_that_starts_before_it(days: int, periods: int) -> None:
    """A block's first day answers for its days; a first day holds moments of the block before, too."""
    clock = SkuDay(days=days, weekday=2, hour=6, periods=periods, max_steps=100, window_us=0)
    all_days = np.arange(day_number(date(2026, 1, 1)), day_number(date(2026, 12, 31)), dtype=np.int64)
    owners = clock.partition_days(all_days)
    assert ((all_days - owners >= 0) & (all_days - owners < days * periods)).all()
    assert (np.diff(np.unique(owners)) == days * periods).all()
    if days == 7:
        assert {date_of(one).weekday() for one in owners.tolist()} == {2}
    first = owners[all_days == owners][1:2]
    assert clock.starting_days(first).tolist() == [first[0] - days * periods, first[0]]


def days_of(*events: tuple[int, int, str, int]) -> list[Row]:
    """Events of one product: the day of January 2026, hour, type and pieces of each, all delivered on their days."""
    names = ("amount", "cost", "discount", "order_id", "category_id", "action", "price", "decision_id")
    nothing = dict.fromkeys((*names, "availability_id", "position"))
    return [
        nothing
        | {
            "event_id": f"e{number}",
            "user_id": "hat",
            "item_id": "hat",
            "event_time": datetime(2026, 1, day, hour, tzinfo=UTC),
            "event_date": date(2026, 1, day),
            "delivery_date": date(2026, 1, day),
            "event_type": kind,
            "quantity": pieces,
        }
        for number, (day, hour, kind, pieces) in enumerate(events)
    ]


def log_of_days(rows: list[Row], *, last: int, items: Sequence[Row] = ()) -> ProductLog:
    """What the shipped scenario makes of January 2026 up to its last day."""
    pipeline = load_pipeline("inventory", "simulated_inventory")
    dates = [date(2025, 12, 1) + timedelta(days=day) for day in range(62)]
    return ProductLog(pipeline, rows, list(items), dates, date(2026, 1, last))


COUNTED = (1, 2, 3)
OUTAGE = days_of(
    *((day, 5, "stock", 30) for day in (*COUNTED, 13)), *((day, 12, "purchase", 5) for day in range(1, 15))
)


def test_a_gap_in_counts_beyond_the_window_is_no_day_of_many_sales() -> None:
    """Nine days without a count, on which it was sold on: nobody knows the last count's day, as with one missed."""
    log = log_of_days(OUTAGE, last=14)
    columns, made = kernel_transitions(log)
    assert differences(log) == []
    assert [row["event_id"] for row in told(log) if row["metrics"]["sold"] > 5] == []
    assert [reason for reason in told_quarantine(columns, made).values() if reason] == ["missed_count"]


@pytest.mark.parametrize(("last", "n_kept"), [(4, 3), (5, 0)])
def test_a_count_is_missed_once_its_day_is_known_whole(last: int, n_kept: int) -> None:
    """The count of the 4th may come with the delivery of the 5th; then nothing is left to wait for."""
    rows = [row for row in OUTAGE if row["event_date"].day <= last]
    assert len(told(log_of_days(rows, last=last))) == n_kept


def test_what_moves_no_more_has_left_the_range() -> None:
    """Its last day is known as it is."""
    rows = [row for row in OUTAGE if row["event_date"].day <= COUNTED[-1]]
    assert [row["metrics"]["sold"] for row in told(log_of_days(rows, last=14))] == [5, 5, 5]


def due_today(rows: list[Row], **ordering: object) -> list[tuple[int, int]]:
    """What is due each day of the shipped scenario or overdue, and of it what is overdue, from the 4th to the 9th."""
    pipeline = load_pipeline("inventory", "simulated_inventory")
    rule = rules_of(
        pipeline.model_copy(
            update={
                "scenario": pipeline.scenario.model_copy(
                    update={"ordering": pipeline.scenario.ordering.model_copy(update=ordering)}  # type: ignore[union-attr]
                )
            }
        )
    ).products
    assert rule is not None
    found = orders_on_the_way.order_changes(log_of(rows).stream, rule.orders)
    days = np.arange(day_number(date(2026, 1, 4)), day_number(date(2026, 1, 10)))
    unit = np.zeros_like(days)
    return list(zip(found.due_in(0, unit, days).tolist(), found.overdue(unit, days).tolist(), strict=True))


def of_order(*events: tuple[int, int, str, int]) -> list[Row]:
    return [row | {"order_id": "A"} for row in days_of(*events)]


def test_what_a_supplier_cancels_is_expected_for_two_days_and_no_longer() -> None:
    """Of 100 for the 4th, 60 come that day; the rest is overdue, not on its way for a month."""
    short = of_order((1, 8, "order", 100), (4, 9, "receipt", 60))
    assert due_today(short) == [(100, 0), (40, 40), (40, 40), (0, 0), (0, 0), (0, 0)]
    assert due_today(short, overdue_days=1) == [(100, 0), (40, 40), (0, 0), (0, 0), (0, 0), (0, 0)]
    assert due_today(short, rests="dropped") == [(100, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
    early = of_order((1, 8, "order", 100), (3, 9, "receipt", 60))
    assert due_today(early, rests="dropped")[:2] == [(40, 0), (0, 0)]


def test_what_comes_two_days_late_is_expected_until_it_comes() -> None:
    """As in the simulated shop, whatever becomes of rests: nothing of it has come."""
    late = of_order((1, 8, "order", 100), (6, 9, "receipt", 100))
    assert due_today(late)[:4] == [(100, 0), (100, 100), (100, 100), (0, 0)]
    assert due_today(late, rests="dropped") == due_today(late)


@pytest.mark.parametrize(("lead_days", "expected"), [(1, 2), (7, 2), (14, 4), (30, 10)])
def test_long_ways_may_take_longer(lead_days: int, expected: int) -> None:
    """Unless declared: a third of what is promised, two days at least."""
    assert Ordering(lead_days=lead_days).expected_overdue_days == expected
    assert Ordering(lead_days=lead_days, overdue_days=0).expected_overdue_days == 0
    assert Ordering(lead_days=lead_days, receipts="none").expected_overdue_days == 0


def test_without_receipts_nothing_is_overdue() -> None:
    """Declared all the same, it is an error; and a feature of it is left out."""
    with pytest.raises(ValueError, match="overdue_days and rests are told by receipts"):
        Ordering(lead_days=3, receipts="none", rests="dropped")


def reduced(*prices: tuple[int, int], days: Iterable[int], told_ahead: int = 1) -> list[int]:
    """Whether prices are reduced at five o'clock on days of a year, by the first day and price of each row."""
    first, hour = day_number(date(2026, 1, 1)), 3_600_000_000
    asked = np.array(list(days), dtype=np.int64) + first
    since = np.array([day for day, _ in prices], dtype=np.int64) + first
    value = np.array([price for _, price in prices], dtype=np.int64) + 1
    told = Told(np.zeros_like(since), since * 24 * hour, since - told_ahead, value)
    unit, moment = np.zeros_like(asked), (asked * 24 + 5) * hour
    price = value_as_of(told, unit, moment, asked)
    return prices_before.is_below_usual(told, price, unit, moment, asked).astype(int).tolist()


FORTNIGHT = [int(3 <= day < 17) for day in range(30)]


def test_a_promotion_is_the_same_told_as_changes_or_day_by_day() -> None:
    """A file of each day repeats what holds; the delivery of a day counts from the next one on."""
    by_day = [(day, 7 if 3 <= day < 17 else 10) for day in range(30)]
    assert reduced((0, 10), (3, 7), (17, 10), days=range(30)) == FORTNIGHT
    assert reduced(*by_day, days=range(30)) == FORTNIGHT
    seen = reduced(*by_day, days=range(1, 30), told_ahead=0)
    assert seen == FORTNIGHT[:-1]


def test_a_promotion_in_steps_is_one() -> None:
    """Its second price is above its first, and below the usual one."""
    assert reduced((0, 10), (3, 7), (10, 8), (17, 10), days=range(30)) == FORTNIGHT


def test_a_lower_price_is_the_usual_one_after_six_weeks() -> None:
    """In one row or day by day; what goes below it then is reduced, and the old price again isn't."""
    expected = [0] * 3 + [1] * 42 + [0] * 15
    assert reduced((0, 10), (3, 9), days=range(60)) == expected
    assert reduced(*((day, 10 if day < 3 else 9) for day in range(60)), days=range(60)) == expected
    assert reduced((0, 10), (3, 9), (100, 8), (107, 10), days=[99, 100, 106, 107]) == [0, 1, 1, 0]


def test_promotions_that_follow_one_another_are_told() -> None:
    """Three fortnights in a row; and two, one without, and another."""
    assert reduced((0, 10), (30, 7), (44, 7), (58, 7), days=[29, 30, 50, 71, 72]) == [0, 1, 1, 1, 0]
    assert reduced((0, 10), (30, 7), (58, 10), (72, 7), (86, 10), days=[57, 58, 72, 85, 86]) == [1, 0, 1, 1, 0]


def test_a_higher_price_of_some_days_makes_no_promotion_of_the_usual_one() -> None:
    """Ten days at 12, by mistake or not."""
    assert reduced((0, 10), (50, 12), (60, 10), days=[50, 59, 60, 80]) == [0, 0, 0, 0]


def test_a_higher_price_hides_no_promotion_and_makes_none() -> None:
    """A week after it rose, 9 is below 10 still, which was usual until then."""
    assert reduced((0, 10), (50, 11), (57, 9), (64, 11), days=[49, 50, 56, 57, 63, 64]) == [0, 0, 0, 1, 1, 0]


def test_a_price_that_is_told_again_before_it_counts_from_then_on() -> None:
    """The row that it repeats is delivered later, and isn't known yet."""
    day, value = 86_400_000_000, np.array([11, 11, 8], dtype=np.int64)
    told = Told(np.zeros_like(value), np.array([0, 30, 50]) * day, np.array([99, 29, 49]), value)
    one = np.zeros(1, dtype=np.int64)
    assert prices_before.is_below_usual(told, one + 8, one, one + 55 * day, one + 55).tolist() == [True]


def test_many_prices_are_asked_for_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any size, to the same answers."""
    monkeypatch.setattr(prices_before, "_N_AT_ONCE", 7)
    assert reduced((0, 10), (3, 7), (17, 10), days=range(30)) == FORTNIGHT
