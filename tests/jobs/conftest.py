"""Fixtures of the Spark jobs' tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.settings import Settings
from conf.specs.source import Source, load_source
from jobs.commands.ingest import ingest

Ingest = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def ingest_into(spark: SparkSession) -> Ingest:
    """The ingest command in this process: (home, horizon, logs) -> its result, for the canonical source."""

    def run(home: Path, horizon: date, logs: Path | None = None, source: Source | None = None) -> dict[str, Any]:
        environment = {"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": "a key for tests only"}
        settings = Settings.from_environment(environment)
        shop = source or load_source("canonical")
        return ingest(spark, settings, shop, logs=logs, horizon=horizon, code_hash="code")

    return run
