"""Raw ids are read as a source's logs read them: capitals are small letters where they say so, in all or in none."""

from __future__ import annotations

from typing import Any

import pytest

from conf.specs.id_case import feeds_case, id_case, tables_case
from conf.specs.source import Source

_EVENT = {"event_time": {"column": "at", "unit": "iso"}, "event_type": {"constant": "view"}}


def a_source(*users: dict[str, Any], **tables: Any) -> Source:
    """A source with a feed for each mapping of the shopper."""
    feeds = [
        {
            "name": f"feed_{number}",
            "format": "jsonl",
            "delivery": {"layout": "dated_files", "files": [f"**/feed_{number}*.jsonl"]},
            "events": _EVENT | {"user_id": user},
        }
        for number, user in enumerate(users)
    ]
    rules = {
        "duplicates": "keep",
        "session": {"gap_minutes": 30, "max_hours": 6},
        "decisions": {"kind": "implied", "event_type": "view"},
    }
    return Source.model_validate({"name": "shop", "title": "Shop", "feeds": feeds} | rules | tables)


FOLDED, AS_WRITTEN = {"column": "who", "fold_case": True}, {"column": "who"}


@pytest.mark.parametrize(
    ("users", "read"),
    [((FOLDED,), "ab-7"), ((AS_WRITTEN,), "AB-7"), ((FOLDED, FOLDED), "ab-7"), ((FOLDED, AS_WRITTEN), None)],
)
def test_an_id_with_capitals_is_read_as_all_feeds_read_it(users: tuple[dict[str, Any], ...], read: str | None) -> None:
    """Where they differ it names two shoppers; small letters name one everywhere."""
    case = id_case(a_source(*users), "user_id")
    assert case.read("AB-7") == read
    assert case.read("ab-7") == "ab-7"


def test_capitals_are_folded_as_the_logs_are() -> None:
    """By the same rule as in the workers of ingest, which isn't that of small letters alone."""
    assert id_case(a_source(FOLDED), "user_id").read("STRASSE-ẞ") == "STRASSE-ẞ".casefold()


def test_pseudonyms_constants_and_paths_have_no_say() -> None:
    pseudonyms = {"column": "user", "is_pseudonym": True}
    case = id_case(a_source(FOLDED, pseudonyms, {"constant": "Nobody"}, {"from_path": "(x)"}), "user_id")
    assert (case.folded, case.as_written) == (("feed feed_0",), ())


def test_side_tables_have_a_say_under_their_own_names() -> None:
    table = {
        "files": ["consent.jsonl"],
        "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}},
    }
    source = a_source(FOLDED, consent=table)
    case = id_case(source, "user_id")
    assert case.read("AB-7") is None
    assert "feed feed_0 read as small letters (fold_case) and table consent as they are" in case.told_apart
    assert feeds_case(source, "user_id").read("AB-7") == "ab-7"
    assert tables_case(source, {"consent": "user_id", "offers": "offer_id"}).read("AB-7") == "AB-7"
