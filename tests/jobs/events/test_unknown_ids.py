"""Ids that nothing knows are drift of the feed that names them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.event_mapping import EventMapping
from conf.specs.source import Source
from jobs.events.id_samples import ITEMS, MOST, REFUNDED, sample_ids, sum_of_samples
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, deliver, line

FIRST, SECOND, _ = DAYS


def test_samples_hold_accepted_ids_of_each_feed() -> None:
    """Distinct ones, refunds read off other lines among them; a feed that names none is left out."""
    event = pa.struct([("event_type", pa.string()), ("order_id", pa.string())])
    further = [[], [], [{"event_type": "refund", "order_id": "o9"}], [{"event_type": "view", "order_id": "o8"}], []]
    lines = pa.table(
        {
            "feed": ["a", "a", "a", "a", "b"],
            "reason": [None, "duplicate", None, None, None],
            "event_type": ["view", "view", "purchase", "refund", "view"],
            "item_id": ["i1", "i2", "i1", None, None],
            "order_id": [None, None, "o1", "o2", None],
            "further": pa.array(further, pa.list_(event)),
        }
    )
    assert sample_ids(lines) == {"a": {ITEMS: ["i1"], REFUNDED: ["o2", "o9"]}}
    many = {"a": {ITEMS: [f"i{n}" for n in range(150)]}}
    other = {"a": {ITEMS: [f"j{n}" for n in range(150)]}, "b": {REFUNDED: ["o1"]}}
    joined = sum_of_samples([many, other])
    assert (len(joined["a"][ITEMS]), joined["b"]) == (MOST[ITEMS], {REFUNDED: ["o1"]})


def _items(*ids: str) -> list[str]:
    return [json.dumps({"item_id": one, "valid_from": f"{FIRST}T00:00:00Z", "price": "1"}) for one in ids]


def _till(day: date, refunded: list[str]) -> list[str]:
    """Five orders of the day, and refunds that name some."""
    sold = [line(day, 600 + n, event_type="purchase", item_id=f"{n}", order_id=f"{day}-{n}") for n in range(5)]
    back = [line(day, 700 + n, event_type="refund", item_id=f"{n}", order_id=one) for n, one in enumerate(refunded)]
    return [*sold, *back]


def test_feed_whose_ids_nothing_knows_is_told(ingest_into: Ingest, tmp_path: Path) -> None:
    """Items with leading zeros, returns with numbers of their own; orders of an earlier delivery are known."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    deliver(logs, FIRST, _till(FIRST, ["r1", "r2", "r3", f"{FIRST}-1"]))
    deliver(logs, FIRST, _items("00001", "00002"), "items.jsonl")
    deliver(logs, SECOND, _till(SECOND, [f"{FIRST}-2", f"{FIRST}-3", f"{FIRST}-4"]))
    events = source().events.model_dump(exclude_none=True) | {"order_id": {"column": "order_id"}}
    shop = source(events=EventMapping.model_validate(events))
    drift = ingest_into(home, SECOND, logs, shop)["drift"]
    head = "feed canonical:"
    # The latest delivery first: it is the one that somebody asks about.
    assert [one.partition("; ")[0] for one in drift] == [
        f"delivery_date={SECOND} {head} 0 of 5 item ids stand in items",
        f"delivery_date={FIRST} {head} 0 of 5 item ids stand in items",
        f"delivery_date={FIRST} {head} 3 of 4 orders that refunds name (75%) have no purchase in this delivery or the "
        "30 before it: these refunds take nothing back",
    ]
    assert "e.g. '1' against '00001'" in drift[1]
    manifest = read_pointers(Lake(home / "lake", "canonical").table("events"))[f"delivery_date={SECOND}"].manifest
    assert len(manifest.drift) == 1
    deliver(logs, SECOND, _items("1"), "items.jsonl")
    (told,) = [one for one in ingest_into(home, SECOND, logs, shop)["drift"] if f"delivery_date={SECOND}" in one]
    assert "1 of 5 item ids are spelled otherwise in items (such as 9 against 00009)" in told  # 2, as told before
    deliver(logs, SECOND, _items("1", "2"), "items.jsonl")
    assert not any(f"delivery_date={SECOND}" in one for one in ingest_into(home, SECOND, logs, shop)["drift"])


def test_ids_that_only_spelling_keeps_apart_are_told(ingest_into: Ingest, tmp_path: Path) -> None:
    """Items, consents and attributes of shoppers, by their masked spelling, in the result and the manifest."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    consent = {"files": ["**/consent.jsonl"], "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}}}
    shoppers = {"files": ["**/people.jsonl"], "columns": {"user_id": {"column": "who"}, "tier": {"column": "tier"}}}
    shop = Source.model_validate(source().model_dump() | {"consent": consent, "shoppers": shoppers})
    deliver(logs, FIRST, [line(FIRST, 600 + n, user_id=f"{17850 + n}", item_id=f"8402{n}E") for n in range(5)])
    deliver(logs, FIRST, _items("84020E", "84021E", "84022e"), "items.jsonl")
    deliver(logs, FIRST, ['{"who": "00017850", "ok": false}', '{"who": 17851, "ok": true}'], "consent.jsonl")
    deliver(logs, FIRST, ['{"who": 17851, "tier": "gold"}'], "people.jsonl")
    drift = ingest_into(home, FIRST, logs, shop)["drift"]
    assert [one.partition(" (such")[0] for one in drift] == [
        f"delivery_date={FIRST} feed canonical: 1 of 5 item ids are spelled otherwise in items",
        f"delivery_date={FIRST}: consent: 1 of 2 shoppers of this delivery whom it lists are spelled otherwise there",
    ]
    assert "such as 99999A against 99999a" in drift[0]
    assert "such as 00099999 against 99999" in drift[1]


def test_a_large_table_of_consents_is_compared_too(
    ingest_into: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Spark, where lines are too many for the driver: the same sentence."""
    monkeypatch.setattr("jobs.events.side_staging.MOST_LINES_OF_DRIVER", 1)
    logs, home = tmp_path / "logs", tmp_path / "home"
    consent = {"files": ["**/consent.jsonl"], "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}}}
    shop = Source.model_validate(source().model_dump() | {"consent": consent})
    deliver(logs, SECOND, [line(SECOND, 600 + n, user_id=f"{17850 + n}") for n in range(5)])
    # A list of the whole log comes before its first day.
    deliver(logs, FIRST, [json.dumps({"who": f"000{17850 + n}", "ok": True}) for n in range(3)], "consent.jsonl")
    (told,) = ingest_into(home, SECOND, logs, shop)["drift"]
    assert f"{SECOND}: consent: 3 of 3 shoppers of this delivery whom it lists are spelled otherwise" in told
