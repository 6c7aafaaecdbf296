"""What a night says of its deliveries at the end, for people and in its result."""

from __future__ import annotations

from dags.nights.delivery_notices import delivery_notices, notice_lines

INGEST = {
    "n_lines": 9,
    "unended_files": [f"{n}.csv" for n in range(7)],
    "unread_files": ["clicks.json"],
    "unknown_event_types": {"Rückgabe": 41, "zoom": 1},
    "accepted": [{"delivery": "2026-01-05", "reason": "a test day"}],
    "left_out": [{"delivery": "2026-01-06", "reason": "lost", "why": "cut off"}],
    "missing_days": ["2026-01-03"],
    "drift": ["column 'price' is gone", "column 'n' is new"],
}


def test_all_that_asks_for_a_person_is_said() -> None:
    assert list(notice_lines(INGEST)) == [
        "cut off? the last line has no end in 0.csv, 1.csv, 2.csv, 3.csv, 4.csv and 2 more: its last value may be half "
        "of one",
        "not read, since no pattern of the source matches: clicks.json",
        "event types that the source does not know, with their lines: Rückgabe 41, zoom 1",
        "left out, since a person said so: 2026-01-06 (lost)",
        "published as it is, since a person said so: 2026-01-05 (a test day)",
        "no delivery came for 2026-01-03, which count as days without visitors until one does",
        "2 thing(s) differ from earlier deliveries; the first: column 'price' is gone",
    ]
    assert delivery_notices(INGEST) == {name: value for name, value in INGEST.items() if name != "n_lines"}


def test_nothing_is_said_where_nothing_is_odd() -> None:
    """Of a result of an earlier release, too."""
    for ingest in ({}, {name: type(value)() for name, value in INGEST.items()}):
        assert list(notice_lines(ingest)) == []
        assert delivery_notices(ingest) == {}


def test_many_differences_are_counted_and_the_latest_shown() -> None:
    drift = [f"delivery_date=2026-01-{day:02d}: odd" for day in range(31, 0, -1)]
    found = delivery_notices({"drift": drift})
    assert found == {"drift": drift[:20], "n_drift": 31}
    assert delivery_notices({"drift": drift[:20]}) == {"drift": drift[:20]}
