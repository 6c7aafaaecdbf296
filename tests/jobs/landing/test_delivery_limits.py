"""A delivery that can't be right stays unpublished, with what is wrong with it; a person may accept it."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

import jobs.main
from conf.errors import FAILS_AGAIN, exit_code
from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.event_mapping import EventMapping
from conf.specs.source import Source, load_source
from jobs.commands.ingest import ingest, land_logs
from jobs.errors import DeliveryError, UnlikelyDelivery
from jobs.landing.acceptance import accept, accepted_note, accepted_notes
from jobs.landing.delivery_limits import RejectedLines, example_of, n_shifted, summarize, unlikely_lines, unread_fields
from jobs.landing.raw_deliveries import read_raw_deliveries
from jobs.landing.unlikely_deliveries import refuse
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, day_lines, deliver, deliver_days

FIRST, SECOND, _ = DAYS
SECONDS = EventMapping.model_validate(
    source().events.model_dump() | {"event_time": {"column": "event_time", "unit": "seconds"}}
)


def _lines(
    n_lines: int, reason: str | None = None, field: str | None = None, shape: str | None = None
) -> RejectedLines:
    return RejectedLines(FIRST, "canonical", reason, field, None, n_lines, "events.jsonl", 7, shape)


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ([_lines(80), _lines(20, "bad_number", "price")], None),
        ([_lines(79), _lines(21, "bad_number", "price")], "21 of 100 lines are rejected (21.0%, at most 20.0%)"),
        ([_lines(10), _lines(990, "ignored")], None),
        ([_lines(10), _lines(900, "duplicate"), _lines(90, "bot_rate")], None),
        ([_lines(10), _lines(990, "ignored"), _lines(3, "unreadable")], "3 of 13 lines are rejected (23.1%, at most"),
        ([_lines(990, "ignored")], None),
        ([_lines(3), _lines(1, "missing_field", "item_id")], None),
        ([_lines(2), _lines(2, "unreadable")], None),
        ([_lines(1), _lines(2, "unreadable")], "2 of 3 lines are rejected (66.7%, at most 20.0%)"),
        ([_lines(1, "unreadable")], "1 of 1 lines are rejected (100.0%, at most 20.0%)"),
        ([_lines(7), _lines(3, "unreadable")], "3 of 10 lines are rejected (30.0%, at most 20.0%)"),
    ],
)
def test_share_is_of_lines_that_could_have_been_events(lines: list[RejectedLines], refused: str | None) -> None:
    """Ignored lines, repetitions and bots were read right."""
    found = unlikely_lines(lines, source(), {})
    if refused is None:
        assert found == []
    else:
        (one,) = found
        assert one.told.startswith(f"  delivery_date={FIRST}: {refused}")
        assert unlikely_lines(lines, source(), {FIRST}) == []
        assert unlikely_lines(lines, source(max_rejected_share=1.0), {}) == []


def test_few_wrong_lines_stop_where_none_may_be() -> None:
    assert unlikely_lines([_lines(3), _lines(1, "unreadable")], source(max_rejected_share=0.0), {})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            _lines(9, "bad_timestamp", None, "9999999999999"),
            "9 bad_timestamp event_time: first in events.jsonl line 7 .*milliseconds, the source says seconds",
        ),
        (_lines(9, "bad_timestamp", None, "9999-99-99"), "looks like 9999-99-99, the source says seconds"),
        (_lines(9, "missing_field", "user_id"), "9 missing_field user_id: first in events.jsonl line 7$"),
        (_lines(9, "unknown_event_type", None, "aaaa"), "9 unknown_event_type event_type: .*looks like aaaa"),
    ],
)
def test_message_says_what_is_wrong_where_and_what_to_do(lines: RejectedLines, expected: str) -> None:
    """Reason, field, place and shape; nothing of what the line says."""
    with pytest.raises(UnlikelyDelivery) as raised:
        refuse(unlikely_lines([lines], source(events=SECONDS), {}), source())
    message = str(raised.value)
    assert f"delivery_date={FIRST}: 9 of 9 lines are rejected (100.0%, at most 20.0%)" in message
    assert "make accept SOURCE=canonical" in message
    assert re.search(expected, message, re.MULTILINE)
    assert exit_code(raised.value) == FAILS_AGAIN


def _published(lake: Lake) -> dict[str, list[str]]:
    return {name: list(read_pointers(lake.table(name))) for name in ("events", "events_rejected", "items")}


def test_delivery_in_other_units_is_landed_and_not_published_until_accepted(
    ingest_into: Ingest, spark: SparkSession, tmp_path: Path
) -> None:
    """Seconds read as ISO: every line is rejected, the next night is refused too, a reason opens it."""
    logs, home = deliver_days(tmp_path / "logs", [FIRST]), tmp_path / "home"
    lake = Lake(home / "lake", "canonical")
    ingest_into(home, FIRST, logs)
    before = _published(lake)
    wrong = [json.dumps(json.loads(line) | {"event_time": 1767571200}) for line in day_lines(SECOND)]
    deliver(logs, SECOND, wrong)
    deliver(logs, SECOND, ["x"], "clicks.json")
    for given in (logs, None):
        with pytest.raises(UnlikelyDelivery, match=f"{len(wrong)} of {len(wrong)} lines") as raised:
            ingest_into(home, SECOND, given)
        assert "ann" not in str(raised.value)
        assert "1767571200" not in str(raised.value)
        assert _published(lake) == before
    with pytest.raises(DeliveryError, match="REASON is missing"):
        accept(lake, SECOND, " ")
    with pytest.raises(DeliveryError, match="no delivery 2026-02-01 was landed: there are 2"):
        accept(lake, date(2026, 2, 1), "closed")
    accept(lake, SECOND, "the shop was closed", who="ann")
    result = ingest_into(home, SECOND)
    (accepted,) = result["accepted"]
    assert accepted | {"at": ""} == {"delivery": str(SECOND), "reason": "the shop was closed", "who": "ann", "at": ""}
    assert (result["deliveries"], result["rejected"]) == ([str(SECOND)], {"bad_timestamp": len(wrong)})
    manifest = read_pointers(lake.table("events"))[f"delivery_date={SECOND}"].manifest
    assert accepted_note(manifest.notes) == {name: one for name, one in accepted.items() if name != "delivery"}
    deliver(logs, SECOND, [*wrong, "{"])
    with pytest.raises(UnlikelyDelivery, match=f"{len(wrong) + 1} of {len(wrong) + 1} lines"):
        ingest_into(home, SECOND, logs)
    assert accepted_notes(lake, read_raw_deliveries(lake).values()) == {}


def test_two_identical_files_are_both_counted(ingest_into: Ingest, tmp_path: Path) -> None:
    """Every line of the second is a duplicate, and the result says so."""
    logs = deliver_days(tmp_path / "logs", [FIRST])
    deliver(logs, FIRST, day_lines(FIRST), "events-2.jsonl")
    deliver(logs, FIRST, ["x"], "clicks.json")
    result = ingest_into(tmp_path / "home", FIRST, logs)
    n_lines = len(day_lines(FIRST))
    assert (result["n_lines"], result["n_events"]) == (2 * n_lines, n_lines)
    assert result["rejected"] == {"duplicate": n_lines}
    assert result["unread_files"] == [f"{FIRST}/clicks.json"]


def test_what_a_clock_made_of_a_rejected_line_splits_no_reason() -> None:
    """Two lines without a shopper are one reason, whichever of them lies in the hour that was shown twice."""
    names = ("feed", "reason", "detail", "shift", "file", "line_number", "shape")
    rows = [
        ("canonical", "missing_field", "user_id", "repeated", "a.csv", 9, "aa"),
        ("canonical", "missing_field", "user_id", None, "a.csv", 4, "a"),
        ("canonical", None, None, "repeated", "a.csv", 5, None),
    ]
    lines = summarize(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), FIRST)
    assert {one.shape for one in lines} == {"a", None}
    assert {(one.reason, one.shift, one.n_lines, one.line_number) for one in lines} == {
        ("missing_field", None, 2, 4),
        (None, "repeated", 1, 5),
    }
    assert n_shifted(lines, FIRST) == {"n_skipped_local_times": 0, "n_repeated_local_times": 1}


def test_a_delivery_is_landed_before_it_is_accepted(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its logs named, one command does both: what a person accepts is what lies there."""
    wrong = [json.dumps(json.loads(line) | {"event_time": 1767571200}) for line in day_lines(SECOND)]
    logs = deliver_days(tmp_path / "logs", [FIRST])
    deliver(logs, SECOND, wrong)
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        jobs.main,
        "start_spark",
        lambda *_: SimpleNamespace(stop=lambda: None, sparkContext=SimpleNamespace(master="local")),
    )
    monkeypatch.setattr(jobs.main, "land_logs", lambda _, *given, **named: land_logs(spark, *given, **named))
    monkeypatch.setattr(jobs.main, "ingest", lambda _, *given, **named: ingest(spark, *given, **named))
    words = ["--source", "canonical", "--delivery", str(SECOND), "--reason", "closed", "--logs", str(logs)]
    assert jobs.main.main(["accept", *words, "--who", "ann"]) == 0
    manifest = read_pointers(Lake(tmp_path / "home" / "lake", "canonical").table("events"))[
        f"delivery_date={SECOND}"
    ].manifest
    assert (manifest.notes["accepted"], manifest.notes["accepted_by"]) == ("closed", "ann")
    assert manifest.counters["n_rejected"] == len(wrong)


