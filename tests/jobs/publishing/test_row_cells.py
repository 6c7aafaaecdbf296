"""Rows of a worker lie in one sorted file a cell."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.publishing.row_cells import sorted_places, write_cells

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "ab", "b", "é", "\uffff", "\U0001f600"]),
        st.integers(-2, 2),
        st.sampled_from(["x", "xy", "y", "ä"]),
    ),
    max_size=40,
)


@given(ROWS)
@settings(max_examples=200)
def test_rows_are_sorted_by_all_columns_texts_by_their_bytes(rows: list[tuple[str, int, str]]) -> None:
    """Ties of the first columns are settled by the last one; the order of code points is that of UTF-8."""
    texts, numbers, ids = ([row[place] for row in rows] for place in range(3))
    times = pa.array(
        [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in numbers], pa.timestamp("us", "UTC")
    )
    table = pa.table({"text": pa.array(texts, pa.string()), "time": times, "id": pa.array(ids, pa.string())})
    places = sorted_places(table, ["text", "time", "id"])
    assert [rows[place] for place in places] == sorted(rows)
    assert sorted(places.tolist()) == list(range(len(rows)))


def test_each_cell_is_a_file_of_its_own(tmp_path: Path) -> None:
    """Nothing is in two cells, and no empty cell has a file."""
    rng = np.random.default_rng(3)
    days = [date(2026, 1, 1) + timedelta(days=int(n)) for n in rng.integers(0, 3, 50)]
    rows = pa.table({"n": rng.permutation(50), "day": days, "bucket": pa.array(rng.integers(0, 2, 50), pa.int32())})
    schema = pa.schema([("n", pa.int64())])
    write_cells(rows, schema, ("day", "bucket"), ("n",), tmp_path, "part-00007")
    found = {}
    for path in tmp_path.rglob("*.parquet"):
        values = pq.ParquetFile(path).read()["n"].to_pylist()
        assert path.name == "part-00007.parquet"
        assert values == sorted(values)
        found[path.parent.relative_to(tmp_path).as_posix()] = values
    expected: dict[str, list[int]] = {}
    for row in rows.to_pylist():
        expected.setdefault(f"day={row['day']}/bucket={row['bucket']}", []).append(row["n"])
    assert found == {cell: sorted(values) for cell, values in expected.items()}


def test_no_rows_are_no_files(tmp_path: Path) -> None:
    """Readers would find an empty file, and a folder without a row."""
    rows = pa.table({"n": pa.array([], pa.int64()), "day": pa.array([], pa.date32())})
    write_cells(rows, pa.schema([("n", pa.int64())]), ("day",), ("n",), tmp_path, "part-00000")
    assert list(tmp_path.iterdir()) == []
