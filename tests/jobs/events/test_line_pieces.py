"""A delivery's lines are split over workers without changing what becomes of any of them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.delivery import BotRule
from conf.specs.event_mapping import EventMapping
from conf.specs.source import Source
from jobs.events import line_pieces
from jobs.events.line_events import buckets
from jobs.events.line_pieces import part_numbers
from jobs.landing.delivery_drift import n_bits
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import deliver, line

DAY = date(2026, 1, 6)


def _shop(**changes: Any) -> Source:
    """Clicks bring an event of their own each; small buckets."""
    mapping = source().events.model_dump() | {"derived": [{"column": "click", "values": ["1"], "type": "click"}]}
    return source(events=EventMapping.model_validate(mapping), user_buckets=3, max_rejected_share=0.9, **changes)


def _lines(prefix: str) -> list[str]:
    """Repetitions across shoppers and files, bots, lines that can't be read, two events of a line."""
    users = [f"{prefix}{number}" for number in range(12)]
    found = [
        json.dumps(json.loads(line(DAY, minutes, user_id=user, item_id=f"i{minutes}")) | {"click": str(minutes % 2)})
        for user in users
        for minutes in range(5)
    ]
    found += [line(DAY, 30, user_id=user, event_id="shared") for user in users]
    found += [line(DAY, 100, user_id="both"), "{", line(DAY, 7, user_id=users[0], price="x")]
    return found + [line(DAY, 200 + minutes, user_id=f"{prefix}bot") for minutes in range(9)]


@pytest.mark.parametrize("duplicates", ["keep", "reject"])
def test_digests_do_not_depend_on_the_parts(
    ingest_into: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, duplicates: str
) -> None:
    """One part, as many as buckets, more than buckets: the same rows, reasons, counters and profile."""
    logs = tmp_path / "logs"
    deliver(logs, DAY, _lines("a"))
    deliver(logs, DAY, _lines("b"), "events-2.jsonl")
    shop, found = _shop(duplicates=duplicates, bots=BotRule(max_events_per_hour=8)), []
    for n_lines in (500_000, 60, 7):
        monkeypatch.setattr(line_pieces, "LINES_A_PART", n_lines)
        home = tmp_path / f"home-{n_lines}"
        result = ingest_into(home, DAY, logs, shop)
        lake = Lake(home / "lake", "canonical")
        manifests = [
            pointer.manifest
            for table in ("events", "events_rejected", "sessions")
            for pointer in read_pointers(lake.table(table)).values()
        ]
        found.append([(one.content_hash, one.counters, one.profile) for one in manifests])
        n_files = len(read_pointers(lake.table("events_rejected"))[f"delivery_date={DAY}"].files)
        assert (n_files > 1) == (n_lines < 500_000)
        assert result["rejected"]["bot_rate"] == 18
        assert result["rejected"].get("duplicate", 0) == (24 if duplicates == "reject" else 0)
    assert found[0] == found[1] == found[2]


@given(st.lists(st.text("abc", max_size=3), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 4))
@settings(max_examples=200)
def test_all_lines_of_a_shopper_go_to_one_part(users: list[str], n_parts: int, n_buckets: int) -> None:
    """Bots are counted there; and a bucket is in one part where there are no more parts than buckets."""
    lines = pa.RecordBatch.from_pydict({"user_id": users, "reason": pa.nulls(len(users), pa.string())})
    found = part_numbers(lines, n_parts, n_buckets)
    assert ((found >= 0) & (found < n_parts)).all()
    together = dict(zip(users, found.tolist(), strict=True))
    assert [together[user] for user in users] == found.tolist()
    if n_parts <= n_buckets:
        by_bucket = dict(zip(buckets(pa.array(users), n_buckets).tolist(), found.tolist(), strict=True))
        assert [by_bucket[one] for one in buckets(pa.array(users), n_buckets).tolist()] == found.tolist()


@given(st.lists(st.integers(1, 2**63 - 1), max_size=20))
@settings(max_examples=300)
def test_digits_are_counted_exactly(values: list[int]) -> None:
    """Also next to the powers of two that a float rounds to."""
    near = [one for bits in range(1, 63) for one in (2**bits - 1, 2**bits, 2**bits + 1)]
    everything = np.array([*values, *near, 2**63 - 1], dtype=np.int64)
    assert n_bits(everything).tolist() == [int(one).bit_length() for one in everything]
