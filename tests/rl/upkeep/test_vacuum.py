"""A vacuum takes what nobody needs and nothing else, killed or not."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from conf.errors import NightAtWork, NightcartError
from conf.paths import Lake, Run
from conf.publication import FileSum, Manifest, Pointer, read_pointers, swap_pointer
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands import vacuum
from rl.data.dataset import load_dataset
from rl.data.pinned_versions import PinnedVersions
from rl.upkeep import needed_nights
from rl.upkeep.table_versions import old_delta_files
from rl.upkeep.working_files import old_copies
from tests.frozen_home.unpacked_home import unpack_home
from tests.killing import kill_until_through

DAY = date(2026, 1, 5)
SOURCE, SCENARIO = "simulated_shop", "recommendation"
LONG_AGO = time.time() - 90 * 24 * 3600


class Home:
    """A home of small files: one source with pointers, and nights that were or weren't registered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.from_environment({"NIGHTCART_HOME": str(folder)})
        self.lake = Lake(self.settings.lake, SOURCE)
        self.settings.lake.mkdir(parents=True)

    def version(self, folder: Path, partition: str, content: str, n_bytes: int = 100) -> Pointer:
        """A version's files are there; the pointer that would name them."""
        file = f"v-{content}/{partition}/part.parquet"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x" * n_bytes)
        manifest = Manifest(
            table=folder.name,
            partition=partition,
            schema_version=1,
            n_rows=1,
            content_hash=content,
            spec_hash="s1",
            code_hash="c",
            key_id="k",
            horizon=DAY,
            inputs={},
        )
        return Pointer(files=(file,), manifest=manifest, sums={file: FileSum(n_bytes=n_bytes, sha256="0")})

    def publish(self, folder: Path, partition: str, content: str, n_bytes: int = 100) -> Pointer:
        pointer = self.version(folder, partition, content, n_bytes)
        swap_pointer(Lake.pointer(folder, partition), pointer)
        return pointer

    def night(self, n: int, *, version: int | None, pinned: Pointer | None = None, is_old: bool = False) -> Run:
        run = Run(self.folder, SOURCE, SCENARIO, DAY + timedelta(days=n))
        run.dataset.mkdir(parents=True)
        checkpoint = run.candidate("bc-1") / "checkpoints" / "000000100" / "weights.safetensors"
        checkpoint.parent.mkdir(parents=True)
        checkpoint.write_bytes(b"x" * 50)
        (run.candidate("bc-1") / "result.json").write_text("{}")
        PinnedVersions({} if pinned is None else {run.date: pinned}, {}, {}).write(run.dataset)
        if version is not None:
            run.registration.write_text(json.dumps({"model": "recommendation-policy", "version": version}))
            if is_old:
                for path in (run.dataset / "versions.json", run.registration):
                    os.utime(path, (LONG_AGO, LONG_AGO))
        return run

    def vacuum(self, *, is_confirmed: bool = True) -> dict[str, Any]:
        return vacuum.run(settings=self.settings, is_confirmed=is_confirmed, keep_days=30)

    def files(self) -> set[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file() and "_locks" not in path.parts)
        return {str(path.relative_to(self.folder)) for path in found} - {"lake/simulated_shop/_lock"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Versions 1 to 4 were registered; 2 is champion, and what the registry says is said here."""
    home = Home(tmp_path / "home")
    used = {("recommendation-policy", 2): "its version is the champion"}
    monkeypatch.setattr(needed_nights, "_used_versions", lambda *_: used)
    monkeypatch.setattr(vacuum, "unneeded_models", lambda *_: [])
    folder = home.lake.transitions(SCENARIO, "s1")
    for n, version, is_old in ((0, 1, True), (1, 2, True), (2, 3, False), (3, 4, False)):
        pinned = home.version(folder, f"date={DAY + timedelta(days=n)}", f"pinned{n}")
        home.night(n, version=version, pinned=pinned, is_old=is_old)
        home.publish(folder, f"date={DAY + timedelta(days=n)}", f"current{n}")
    home.night(4, version=None, pinned=home.version(folder, f"date={DAY}", "running"))
    home.publish(home.lake.table("sessions"), f"date={DAY}", "now")
    home.version(home.lake.table("sessions"), f"date={DAY}", "before", n_bytes=1_000)
    raw = home.lake.folder / "raw"
    home.publish(raw, f"delivery_date={DAY}", "delivered")
    home.version(raw, f"delivery_date={DAY}", "delivered-before")
    for path in home.lake.folder.rglob("_pointers/*.json"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return home


@pytest.mark.parametrize("table", ["availability", "items", "item_attributes"])
def test_side_tables_that_a_needed_night_pinned_stay(home: Home, table: str) -> None:
    """A registered night's can be read again, whatever was delivered anew since."""
    folder, name = home.lake.table(table), f"delivery_date={DAY}"
    pinned, unpinned = (home.version(folder, name, content) for content in ("read", "unread"))
    home.publish(folder, name, "now")
    PinnedVersions(**{one: {} for one in ("transitions", "availability", "items")} | {table: {DAY: pinned}}).write(
        home.night(5, version=2).dataset
    )
    for path in folder.rglob("_pointers/*.json"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    home.vacuum()
    assert (folder / pinned.files[0]).exists()
    assert not (folder / unpinned.files[0]).exists()


def test_only_what_nobody_needs_goes(home: Home) -> None:
    """Current versions, pins of needed, recent and unregistered nights, and every raw file stay."""
    for name, is_old in (("nightly-1.log", True), ("nightly-2.log", False), ("alerts.jsonl", True)):
        path = home.folder / "logs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x" * 10)
        if is_old:
            os.utime(path, (LONG_AGO, LONG_AGO))
    for n_process in (os.getpid(), 2**22 + 1):  # no process has a number above 2 ** 22
        folder = Lake.staging(home.lake.table("sessions")) / f"{socket.gethostname()}~{n_process}~id"
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_text("x" * 7)
    before = home.files()
    told = home.vacuum(is_confirmed=False)
    assert home.files() - before <= {"pseudonym.key"}
    assert {kind: one["bytes"] for kind, one in told["found"].items()} | {"pins": 0} == {
        "table_versions": 1_100,
        "delta_history": 0,
        "pins": 0,
        "checkpoints": 100,
        "models": 0,
        "logs": 10,
        "copies": 0,
        "staging": 7,
    }
    removed = home.vacuum()
    assert removed["found"] == told["found"]
    gone = before - home.files()
    runs, table = f"runs/{SOURCE}/{SCENARIO}", f"lake/{SOURCE}/transitions/{SCENARIO}/spec=s1"
    checkpoint = "candidates/bc-1/checkpoints/000000100/weights.safetensors"
    assert gone == {
        f"lake/{SOURCE}/sessions/v-before/date={DAY}/part.parquet",
        f"lake/{SOURCE}/sessions/_staging/{socket.gethostname()}~{2**22 + 1}~id/part.parquet",
        f"{table}/v-pinned0/date={DAY}/part.parquet",
        f"{runs}/{DAY}/dataset/versions.json",
        "logs/nightly-1.log",
        # The last night's are kept, and those of the champion's.
        *(f"{runs}/{DAY + timedelta(days=n)}/{checkpoint}" for n in (0, 2)),
        *(f"{runs}/{DAY + timedelta(days=n)}/candidates/bc-1/result.json" for n in (0, 2)),
    }
    assert {Path(name).name: why for name, why in removed["kept_nights"].items()} == {
        str(DAY + timedelta(days=1)): "its version is the champion",
        str(DAY + timedelta(days=3)): "it is the last one",
        str(DAY + timedelta(days=4)): "it isn't registered yet",
    }
    again = home.vacuum()
    assert again["bytes"] == 0


def test_copies_made_before_upgrades_go_when_they_are_old(home: Home) -> None:
    """Only what upgrades copied goes, dry run first; a young copy and whatever else lies there stays."""
    old = ("airflow/before-3.1.0-20250101-000000.db", "mlflow-before-upgrade-abc-20250101-000000.dump")
    kept = ("airflow/airflow.db", "airflow/before-notes.txt", "before-3.1.0.db")
    young = "mlflow-before-upgrade-abd-20260101-000000.db"
    for name in (*old, *kept, young):
        path = home.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x" * 5)
        if name != young:
            os.utime(path, (LONG_AGO, LONG_AGO))
    assert home.vacuum(is_confirmed=False)["found"]["copies"] == {"paths": 2, "bytes": 10}
    assert set(old) <= home.files()
    home.vacuum()
    assert not set(old) & home.files()
    assert {*kept, young} <= home.files()


@pytest.mark.parametrize("how", ["mlflow", "airflow", "noted", "linked"])
def test_a_copy_that_became_a_database_stays(tmp_path: Path, how: str) -> None:
    """Somebody went back to a copy by naming it: it is MLflow's or Airflow's now, however it is called.

    Whoever types `make vacuum` may not have the services' variables: they noted what they work on.
    """
    airflow = tmp_path / "airflow"
    airflow.mkdir()
    mlflow_copies = [tmp_path / f"mlflow-before-upgrade-{name}-20250101-000000.db" for name in ("abc", "abd")]
    airflow_copies = [airflow / f"before-3.1.{n}-20250101-000000.db" for n in (0, 1)]
    for path in (*mlflow_copies, *airflow_copies):
        path.write_text("x")
        os.utime(path, (LONG_AGO, LONG_AGO))
    used = mlflow_copies[0] if how == "mlflow" else airflow_copies[0]
    given = {"NIGHTCART_HOME": str(tmp_path)}
    if how == "mlflow":
        given["NIGHTCART_MLFLOW_URI"] = f"sqlite:///{used}"
    elif how == "airflow":
        given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{used}?timeout=30"
    elif how == "noted":
        (airflow / "database.made").write_text(f"3.3.2 sqlite:///{used} pool of 2")
    else:
        (airflow / "airflow.db").symlink_to(used)
    settings = Settings.from_environment(given)
    found = old_copies(tmp_path, settings.databases_in_use(), keep_days=30)
    assert found == sorted({*mlflow_copies, *airflow_copies} - {used})


def test_a_night_whose_checkpoints_went_says_so(home: Home) -> None:
    """Whoever judges its candidates again is told why they have to be trained again."""
    home.vacuum()
    folder = Run(home.folder, SOURCE, SCENARIO, DAY).candidate("bc-1")
    assert json.loads((folder / "failure.json").read_text()) == {"reason": "a vacuum removed its checkpoints"}


def test_a_night_that_never_ended_is_needed_for_so_many_days(home: Home) -> None:
    """It may go on tomorrow; after a season nobody waits for it."""
    run = Run(home.folder, SOURCE, SCENARIO, DAY + timedelta(days=4))
    pinned = home.lake.transitions(SCENARIO, "s1") / "v-running"
    home.vacuum()
    assert (run.candidate("bc-1") / "checkpoints").is_dir()
    assert pinned.is_dir()
    os.utime(run.dataset / "versions.json", (LONG_AGO, LONG_AGO))
    home.vacuum()
    assert not (run.candidate("bc-1") / "checkpoints").exists()
    assert not any(pinned.rglob("*.parquet"))


def test_a_night_that_was_prepared_again_keeps_everything(home: Home) -> None:
    """Though its version was registered long ago: its next steps read what it pinned now."""
    run = Run(home.folder, SOURCE, SCENARIO, DAY)
    os.utime(run.dataset / "versions.json")
    home.vacuum()
    assert (run.candidate("bc-1") / "checkpoints").is_dir()
    pinned = home.lake.transitions(SCENARIO, "s1") / "v-pinned0" / f"date={DAY}" / "part.parquet"
    assert pinned.exists()


def test_a_version_stays_an_hour_for_those_who_found_it_before(home: Home) -> None:
    """A reader that took the pointer just before it was swapped opens its files."""
    sessions = home.lake.table("sessions")
    os.utime(Lake.pointer(sessions, f"date={DAY}"))
    home.vacuum()
    assert (sessions / "v-before" / f"date={DAY}" / "part.parquet").exists()
    hour_ago = time.time() - 3_700
    os.utime(Lake.pointer(sessions, f"date={DAY}"), (hour_ago, hour_ago))
    home.vacuum()
    assert not (sessions / "v-before").exists()
    assert (sessions / "v-now" / f"date={DAY}" / "part.parquet").exists()


def test_nothing_goes_while_a_night_runs(home: Home) -> None:
    """Whichever: it is named, and nothing waits."""
    before = home.files()
    lock = Run(home.folder, SOURCE, SCENARIO, DAY + timedelta(days=4)).lock("step")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        file.write("rl train (process 7)\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(NightAtWork, match=r"rl train \(process 7\) is at work on .*2026-01-09; wait"):
            home.vacuum()
    assert before - home.files() == set()


def test_nothing_goes_where_it_is_not_known_what_is_needed(home: Home) -> None:
    """A registration or pins that can't be read."""
    before = home.files()
    run = Run(home.folder, SOURCE, SCENARIO, DAY + timedelta(days=1))
    kept = run.registration.read_text()
    run.registration.write_text("{}")
    with pytest.raises(NightcartError, match=r"registration.json: can't be read"):
        home.vacuum()
    run.registration.write_text(kept)
    (run.dataset / "versions.json").write_text("{")
    with pytest.raises(NightcartError, match=r"versions.json: can't be read"):
        home.vacuum()
    assert before - home.files() == set()


def test_killed_midway_the_same_command_finishes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each move and removal: what pointers and pins name is there after each kill, and the rest goes."""
    steps = ((Path, "rename"), (Path, "unlink"), (shutil, "rmtree"))
    n_kills = kill_until_through(home.vacuum, steps_before_kills=[1, 2, 3, 2, 1], monkeypatch=monkeypatch, steps=steps)
    assert n_kills >= 3
    for folder in home.lake.published_folders():
        for pointer in read_pointers(folder).values():
            assert all((folder / file).is_file() for file in pointer.files)
    home.vacuum()
    assert home.vacuum(is_confirmed=False)["bytes"] == 0
    assert not list(Lake.staging(home.lake.table("sessions")).glob("*"))


def test_a_night_s_bytes_are_told_from_manifests(home: Home) -> None:
    """A day of each table and of raw files, and a run folder."""
    told = home.vacuum(is_confirmed=False)
    run_folders = [path.stat().st_size for path in (home.folder / "runs").rglob("*") if path.is_file()]
    assert told["bytes_a_night"] == pytest.approx(300 + sum(run_folders) / 5, rel=0.2)
    assert told["tables"][f"{SOURCE}/sessions"] == 1_100 + sum(
        path.stat().st_size for path in (home.lake.table("sessions") / "_pointers").iterdir()
    )
    assert told["nights_until_full"] > 0


def test_the_history_of_a_delta_table_goes_when_it_is_old(home: Home) -> None:
    """What its log names stays, whatever the age."""
    delta = Lake.delta(home.lake.table("sessions"))
    for n in range(2):
        write_deltalake(str(delta), pa.table({"n": [n]}), mode="overwrite")
    (now,) = DeltaTable(str(delta)).file_uris()
    assert old_delta_files(home.lake, keep_days=1) == []
    (old,) = old_delta_files(home.lake, keep_days=0)
    assert old.is_file()
    assert Path(now).name != old.name
    assert home.vacuum()["found"]["delta_history"]["paths"] == 0


@pytest.mark.e2e
@pytest.mark.xdist_group("frozen_home")
def test_everything_needed_still_opens(tmp_path: Path) -> None:
    """An earlier release's home: its champion's night and the one that waits read the rows that they did."""
    home = unpack_home(tmp_path)
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    lake, pipeline = Lake(home / "lake", SOURCE), load_pipeline(SCENARIO, SOURCE)
    nights = [Run(home, SOURCE, SCENARIO, date(2026, 3, day)) for day in (14, 15)]
    digests = [load_dataset(pipeline, lake, run).digest for run in nights]
    old = lake.table("sessions") / "v-1-0" / "date=2026-03-01"
    old.mkdir(parents=True)
    (old / "part.parquet").write_bytes(b"x" * 1_000)
    raw = set((lake.folder / "raw").rglob("*"))
    found = vacuum.run(settings=settings, is_confirmed=True, keep_days=1)
    assert set(found["kept_nights"]) == {str(run.folder.relative_to(home)) for run in nights}
    assert not old.exists()
    for folder in lake.published_folders():
        for pointer in read_pointers(folder).values():
            assert all((folder / file).is_file() for file in pointer.files)
    assert [load_dataset(pipeline, lake, run).digest for run in nights] == digests
    assert raw == set((lake.folder / "raw").rglob("*"))
    assert all(list((run.folder / "candidates").glob("*/checkpoints/*")) for run in nights)
