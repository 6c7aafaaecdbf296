"""Money of a real shop's invoices: what the pipeline counts is the sum of the raw files, to the millionth."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.settings import Settings
from conf.specs.money_fit import money_problem
from conf.specs.scenario import Pipeline, load_pipeline
from jobs.commands.ingest import ingest
from jobs.transitions.build import build

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
MADE: dict[str, list[tuple[str, ...]]] = {
    "2010-12-01": [
        ("536365", "85123A", "a holder, white", "6", "2010-12-01 08:26:00", "2.55", "17850", "United Kingdom"),
        ("536365", "85123A", "a holder, white", "6", "2010-12-01 08:26:00", "2.55", "17850", "United Kingdom"),
        ("536366", "22633", "no customer", "6", "2010-12-01 08:28:00", "1.85", "", "United Kingdom"),
        ("536367", "84406B", "free", "8", "2010-12-01 08:34:00", "0.0", "13047", "United Kingdom"),
        ("C536379", "85123A", "a holder, white", "-2", "2010-12-01 09:41:00", "2.55", "17850", "United Kingdom"),
        ("536370", "22728", "many decimals", "7", "2010-12-01 10:00:00", "3.333333", "12583", "France"),
    ],
    "2010-12-02": [
        ("C536400", "22728", "of yesterday", "-1", "2010-12-02 23:00:00", "3.333333", "12583", "France"),
        ("C536401", "99999", "never bought", "-1", "2010-12-02 08:00:00", "10.125", "12583", "France"),
        ("A563185", "B", "a bad debt", "1", "2010-12-02 14:50:00", "11062.06", "12583", "France"),
        ("536402", "22728", "again", "1", "2010-12-02 09:00:00", "0.001", "17850", "United Kingdom"),
    ],
}


def retail() -> Pipeline:
    """Revenue of online_retail: each invoice line is the decision that earns it, for twelve hours less refunds."""
    loaded = load_pipeline("recommendation", "online_retail")
    content = loaded.scenario.model_dump()
    content["reward"] = {
        "unit": "GBP",
        "terms": [{"event": "purchase", "value": "revenue"}],
        "attribution": {"link": "itself", "window_hours": 12},
    }
    content["metrics"] = {}
    pipeline = Pipeline.model_validate({"source": loaded.source.model_dump(), "scenario": content})
    assert money_problem(pipeline.scenario, pipeline.source) is None
    return pipeline


def millionths_of(files: Iterable[Path]) -> tuple[int, int]:
    """What customers' purchases and refunds of the raw files come to, told without the pipeline."""
    purchases = refunds = Decimal(0)
    for path in files:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
        for row in csv.DictReader(io.StringIO(text, newline="")):
            if not row["CustomerID"] or Decimal(row["UnitPrice"]) <= 0:
                continue
            amount = Decimal(row["UnitPrice"]) * abs(Decimal(row["Quantity"])) * 10**6
            if row["InvoiceNo"].startswith("C"):
                refunds += amount
            elif row["InvoiceNo"].isdigit():
                purchases += amount
    assert purchases == int(purchases)
    assert refunds == int(refunds)
    return int(purchases), int(refunds)


def built(spark: SparkSession, home: Path, logs: Path, last: date) -> dict[str, Any]:
    pipeline = retail()
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    ingest(spark, settings, pipeline.source, logs=logs, horizon=last, code_hash="test")
    return build(spark, settings, pipeline, last)


def test_money_of_a_made_log_is_that_of_its_files(spark: SparkSession, tmp_path: Path) -> None:
    """Identical lines count twice; what is refunded the next night is late; a refund of nothing has its name."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for day, lines in MADE.items():
        with (logs / f"{day}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *lines])
    purchases, refunds = millionths_of(logs.iterdir())
    reward = built(spark, tmp_path / "home", logs, date(2010, 12, 2))["reward"]
    assert (purchases, refunds) == (2 * 15_300_000 + 23_333_331 + 1_000, 5_100_000 + 3_333_333 + 10_125_000)
    assert reward["events"] == purchases - refunds
    assert reward["transitions"] == purchases - 5_100_000
    residuals = {name: amount for name, amount in reward["residuals"].items() if amount}
    assert residuals == {"late_refund": -3_333_333, "refund_without_purchase": -10_125_000}
    assert reward["events_without_money"] == 0


@pytest.mark.real_data
def test_money_of_online_retail_is_that_of_its_files(spark: SparkSession, real_data: Path, tmp_path: Path) -> None:
    """The first two weeks of invoices; every refund is taken off or in a residual."""
    logs = tmp_path / "logs"
    logs.mkdir()
    files = sorted((real_data / "online_retail").glob("2010-12-*.csv.gz"))[:12]
    for path in files:
        shutil.copyfile(path, logs / path.name)
    last = date.fromisoformat(files[-1].name.removesuffix(".csv.gz"))
    purchases, refunds = millionths_of(files)
    reward = built(spark, tmp_path / "home", logs, last)["reward"]
    assert purchases > refunds > 0
    assert reward["events"] == purchases - refunds
    assert reward["transitions"] + sum(reward["residuals"].values()) == purchases - refunds
    assert reward["events_without_money"] == 0
