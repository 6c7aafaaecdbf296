"""Ids of events, decisions and slates are keyed hashes that keep what must be kept: equality, and a slate's order."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from conf.id_form import has_keyed_ids, id_inputs, keyed_id, mark_keyed, mixed_ids
from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.publication import Manifest, Pointer, swap_pointer

KEY = b"a key for tests only"


def test_an_id_is_hashed_apart_from_shoppers() -> None:
    """The same text as a shopper's id gives another hash; another key another one."""
    hashed = keyed_id("17850", KEY)
    assert len(hashed) == 32
    assert hashed == keyed_id("17850", KEY)
    assert len({hashed, pseudonym("17850", KEY), keyed_id("17851", KEY), keyed_id("17850", b"another")}) == 4


def test_decisions_of_a_slate_keep_their_order() -> None:
    """Two digits behind the last hyphen stay; no other end does."""
    slate = keyed_id("9f3c", KEY)
    assert [keyed_id(f"9f3c-{place:02d}", KEY) for place in (0, 7, 31)] == [f"{slate}-00", f"{slate}-07", f"{slate}-31"]
    assert all("-" not in keyed_id(one, KEY) for one in ("9f3c-1", "9f3c-123", "9f3c-0x", "9f3c-12\n", "9f3c-१२"))


def pointer(day: int, *, is_keyed: bool) -> Pointer:
    manifest = Manifest(
        table="events",
        partition=f"delivery_date=2026-01-{day:02d}",
        schema_version=1,
        n_rows=0,
        content_hash="0-0",
        spec_hash="spec",
        code_hash="code",
        key_id="key",
        horizon=date(2026, 1, day),
        inputs={"events/a": "b"} | ({"ids/keyed": "yes"} if is_keyed else {}),
    )
    return Pointer(files=(), manifest=manifest)


def publish(lake: Lake, one: Pointer) -> None:
    swap_pointer(Lake.pointer(lake.table("events"), one.manifest.partition), one)


def test_a_lake_begins_hashed_and_an_earlier_one_stays_as_it_is(tmp_path: Path) -> None:
    """Until it is marked, or one of its deliveries is hashed already."""
    new, earlier, remade = (Lake(tmp_path, name) for name in ("new", "earlier", "remade"))
    publish(earlier, pointer(5, is_keyed=False))
    publish(remade, pointer(5, is_keyed=False))
    publish(remade, pointer(6, is_keyed=True))
    assert [has_keyed_ids(lake) for lake in (new, earlier, remade)] == [True, False, True]
    assert id_inputs(earlier) == {}
    mark_keyed(earlier)
    assert id_inputs(earlier) == {"ids/keyed": "yes"}


def test_deliveries_of_both_forms_are_told_apart() -> None:
    hashed, given = pointer(5, is_keyed=True), pointer(6, is_keyed=False)
    assert mixed_ids([hashed, given]) == ["delivery_date=2026-01-06"]
    assert mixed_ids([hashed]) == mixed_ids([given]) == mixed_ids([]) == []
