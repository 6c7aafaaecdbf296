"""Delta tables follow the pointers, settled, whatever was left undone before; nothing here needs Spark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from conf.paths import Lake
from conf.publication import Manifest, Pointer, swap_pointer
from conf.tables import EVENTS
from jobs.publishing import delta_tables
from jobs.publishing.delta_log import CHECKPOINT_EVERY
from jobs.publishing.delta_tables import settled_files, update_delta_table

NOON = datetime(2026, 1, 5, 12, 0, 0, 123_456, tzinfo=UTC)
_DATES = ("event_date", "delivery_date")
COLUMNS = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("user_id", pa.string()),
        ("event_type", pa.string()),
        ("line_part", pa.int32()),
        ("price", pa.int64()),
        ("propensity", pa.decimal128(18, 15)),
    ]
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Lake(tmp_path / "lake", "shop").table("events")


def deliver(folder: Path, delivery: str, cells: dict[str, Sequence[str]], version: str = "1") -> None:
    """Event ids by event date become the current version of a delivery; an event costs one millionth."""
    files = []
    for day, ids in cells.items():
        name = f"v-{version}/delivery_date={delivery}/event_date={day}/user_bucket=0/part.parquet"
        (folder / name).parent.mkdir(parents=True)
        rows = [
            {"event_id": one, "event_time": NOON, "user_id": "ann", "event_type": "view", "price": 1} for one in ids
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=COLUMNS), folder / name)
        files.append(name)
    manifest = Manifest(
        table="events",
        partition=f"delivery_date={delivery}",
        schema_version=1,
        n_rows=sum(map(len, cells.values())),
        content_hash=version,
        spec_hash="s",
        code_hash="c",
        key_id="k",
        horizon=date.fromisoformat(delivery),
        inputs={"version": version},
    )
    path = Lake.pointer(folder, f"delivery_date={delivery}")
    swap_pointer(path, Pointer(files=tuple(files), manifest=manifest))


def seen(folder: Path) -> list[tuple[str, str, str]]:
    """Event id, event date and delivery date of each row as another engine reads it."""
    rows = DeltaTable(str(Lake.delta(folder))).to_pyarrow_table(columns=["event_id", *_DATES])
    return sorted(
        (row["event_id"], str(row["event_date"])[-2:], str(row["delivery_date"])[-2:]) for row in rows.to_pylist()
    )


def test_rows_of_earlier_deliveries_are_left_out(folder: Path) -> None:
    """Of `b` on the 5th the first delivery's row stays; the same id on another day is another event."""
    deliver(folder, "2026-01-05", {"2026-01-05": ["a", "b"]})
    deliver(folder, "2026-01-06", {"2026-01-05": ["b", "c"], "2026-01-06": ["b"]})
    deliver(folder, "2026-01-07", {"2026-01-05": ["c", "a", "d"]})
    assert update_delta_table(EVENTS, folder)
    assert seen(folder) == [
        ("a", "05", "05"),
        ("b", "05", "05"),
        ("b", "06", "06"),
        ("c", "05", "06"),
        ("d", "05", "07"),
    ]
    rows = DeltaTable(str(Lake.delta(folder))).to_pyarrow_table(columns=["event_time", "price"])
    assert set(rows.column("event_time").to_pylist()) == {NOON}
    assert sum(rows.column("price").to_pylist()) == 5
    assert not update_delta_table(EVENTS, folder)


def test_files_without_repeats_are_links(folder: Path) -> None:
    """Nothing is copied where nothing is left out."""
    deliver(folder, "2026-01-05", {"2026-01-05": ["a", "b"]})
    deliver(folder, "2026-01-06", {"2026-01-05": ["c"]})
    update_delta_table(EVENTS, folder)
    links = list(Lake.delta(folder).rglob("*=0/*.parquet"))
    assert [path.stat().st_nlink for path in links] == [2, 2]


