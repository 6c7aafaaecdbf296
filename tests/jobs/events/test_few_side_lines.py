"""Few lines of a side table become, without Spark, the rows and counts that Spark makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.specs.source import Source, load_source
from conf.tables import SIDE_TABLES
from jobs.events.few_side_lines import FewSideLines, read_few_side_lines
from jobs.events.side_tables import count_lines_of, read_side_table
from jobs.landing.raw_lines import LineFile
from jobs.publishing.content_hash import hash_aggregates, read_content_hash
from jobs.publishing.row_pieces import write_sorted
from jobs.publishing.written_hashes import file_sums
from tests.jobs.event_rows import source

KEY = b"a key for tests only"
DAYS = (date(2026, 1, 5), date(2026, 1, 6))
N_LINES = 250

# A few ids and moments, so that lines meet; values that are missing, dirty, or written in several ways.
IDS = ("a", "1", 1, 1.0, "1.0", True, None, "", "NULL", "ü'\"\\", "a longer id than eight bytes, and than thirty-two")
MOMENTS = ("2026-01-05T00:00:00Z", "2026-01-05T01:00:00+01:00", "2025-12-31T23:59:59.999999Z", "yesterday")
NUMBERS = (None, 0, 1, "2.5", "-1", "1e3", "12,50", "nan", 0.000001, "99999999999999999999")
WORDS = (None, "x", "y", "", "gold", 3)
FLAGS = (True, False, "yes", "no", "maybe", None)
LISTS = ([], ["a"], ["b", "a", "a"], ["1", 1, 1.0], [None], "a", None)


def line(rng: np.random.Generator) -> str:
    def one_of(values: object) -> object:
        return values[int(rng.integers(len(values)))]  # type: ignore[index,arg-type]

    ids = {name: one_of(IDS) for name in ("item_id", "availability_id", "user_id", "offer_id", "currency", "day")}
    numbers = {name: one_of(NUMBERS) for name in ("price", "cost", "quantity", "pack_size", "volume", "rate", "amount")}
    words = {name: one_of(WORDS) for name in ("category_id", "tier", "country", "name")}
    told = {"valid_from": one_of(MOMENTS), "is_given": one_of(FLAGS), "actions": one_of(LISTS)}
    given = ids | numbers | words | told | {"currency": one_of(("EUR", "USD", "eur", None))}
    return json.dumps({name: value for name, value in given.items() if rng.random() > 0.03})


def sources() -> Iterator[tuple[str, Source]]:
    attributes = {
        "files": ["**/lines.jsonl"],
        "columns": {"user_id": {"column": "user_id"}, "tier": {"column": "tier"}, "land": {"column": "country"}},
    }
    rates = {"files": ["**/lines.jsonl"], "columns": {"currency": {"column": "currency"}, "rate": {"column": "rate"}}}
    consent = {
        "files": ["**/lines.jsonl"],
        "columns": {"user_id": {"column": "user_id"}, "is_given": {"column": "is_given"}},
    }
    changes = {"currency": "EUR", "currencies": rates, "shoppers": attributes, "consent": consent}
    mapped = Source.model_validate(source().model_dump() | changes)
    canonical = load_source("canonical")
    for name in SIDE_TABLES:
        for kind, one in (("canonical", canonical), ("mapped", mapped)):
            if name in one.side_tables:
                yield f"{name}-{kind}", one


@pytest.mark.parametrize(("name", "shop"), [pytest.param(name.split("-")[0], one, id=name) for name, one in sources()])
def test_rows_and_counts_are_those_of_spark(spark: SparkSession, name: str, shop: Source, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    files = []
    for day in (*DAYS, DAYS[0]):
        path = tmp_path / f"{len(files)}" / "lines.jsonl"
        path.parent.mkdir()
        path.write_text("\n".join([*(line(rng) for _ in range(N_LINES)), '{"cut": ']), encoding="utf-8")
        files.append(LineFile(path, path.name, day))

    few = read_few_side_lines(name, files, [], shop, KEY)
    many = read_side_table(spark, name, files, [], shop, KEY)
    expected = {day: count for (_, day), count in count_lines_of({name: many}).items()}
    assert few.counts == expected
    assert sum(count.n_accepted for count in expected.values()) > 10
    assert len({reason for count in expected.values() for reason in count.by_reason}) > 1
    hashed = many.rows.groupBy("delivery_date").agg(*hash_aggregates(SIDE_TABLES[name])).collect()
    assert hashes_of(few, name, tmp_path) == {row["delivery_date"]: read_content_hash(row) for row in hashed}
    many.lines.unpersist()


def hashes_of(few: FewSideLines, name: str, folder: Path) -> dict[date, str]:
    found = {}
    for day, rows in few.rows.items():
        write_sorted(rows, SIDE_TABLES[name].key, folder / str(day))
        found[day] = file_sums(folder / str(day) / "part-00000.parquet", SIDE_TABLES[name])[0].content_hash
    return found
