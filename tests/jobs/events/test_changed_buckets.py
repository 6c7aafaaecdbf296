"""A source whose `user_buckets` changes: shoppers stay whole, though earlier deliveries' files stay where they lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.source import load_source

FIRST, NEXT = date(2026, 3, 2), date(2026, 3, 3)


def deliver(folder: Path, day: date, clock: str) -> None:
    """Twelve shoppers, an event each."""
    lines = [
        {"event_time": f"{day}T{clock}:{n:02}Z", "event_type": "view", "user_id": f"shopper {n}", "item_id": "i"}
        for n in range(12)
    ]
    below = folder / str(day)
    below.mkdir(parents=True)
    (below / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_shoppers_stay_whole_where_the_number_of_buckets_changes(
    ingest_into: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Sessions over a midnight between deliveries of different buckets are those of a lake that had one number."""
    early, logs = tmp_path / "early", tmp_path / "logs"
    for folder in (early, logs):
        deliver(folder, FIRST, "23:50")
    deliver(logs, NEXT, "00:05")
    before, after = (load_source("canonical").model_copy(update={"user_buckets": n}) for n in (4, 3))
    expected = ingest_into(tmp_path / "fresh", NEXT, logs, after)["digests"]
    assert expected["sessions"][str(FIRST)].startswith("12-")
    ingest_into(tmp_path / "grown", FIRST, early, before)
    found = ingest_into(tmp_path / "grown", NEXT, logs, after)["digests"]
    assert found == expected
    # What lies where it lay is divided as before, whatever the spec says now.
    pointers = read_pointers(Lake(tmp_path / "grown" / "lake", "canonical").table("events"))
    assert [pointer.n_buckets for pointer in pointers.values()] == [4, 3]
