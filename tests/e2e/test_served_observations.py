"""No skew: at every decision of a simulated log, the service observes what the transition holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.commands.observe import observe
from tests.e2e.served_observations import differing_observations
from tests.e2e.simulated_lake import (
    FIRST_DATE,
    LAST_DATE,
    PIPELINE,
    build_transitions,
    ingest_logs,
    settings_of,
    write_small_logs,
)


@pytest.mark.e2e
def test_served_observations_are_those_of_the_transitions(spark: SparkSession, tmp_path: Path) -> None:
    """Histories of two days, one over a change to summer time, go through Spark, the store and the service's code."""
    home = tmp_path / "home"
    ingest_logs(spark, home, write_small_logs(tmp_path), LAST_DATE)
    build_transitions(spark, home, LAST_DATE)
    days = [FIRST_DATE + timedelta(days=3), LAST_DATE]
    for day in days:
        observe(spark, settings_of(home), PIPELINE, day)
    n_asked, wrong = differing_observations(settings_of(home), PIPELINE, days)
    assert wrong == []
    assert n_asked > 100
