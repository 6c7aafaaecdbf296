"""The 64-bit id of a natural key, as a Spark column: the same number as `conf.observation_features.id_hash`."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def id_hash(natural_key: Column) -> Column:
    """Return the key's 64-bit id as a bigint; null where the key is null, never 0.

    >>> spark.sql("SELECT 'shoe' AS item").select(id_hash(F.col("item")).alias("id")).show()
    +--------------------+
    |                  id|
    +--------------------+
    |-1163586138945771700|
    +--------------------+
    <BLANKLINE>
    """
    digest = F.sha2(natural_key, 256)
    # Each half fits a bigint; shifting the upper half is defined to wrap, where conv and a cast would overflow.
    upper = F.conv(F.substring(digest, 1, 8), 16, 10).cast("bigint")
    lower = F.conv(F.substring(digest, 9, 8), 16, 10).cast("bigint")
    value = F.shiftleft(upper, 32).bitwiseOR(lower)
    return F.when(value == 0, F.lit(1).cast("bigint")).otherwise(value)
