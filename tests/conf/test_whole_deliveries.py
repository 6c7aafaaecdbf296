"""Whether a delivery is whole: by its marker, its feeds and their usual volume."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.errors import SpecError
from conf.paths import Lake
from conf.publication import FileSum, Manifest, Pointer, swap_pointer
from conf.specs.arrival import Arrival
from conf.specs.source import Source, load_source
from conf.specs.strict_yaml import parse_model
from conf.whole_deliveries import is_marker, is_settled, what_is_missing

DAY = date(2026, 3, 5)
ORDERS = {"clicks": ("day", "month", "year"), "orders": ("month", "day", "year")}


def source(**arrival: Any) -> Source:
    """The canonical source with an arrival; none where nothing is given."""
    return load_source("canonical").model_copy(update={"arrival": Arrival(**arrival) if arrival else None})


def deliver(logs: Path, day: date, name: str = "events.jsonl", size: int = 100) -> None:
    path = logs / str(day) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def land(lake: Lake, day: date, sizes: dict[str, int]) -> None:
    """A delivery as its pointer tells of it."""
    files = {f"delivery_date={day}/v=1/{kind}/{day}/{kind}.jsonl": size for kind, size in sizes.items()}
    manifest = Manifest(
        table="raw_lines",
        partition=f"delivery_date={day}",
        schema_version=1,
        n_rows=1,
        content_hash="1-a",
        spec_hash="s",
        code_hash="c",
        key_id="k",
        horizon=day,
        inputs={},
    )
    pointer = Lake.pointer(lake.raw_delivery(day).parent, f"delivery_date={day}")
    pointer.parent.mkdir(parents=True, exist_ok=True)
    sums = {path: FileSum(n_bytes=size, sha256="0") for path, size in files.items()}
    swap_pointer(pointer, Pointer(files=tuple(files), manifest=manifest, sums=sums))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", "canonical")


def test_a_delivery_waits_for_its_marker(tmp_path: Path, lake: Lake) -> None:
    """Another day's doesn't count."""
    deliver(tmp_path, DAY)
    deliver(tmp_path, DAY - timedelta(days=1), "_SUCCESS", 0)
    wanted = source(marker="**/_SUCCESS")
    assert what_is_missing(wanted, lake, tmp_path, DAY) == ["no marker **/_SUCCESS"]
    deliver(tmp_path, DAY, "_SUCCESS", 0)
    assert what_is_missing(wanted, lake, tmp_path, DAY) == []
    assert is_marker(wanted, f"{DAY}/_SUCCESS") and not is_marker(wanted, f"{DAY}/events.jsonl")


def test_a_delivery_has_a_file_of_each_feed_that_is_named(tmp_path: Path, lake: Lake) -> None:
    """Side tables too; every one that lacks is named."""
    wanted = source(feeds=("canonical", "items"))
    assert what_is_missing(wanted, lake, tmp_path, DAY) == ["no file of canonical", "no file of items"]
    deliver(tmp_path, DAY)
    deliver(tmp_path, DAY, "items.jsonl")
    assert what_is_missing(wanted, lake, tmp_path, DAY) == []


def test_a_delivery_is_as_large_as_those_of_its_weekday(tmp_path: Path, lake: Lake) -> None:
    """Thursdays hold 1,000 bytes and other days 200: 450 are too few for a Thursday."""
    for back in range(1, 29):
        land(lake, DAY - timedelta(days=back), {"events": 1000 if back % 7 == 0 else 200})
    deliver(tmp_path, DAY, size=450)
    wanted = source(share_of_usual=0.5)
    (told,) = what_is_missing(wanted, lake, tmp_path, DAY)
    assert told == "canonical: 450 bytes where 1,000 are usual, less than 50% of it"
    deliver(tmp_path, DAY, size=500)
    assert what_is_missing(wanted, lake, tmp_path, DAY) == []


def test_the_last_days_are_usual_before_there_are_weeks(tmp_path: Path, lake: Lake) -> None:
    """Two deliveries tell nothing, three do; a feed that is missing altogether counts as empty."""
    for back in (1, 2):
        land(lake, DAY - timedelta(days=back), {"events": 1000, "items": 300})
    wanted = source(share_of_usual=0.5)
    assert what_is_missing(wanted, lake, tmp_path, DAY) == []
    land(lake, DAY - timedelta(days=3), {"events": 1000, "items": 300})
    deliver(tmp_path, DAY, size=900)
    (told,) = what_is_missing(wanted, lake, tmp_path, DAY)
    assert told.startswith("items: 0 bytes where 300 are usual")


def test_a_weekly_feed_is_not_missed_on_other_days(tmp_path: Path, lake: Lake) -> None:
    """It comes on Mondays."""
    for back in range(1, 29):
        day = DAY - timedelta(days=back)
        land(lake, day, {"events": 1000} | ({"items": 300} if day.weekday() == 0 else {}))
    deliver(tmp_path, DAY, size=900)
    assert what_is_missing(source(share_of_usual=0.5), lake, tmp_path, DAY) == []


def test_without_a_declaration_every_delivery_is_whole(tmp_path: Path, lake: Lake) -> None:
    """Even where there is none; who reads it says so."""
    assert what_is_missing(source(), lake, tmp_path / "nowhere", DAY) == []


def test_a_file_that_was_named_alone_is_looked_at(tmp_path: Path, lake: Lake) -> None:
    """Its folder says the date."""
    deliver(tmp_path, DAY)
    named = tmp_path / str(DAY) / "events.jsonl"
    assert what_is_missing(source(feeds=("canonical",)), lake, named, DAY) == []


def content(**changes: Any) -> dict[str, Any]:
    return load_source("canonical").model_dump(mode="json", exclude_unset=True) | changes


@pytest.mark.parametrize(
    ("arrival", "told"),
    [
        ({"by": "06:30"}, "nothing says when a delivery is whole; give marker, feeds or share_of_usual"),
        ({"feeds": ["itms"]}, "arrival.feeds: no feed or side table 'itms'; did you mean 'items'?"),
        ({"feeds": ["items"], "by": "25:00"}, "got '25:00'; expected hours and minutes in quotes"),
        ({"feeds": ["items"], "by": 390}, "got 390; expected hours and minutes in quotes"),
        ({"share_of_usual": 0}, "greater than 0"),
    ],
)
def test_an_arrival_that_does_not_fit_says_why(arrival: dict[str, Any], told: str) -> None:
    """06:30 without quotes is a number to YAML."""
    with pytest.raises(SpecError) as caught:
        parse_model(Source, content(arrival=arrival), "canonical.yaml")
    assert told in str(caught.value)


def test_a_log_that_is_split_has_no_arrival() -> None:
    """Its deliveries are made from its lines."""
    with pytest.raises(SpecError, match=r"arrival needs delivery\.layout dated_files"):
        parse_model(
            Source,
            content(arrival={"marker": "x"}, delivery={"layout": "by_event_date"}),
            "canonical.yaml",
        )


def test_the_deadline_is_by_the_shops_clock() -> None:
    """On the day after; hours of waiting pass as they do, also where the clock is set in between."""
    arrival = Arrival(marker="x", by="23:30", wait_hours=4)
    assert arrival.deadline(date(2026, 3, 27), "Europe/Berlin").isoformat() == "2026-03-28T23:30:00+01:00"
    assert arrival.given_up(date(2026, 3, 27), "Europe/Berlin").isoformat() == "2026-03-29T04:30:00+02:00"


def test_a_delivery_is_settled_once_it_is_landed_or_left_out(lake: Lake) -> None:
    """One that is only held back isn't."""
    land(lake, DAY, {"events": 100})
    other = DAY - timedelta(days=1)
    lake.held_back(other).parent.mkdir(parents=True)
    lake.held_back(other).write_text('{"why": "half", "left_out": null}')
    assert (is_settled(lake, DAY), is_settled(lake, other)) == (True, False)
    lake.held_back(other).write_text('{"why": "half", "left_out": "shop was closed", "who": "ann"}')
    assert is_settled(lake, other)


