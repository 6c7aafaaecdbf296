"""A build of products after each of some nights publishes what one build after the last of them does."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from jobs.commands.ingest import ingest
from jobs.transitions.build import build
from rl.shops.inventory.inventory_settings import InventorySettings, StockDirt
from rl.shops.inventory.writer import write_inventory_logs

KEY = "a key for tests only"
# Over the end of summer time, and from one block into the next.
SHOP = InventorySettings(
    first_day=date(2025, 10, 13),
    n_days=28,
    n_products=5,
    seed=8,
    dirt=StockDirt(late_rate=0.05, duplicate_rate=0.05, missed_count_rate=0.01),
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shop")
    write_inventory_logs(out, SHOP)
    return out / "logs"


def built(spark: SparkSession, home: Path, logs: Path, nights: list[int]) -> dict[str, str]:
    """Content hashes by date after builds on these days of the shop, each after what had been delivered by then."""
    made = load_pipeline("inventory", "simulated_inventory")
    pipeline = Pipeline(
        source=made.source.model_copy(update={"max_rejected_share": 1.0}),
        scenario=made.scenario.model_copy(update={"max_quarantined_share": 1.0}),
    )
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})
    partitions: dict[str, str] = {}
    for night in nights:
        day = SHOP.first_day + timedelta(days=night - 1)
        ingest(spark, settings, pipeline.source, logs=logs, horizon=day, code_hash="code")
        partitions = build(spark, settings, pipeline, day)["partitions"]
    return partitions


def test_builds_of_several_nights_are_that_of_the_last(spark: SparkSession, tmp_path: Path, logs: Path) -> None:
    """Late lines and the next block's counts change what had been built, to the same rows as at once."""
    by_night = built(spark, tmp_path / "nights", logs, [12, 16, 28])
    assert by_night == built(spark, tmp_path / "once", logs, [28])
    assert len(by_night) == 2
