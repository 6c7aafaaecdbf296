"""The benchmark's log is what it says, and its comparison with DuckDB finds the rows that differ."""

from __future__ import annotations

import gzip
import hmac
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.bench.bench_jobs import KEYED, OURS, UNKEYED, marginal, night_days, summary
from tests.bench.jobs.duckdb_peer import ask_peer, peer_python, variables_of
from tests.bench.jobs.process_tree import TreeWatch, tree_of
from tests.bench.jobs.shop_log import write_log

needs_duckdb = pytest.mark.skipif(peer_python() is None, reason="NIGHTCART_DUCKDB_PYTHON names no Python with DuckDB")

N_EVENTS, N_DAYS, KEY = 3_000, 3, b"a key"


def test_both_forms_hold_the_same_events_at_moments_of_their_own(tmp_path: Path) -> None:
    write_log(tmp_path / "csv", N_EVENTS, "csv", n_days=N_DAYS)
    write_log(tmp_path / "jsonl", N_EVENTS, "jsonl", n_days=N_DAYS)

    texts = pa.csv.ConvertOptions(column_types={name: pa.string() for name in ("visitorid", "itemid", "price")})
    days = [pa.csv.read_csv(path, convert_options=texts) for path in sorted((tmp_path / "csv").iterdir())]
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "jsonl").iterdir())
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    read = pa.concat_tables(days).to_pylist()

    assert len(days) == N_DAYS
    assert [(row["timestamp"], row["visitorid"], row["itemid"]) for row in read] == [
        (line["timestamp"], line["visitorid"], line["itemid"]) for line in lines
    ]
    assert len({row["timestamp"] for row in read}) == len(read) == N_EVENTS


def test_one_heavy_shopper_has_the_share_asked_for(tmp_path: Path) -> None:
    write_log(tmp_path, 20_000, "csv", n_days=1, heavy_share=0.05)

    shoppers = pa.csv.read_csv(next(tmp_path.iterdir()))["visitorid"]
    most = max(found["counts"] for found in shoppers.value_counts().to_pylist())

    assert 0.04 < most / len(shoppers) < 0.06


def test_a_nights_log_is_as_long_as_its_build_looks_back() -> None:
    assert night_days() == 9


def test_start_and_earlier_builds_are_not_counted() -> None:
    used = {"seconds": 1.0, "processor_seconds": 2.0}
    chain = {"stages": dict.fromkeys(("start", "land", "ingest", "sessions", "build"), used), "peak_bytes": {"all": 5}}
    night = {"stages": dict.fromkeys(("start", "ingest", "build_before", "build"), used), "peak_bytes": {"all": 5}}

    assert summary([chain], is_night=False)["processor_seconds"] == 8.0
    assert summary([night], is_night=True)["processor_seconds"] == 2.0


def test_marginal_costs_leave_out_what_every_size_costs() -> None:
    sizes = {
        n * 1_000_000: {who: {"processor_seconds": 50 + 10.0 * n} for who in (OURS, KEYED, UNKEYED)} for n in (1, 3, 30)
    }

    found = marginal(sizes)[OURS]

    assert found["processor_seconds_a_million"] == {"1000000-3000000": 10.0, "3000000-30000000": 10.0}
    assert found["last_over_first"] == 1.0


@needs_duckdb
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_duckdb_makes_the_same_keyed_ids_and_one_transition_a_view(tmp_path: Path, form: str) -> None:
    made = _duckdb(tmp_path, form, KEY)
    raw = pa.csv.read_csv(sorted((tmp_path / "csv").iterdir())[0])

    events = _read(made["events"])
    first = events.filter(pa.compute.equal(events["event_time"].cast(pa.int64()), raw["timestamp"][0].as_py() * 1000))
    views = pa.compute.sum(pa.compute.equal(events["event_type"], "view")).as_py()

    assert first["user_id"].to_pylist() == [hmac.digest(KEY, str(raw["visitorid"][0]).encode(), "sha256").hex()[:32]]
    assert events.num_rows == N_EVENTS
    assert _read(made["transitions"]).num_rows == views
    assert pa.compute.sum(_read(made["sessions"])["n_events"]).as_py() == N_EVENTS


@needs_duckdb
def test_a_single_other_value_is_found_and_named(tmp_path: Path) -> None:
    made = _duckdb(tmp_path, "csv", None)
    before = _compared(made, made)
    path = Path(made["transitions"][0])
    table = pq.read_table(path, partitioning=None)
    column = table["elapsed_seconds"].to_pylist()
    place = table.schema.get_field_index("elapsed_seconds")
    changed = table.set_column(place, "elapsed_seconds", pa.array([column[0] + 1, *column[1:]], pa.int64()))
    other = tmp_path / "other" / path.parent.name / path.name
    other.parent.mkdir(parents=True)
    pq.write_table(changed, other)

    after = _compared(made, made | {"transitions": [str(other), *made["transitions"][1:]]})

    assert all(table["is_equal"] for table in before.values())
    assert after["transitions"]["columns_that_differ"] == ["elapsed_seconds"]
    assert after["sessions"]["is_equal"]


def _duckdb(place: Path, form: str, key: bytes | None) -> dict[str, list[str]]:
    """Return the files of each table that DuckDB makes of a log."""
    write_log(place / "csv", N_EVENTS, "csv", n_days=N_DAYS)
    if form != "csv":
        write_log(place / form, N_EVENTS, form, n_days=N_DAYS)
    order = {
        "form": form,
        "logs": str(place / form),
        "home": str(place),
        "variables": variables_of(form, first_day=0, n_days=N_DAYS),
        "key": key.hex() if key is not None else None,
        "threads": 1,
        "memory_bytes": 1 << 30,
        "temporary": str(place / "temporary"),
        "stages": ["ingest", "sessions", "build"],
    }
    ask_peer("duckdb_chain", order)
    return {
        name: sorted(str(path) for path in (place / name).rglob("*.parquet"))
        for name in ("events", "sessions", "transitions")
    }


def _compared(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> dict[str, Any]:
    return ask_peer("row_comparison", {"ours": ours, "theirs": theirs, "with_ids": True})


def _read(files: list[str]) -> pa.Table:
    return pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])


def test_a_tree_counts_children_that_nobody_waited_for() -> None:
    """Spark's Python daemon ignores its workers' ends, so that no parent's account has what they used."""
    work = "x = bytearray(60_000_000)\nfor _ in range(5_000_000): pass\nimport time; time.sleep(0.5)"
    daemon = "import signal, subprocess, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    daemon += f"subprocess.run([sys.executable, '-c', {work!r}])"

    with TreeWatch(every_seconds=0.05) as watch:
        used = watch.processor_seconds()
        subprocess.run([sys.executable, "-c", daemon], check=True)
        after = watch.processor_seconds()

    assert after - used > 0.05
    assert watch.peak_bytes["python"] > 60_000_000


def test_a_process_that_ends_while_it_is_looked_at_ends_no_watch() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert tree_of(ended.pid) == [ended.pid]
