"""No skew: at every decision of a simulated log, the service observes what the transition holds."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from jobs.commands.ingest import ingest
from jobs.commands.observe import observe
from jobs.transitions.build import build
from tests.e2e.served_observations import differing_observations
from tests.e2e.simulated_lake import FIRST_DATE, LAST_DATE, PIPELINE, BuiltLake, settings_of


@pytest.mark.e2e
def test_served_observations_are_those_of_the_transitions(
    spark: SparkSession, small_lake: BuiltLake, tmp_path: Path
) -> None:
    """Histories of two days, one over a change to summer time, go through Spark, the store and the service's code."""
    settings = settings_of(Path(shutil.copytree(small_lake.home, tmp_path / "home")))
    days = [FIRST_DATE + timedelta(days=3), LAST_DATE]
    for day in days:
        observe(spark, settings, PIPELINE, day)
    n_asked, wrong = differing_observations(settings, PIPELINE, days)
    assert wrong == []
    assert n_asked > 100


@pytest.mark.e2e
def test_served_observations_of_implied_decisions_are_those_of_the_transitions(
    spark: SparkSession, real_data: Path, tmp_path: Path
) -> None:
    """Two days of the public taobao log, in which views are read as decisions."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    pipeline = load_pipeline("recommendation", "taobao")
    last, days = date(2017, 12, 3), [date(2017, 11, 26), date(2017, 12, 3)]
    ingest(spark, settings, pipeline.source, logs=real_data / "taobao", horizon=last, code_hash="code")
    build(spark, settings, pipeline, last)
    for day in days:
        observe(spark, settings, pipeline, day)
    n_asked, wrong = differing_observations(settings, pipeline, days)
    assert wrong == []
    assert n_asked > 5_000
