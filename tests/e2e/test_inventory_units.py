"""The shop that orders stock, from four dirty feeds to transitions: units and money, exactly, by product and day."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.id_form import keyed_id
from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import transitions_table
from jobs.commands.ingest import ingest
from jobs.events.events_reading import read_events, read_files
from jobs.transitions.build import build
from rl.shops.inventory.inventory_settings import InventorySettings, StockDirt
from rl.shops.inventory.writer import write_inventory_logs

KEY = "a key for tests only"
ZONE = ZoneInfo("Europe/Berlin")
# Over the end of summer time, on 26 October 2025.
SHOP = InventorySettings(
    first_day=date(2025, 10, 6),
    n_days=42,
    n_products=14,
    newcomer_share=0.2,
    leaver_share=0.2,
    refund_share=0.05,
    shrinkage_rate=0.01,
    seed=5,
    dirt=StockDirt(duplicate_rate=0.02, late_rate=0.03, missed_count_rate=0.01, recount_rate=0.02),
)
HOLDING, ORDER_LINE = 20_000, 500_000

Row = dict[str, Any]
Cell = tuple[str, date]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """So few lines have too many broken ones on some day, and too many counts are missing."""
    made = load_pipeline("inventory", "simulated_inventory")
    source = made.source.model_copy(update={"max_rejected_share": 1.0})
    scenario = made.scenario.model_copy(update={"max_quarantined_share": 1.0})
    return Pipeline(source=source, scenario=scenario)


@pytest.fixture(scope="module")
def built(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline
) -> tuple[dict[Cell, Row], Row, Path]:
    """Transitions by product and day, the result of the build, and the shop's folder."""
    home = tmp_path_factory.mktemp("inventory")
    write_inventory_logs(home / "shop", SHOP)
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})
    last = SHOP.first_day + timedelta(days=SHOP.n_days - 1)
    ingest(spark, settings, pipeline.source, logs=home / "shop" / "logs", horizon=last, code_hash="code")
    result = build(spark, settings, pipeline, last)
    folder = Lake(settings.lake, pipeline.source.name).transitions("inventory", data_spec_hash(pipeline))
    files = [file for pointer in read_pointers(folder).values() for file in pointer.files]
    frame = read_files(spark, transitions_table(pipeline.scenario), folder, files, ("date",))
    rows = [row.asDict(recursive=True) for row in frame.collect()]
    return {(row["user_id"], day_of(row["decision_time"])): row for row in rows}, result, home / "shop"