def test_a_delivery_made_anew_settles_later_ones_anew(folder: Path) -> None:
    """What the first delivery no longer holds, the second one's row stands for."""
    deliver(folder, "2026-01-05", {"2026-01-05": ["a", "b"]})
    deliver(folder, "2026-01-06", {"2026-01-05": ["b"]})
    update_delta_table(EVENTS, folder)
    deliver(folder, "2026-01-05", {"2026-01-05": ["a"]}, version="2")
    update_delta_table(EVENTS, folder)
    assert seen(folder) == [("a", "05", "05"), ("b", "05", "06")]
    deliver(folder, "2026-01-05", {"2026-01-05": ["a", "b"]}, version="3")
    update_delta_table(EVENTS, folder)
    assert seen(folder) == [("a", "05", "05"), ("b", "05", "05")]
    earlier = DeltaTable(str(Lake.delta(folder)), version=1).to_pyarrow_table(columns=["event_id"])
    assert sorted(earlier.column("event_id").to_pylist()) == ["a", "b"]


class _KilledError(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("place", ["read_log", "commit"])
def test_a_kill_between_pointer_and_log_is_made_up_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Before anything was done, or once files lie there that no log names: the next publication brings both."""
    deliver(folder, "2026-01-05", {"2026-01-05": ["a", "b"]})
    update_delta_table(EVENTS, folder)
    deliver(folder, "2026-01-06", {"2026-01-05": ["b", "c"]})

    def kill(*_: object) -> None:
        raise _KilledError

    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr(delta_tables, place, kill)
        update_delta_table(EVENTS, folder)
    assert seen(folder) == [("a", "05", "05"), ("b", "05", "05")]
    deliver(folder, "2026-01-07", {"2026-01-07": ["e"]})
    update_delta_table(EVENTS, folder)
    assert seen(folder) == [("a", "05", "05"), ("b", "05", "05"), ("c", "05", "06"), ("e", "07", "07")]


def test_what_others_wrote_is_undone(folder: Path) -> None:
    """The pointers are the record: rows that somebody appended are gone with the next publication."""
    deliver(folder, "2026-01-05", {"2026-01-05": ["a"]})
    update_delta_table(EVENTS, folder)
    theirs = DeltaTable(str(Lake.delta(folder))).to_pyarrow_table()
    write_deltalake(str(Lake.delta(folder)), theirs, mode="append")
    assert len(seen(folder)) == 2
    assert update_delta_table(EVENTS, folder)
    assert seen(folder) == [("a", "05", "05")]


def test_a_log_that_cannot_be_written_is_said_and_stops_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pointers are published; the next publication catches up."""
    deliver(folder, "2026-01-05", {"2026-01-05": ["a"]})
    Lake.delta(folder).write_text("in the way")
    assert not update_delta_table(EVENTS, folder)
    told = "".join(capsys.readouterr())
    assert "delta_table_behind" in told and "make migrate" in told
    Lake.delta(folder).unlink()
    assert update_delta_table(EVENTS, folder)


def test_many_publications_are_checkpointed(folder: Path) -> None:
    """So that a reader needn't replay years of them."""
    for n in range(CHECKPOINT_EVERY + 2):
        deliver(folder, "2026-01-05", {"2026-01-05": [f"e{n}"]}, version=str(n))
        update_delta_table(EVENTS, folder)
    assert list((Lake.delta(folder) / "_delta_log").glob("*.checkpoint.parquet"))
    assert seen(folder) == [(f"e{CHECKPOINT_EVERY + 1}", "05", "05")]


def test_paths_of_both_layouts_have_their_columns() -> None:
    """`v=...` of an earlier release is no column."""
    old = "delivery_date=2026-01-06/v=1-ab/event_date=2026-01-05/user_bucket=3/part.parquet"
    new = "v-1-ab/delivery_date=2026-01-05/event_date=2026-01-05/user_bucket=3/part.parquet"
    found = {one.file: one for one in settled_files(EVENTS, [old, new])}
    assert found[old].values == {"event_date": "2026-01-05", "delivery_date": "2026-01-06", "user_bucket": "3"}
    assert (found[new].earlier, found[old].earlier) == ((), (new,))
