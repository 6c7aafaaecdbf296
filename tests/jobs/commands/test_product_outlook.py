"""What check-source says of a log's products: which verdicts there can be, and whether times are dates."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.source import load_source
from jobs.commands.check_source import _usual_scenario
from jobs.commands.outlook import lines_of, result_of
from jobs.commands.source_outlook import OutlookEvent, ToldEvents


def sale(item: str, hour: int, zone: str = "Europe/Berlin") -> OutlookEvent:
    moment = datetime(2026, 3, 3, hour, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    fields = {"item_id": item, "quantity": 1, "amount": 5, "cost": 2}
    return OutlookEvent(int(moment.timestamp() * 1_000_000), "ann", "purchase", fields)


def told(events: list[OutlookEvent], pipeline: Pipeline) -> list[str]:
    return lines_of(ToldEvents(events, events), pipeline.source, pipeline, is_all=False)


def test_orders_from_sales_are_no_case_for_abstaining() -> None:
    """Decisions are implied, and a night promotes or rejects all the same: by replay, over a stock that is declared."""
    pipeline = load_pipeline("orders_from_sales", "simulated_sales")
    lines = told([sale("hat", 20), sale("hat", 21), sale("shoe", 9)], pipeline)
    assert "stock is simulated (orders.declared_stock)" in lines[0] and "abstain" not in " ".join(lines)
    assert lines[1:] == ["3 purchases of 2 products among these lines"]
    result = result_of(ToldEvents([], []), pipeline.source, pipeline, is_all=True)
    assert result == {"verdict": lines[0]}


def test_orders_of_a_shop_that_counts_are_replayed() -> None:
    pipeline = load_pipeline("inventory", "simulated_inventory")
    assert told([], pipeline)[0].startswith("orders are judged by replay on what was sold")


@pytest.mark.parametrize(("hours", "is_told"), [((0, 0, 12), True), ((1, 1, 12), True), ((0, 12, 12), False)])
def test_dates_for_times_are_told_before_a_build_refuses_them(hours: tuple[int, ...], is_told: bool) -> None:
    """Most sales at midnight of the shop's own zone, where a product's day starts at four."""
    pipeline = load_pipeline("orders_from_sales", "simulated_sales")
    lines = told([sale("hat", hour) for hour in hours], pipeline)
    assert ("write ordering: {hour: 0}, or map the time itself" in lines[-1]) is is_told


def test_sales_without_money_are_counted() -> None:
    pipeline = load_pipeline("orders_from_sales", "simulated_sales")
    bare = OutlookEvent(0, "ann", "purchase", {"item_id": "hat", "quantity": 1})
    assert told([bare], pipeline)[2].startswith("1 events lack the money that orders_from_sales counts")


def test_where_nobody_names_a_scenario_one_that_runs_on_the_source_is_meant() -> None:
    expected = {
        "online_retail_products": "orders_from_sales",
        "simulated_inventory": "inventory",
        "simulated_promotion": "promotion",
        "canonical": "recommendation",
    }
    assert {name: _usual_scenario(load_source(name)) for name in expected} == expected
