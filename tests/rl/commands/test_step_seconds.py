"""A night keeps how long its steps took, and a repeated one doesn't make them look short."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Run
from conf.settings import Settings
from rl.commands.step_seconds import timed

DAY = date(2026, 1, 5)


@pytest.fixture
def where(tmp_path: Path) -> dict[str, Any]:
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    return {"settings": settings, "source": "shop", "scenario": "recommendation", "run_date": DAY}


def kept(where: dict[str, Any], step: str) -> float | None:
    path = Run(where["settings"].home, "shop", "recommendation", DAY).seconds(step)
    return json.loads(path.read_text())["seconds"] if path.exists() else None


def test_each_candidate_has_a_time_of_its_own(where: dict[str, Any]) -> None:
    train = timed("train", lambda **_: {"done": True})
    train(**where, candidate="bc-1")
    train(**where, candidate="bc-2")
    assert (kept(where, "train-bc-1"), kept(where, "train-bc-2")) != (None, None)
    assert kept(where, "train") is None


@pytest.mark.parametrize(("before", "expected"), [('{"seconds": 900}', 900.0), ("{", None), ("[]", None)])
def test_the_longest_time_stays(where: dict[str, Any], before: str, expected: float | None) -> None:
    """Repeated, a step finds its work done; what a file that can't be read held is forgotten."""
    path = Run(where["settings"].home, "shop", "recommendation", DAY).seconds("evaluate")
    path.parent.mkdir(parents=True)
    path.write_text(before)
    timed("evaluate", lambda **_: {"done": True})(**where)
    found = kept(where, "evaluate")
    assert found is not None
    assert found == expected if expected is not None else found < 900


def test_what_is_skipped_or_fails_keeps_no_time(where: dict[str, Any]) -> None:
    timed("prepare", lambda **_: {"skipped": "nothing to learn"})(**where)

    def fail(**_: Any) -> dict[str, Any]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        timed("register", fail)(**where)
    assert (kept(where, "prepare"), kept(where, "register")) == (None, None)


def test_other_commands_are_left_alone() -> None:
    def review(**_: Any) -> dict[str, Any]:
        return {}

    assert timed("review", review) is review


def test_a_step_whose_time_cannot_be_kept_is_done_for_all_that(where: dict[str, Any]) -> None:
    """A full disk, or a folder that is somebody else's: the work isn't done again for a number."""
    run = Run(where["settings"].home, "shop", "recommendation", DAY)
    run.folder.mkdir(parents=True)
    (run.folder / "seconds").write_text("no folder")
    assert timed("evaluate", lambda **_: {"done": True})(**where) == {"done": True}
