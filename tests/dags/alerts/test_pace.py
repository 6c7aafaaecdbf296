"""What is out of the usual in how long nights take, and in what they leave of the disk."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from conf.paths import Run, earlier_night_pace
from dags.alerts.pace import Pace, disk_finding, keep_pace, read_paces, slow_finding

GIB = 2**30
DAG, SOURCE, SCENARIO = "train_recommendation", "shop", "recommendation"


def pace(day: int, *, seconds: float = 600.0, free: int = 500 * GIB) -> Pace:
    night = date(2026, 3, 1) + timedelta(days=day)
    return Pace(DAG, night.isoformat(), seconds, free, 1000 * GIB)


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
        (pace(6, seconds=95.0), [pace(day, seconds=40.0) for day in range(6)]),
    ],
    ids=["within the limit", "too few nights", "a minute is nothing"],
)
def test_a_usual_night_is_not_told(now: Pace, earlier: list[Pace]) -> None:
    """Neither is one that nothing can be said of."""
    assert slow_finding(now, earlier, 1.5) is None


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


def keep(home: Path, given: Pace) -> None:
    keep_pace(Run(home, SOURCE, SCENARIO, date.fromisoformat(given.night)), given)


def test_a_repeated_night_counts_by_its_longest_run(tmp_path: Path) -> None:
    """Repeats find their work done; taken for usual, every whole night would be slow. The disk is as it is now."""
    for given in (*EARLIER, *(pace(day, seconds=5.0, free=7) for day in range(6))):
        keep(tmp_path, given)
    found = read_paces(tmp_path, SOURCE, SCENARIO, DAG)
    assert [(one.seconds, one.free_bytes) for one in found] == [(600.0, 7)] * 6
    assert slow_finding(pace(6, seconds=700.0), found, 1.5) is None


def test_nights_of_an_earlier_release_count_and_stay_as_they_are(tmp_path: Path) -> None:
    """It kept lines of all DAGs in one file, repeats too, the last of them half where it was killed."""
    path = earlier_night_pace(tmp_path)
    path.parent.mkdir()
    lines = [pace(0, seconds=5.0), pace(0), pace(1), replace(pace(1, seconds=9_000.0), dag="train_promotion")]
    before = "".join(f"{json.dumps(asdict(one))}\n" for one in lines) + '{"dag": "train_rec'
    path.write_text(before)
    keep(tmp_path, pace(1, seconds=3.0))
    keep(tmp_path, pace(2, seconds=700.0))
    found = read_paces(tmp_path, SOURCE, SCENARIO, DAG)
    assert [(one.night[-2:], one.seconds) for one in found] == [("01", 600.0), ("02", 600.0), ("03", 700.0)]
    assert path.read_text() == before


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """A night's alert must not hang on another night's damaged file; another scenario's nights are others."""
    keep(tmp_path, pace(0))
    keep(tmp_path, Pace.measured(DAG, date(2026, 3, 2), 12.34, tmp_path / "lake"))
    Run(tmp_path, SOURCE, SCENARIO, date(2026, 3, 1)).seconds("night").write_text('{"seconds": 1')
    (found,) = read_paces(tmp_path, SOURCE, SCENARIO, DAG)
    assert (found.dag, found.night, found.seconds) == (DAG, "2026-03-02", 12.3)
    assert 0 < found.free_bytes <= found.total_bytes
    assert read_paces(tmp_path, SOURCE, "promotion", "train_promotion") == []
