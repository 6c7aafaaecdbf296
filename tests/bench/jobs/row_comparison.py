"""Whether two chains made the same rows: counts, and sums over rows of a hash of each column beside the row's moment.

Runs in DuckDB's Python. No two events of these logs share a moment, so that the moment names the row. Where one side
left shoppers' ids as they are, ids aren't compared, and all else is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

_MOMENT = {"events": "event_time", "sessions": "start_time", "transitions": "decision_time"}

_COMPARED = {
    "events": ("event_type", "item_id", "category_id", "price", "event_date"),
    "sessions": ("epoch_us(end_time)", "n_events", "n_decisions", "is_cut", "is_closed", "date"),
    "transitions": (
        "step",
        "position",
        "observation",
        "action_id",
        "action_key",
        "reward",
        "metrics",
        "next_observation",
        "terminal",
        "timeout",
        "reward_settled",
        "propensity",
        "propensity_source",
        "policy_version",
        "availability_id",
        "next_availability_id",
        "elapsed_seconds",
        "date",
    ),
}
_IDS = {
    "events": ("event_id", "user_id"),
    "sessions": ("session_id", "user_id"),
    "transitions": ("episode_id", "session_id", "user_id", "decision_id"),
}
_TOTALS = {"sessions": ("n_events",), "transitions": ("reward",)}


def main() -> None:
    order = json.loads(sys.stdin.read())
    print(json.dumps(compare(order["ours"], order["theirs"], with_ids=order["with_ids"])))


def compare(
    ours: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[str]], *, with_ids: bool
) -> dict[str, dict[str, Any]]:
    """Return, for each table, how many rows both have and which columns differ in any row.

    Args:
        ours: Parquet files of each table.
        theirs: likewise.
        with_ids: whether ids were made by the same keyed hashes, and are compared.
    """
    database = duckdb.connect(config={"threads": 2})
    found: dict[str, dict[str, Any]] = {}
    for table, files in ours.items():
        columns = (*_COMPARED[table], *(_IDS[table] if with_ids else ()))
        one, other = (_summed(database, table, columns, read) for read in (files, theirs[table]))
        differing = [name for name in columns if one[name] != other[name]]
        totals = {name: int(one[f"sum_{name}"]) for name in _TOTALS.get(table, ())}
        is_equal = not differing and one["n"] == other["n"]
        found[table] = {"n_rows": one["n"], "is_equal": is_equal, "with_ids": with_ids} | totals
        if not is_equal:
            found[table] |= {"n_rows_of_peer": other["n"], "columns_that_differ": differing}
    return found


def _summed(
    database: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], files: Sequence[str]
) -> dict[str, int]:
    moment = f"epoch_us({_MOMENT[table]})"
    sums = [f"sum(hash({moment}, {name})::HUGEINT)" for name in columns]
    totals = _TOTALS.get(table, ())
    rows = "read_parquet($1, hive_partitioning = true)"
    query = f"SELECT count(*), {', '.join([*sums, *(f'sum({name})' for name in totals)])} FROM {rows}"
    values = database.execute(query, [list(files)]).fetchone()
    assert values is not None
    return dict(zip(["n", *columns, *(f"sum_{name}" for name in totals)], values, strict=True))


if __name__ == "__main__":
    main()