def test_a_files_day_is_read_as_its_feed_says(tmp_path: Path, lake: Lake) -> None:
    """One shop system puts the month first, the other the day: a name is of the fifth of March or the third of May."""
    feed = {
        "format": "jsonl",
        "events": {
            "event_time": {"column": "at", "unit": "iso"},
            "event_type": {"constant": "view"},
            "user_id": {"column": "who"},
        },
    }
    patterns = {name: "".join(f"(?P<{one}>[0-9]+)[.]?" for one in order) for name, order in ORDERS.items()}
    content = load_source("canonical").model_dump(
        exclude_defaults=True, exclude={"format", "csv", "delivery", "events"}
    )
    content |= {
        "arrival": {"feeds": ["clicks", "orders"]},
        "feeds": [
            feed
            | {"name": name, "delivery": {"layout": "dated_files", "date_pattern": one, "files": [f"{name}_*.jsonl"]}}
            for name, one in patterns.items()
        ],
    }
    wanted = Source.model_validate(content)
    for name in ("clicks_3.5.2026.jsonl", "orders_3.5.2026.jsonl"):
        (tmp_path / name).write_bytes(b"x")
    assert what_is_missing(wanted, lake, tmp_path, DAY) == ["no file of clicks"]
    assert what_is_missing(wanted, lake, tmp_path, date(2026, 5, 3)) == ["no file of orders"]
