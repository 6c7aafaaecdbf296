"""What one home ingests and builds, another reads, builds on and hands back, with the digests of a single home."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.shared_lake.following import follow_store, own_pointers
from conf.specs.spec_hash import data_spec_hash
from jobs.commands.follow import follow
from rl.data.dataset import prepare_dataset
from tests.e2e.simulated_lake import LAST_DATE, PIPELINE, BuiltLake, build_transitions, settings_of
from tests.rl.factories import make_pipeline

SOURCE = PIPELINE.source.name


def _settings(home: Path) -> Settings:
    return Settings.from_environment(
        {
            "NIGHTCART_HOME": str(home),
            "NIGHTCART_LAKE_STORE": "s3://lake/shops",
            "NIGHTCART_PSEUDONYM_KEY": "one key for every lake of a test",
        }
    )


@pytest.mark.e2e
@pytest.mark.usefixtures("s3")
def test_a_home_without_logs_goes_on_where_another_stopped(
    spark: SparkSession, small_lake: BuiltLake, tmp_path: Path
) -> None:
    first, second = _settings(tmp_path / "first"), _settings(tmp_path / "second")
    shutil.copytree(small_lake.home / "lake", first.lake)
    # The first home has ingested and not built yet.
    shutil.rmtree(Lake(first.lake, SOURCE).folder / "transitions")
    follow_store(first, SOURCE)
    follow_store(second, SOURCE)
    built = build_transitions(spark, second.home, LAST_DATE)
    assert built["partitions"] == small_lake.digests["transitions"]
    assert follow(first, SOURCE)["files"] > 0
    folder = Lake(first.lake, SOURCE).transitions(PIPELINE.scenario.name, data_spec_hash(PIPELINE))
    n_rows = sum(one.manifest.n_rows for one in read_pointers(folder).values())
    assert DeltaTable(str(Lake.delta(folder))).to_pyarrow_table().num_rows == n_rows > 0
    lakes = [Lake(one.lake, SOURCE) for one in (first, second, settings_of(small_lake.home))]
    hashes = [{path: one.manifest.content_hash for path, one in own_pointers(lake).items()} for lake in lakes]
    assert hashes[0] == hashes[1] == hashes[2]
    small = make_pipeline(splits={"min_episodes": 20})
    assert len({prepare_dataset(small, lake, LAST_DATE).digest for lake in lakes}) == 1