def day_of(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


def kept_by(shop: Path) -> dict[Cell, Row]:
    return {(row["article"], row["day"]): row for row in pq.read_table(shop / "stock_days.parquet").to_pylist()}


def settled(kept: dict[Cell, Row]) -> dict[Cell, Row]:
    """Days whose lines were all delivered, as was the count that ends them."""
    return {
        (article, day): row
        for (article, day), row in kept.items()
        if not row["has_gap"] and kept.get((article, day + timedelta(days=1)), {"is_counted": False})["is_counted"]
    }


def test_every_count_is_a_decision_or_set_aside(built: tuple[dict[Cell, Row], Row, Path]) -> None:
    """The first of each product and day; a missing one sets the block before it aside."""
    rows, result, shop = built
    counted = {cell for cell, row in kept_by(shop).items() if row["is_counted"]}
    assert rows.keys() <= counted
    aside = result["quarantined"]
    assert len(counted) - len(rows) == aside["decisions"]
    assert 0 < aside["episodes"] <= aside["missed_count"] < aside["decisions"]
    missed = [cell for cell, row in kept_by(shop).items() if not row["is_counted"]]
    assert not {(article, day - timedelta(days=1)) for article, day in missed} & rows.keys()


def test_every_unit_is_accounted_for_by_product_and_day(built: tuple[dict[Cell, Row], Row, Path]) -> None:
    """Opening, ordered, received, sold, closing and shrinkage are the shop's own; the action tells what was ordered."""
    rows, _, shop = built
    whole = settled(kept_by(shop))
    n_compared = 0
    for cell, row in rows.items():
        if cell in whole:
            one, metrics = whole[cell], row["metrics"]
            names = ("opening", "ordered", "received", "sold", "closing", "shrinkage")
            assert {name: metrics[name] for name in names} == {name: one[name] for name in names}, cell
            assert metrics["ran_out"] == one["ran_out"], cell
            low, _, high = row["action_key"].partition("-")
            assert int(low.rstrip("+")) <= one["ordered"] <= int(high or (low if low.isdigit() else 10**9))
            n_compared += 1
    assert n_compared > 250
    assert {row["metrics"]["ran_out"] for row in rows.values()} == {0, 1}


def test_shrinkage_of_a_block_is_what_the_counts_leave_unexplained(built: tuple[dict[Cell, Row], Row, Path]) -> None:
    """Per product and block: opening stock + receipts - sales - closing stock, from first to last count."""
    rows, _, shop = built
    kept, whole = kept_by(shop), settled(kept_by(shop))
    blocks: dict[str, list[Cell]] = defaultdict(list)
    for cell, row in rows.items():
        blocks[row["episode_id"]].append(cell)
    n_lost = 0
    for cells in blocks.values():
        cells.sort(key=lambda cell: cell[1])
        if not set(cells) <= whole.keys():
            continue
        metrics = [rows[cell]["metrics"] for cell in cells]
        received, sold = (sum(one[name] for one in metrics) for name in ("received", "sold"))
        lost = metrics[0]["opening"] + received - sold - metrics[-1]["closing"]
        assert lost == sum(one["shrinkage"] for one in metrics) == sum(kept[cell]["shrinkage"] for cell in cells)
        assert all(earlier["closing"] == later["opening"] for earlier, later in pairwise(metrics))
        n_lost += lost
    assert n_lost > 0


def test_every_decision_earns_its_margin_less_holding_and_ordering(built: tuple[dict[Cell, Row], Row, Path]) -> None:
    """To the millionth: what sales brought, less refunds, what the next count finds, and a line of an order."""
    rows, _, shop = built
    whole = settled(kept_by(shop))
    refunded = 0
    for cell, row in rows.items():
        if cell in whole:
            one = whole[cell]
            margin = one["amount"] - one["cost"] - one["refunded_amount"]
            ordered = ORDER_LINE if one["ordered"] else 0
            assert row["reward"] == margin - HOLDING * one["closing"] - ordered, cell
            assert row["metrics"]["revenue"] == one["amount"] - one["refunded_amount"]
            refunded += one["refunded_amount"]
    assert refunded > 0


def test_the_ledger_holds_all_of_the_money(built: tuple[dict[Cell, Row], Row, Path]) -> None:
    """Transitions and residuals with names, and nothing else."""
    rows, result, _ = built
    reward = result["reward"]
    assert sum(row["reward"] for row in rows.values()) == reward["transitions"]
    named = {name: worth for name, worth in reward["residuals"].items() if worth}
    assert named.keys() <= {"duplicate_across_deliveries", "no_earlier_decision", "quarantined", "recount"}
    assert named["recount"] < 0 and named["no_earlier_decision"] < 0
    assert reward["events"] == reward["transitions"] + sum(named.values())


def test_days_of_a_block_follow_one_another(built: tuple[dict[Cell, Row], Row, Path], pipeline: Pipeline) -> None:
    """A day apart, ended by time alone; what is observed next is what the next day observes."""
    rows, _, _ = built
    episodes: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows.values(), key=lambda one: one["step"]):
        episodes[row["episode_id"]].append(row)
    assert {len(one) for one in episodes.values()} <= set(range(1, 29))
    for steps in episodes.values():
        assert [row["step"] for row in steps] == list(range(len(steps)))
        assert [row["timeout"] for row in steps] == [False] * (len(steps) - 1) + [True]
        assert not any(row["terminal"] for row in steps)
        days = [day_of(row["decision_time"]) for row in steps]
        assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
        assert all(earlier["next_observation"] == later["observation"] for earlier, later in pairwise(steps))
        assert all(row["observation"]["units_on_hand"] == row["metrics"]["opening"] for row in steps)
    assert all(row["propensity"] is None and row["date"] <= day for (_, day), row in rows.items())


def test_what_is_on_its_way_is_what_was_ordered_and_has_not_come(built: tuple[dict[Cell, Row], Row, Path]) -> None:
    """Of days whose lines came on time: all orders before less all receipts before, whatever day they are due."""
    rows, _, shop = built
    kept = kept_by(shop)
    late = {(one["article"], one["day"]) for one in kept.values() if one["has_gap"]}
    n_right = n_asked = 0
    for (article, day), row in rows.items():
        before = [one for (other, then), one in kept.items() if other == article and then < day]
        if not late & {(article, one["day"]) for one in before}:
            n_asked += 1
            n_right += row["observation"]["units_on_order"] == sum(one["ordered"] - one["received"] for one in before)
            due = [row["observation"][f"units_due_in_{n}d"] for n in range(3)]
            assert sum(due) == row["observation"]["units_on_order"]
    # Lines that come a day late are not seen yet.
    assert n_right > 0.8 * n_asked > 0


def test_the_shop_s_own_events_are_of_no_shopper(
    built: tuple[dict[Cell, Row], Row, Path], spark: SparkSession, pipeline: Pipeline
) -> None:
    """Counts, orders and receipts have no pseudonym, so that they are in nobody's session."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(built[2].parent), "NIGHTCART_PSEUDONYM_KEY": KEY})
    lake, last = Lake(settings.lake, pipeline.source.name), date(2025, 12, 31)
    events = read_events(spark, lake, first_event_date=SHOP.first_day, last_event_date=last, last_delivery_date=last)
    told = events.select("event_type", (events["user_id"] == "").alias("is_own")).distinct().collect()
    assert {(row["event_type"], row["is_own"]) for row in told} == {
        *((kind, True) for kind in ("stock", "order", "receipt")),
        *((kind, False) for kind in ("purchase", "refund")),
    }


def test_decisions_keep_the_id_of_their_count(built: tuple[dict[Cell, Row], Row, Path]) -> None:
    """By which whoever holds the log finds it."""
    rows, _, _ = built
    for (article, day), row in rows.items():
        count = f"Z{(day - SHOP.first_day).days:04d}-{article}"
        assert row["decision_id"] == keyed_id(count, KEY.encode())
