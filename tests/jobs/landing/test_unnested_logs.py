"""Sessions whose clicks have times of their own become the very events that a flat log of the clicks becomes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.delivery import Delivery
from jobs.errors import UnlikelyDelivery
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import deliver
from tests.jobs.unnested_source import source_of_sessions

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)
MIDNIGHT = 1_767_657_600  # of NEXT, UTC


def hit(at: float, kind: str = "view", sku: str = "shoe", **changes: Any) -> dict[str, Any]:
    return {"at": at, "type": kind, "sku": sku, **changes}


def sessions() -> list[dict[str, Any]]:
    """Of three shoppers, one over midnight; equal clicks twice, an empty list, and a click that no list holds."""
    return [
        {
            "sid": "s1",
            "user": "ann",
            "hits": [hit(MIDNIGHT - 900 + 60 * n, sku=f"i{n}") for n in range(5)],
        },
        {
            "sid": "s2",
            "user": "bob",
            "hits": [hit(MIDNIGHT - 60), hit(MIDNIGHT - 60), hit(MIDNIGHT + 60, "buy", price=2.50)],
        },
        {"sid": "s3", "user": "cas", "hits": []},
        {"sid": "s4", "user": "cas"},
        {"sid": "s5", "user": "cas", "hits": [hit(MIDNIGHT - 30, "dance"), hit(MIDNIGHT - 20, sku="hat")]},
    ]


def flat(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same as a person would flatten it: a line a click."""
    return [{**record, "hits": one} for record in records for one in record.get("hits", [None])]


def lines_of(records: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(one) for one in records]


SEEN = ("event_time", "event_type", "user_id", "item_id", "price", "delivery_date")


def seen(home: Path) -> list[tuple[Any, ...]]:
    """The published events, without their ids, which name the lines."""
    table, found = Lake(home / "lake", "canonical").table("events"), []
    for name, pointer in read_pointers(table).items():
        for file in pointer.files:
            rows = pq.read_table(table / file, partitioning=None).to_pylist()
            found += [tuple(str(row.get(key, name)) for key in SEEN) for row in rows]
    return sorted(found)


def test_daily_sessions_are_the_events_of_a_flat_log(ingest_into: Ingest, tmp_path: Path) -> None:
    """Clicks after midnight are of the next delivery's day: too early here, and rejected one by one."""
    options = {"max_rejected_share": 1.0}
    deliver(tmp_path / "nested", DAY, lines_of(sessions()))
    nested = ingest_into(tmp_path / "a", DAY, tmp_path / "nested", source_of_sessions(**options))
    deliver(tmp_path / "flat", DAY, lines_of(flat(sessions())))
    by_hand = ingest_into(tmp_path / "b", DAY, tmp_path / "flat", source_of_sessions(unnest=None, **options))
    told = ("n_lines", "n_events", "n_rejected", "rejected")
    assert {name: nested[name] for name in told} == {name: by_hand[name] for name in told}
    assert (nested["n_lines"], nested["n_events"]) == (11, 7)
    assert nested["rejected"] == {"duplicate": 1, "missing_field": 1, "outside_window": 1, "unknown_event_type": 1}
    found = seen(tmp_path / "a")
    assert found == seen(tmp_path / "b")
    assert len(found) == 7


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_log_of_many_days_is_split_by_the_clicks_own_days(ingest_into: Ingest, tmp_path: Path, kind: str) -> None:
    """A session over midnight is of two deliveries; what has no day goes to the first."""
    records, logs = sessions(), tmp_path / "logs"
    logs.mkdir()
    delivery = Delivery(layout="by_event_date", files=("**/*",))
    source = source_of_sessions(
        format=kind, delivery=delivery.model_dump(mode="json"), max_rejected_share=1.0, items=None, availability=None
    )
    if kind == "jsonl":
        (logs / "log.jsonl").write_text("\n".join(lines_of(records)) + "\n", encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist([{"hits": None} | one for one in records]), logs / "log.parquet")
    first = ingest_into(tmp_path / "home", DAY, logs, source)
    assert (first["n_lines"], first["n_events"], first["n_not_yet"]) == (11, 7, 1)
    assert first["rejected"] == {"duplicate": 1, "missing_field": 1, "unknown_event_type": 1}
    both = ingest_into(tmp_path / "home", NEXT, None, source)
    assert (both["n_lines"], both["n_events"], both["n_rejected"]) == (11, 8, 3)
    assert len(seen(tmp_path / "home")) == 8


def test_misfits_are_told_of_the_clicks(ingest_into: Ingest, tmp_path: Path) -> None:
    """A list under another name makes every record one line without a time."""
    deliver(tmp_path / "logs", DAY, [json.dumps({"user": "ann", "clicks": [hit(MIDNIGHT - 9)]})] * 30)
    with pytest.raises(UnlikelyDelivery, match=r"30 of 30 lines are rejected[^$]*missing_field event_time"):
        ingest_into(tmp_path / "home", DAY, tmp_path / "logs", source_of_sessions(duplicates="keep"))
