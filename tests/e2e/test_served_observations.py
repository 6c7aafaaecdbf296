"""No skew: at every decision of a simulated log, the service observes what the transition holds."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.commands.observe import observe
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
