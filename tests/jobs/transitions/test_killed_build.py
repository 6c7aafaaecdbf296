"""A build killed with SIGKILL between any two steps leaves whole partitions only, and can simply be run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.publication import read_pointers
from jobs.transitions.build import build
from tests.jobs.transitions.test_build import DAYS, PIPELINE, a_log, delivered, until
from tests.killing import PollingReader, kill_until_through


@pytest.fixture(scope="module")
def undisturbed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    shop = delivered(spark, tmp_path_factory.mktemp("undisturbed"), a_log())
    return build(spark, shop.settings, PIPELINE, DAYS[4])


def test_killed_and_run_again_gives_the_same_digests(
    spark: SparkSession, undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that gets through publishes what an undisturbed one does, over partitions of an earlier night.

    A polling reader sees the earlier night's rows or the new ones, never some of each.
    """
    shop = delivered(spark, tmp_path, until(a_log(), DAYS[1]))
    build(spark, shop.settings, PIPELINE, DAYS[1])
    shop = delivered(spark, tmp_path, a_log())
    reader = PollingReader([shop.folder])
    reader.start()
    n_kills = kill_until_through(
        lambda: build(spark, shop.settings, PIPELINE, DAYS[4]),
        steps_before_kills=(1, 3, 5, 8, 12, 17),
        monkeypatch=monkeypatch,
    )
    reader.end()
    result = build(spark, shop.settings, PIPELINE, DAYS[4])
    assert (result["partitions"], result["reward"]) == (undisturbed["partitions"], undisturbed["reward"])
    assert reader.problems == []
    assert n_kills >= 3
    assert reader.n_read > n_kills
    current = {file for pointer in read_pointers(shop.folder).values() for file in pointer.files}
    assert current and list(shop.folder.rglob("_staging/*")) == []
