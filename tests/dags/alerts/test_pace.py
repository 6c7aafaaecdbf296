"""What is out of the usual in how long nights take, and in what they leave of the disk."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from dags.alerts.pace import Pace, disk_finding, keep_pace, read_paces, slow_finding

GIB = 2**30


def pace(day: int, *, seconds: float = 600.0, free: int = 500 * GIB, dag: str = "train_recommendation") -> Pace:
    night = date(2026, 3, 1) + timedelta(days=day)
    return Pace(dag, night.isoformat(), seconds, free, 1000 * GIB)


EARLIER = [pace(day) for day in range(6)]


def test_a_night_slower_than_its_trend_is_told() -> None:
    """It took 901 s where 600 s are usual, half as much again being the limit."""
    found = slow_finding(pace(6, seconds=901.0), EARLIER, 1.5)
    assert found is not None
    assert found.about == "train_recommendation 2026-03-07"
    assert "it took 901 s; the median of the 6 nights before is 600 s" in found.reason


@pytest.mark.parametrize(
    ("now", "earlier"),
    [
        (pace(6, seconds=899.0), EARLIER),
        (pace(6, seconds=901.0), EARLIER[:4]),
        (pace(6, seconds=901.0, dag="train_promotion"), EARLIER),
        (pace(6, seconds=95.0), [pace(day, seconds=40.0) for day in range(6)]),
    ],
    ids=["within the limit", "too few nights", "another DAG", "a minute is nothing"],
)
def test_a_usual_night_is_not_told(now: Pace, earlier: list[Pace]) -> None:
    """Neither is one that nothing can be said of."""
    assert slow_finding(now, earlier, 1.5) is None


def test_a_repeated_night_counts_by_its_longest_run() -> None:
    """Repeats find their work done; taken for usual, every whole night would be slow."""
    repeats = [pace(day, seconds=5.0) for day in range(6) for _ in range(3)]
    assert slow_finding(pace(6, seconds=700.0), [*EARLIER, *repeats], 1.5) is None


def test_a_disk_with_room_for_few_nights_is_told() -> None:
    """Each night took 10 GiB; 100 GiB are left."""
    earlier = [pace(day, free=(160 - 10 * day) * GIB) for day in range(6)]
    found = disk_finding(pace(6, free=100 * GIB), earlier, 14)
    assert found is not None and "room for 10 more nights" in found.reason
    assert disk_finding(pace(6, free=100 * GIB), earlier, 10) is None


def test_a_disk_that_is_nearly_full_is_told_without_a_trend() -> None:
    """Less than a twentieth is free."""
    assert disk_finding(pace(6, free=49 * GIB), [], 14) is not None
    assert disk_finding(pace(6, free=51 * GIB), [], 14) is None


def test_a_disk_that_was_cleared_has_room() -> None:
    """More is free than before: there is no trend to a full disk."""
    earlier = [pace(day, free=60 * GIB) for day in range(6)]
    assert disk_finding(pace(6, free=400 * GIB), earlier, 14) is None


def test_paces_are_kept_and_read_past_a_half_line(tmp_path: Path) -> None:
    """As a kill leaves it."""
    path = tmp_path / "logs" / "night_pace.jsonl"
    keep_pace(path, Pace.measured("train_x", date(2026, 3, 1), 12.34, tmp_path / "lake"))
    with path.open("a") as file:
        file.write('{"dag": "train_x", "nig')
    (found,) = read_paces(path)
    assert (found.dag, found.night, found.seconds) == ("train_x", "2026-03-01", 12.3)
    assert 0 < found.free_bytes <= found.total_bytes
