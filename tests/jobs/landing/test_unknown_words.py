"""Event types that a source doesn't know are told by their words, as long as they are words for events."""

from __future__ import annotations

import string
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.publication import read_pointers
from jobs.landing.unknown_words import count_words, words_of
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import DAYS, day_lines, deliver_days, line

FIRST = DAYS[0]


def test_words_are_counted_among_rejected_lines_alone() -> None:
    """A shape of another reason is no word."""
    lines = pa.table(
        {
            "reason": ["unknown_event_type", "unknown_event_type", "bad_number", None, "unknown_event_type"],
            "shape": ["Rückgabe", "Rückgabe", "99,9", None, None],
        }
    )
    assert count_words(lines) == {"word/Rückgabe": 2}
    assert words_of(count_words(lines) | {"n_accepted": 1}) == {"Rückgabe": 2}


def test_what_is_no_column_of_types_is_not_told() -> None:
    """Of a feed whose types are all unknown, and of many different words: they may be anybody's names."""
    names = {f"word/{letter}": 1 for letter in string.ascii_letters}
    assert words_of(names | {"n_accepted": 9}) == {}
    assert words_of({"word/Ann": 3}) == {}


def test_a_night_tells_them(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """In its result and in the manifest, from every delivery so far."""
    logs = deliver_days(tmp_path / "logs", DAYS[:2])
    for day in DAYS[:2]:
        path = logs / str(day) / "events.jsonl"
        spoiled = [line(day, n, event_type="Rückgabe", event_id=f"r{day}{n}") for n in range(2)]
        path.write_text("".join(f"{one}\n" for one in [*day_lines(day), *spoiled]), encoding="utf-8")
    result = ingest_into(tmp_path / "home", DAYS[1], logs)
    assert result["unknown_event_types"] == {"Rückgabe": 4}
    pointers = read_pointers(Lake(tmp_path / "home" / "lake", "canonical").table("events"))
    assert pointers[f"delivery_date={FIRST}"].manifest.profile["canonical"]["word/Rückgabe"] == 2
