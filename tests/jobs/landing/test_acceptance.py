"""A person's word on a delivery is good in every home that has what was published on it, for the same files alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from conf.paths import Lake
from conf.publication import FileSum, Manifest, Pointer, swap_pointer
from jobs.landing.acceptance import accepted_notes
from jobs.landing.raw_deliveries import RawDelivery, RawFile

DAY = date(2026, 1, 6)
NOTES = {"accepted": "the shop was closed", "accepted_by": "ann", "accepted_at": "2026-01-07T08:00:00+00:00"}
FILE = RawFile(DAY, "events", "2026-01-06/events.csv", "a1", 7, ("at", "who"))
DELIVERY = RawDelivery(DAY, (FILE, RawFile(DAY, "items", "2026-01-06/items.jsonl", "b2", 3)))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """The lake of a home where nobody noted anything."""
    return Lake(tmp_path, "shop")


def publish(lake: Lake, notes: dict[str, str]) -> None:
    """Publish the delivery's events, as another home of a shared lake does."""
    manifest = Manifest(
        table="events",
        partition=f"delivery_date={DAY}",
        schema_version=1,
        n_rows=2,
        content_hash="2-x",
        spec_hash="s",
        code_hash="c",
        key_id="k",
        horizon=DAY,
        inputs=DELIVERY.inputs | {"ids/keyed": "yes", "currencies_before": "r"},
        notes=notes,
    )
    file = "v-x/part.parquet"
    pointer = Pointer(files=(file,), manifest=manifest, sums={file: FileSum(n_bytes=1, sha256="0")})
    swap_pointer(Lake.pointer(lake.table("events"), manifest.partition), pointer)


def test_what_another_home_accepted_and_published_is_not_asked_again(lake: Lake) -> None:
    assert accepted_notes(lake, [DELIVERY]) == {}
    publish(lake, NOTES | {"of_another_kind": "x"})
    assert accepted_notes(lake, [DELIVERY]) == {DAY: NOTES}


def test_what_was_published_without_a_word_is_accepted_by_nobody(lake: Lake) -> None:
    publish(lake, {})
    assert accepted_notes(lake, [DELIVERY]) == {}


@pytest.mark.parametrize(
    "files",
    [
        (replace(FILE, keyed_hash="a2"), DELIVERY.files[1]),
        (FILE,),
        (*DELIVERY.files, RawFile(DAY, "events", "2026-01-06/more.csv", "c3", 1, ("at", "who"))),
        (replace(FILE, header=("at", "customer")), DELIVERY.files[1]),
    ],
    ids=["other bytes", "one less", "one more", "another header"],
)
def test_other_files_than_those_that_were_looked_at_are_asked_about(lake: Lake, files: tuple[RawFile, ...]) -> None:
    publish(lake, NOTES)
    assert accepted_notes(lake, [RawDelivery(DAY, files)]) == {}
