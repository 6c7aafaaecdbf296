"""A cluster's workers see the driver's lake and have its packages, or the first of them says what is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.errors import JobError
from jobs.spark import same_ground
from jobs.spark.same_ground import Ground, found_versions, ground_of, lay_ground, refuse_strange


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    (tmp_path / "marker").touch()
    return Ground(str(tmp_path / "marker"), found_versions())


def test_a_worker_with_the_drivers_lake_and_packages_works(ground: Ground) -> None:
    refuse_strange(ground)
    assert {name for name, _ in ground.versions} == {"python", *same_ground.PACKAGES}


def test_a_worker_elsewhere_says_all_that_differs_in_one_line(ground: Ground, tmp_path: Path) -> None:
    """Each package with both versions; a lake that isn't there, by its path."""
    own = dict(ground.versions)
    other = tuple((name, "0.1" if name in ("numpy", "pyarrow") else found) for name, found in ground.versions)
    told = f"numpy {own['numpy']}, the driver 0.1; pyarrow {own['pyarrow']}, the driver 0.1"
    with pytest.raises(JobError, match=re.escape(told)):
        refuse_strange(replace(ground, versions=other))
    with pytest.raises(JobError, match=re.escape(f"doesn't see the driver's lake {tmp_path / 'no'}")) as caught:
        refuse_strange(Ground(str(tmp_path / "no" / "marker"), other))
    assert "pyarrow" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cluster_without_room_is_told_instead_of_waited_for(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark waits for ever; here the driver alone is there, as on a cluster that gives nothing."""
    monkeypatch.setattr(same_ground, "_SECONDS_TO_WAIT", 0)
    with pytest.raises(JobError, match=r"gave no executor in 0 s: .* ask for less in a file named by NIGHTCART_SPARK"):
        lay_ground(spark, tmp_path)
    assert ground_of(spark) is None
