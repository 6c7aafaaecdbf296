"""Other engines read the published tables by their Delta logs: the same counts and sums as the manifests hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from importlib.util import find_spec
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from conf.paths import Lake, Run
from conf.publication import Manifest, read_pointers
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import load_pipeline
from jobs.commands.migrate import known_tables, migrate
from jobs.transitions.reward_ledger import EARNED
from rl.data.dataset import load_dataset
from tests.e2e.test_frozen_home import DIGESTS, LAST_NIGHT, SCENARIO, SOURCE
from tests.frozen_home.unpacked_home import unpack_home

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("foreign_readers")]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a migrated home of an earlier release: times of 96 bits, folders called `v=...`."""
    home = unpack_home(tmp_path_factory.mktemp("foreign"))
    migrate(Settings.from_environment({"NIGHTCART_HOME": str(home)}))
    return Settings.from_environment({"NIGHTCART_HOME": str(home)})


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake, SOURCE)


def manifests(folder: Path) -> list[Manifest]:
    return [pointer.manifest for pointer in read_pointers(folder).values()]


def folder_of(lake: Lake, name: str) -> Path:
    return next(folder for table, folder in known_tables(lake) if table.name == name)


def test_events_are_settled(lake: Lake) -> None:
    """Of an event id that several deliveries hold for a day, the earliest one's row: as the sessions counted them."""
    folder = folder_of(lake, "events")
    earliest: dict[tuple[str, str], str] = {}
    n_delivered = 0
    for partition, pointer in read_pointers(folder).items():
        for name in pointer.files:
            day = next(part for part in Path(name).parts if part.startswith("event_date=")).partition("=")[2]
            ids = pq.read_table(folder / name, columns=["event_id"], partitioning=None)["event_id"].to_pylist()
            n_delivered += len(ids)
            for event_id in ids:
                earliest.setdefault((day, event_id), partition.partition("=")[2])
    rows = DeltaTable(str(Lake.delta(folder))).to_pyarrow_table()
    columns = [rows.column(name).to_pylist() for name in ("event_date", "event_id", "delivery_date")]
    found = [(str(day), event_id, str(delivery)) for day, event_id, delivery in zip(*columns, strict=True)]
    assert sorted(found) == sorted((*key, delivery) for key, delivery in earliest.items())
    assert n_delivered == sum(one.n_rows for one in manifests(folder)) > len(found)
    of_shoppers = rows.filter(pc.not_equal(rows.column("user_id"), ""))
    assert len(of_shoppers) == sum(one.counters["n_events"] for one in manifests(folder_of(lake, "sessions")))


@pytest.mark.parametrize("name", ["events_rejected", "items", "availability", "sessions", "transitions"])
def test_rows_are_as_many_as_the_manifests_say(lake: Lake, name: str) -> None:
    """Other tables are as they were published, whole."""
    folder = folder_of(lake, name)
    table = DeltaTable(str(Lake.delta(folder)))
    expected = sum(one.n_rows for one in manifests(folder))
    assert table.to_pyarrow_table().num_rows == expected
    assert sum(table.get_add_actions()["num_records"].to_pylist()) == expected


def by_pyarrow(folder: Path) -> tuple[int, int]:
    rewards = DeltaTable(str(folder)).to_pyarrow_table(columns=["reward"]).column("reward")
    return len(rewards), pc.sum(rewards).as_py()


def by_pandas(folder: Path) -> tuple[int, int]:
    rewards = DeltaTable(str(folder)).to_pandas(columns=["reward"])["reward"]
    return len(rewards), int(rewards.sum())


def by_duckdb(folder: Path) -> tuple[int, int]:
    import duckdb  # noqa: PLC0415  (where it is installed)

    transitions = DeltaTable(str(folder)).to_pyarrow_dataset()  # noqa: F841  (DuckDB finds it by name)
    return duckdb.sql("SELECT count(*), sum(reward)::BIGINT FROM transitions").fetchall()[0]


def by_polars(folder: Path) -> tuple[int, int]:
    import polars  # noqa: PLC0415  (where it is installed)

    rewards = polars.read_delta(str(folder))["reward"]
    return len(rewards), rewards.sum()


@pytest.mark.parametrize(
    ("needs", "read"),
    [("pyarrow", by_pyarrow), ("pandas", by_pandas), ("duckdb", by_duckdb), ("polars", by_polars)],
)
def test_sums_of_reward_are_those_of_the_manifests(
    lake: Lake, needs: str, read: Callable[[Path], tuple[int, int]]
) -> None:
    """Whatever engine reads: as many transitions, and the same reward to the millionth."""
    if find_spec(needs) is None:
        pytest.skip(f"{needs} isn't installed")
    folder = folder_of(lake, "transitions")
    rows = manifests(folder)
    expected = sum(one.n_rows for one in rows), sum(one.counters[EARNED] for one in rows)
    assert read(Lake.delta(folder)) == expected
    assert expected[0] > 40_000


def test_times_of_96_bits_are_read_as_they_are(lake: Lake) -> None:
    """The log says microseconds in UTC, whatever the files of an earlier release hold."""
    folder = folder_of(lake, "sessions")
    file = next(folder / name for pointer in read_pointers(folder).values() for name in pointer.files)
    starts = pq.read_table(file, columns=["session_id", "start_time"], partitioning=None).to_pylist()
    read = DeltaTable(str(Lake.delta(folder))).to_pyarrow_table(columns=["session_id", "start_time"])
    assert str(read.schema.field("start_time").type) == "timestamp[us, tz=UTC]"
    found = {row["session_id"]: row["start_time"] for row in read.to_pylist()}
    assert all(found[row["session_id"]] == row["start_time"].replace(tzinfo=UTC) for row in starts)


def test_a_foreign_vacuum_reaches_no_published_file(settings: Settings, lake: Lake) -> None:
    """Forced, with everything it may remove: what pointers and prepared nights name is all there."""
    folder = folder_of(lake, "transitions")
    DeltaTable(str(Lake.delta(folder))).delete()  # now every file is one that a vacuum may take
    table = DeltaTable(str(Lake.delta(folder)))
    taken = table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert taken
    run = Run(settings.home, SOURCE, SCENARIO, LAST_NIGHT)
    dataset = load_dataset(load_pipeline(SCENARIO, SOURCE), lake, run)
    assert dataset.published.transitions.n_transitions > 40_000
    assert migrate(settings)["tables"] == 1
    assert by_pyarrow(Lake.delta(folder))[0] == sum(one.n_rows for one in manifests(folder))


def test_migrating_keeps_every_version_and_says_when_there_is_nothing_to_do(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    """Pointers gain sums and nothing else; prepared nights open with the same digest; a second run changes nothing."""
    before = Lake(unpack_home(tmp_path) / "lake", SOURCE)
    for folder in before.published_folders():
        now = read_pointers(lake.folder / folder.relative_to(before.folder))
        for partition, was in read_pointers(folder).items():
            assert now[partition].model_copy(update={"sums": {}}) == was
            assert set(now[partition].sums) == set(was.files)
    run = Run(settings.home, SOURCE, SCENARIO, LAST_NIGHT)
    assert load_dataset(load_pipeline(SCENARIO, SOURCE), lake, run).digest == DIGESTS[LAST_NIGHT]
    ended = subprocess.run(
        [sys.executable, "-m", "jobs.commands.migrate"],
        env=os.environ | {"NIGHTCART_HOME": str(settings.home), "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ended.stdout)
    assert (told["pointers"], told["tables"]) == (0, 0)
    assert "nothing to migrate" in told["done"]
