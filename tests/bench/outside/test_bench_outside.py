"""What a folder of an earlier run is taken for: a log of the size asked for, a night once it is registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rl.errors import LoopError
from tests.bench import bench_outside
from tests.bench.bench_outside import OutsideNight, Size

STEPS = ("prepare", "train", "evaluate", "register")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the steps that are run, which leave nothing; SARDINE's environment isn't there in tests."""
    found: list[str] = []

    def sardine(_: OutsideNight, *arguments: str, seed: int | None = None) -> dict[str, Any]:
        found.append(arguments[0])
        return {"value": 20.0}

    monkeypatch.setattr(OutsideNight, "_sardine", sardine)
    monkeypatch.setattr(OutsideNight, "_transitions", lambda _, __: found.append("transitions"))
    for name in STEPS:
        monkeypatch.setattr(getattr(bench_outside, name), "run", lambda name=name, **_: found.append(name))
    monkeypatch.setattr(bench_outside, "read_figures", lambda path: path)
    monkeypatch.setattr(bench_outside, "_told", lambda figures: {"figures": str(figures)})
    return found


def night(folder: Path, n_sessions: int) -> OutsideNight:
    return OutsideNight(1, Size(n_sessions, 10), folder, "python")


def test_a_log_of_another_size_is_refused_by_name(tmp_path: Path, ran: list[str]) -> None:
    """Also one of whose size nothing is known: its figures would pass for those of the size asked for."""
    night(tmp_path, 50).live()
    assert json.loads((tmp_path / "log.json").read_text()) == {"value": 20.0, "n_sessions": 50}
    ran.clear()
    with pytest.raises(LoopError, match=r"log\.json: the log there is of 50 sessions, and 3000 were asked for"):
        night(tmp_path, 3000).live()
    (tmp_path / "log.json").write_text("{}")
    with pytest.raises(LoopError, match="of None sessions"):
        night(tmp_path, 50).live()
    assert ran == []


def test_a_night_is_over_once_it_is_registered(tmp_path: Path, ran: list[str]) -> None:
    """A kill between evaluation and registration leaves a night that is run again."""
    one = night(tmp_path, 50)
    one.run.evaluation.parent.mkdir(parents=True)
    one.run.evaluation.write_text("{}")
    one.live()
    assert ran[:3] == ["log", "transitions", "prepare"] and ran[-1] == "register"
    one.run.registration.write_text("{}")
    ran.clear()
    assert one.live() == {"figures": str(one.run.evaluation)}
    assert ran == []
