"""Delivered logs become tables that depend on what was delivered and the horizon, and on nothing else."""

from __future__ import annotations

import json
import random
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.id_form import keyed_id
from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.publication import read_pointers
from conf.specs.source import load_source
from jobs.errors import DeliveryError
from jobs.events.events_reading import IS_REPEATED, read_all_events, read_availability, read_events
from jobs.landing.landing import land
from jobs.publishing.publishing import Provenance
from tests.jobs.conftest import Ingest
from tests.jobs.published_rows import read_items, read_rejected, read_sessions
from tests.jobs.shop_logs import DAYS, day_lines, deliver, deliver_days, line
from tests.spark_plans import shuffle_partitions

KEY = b"a key for tests only"
FIRST, SECOND, THIRD = DAYS

# What the second day also holds: a line again, a broken one, a late one, a late copy, one without a shopper.
LATE = line(FIRST, 611, event_id="late", item_id="late")
DIRT = [day_lines(SECOND)[0], "{", LATE, day_lines(FIRST)[3], line(SECOND, 5, user_id=None)]


def hashed(given: str) -> str:
    return keyed_id(given, KEY)


def _deliver(folder: Path, seed: int | None = None) -> Path:
    deliver_days(folder)
    deliver(folder, SECOND, [*day_lines(SECOND), *DIRT])
    if seed is not None:
        for path in sorted(folder.rglob("*.jsonl")):
            lines = path.read_text().splitlines()
            random.Random(seed).shuffle(lines)
            path.write_text("".join(f"{one}\n" for one in lines))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def lake(home: Path) -> Lake:
    return Lake(home / "lake", "canonical")


