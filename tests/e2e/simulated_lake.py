"""A small simulated shop's logs, and the Spark steps run on them in process."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import code_hash
from jobs.commands.ingest import ingest
from jobs.transitions.build import build
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.writer import LOGS_FOLDER, write_shop_logs
from rl.shops.settings_file import changed_settings
from tests.spark_plans import as_in_a_night

# Six days across the change to summer time.
FIRST_DATE, LAST_DATE = date(2026, 3, 26), date(2026, 3, 31)
PIPELINE: Pipeline = load_pipeline("recommendation", "simulated_shop")


@dataclass(frozen=True)
class BuiltLake:
    """A home with the small shop's logs in it, all ingested and built at once: results of both steps, and how long."""

    home: Path
    ingested: dict[str, Any]
    built: dict[str, Any]
    seconds: float

    @property
    def logs(self) -> Path:
        return self.home / "shop" / LOGS_FOLDER

    @property
    def digests(self) -> dict[str, Any]:
        return digests(self.ingested, self.built)


def build_small_lake(spark: SparkSession, home: Path) -> BuiltLake:
    """All days ingested in order by one run and built once, with plans compiled as in a night."""
    logs, started = write_small_logs(home / "shop"), time.monotonic()
    with as_in_a_night(spark):
        ingested = ingest_logs(spark, home, logs, LAST_DATE)
        built = build_transitions(spark, home, LAST_DATE)
    return BuiltLake(home, ingested, built, time.monotonic() - started)


def digests(ingested: dict[str, Any], built: dict[str, Any]) -> dict[str, Any]:
    """Content hashes of all partitions, by table."""
    return {**ingested["digests"], "transitions": built["partitions"]}


def small_shop(**changes: object) -> ShopSettings:
    given = {"first_date": FIRST_DATE, "n_days": 6, "n_shoppers": 60, "seed": 7}
    return changed_settings(ShopSettings(), **{**given, **changes})


def write_small_logs(folder: Path) -> Path:
    """The logs' folder; shop.json is beside it."""
    write_shop_logs(folder, small_shop())
    return folder / LOGS_FOLDER


def settings_of(home: Path) -> Settings:
    return Settings.from_environment(
        {"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": "one key for every lake of a test"}
    )


def ingest_logs(
    spark: SparkSession, home: Path, logs: Path | None, horizon: date, pipeline: Pipeline = PIPELINE
) -> dict[str, Any]:
    hashed = code_hash(PROJECT_ROOT / "conf", PROJECT_ROOT / "jobs")
    return ingest(spark, settings_of(home), pipeline.source, logs=logs, horizon=horizon, code_hash=hashed)


def build_transitions(spark: SparkSession, home: Path, horizon: date, pipeline: Pipeline = PIPELINE) -> dict[str, Any]:
    return build(spark, settings_of(home), pipeline, horizon)


def deliver_shuffled(logs: Path, folder: Path, days: Sequence[date], seed: int) -> Path:
    """The deliveries of these days alone, in a folder of their own, with their lines shuffled."""
    rng = random.Random(seed)
    for day in days:
        (folder / str(day)).mkdir(parents=True)
        for file in sorted((logs / str(day)).iterdir()):
            _copy_shuffled(file, folder / str(day) / file.name, rng)
    return folder


def _copy_shuffled(file: Path, target: Path, rng: random.Random) -> None:
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rb") as source:
        lines = source.read().splitlines()
    rng.shuffle(lines)
    with opened(target, "wb") as copy:
        copy.write(b"".join(line + b"\n" for line in lines))
