"""Logged episodes as rows of a Spark table, and their partial sums computed where the rows are.

Learning knows no Spark and jobs know no estimators: what joins them is an Arrow table going in and one coming out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from rl.data.logged_episodes import BoolArray, LoggedEpisodes, Policy
from rl.ope.intervals.partial_sums import EstimationPlan, partial_sums
from rl.ope.intervals.sums_table import merged_table, to_table

SUMS_DDL = (
    "estimator string, unit_id bigint, numerators array<double>, denominators array<double>, largest_weight double, "
    "refusal string"
)
_PER_ROW = (
    "action",
    "reward",
    "terminal",
    "timeout",
    "propensity",
    "mask_index",
    "next_mask_index",
    "elapsed_microseconds",
    "policy_version",
)
N_SHARES = 3


def episode_rows(spark: SparkSession, episodes: LoggedEpisodes) -> DataFrame:
    """One row a decision, with its episode, step and unit."""
    columns = {name: pa.array(getattr(episodes, name)) for name in _PER_ROW}
    columns |= {"episode": pa.array(episodes.episode), "step": pa.array(episodes.step)}
    columns |= {"unit": pa.array(np.repeat(episodes.unit, episodes.lengths))}
    columns |= {"features": _lists(episodes.features), "next_features": _lists(episodes.next_features)}
    return spark.createDataFrame(pa.table(columns))


def summed_by_partition(rows: DataFrame, policy: Policy, plan: EstimationPlan, availability: BoolArray) -> DataFrame:
    """Partial sums of each partition, which holds whole episodes; the executors run the estimators themselves."""
    return rows.mapInArrow(_sums_of_partition(policy, plan, availability), SUMS_DDL)


def merged_by_share(sums: DataFrame) -> DataFrame:
    """Sums merged on the executors, each for a share of the units: the driver gets one row an estimator and unit."""
    share = F.pmod(F.coalesce("unit_id", F.lit(0)), F.lit(N_SHARES))
    return sums.groupBy(share).applyInArrow(merged_table, SUMS_DDL)


def _sums_of_partition(
    policy: Policy, plan: EstimationPlan, availability: BoolArray
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = list(batches)
        if sum(batch.num_rows for batch in held):
            part = _episodes(pa.Table.from_batches(held), availability)
            yield from to_table(partial_sums(policy, part, plan)).to_batches()

    return run


def _episodes(rows: pa.Table, availability: BoolArray) -> LoggedEpisodes:
    """Episodes of rows in any order."""
    rows = rows.sort_by([("episode", "ascending"), ("step", "ascending")])
    first = np.flatnonzero(rows["step"].to_numpy() == 0)
    columns = {name: rows[name].to_numpy() for name in _PER_ROW}
    return LoggedEpisodes(
        features=_matrix(rows["features"]),
        next_features=_matrix(rows["next_features"]),
        availability=availability,
        offsets=np.append(first, rows.num_rows),
        unit=rows["unit"].to_numpy()[first],
        start_time=np.zeros(len(first), dtype=np.int64),
        **columns,
    )


def _lists(values: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> pa.Array:
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))


def _matrix(lists: pa.ChunkedArray) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    flat = lists.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat.reshape(len(lists), -1), dtype=np.float32)