def _split_over_files(logs: Path, bad: bytes, name: str = "events-b.jsonl") -> Path:
    """A day's events in two files, and a bad one between them."""
    deliver(logs, FIRST, day_lines(FIRST)[:15], "events-a.jsonl")
    deliver(logs, FIRST, day_lines(FIRST)[15:], "events-c.jsonl")
    (logs / str(FIRST) / name).write_bytes(bad)
    return logs


def test_one_bad_file_of_a_delivery_is_named_as_the_only_one(ingest_into: Ingest, tmp_path: Path) -> None:
    """With what helps; where lines of another file are wrong too, none is."""
    logs = _split_over_files(tmp_path / "logs", b"no event\n" * 40)
    told = f"all of them lie in {FIRST}/events-b.jsonl; other files are read: deliver this one again"
    with pytest.raises(UnlikelyDelivery, match=told):
        ingest_into(tmp_path / "home", FIRST, logs)
    deliver(logs, FIRST, [*day_lines(FIRST)[15:], "no event"], "events-c.jsonl")
    with pytest.raises(UnlikelyDelivery, match="41 unreadable: first in") as raised:
        ingest_into(tmp_path / "home", FIRST, logs)
    assert "all of them" not in str(raised.value)


def test_one_file_that_cannot_be_read_of_a_log_split_by_date_is_named(ingest_into: Ingest, tmp_path: Path) -> None:
    """Nothing of the log is landed: which days the file would have had, nobody knows."""
    logs = _split_over_files(tmp_path / "logs", b"\x1f\x8b\x08 cut off", "events-b.jsonl.gz")
    layout = {"layout": "by_event_date", "files": ["**/events*"]}
    source = Source.model_validate(load_source("canonical").model_dump() | {"delivery": layout})
    expected = r"events-b\.jsonl\.gz: not a whole gzip file [^$]*though 2 other file\(s\) of events can be read"
    with pytest.raises(DeliveryError, match=expected):
        ingest_into(tmp_path / "home", FIRST, logs, source)


def test_a_fraction_is_told_with_what_to_map_instead() -> None:
    """Of a few lines as of all of them; pieces in the other lines are values that could be read."""
    line = _lines(1, "bad_number", "quantity (a fraction)", "9.99")
    assert "looks like 9.99: quantities are whole: map a smaller unit (kilograms with scale: 1000" in example_of(
        line, source()
    )
    rejected = {"bad_number quantity (a fraction)": 25}
    assert unread_fields({"quantity": 3}, rejected) == {}
    (told,) = unread_fields({}, rejected).values()
    assert told.startswith("no value of quantity could be read: 25 lines are bad_number")
    assert told.endswith("or leave quantity out and map amount alone")
    (told,) = unread_fields({}, {"bad_number position (a fraction)": 25}).values()
    assert told == "no value of position could be read: 25 lines are bad_number, and no event has one"