@pytest.fixture(scope="module")
def results(ingest_into: Ingest, home: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """A range run up to the second day, the night after it, and the same night again."""
    logs = _deliver(tmp_path_factory.mktemp("logs"))
    return [ingest_into(home, SECOND, logs), ingest_into(home, THIRD), ingest_into(home, THIRD, logs)]


def test_every_line_is_accepted_rejected_or_not_yet(results: list[dict[str, Any]]) -> None:
    """Deliveries after the horizon are landed and wait; the night after takes them in."""
    n_day = len(day_lines(FIRST))
    counts = [
        {name: one[name] for name in ("n_lines", "n_events", "n_rejected", "n_not_yet", "rejected")} for one in results
    ]
    rejected = {"duplicate": 1, "missing_field": 1, "unreadable": 1}
    assert counts[0] == {
        "n_lines": 3 * n_day + 5,
        "n_events": 2 * n_day + 2,
        "n_rejected": 3,
        "n_not_yet": n_day,
        "rejected": rejected,
    }
    assert counts[1] == counts[2] == counts[0] | {"n_events": 3 * n_day + 2, "n_not_yet": 0}


def test_only_what_is_due_is_ingested(results: list[dict[str, Any]]) -> None:
    """A range run takes in all days at once, a night its own, a repetition none."""
    assert [one["deliveries"] for one in results] == [[str(FIRST), str(SECOND)], [str(THIRD)], []]


def test_repeating_a_night_changes_no_digest(results: list[dict[str, Any]]) -> None:
    """Landing and ingesting the same bytes again is nothing."""
    assert results[1]["digests"] == results[2]["digests"]


def test_event_that_two_deliveries_hold_stands_once(
    results: list[dict[str, Any]], spark: SparkSession, lake: Lake
) -> None:
    """The earliest delivery wins; the copy can be looked at."""
    arguments = {"first_event_date": FIRST, "last_event_date": FIRST, "last_delivery_date": THIRD}
    events = read_events(spark, lake, **arguments).collect()
    assert len(events) == len({row.event_id for row in events}) == len(day_lines(FIRST)) + 1
    assert {row.delivery_date for row in events if row.event_id == hashed(f"{FIRST}-3")} == {FIRST}
    repeated = read_all_events(spark, lake, **arguments).where(IS_REPEATED).collect()
    assert [(row.event_id, row.delivery_date) for row in repeated] == [(hashed(f"{FIRST}-3"), SECOND)]


def test_late_event_counts_from_its_delivery_on(results: list[dict[str, Any]], spark: SparkSession, lake: Lake) -> None:
    """As of the first delivery, the late event isn't known yet."""
    known = [
        {
            row.event_id
            for row in read_events(
                spark, lake, first_event_date=FIRST, last_event_date=FIRST, last_delivery_date=delivery
            ).collect()
        }
        for delivery in (FIRST, SECOND)
    ]
    assert known[1] - known[0] == {hashed("late")}


def test_no_raw_user_id_is_stored_outside_the_raw_deliveries(
    results: list[dict[str, Any]], spark: SparkSession, lake: Lake
) -> None:
    """Shoppers are known by keyed hashes; rejected lines by theirs."""
    events = read_events(spark, lake, first_event_date=FIRST, last_event_date=THIRD, last_delivery_date=THIRD)
    assert {row.user_id for row in events.select("user_id").distinct().collect()} == {
        pseudonym("ann", KEY),
        pseudonym("bob", KEY),
    }
    rejected = read_rejected(spark, lake, last_delivery_date=THIRD).collect()
    assert sorted((row.reason, row.detail) for row in rejected if row.reason != "duplicate") == [
        ("missing_field", "user_id"),
        ("unreadable", None),
    ]
    for path in lake.folder.rglob("*"):
        if path.is_file() and "raw" not in path.relative_to(lake.folder).parts and path.suffix != ".crc":
            assert KEY not in path.read_bytes()
    assert all("ann" not in str(row) for row in rejected)


def test_no_given_id_and_no_name_of_a_file_is_stored_outside_the_raw_deliveries(
    results: list[dict[str, Any]], spark: SparkSession, lake: Lake
) -> None:
    """Events, their decisions and rejected lines are known by keyed hashes, under which links still hold."""
    events = read_events(spark, lake, first_event_date=FIRST, last_event_date=THIRD, last_delivery_date=THIRD).collect()
    assert not [row for row in events for one in (row.event_id, row.decision_id) if one and f"{FIRST.year}-" in one]
    assert hashed(f"{FIRST}-0") in {row.decision_id for row in events}
    files = {row.file for row in read_rejected(spark, lake, last_delivery_date=THIRD).collect()}
    landed = {
        name.partition("/")[2] for one in read_pointers(lake.table("raw")).values() for name in one.manifest.inputs
    }
    assert files <= {hashed(name) for name in landed}
    assert files


def test_side_tables_hold_each_key_once(results: list[dict[str, Any]], spark: SparkSession, lake: Lake) -> None:
    """Money in millionths, actions ascending and distinct; broken side lines leave no row."""
    (item,) = read_items(spark, lake, last_delivery_date=THIRD).collect()
    assert (item.item_id, item.valid_from, item.price, item.cost) == ("i0", datetime(2026, 1, 5), 10_000_000, 4_500_000)
    (known,) = read_availability(spark, lake, last_delivery_date=THIRD).collect()
    assert (known.availability_id, known.actions) == ("a1", ["i0", "i1", "i2"])


def test_side_tables_of_a_delivery_without_side_files_are_published_empty(
    results: list[dict[str, Any]], lake: Lake
) -> None:
    """Every delivery has a pointer for every table."""
    rows = {name: pointer.manifest.n_rows for name, pointer in read_pointers(lake.table("items")).items()}
    assert rows == {f"delivery_date={day}": int(day == FIRST) for day in DAYS}


def test_files_are_sorted_by_shopper_and_time(results: list[dict[str, Any]], spark: SparkSession, lake: Lake) -> None:
    """Sorted files compress, and readers of one shopper skip most of them."""
    files = read_pointers(lake.table("events"))[f"delivery_date={SECOND}"].files
    assert files
    for file in files:
        rows = [(row.user_id, row.event_time) for row in spark.read.parquet(str(lake.table("events") / file)).collect()]
        assert rows == sorted(rows)


def test_session_over_midnight_is_known_once_the_next_day_is(
    results: list[dict[str, Any]], spark: SparkSession, lake: Lake
) -> None:
    """Bob's session of the first day goes on after midnight; that of the last day is still open."""
    rows = read_sessions(spark, lake, first_date=FIRST, last_date=THIRD).collect()
    bob = sorted((row.date, row.n_events, row.is_closed) for row in rows if row.user_id == pseudonym("bob", KEY))
    # Each evening has 15 impressions and a purchase; each morning's 3 clicks end the evening's session before it.
    assert bob == [(FIRST, 3, True), (FIRST, 19, True), (SECOND, 19, False), (THIRD, 16, False)]


def test_digests_do_not_depend_on_order_shuffling_or_partitions(
    ingest_into: Ingest, results: list[dict[str, Any]], spark: SparkSession, tmp_path: Path
) -> None:
    """The first day after the others, all lines shuffled, 7 partitions: the same digests."""
    _deliver(tmp_path / "first", seed=5)
    for day in (SECOND, THIRD):
        (tmp_path / "later").mkdir(exist_ok=True)
        (tmp_path / "first" / str(day)).rename(tmp_path / "later" / str(day))
    with shuffle_partitions(spark, 7):
        ingest_into(tmp_path / "home", THIRD, tmp_path / "later")
        found = ingest_into(tmp_path / "home", THIRD, tmp_path / "first")
    assert found["digests"] == results[1]["digests"]


def test_changed_file_replaces_its_delivery_alone(
    ingest_into: Ingest, results: list[dict[str, Any]], home: Path, tmp_path: Path
) -> None:
    """A file delivered again with other bytes is ingested again; the other days keep their digests."""
    shutil.copytree(home, tmp_path / "home")
    deliver(tmp_path / "logs", SECOND, [*day_lines(SECOND), *DIRT, line(SECOND, 700, event_id="new")])
    before, after = results[1], ingest_into(tmp_path / "home", THIRD, tmp_path / "logs")
    assert (after["deliveries"], after["n_lines"]) == ([str(SECOND)], before["n_lines"] + 1)
    changed = [day for day in map(str, DAYS) if after["digests"]["events"][day] != before["digests"]["events"][day]]
    assert changed == [str(SECOND)]


def test_date_without_data_leaves_everything_as_it_was(
    ingest_into: Ingest, results: list[dict[str, Any]], home: Path, tmp_path: Path
) -> None:
    """No delivery for the date: nothing is changed, and what there is is told."""
    before = {path: path.read_bytes() for path in (home / "lake").rglob("*.json")}
    later = DAYS[-1].replace(day=20)
    deliver(tmp_path / "good", DAYS[-1].replace(day=8), day_lines(SECOND))
    with pytest.raises(DeliveryError, match=f"no delivery for {later}: there are 4 from {FIRST} to 2026-01-08"):
        ingest_into(home, later, tmp_path / "good")
    with pytest.raises(DeliveryError, match=f"no delivery for {later}: there are 3 from {FIRST} to {THIRD}"):
        ingest_into(home, later)
    assert {path: path.read_bytes() for path in (home / "lake").rglob("*.json")} == before


def test_landed_file_that_is_gone_is_told(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """A raw file someone deleted is named, with what to do."""
    lake, shop = Lake(tmp_path / "home" / "lake", "canonical"), load_source("canonical")
    land(
        spark,
        lake,
        shop,
        deliver_days(tmp_path / "logs", DAYS[:1]),
        key=KEY,
        provenance=Provenance("spec", "code", "key", FIRST),
    )
    (gone,) = lake.folder.rglob(f"raw/delivery_date={FIRST}/*/events/*/events.jsonl")
    gone.unlink()
    with pytest.raises(DeliveryError, match="landed, but gone since; land the logs again"):
        ingest_into(tmp_path / "home", FIRST)


def test_result_is_json(results: list[dict[str, Any]]) -> None:
    """What the command prints can be read by any program."""
    assert set(json.loads(json.dumps(results[0]))) == {
        "source",
        "date",
        "n_lines",
        "n_events",
        "n_derived",
        "n_rejected",
        "rejected",
        "n_not_yet",
        "deliveries",
        "unread_files",
        "n_unended_files",
        "unended_files",
        "missing_days",
        "unknown_event_types",
        "ignored_where",
        "accepted",
        "left_out",
        "drift",
        "side_tables",
        "digests",
        "seconds",
    }
