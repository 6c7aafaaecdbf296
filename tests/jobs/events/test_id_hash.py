"""The Spark column and the Python function give the same ids."""

from __future__ import annotations

import doctest
import random
import sys
from types import ModuleType

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import jobs.events.id_hash
import jobs.sessions.business_days
from conf import observation_features
from jobs.events.id_hash import id_hash


def test_id_hash_equals_that_of_conf_on_random_keys(spark: SparkSession) -> None:
    """Keys of any length and script have one id, wherever it is computed."""
    chance = random.Random(1)
    letters = [chr(code) for code in [*range(32, 127), *range(160, 400), 0x6F22, 0x1F600]]
    keys = ["", *("".join(chance.choices(letters, k=chance.randint(0, 30))) for _ in range(300))]
    given = spark.createDataFrame([(key,) for key in keys], "key string")
    rows = given.select("key", id_hash(F.col("key")).alias("id"))
    assert {row.key: row.id for row in rows.collect()} == {key: observation_features.id_hash(key) for key in keys}


def test_id_hash_of_null_is_null(spark: SparkSession) -> None:
    """A missing key has no id."""
    assert spark.sql("SELECT CAST(NULL AS string) AS key").select(id_hash(F.col("key"))).collect()[0][0] is None


@pytest.mark.parametrize(
    "module", [jobs.events.id_hash, jobs.sessions.business_days], ids=lambda module: module.__name__
)
def test_doctests_hold(spark: SparkSession, module: ModuleType) -> None:
    """The small tables in docstrings are what the functions give."""
    globs = vars(sys.modules[module.__name__]) | {"spark": spark}
    assert doctest.testmod(module, globs=globs).failed == 0
