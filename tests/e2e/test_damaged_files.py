"""Published files that change afterwards are noticed by every reader, named, and made anew by one command."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf import intact_files
from conf.errors import DamagedFile
from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.spec_hash import data_spec_hash
from jobs.commands.repair import find_damaged, repair
from jobs.events.events_reading import read_events
from jobs.events.ingest import Ingestion, ingest_deliveries
from jobs.landing.raw_deliveries import raw_folder
from jobs.publishing.publishing import Provenance
from rl.data.transitions_reading import read_transitions
from tests.e2e.simulated_lake import (
    LAST_DATE,
    PIPELINE,
    build_transitions,
    ingest_logs,
    settings_of,
    write_small_logs,
)

N_FLIPS = 150

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("damaged_files")]


@pytest.fixture(scope="module")
def home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of six days; its logs lie in `logs`."""
    home = tmp_path_factory.mktemp("damaged")
    ingest_logs(spark, home, write_small_logs(home / "shop"), LAST_DATE)
    build_transitions(spark, home, LAST_DATE)
    return home


@pytest.fixture
def lake(home: Path) -> Lake:
    return Lake(settings_of(home).lake, PIPELINE.source.name)


def folders(lake: Lake) -> dict[str, Path]:
    transitions = lake.transitions(PIPELINE.scenario.name, data_spec_hash(PIPELINE))
    return {"raw": raw_folder(lake), "events": lake.table("events"), "transitions": transitions}


def files(folder: Path) -> list[Path]:
    return [folder / name for pointer in read_pointers(folder).values() for name in pointer.files]


def digests(lake: Lake) -> dict[str, str]:
    return {
        f"{name}/{partition}": pointer.manifest.content_hash
        for name, folder in folders(lake).items()
        for partition, pointer in read_pointers(folder).items()
    }


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content) * 8)
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def as_in_another_process() -> None:
    """Forget what this process has verified."""
    intact_files._verified.clear()
    intact_files._damaged.clear()


def readers(spark: SparkSession, lake: Lake, home: Path) -> dict[str, Callable[[], object]]:
    """What reads each table's files, whole."""
    settings = settings_of(home)
    # Under another spec every delivery is due, so that all raw files are read.
    provenance = Provenance("another spec", "code", settings.pseudonym_key_id(), LAST_DATE)
    job = Ingestion(spark, lake, PIPELINE.source, settings.pseudonym_key(), provenance)
    days = {"first_event_date": date(2026, 3, 1), "last_event_date": LAST_DATE, "last_delivery_date": LAST_DATE}
    return {
        "raw": lambda: ingest_deliveries(job),
        "events": lambda: read_events(spark, lake, **days),
        "transitions": lambda: read_transitions(PIPELINE, lake, LAST_DATE).transitions,
    }


def test_every_flipped_bit_is_noticed_and_named(spark: SparkSession, home: Path, lake: Lake) -> None:
    """150 single bits at random places: each reader refuses, and says which file and what to run."""
    rng = random.Random(11)
    noticed = 0
    for n in range(N_FLIPS):
        table = ("raw", "events", "transitions")[n % 3]
        path = rng.choice(files(folders(lake)[table]))
        before = path.read_bytes()
        flip(path, rng)
        as_in_another_process()
        with pytest.raises(DamagedFile) as raised:
            readers(spark, lake, home)[table]()
        noticed += str(path) in str(raised.value) and "make repair SOURCE=simulated_shop" in str(raised.value)
        path.write_bytes(before)
    assert noticed == N_FLIPS
    as_in_another_process()
    readers(spark, lake, home)["transitions"]()


def test_one_command_makes_damaged_files_anew(spark: SparkSession, home: Path, lake: Lake) -> None:
    """Flipped bits in events and transitions, a missing file and a truncated raw one: the same digests as before."""
    rng, before = random.Random(5), digests(lake)
    as_in_another_process()
    spoiled = [rng.choice(files(folder)) for folder in folders(lake).values()]
    for path in spoiled[1:]:
        flip(path, rng)
    spoiled[0].write_bytes(spoiled[0].read_bytes()[:100])
    gone = files(lake.table("sessions"))[0]
    gone.unlink()
    assert set(find_damaged(lake)) == {*spoiled, gone}
    settings = settings_of(home)
    with pytest.raises(DamagedFile, match=r"a raw file needs its delivery.*LOGS="):
        repair(spark, settings, PIPELINE.source, logs=None, code_hash="code")
    assert set(find_damaged(lake)) == {spoiled[0]}
    done = repair(spark, settings, PIPELINE.source, logs=home / "shop" / "logs", code_hash="code")
    assert done["n_damaged"] == 1
    as_in_another_process()
    assert find_damaged(lake) == {}
    assert digests(lake) == before
    assert repair(spark, settings, PIPELINE.source, logs=None, code_hash="code")["n_damaged"] == 0


def test_a_truncated_raw_file_is_landed_again_with_its_delivery(spark: SparkSession, home: Path, lake: Lake) -> None:
    """The next night that is given the same logs notices the size alone."""
    path = files(raw_folder(lake))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    as_in_another_process()
    ingest_logs(spark, home, home / "shop" / "logs", LAST_DATE)
    assert path.read_bytes() == whole
    assert find_damaged(lake) == {}
