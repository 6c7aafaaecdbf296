"""Nights of orders in the benchmark: from deliveries to rows, judged as a night judges itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.settings import Settings
from rl.orders.order_figures import order_figures
from rl.shops.inventory.inventory_settings import InventorySettings, StockDirt
from rl.shops.inventory.stock_days import simulate_days
from rl.shops.settings_file import changed_settings
from tests.bench import bench_inventory
from tests.bench.inventory.night_kinds import NIGHTS, TriedNight
from tests.bench.inventory.night_trial import JudgedNight, Row, correction_rows, judged_night, night_rows
from tests.rl.orders.order_lake import write_order_lake


def home_of(shop: InventorySettings, folder: Path) -> Settings:
    """A home of the shop, its transitions written without Spark.

    On the morning after the last day that is published nothing but tomorrow's orders is known.
    """
    return write_order_lake(folder / "home", simulate_days(changed_settings(shop, n_days=shop.n_days + 1)))[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of the small shop that orders every day."""
    return home_of(NIGHTS["shared"][0].small().shop, tmp_path_factory.mktemp("nights"))


def small(kind: str, *algorithms: str, **orders: Any) -> TriedNight:
    """The kind's first night on the small shop, with some of its candidates."""
    tried = NIGHTS[kind][0].small()
    kept = tuple(one for one in tried.orders.candidates if one.algorithm in algorithms)
    return TriedNight(kind, tried.shop, tried.orders.model_copy(update={"candidates": kept, **orders}), tried.note)


def ways(rows: Sequence[Row]) -> dict[str, Row]:
    return {row["way"]: row for row in rows if "way" in row}


@pytest.fixture(scope="module")
def plain(home: Settings) -> JudgedNight:
    return judged_night(small("daily", "reorder_point", "newsvendor", "awac"), home)


def test_all_ways_are_led_as_the_night_leads_those_that_it_judges(plain: JudgedNight) -> None:
    """The same draws of demand, so the same earnings; the others stand beside them."""
    rows = ways(list(night_rows(plain)))
    assert set(rows) == {"behavior", "reorder_point-1", "newsvendor-1", "awac-1", "awac.as_logged-1"}
    own = order_figures(plain.night).ways
    assert {"behavior", plain.night.selection.best} <= {way.name for way in own} < set(rows)
    for way in own:
        assert rows[way.name]["earned"][0] == round(way.earned.value, 2)
        assert way.truth is not None and rows[way.name]["true"][0] == round(way.truth, 2)


def test_leads_are_over_the_best_formula(plain: JudgedNight) -> None:
    """It has none over itself; on test days and on true demand the others' are what they earn more."""
    rows, formula = ways(list(night_rows(plain))), plain.night.selection.formula
    assert rows[formula]["lead_on"] == {}
    for name, row in rows.items():
        if name != formula:
            for days, earned in (("test", "earned"), ("true", "true")):
                lead, lower, upper = row["lead_on"][days]
                assert lead == pytest.approx(row[earned][0] - rows[formula][earned][0], abs=0.011)
                assert lower <= lead <= upper
            assert set(row["lead_on"]) == {"validation", "test", "true"}


def test_the_night_says_what_it_chose_and_gained(plain: JudgedNight) -> None:
    """Over today's rule; learners on orders as logged, after twenty updates, are no choice."""
    *_, answer = night_rows(plain)
    rows = ways(list(night_rows(plain)))
    assert answer["chosen"] == answer["formula"] == plain.night.selection.best
    assert answer["gain"][0] == pytest.approx(
        rows[answer["chosen"]]["earned"][0] - rows["behavior"]["earned"][0], abs=0.011
    )
    assert answer["gain_true"][0] > 0
    assert answer["verdict"] in ("promote", "reject", "abstain")


def test_a_shared_limit_is_kept_by_all_but_today_s_rule(home: Settings, plain: JudgedNight) -> None:
    """Its days beyond stand in the row; less is kept than without it."""
    tried = small("shared", "newsvendor")
    limit = tried.orders.shared_limit
    assert limit is not None
    tight = TriedNight(
        tried.kind,
        tried.shop,
        tried.orders.model_copy(update={"shared_limit": limit.model_copy(update={"at_most": 400.0})}),
    )
    rows = list(night_rows(judged_night(tight, home)))
    found = ways(rows)
    assert found["newsvendor-1"]["days_beyond"] == 0 < found["behavior"]["days_beyond"]
    assert found["newsvendor-1"]["kept"] < 400 < ways(list(night_rows(plain)))["newsvendor-1"]["kept"]
    assert "days_beyond" not in ways(list(night_rows(plain)))["newsvendor-1"]


def test_goods_that_don_t_keep_tell_their_waste(home: Settings) -> None:
    """More of it where they keep for fewer days; what it costs where items tell a cost, which this home's don't."""
    counted = [tried for tried in NIGHTS["shelf"] if tried.orders.shelf is not None and not tried.orders.shelf.charged]
    five, three = (
        ways(list(night_rows(judged_night(small("shelf", "newsvendor", shelf=one.orders.shelf), home))))["newsvendor-1"]
        for one in counted
    )
    assert 0 < five["wasted"] < three["wasted"]
    assert "waste" not in three


def test_what_corrected_forecasts_bring_is_told_by_way(tmp_path: Path) -> None:
    """Both nights' policies on the same true demand, each by its own forecasts."""
    tried = small("corrected", "base_stock")
    weeks = changed_settings(tried.shop, n_products=24, seed=2, catalogue_seed=2, dirt=StockDirt.none())
    settings = home_of(weeks, tmp_path)
    plain, corrected = (
        judged_night(
            TriedNight(tried.kind, weeks, tried.orders.model_copy(update={"corrects_forecasts": corrects})), settings
        )
        for corrects in (False, True)
    )
    misses, told = list(correction_rows(plain, corrected, home=settings.home))
    assert misses["is_corrected"] and misses["missed_less_of_a_day"] > 3
    gain, lower, upper = told["by_correction"]
    more = [ways(list(night_rows(one)))["base_stock-1"]["true"][0] for one in (corrected, plain)]
    assert lower <= gain <= upper and gain != 0
    assert gain == pytest.approx(more[0] - more[1], abs=0.011)


@pytest.mark.usefixtures("compiled_plans")
def test_a_small_run_reads_deliveries(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Orders on Mondays: deliveries of a shop of its own, and promotions seen ten days ahead."""
    for name, value in {"METHODS": "night", "NIGHTS": "weekly", "SMALL": "1"}.items():
        monkeypatch.setenv(name, value)
    bench_inventory.main()
    *rows, answer, summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["shop"] for row in rows} == {"14 products, seed 3, catalogue 1"}
    assert set(ways(rows)) == {"behavior", *NIGHTS["weekly"][0].orders.candidate_names}
    today = ways(rows)["behavior"]
    # The log's own orders on true demand: where nothing else is drawn, replays differ by what hid demand alone.
    assert today["true"][0] == pytest.approx(today["earned"][0], rel=0.03)
    assert 0.8 < today["met_true"] < 1
    assert answer["n_test_days"] == 46 and answer["chosen"] in ways(rows)
    assert summary["summary"] == []
