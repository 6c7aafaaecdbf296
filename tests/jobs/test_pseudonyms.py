"""Pseudonyms: keyed, stable, null-safe, and without a trace of the key."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.pseudonyms import pseudonym, pseudonyms

KEY = b"a key for tests only"


def test_column_equals_the_function_and_keeps_null(spark: SparkSession) -> None:
    """Every row gets the keyed hash of its own id, also when ids repeat."""
    users = ["ann", "bob", None, "ann", "änn", ""]
    rows = spark.createDataFrame([(n, user) for n, user in enumerate(users)], "n int, user string").coalesce(1)
    named = rows.withColumn("name", pseudonyms(KEY)(F.col("user")))
    assert {row.n: row.name for row in named.collect()} == {
        n: None if user is None else pseudonym(user, KEY) for n, user in enumerate(users)
    }
    assert KEY.decode() not in named._jdf.queryExecution().toString()


def test_another_key_gives_another_name() -> None:
    """Who doesn't know the key can't find a name by trying ids."""
    assert pseudonym("ann", KEY) != pseudonym("ann", b"another key of tests")
    assert len(pseudonym("ann", KEY)) == 32
