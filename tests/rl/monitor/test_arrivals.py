"""Decisions that never arrived, and decisions that nobody made."""

from __future__ import annotations

from rl.monitor.arrivals import arrivals


def test_all_that_was_served_has_arrived() -> None:
    found = arrivals({"a", "b"}, {"b", "a"}, is_due=True)
    assert found.is_whole
    assert (found.n_logged, found.n_arrived, found.n_missing, found.n_strange) == (2, 2, 0, 0)


def test_what_is_missing_is_named_once_it_is_due() -> None:
    logged = {f"d{number:02d}" for number in range(20)}
    due = arrivals(logged, {"d07"}, is_due=True)
    assert not due.is_whole
    assert (due.n_arrived, due.n_missing, due.missing) == (1, 19, ("d00", "d01", "d02", "d03", "d04"))
    assert arrivals(logged, {"d07"}, is_due=False).is_whole


def test_what_nobody_decided_is_named_at_once() -> None:
    found = arrivals({"a"}, {"a", "forged"}, is_due=False)
    assert not found.is_whole
    assert (found.n_strange, found.strange) == (1, ("forged",))
