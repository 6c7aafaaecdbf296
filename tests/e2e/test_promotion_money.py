"""The shop of weekly offers, from three dirty feeds to transitions: its money, to the millionth, by decision."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

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
from jobs.events.events_reading import read_files
from jobs.transitions.build import build
from rl.shops.promotion.promotion_settings import FeedDirt, PromotionSettings
from rl.shops.promotion.writer import write_promotion_logs

KEY = "a key for tests only"
N_WEEKS = 5

Row = dict[str, Any]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """So few lines have too many broken ones on some day."""
    made = load_pipeline("promotion", "simulated_promotion")
    source = made.source.model_copy(update={"max_rejected_share": 1.0})
    return made.model_copy(update={"source": source})


@pytest.fixture(scope="module")
def built(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline
) -> tuple[list[Row], Row, Path]:
    """Transitions of all weeks, the result of the build, and the shop's folder."""
    home = tmp_path_factory.mktemp("promotion")
    shop = PromotionSettings(first_monday=date(2026, 1, 5), n_weeks=N_WEEKS, n_shoppers=80, dirt=FeedDirt())
    write_promotion_logs(home / "shop", shop)
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})
    last = shop.first_monday + timedelta(days=7 * N_WEEKS - 1)
    ingest(spark, settings, pipeline.source, logs=home / "shop" / "logs", horizon=last, code_hash="code")
    result = build(spark, settings, pipeline, last)
    folder = Lake(settings.lake, pipeline.source.name).transitions("promotion", data_spec_hash(pipeline))
    files = [file for pointer in read_pointers(folder).values() for file in pointer.files]
    frame = read_files(spark, transitions_table(pipeline.scenario), folder, files, ("date",))
    return [row.asDict(recursive=True) for row in frame.collect()], result, home / "shop"


def test_every_decision_earns_its_week_s_margin_less_its_contact(built: tuple[list[Row], Row, Path]) -> None:
    """As the shop kept it: what was paid less what it cost, of the week's orders, less what came back by the end."""
    rows, result, shop = built
    kept = {
        keyed_id(row["decision_id"], KEY.encode()): row for row in pq.read_table(shop / "decisions.parquet").to_pylist()
    }
    assert len(rows) > 300
    for row in rows:
        one = kept[row["decision_id"]]
        margin = one["amount"] - one["cost"] - one["refunded_amount"] + one["refunded_cost"]
        assert row["reward"] == margin - one["contact_cost"]
        assert row["metrics"]["discounts"] == one["discount"]
        assert row["action_key"] == one["action"]
    missing = kept.keys() - {row["decision_id"] for row in rows}
    assert len(missing) == result["quarantined"]["decisions"] == result["quarantined"].get("no_consent", 0)


def test_the_ledger_holds_all_of_the_money(built: tuple[list[Row], Row, Path]) -> None:
    """Transitions, what contacting cost, those without consent, and nothing else but what two deliveries hold."""
    rows, result, _ = built
    reward = result["reward"]
    assert sum(row["reward"] for row in rows) == reward["transitions"]
    named = {name: worth for name, worth in reward["residuals"].items() if worth}
    assert named.keys() <= {"no_consent", "duplicate_across_deliveries"}
    assert reward["events"] == reward["transitions"] + reward["action_cost"] + sum(named.values())


def test_weeks_of_a_block_follow_one_another(built: tuple[list[Row], Row, Path], pipeline: Pipeline) -> None:
    """A week apart, ended by time alone; whoever may get nothing has a row, too."""
    rows, _, _ = built
    episodes: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda one: one["step"]):
        episodes.setdefault(row["episode_id"], []).append(row)
    week = pipeline.scenario.week
    assert week is not None
    assert {len(one) for one in episodes.values()} <= set(range(1, week.weeks + 1))
    for steps in episodes.values():
        assert [row["step"] for row in steps] == list(range(len(steps)))
        assert [row["timeout"] for row in steps] == [False] * (len(steps) - 1) + [True]
        assert not any(row["terminal"] for row in steps)
        times = [row["decision_time"] for row in steps]
        assert all(later - earlier == timedelta(weeks=1) for earlier, later in pairwise(times))
    assert {row["action_key"] for row in rows if row["availability_id"] == "blocked"} <= {"none"}
