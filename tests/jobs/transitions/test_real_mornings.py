"""Products of a real shop's invoices, which nobody counts: days and pieces are those of the raw files."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from conf.specs.spec_hash import data_spec_hash
from jobs.commands.ingest import ingest
from jobs.transitions.build import build

DAY = timedelta(days=1)
N_FILES = 12


def asked_for(files: Iterable[Path], last: date, *, range_days: int) -> tuple[dict[tuple[str, date], int], int]:
    """Pieces by product and day of its range, and all that were bought: told without the pipeline."""
    bought: dict[tuple[str, date], Counter[tuple[int, str]]] = defaultdict(Counter)
    back: dict[tuple[str, date], Counter[tuple[int, str]]] = defaultdict(Counter)
    days: set[tuple[str, date]] = set()
    for path in files:
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
        for row in csv.DictReader(io.StringIO(text, newline="")):
            if Decimal(row["UnitPrice"]) <= 0:
                continue
            moment = datetime.fromisoformat(row["InvoiceDate"])
            product, pieces = row["StockCode"].strip(), abs(int(row["Quantity"]))
            whose = row["CustomerID"] or row["InvoiceNo"]
            day = (moment - timedelta(hours=4)).date()
            if row["InvoiceNo"].startswith("C"):
                back[product, day][pieces, whose] += 1
            elif row["InvoiceNo"].isdigit():
                bought[product, day][pieces, whose] += 1
                days |= {(product, moment.date() + n * DAY) for n in range(1, range_days + 1)}
    kept = {
        key: sum(pieces * (n - min(n, back[key][pieces, whose])) for (pieces, whose), n in bought[key].items())
        for key in days
        if key[1] <= last
    }
    return kept, sum(pieces * n for one in bought.values() for (pieces, _), n in one.items())


@pytest.mark.real_data
def test_products_of_online_retail_are_those_of_its_files(spark: SparkSession, real_data: Path, tmp_path: Path) -> None:
    """The first deliveries; on days without one products are in the range all the same, and nothing was asked for."""
    logs = tmp_path / "logs"
    logs.mkdir()
    files = sorted((real_data / "online_retail").glob("*.csv.gz"))[:N_FILES]
    for path in files:
        shutil.copyfile(path, logs / path.name)
    last = date.fromisoformat(files[-1].name.removesuffix(".csv.gz"))
    pipeline = load_pipeline("orders_from_sales", "online_retail_products")
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path / "home")})
    ingest(spark, settings, pipeline.source, logs=logs, horizon=last, code_hash="test")
    result = build(spark, settings, pipeline, last)
    lake = Lake(settings.lake, pipeline.source.name)
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    found: dict[tuple[str, date], int] = {}
    for pointer in read_pointers(folder).values():
        for name in pointer.files:
            rows = pq.ParquetFile(folder / name).read(["user_id", "decision_time", "metrics"]).to_pylist()
            found |= {(row["user_id"], row["decision_time"].date()): row["metrics"]["sold"] for row in rows}
    assert pipeline.scenario.ordering is not None
    expected, n_bought = asked_for(files, last, range_days=pipeline.scenario.ordering.range_days)
    assert found == expected
    assert 0 < sum(found.values()) < n_bought
    reward = result["reward"]
    assert reward["transitions"] + sum(reward["residuals"].values()) == reward["events"]
    assert reward["residuals"]["no_earlier_decision"] > 0
    assert any(day.weekday() == 5 for _, day in found)  # no delivery came on Saturdays
