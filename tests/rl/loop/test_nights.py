"""What a night of a loop tells of what it did, on a home with registered nights."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from conf.paths import Run
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.figures.night import NightFigures, read_figures
from rl.figures.values import LevelSpread, PlayedValue, Spread
from rl.loop.day_loop import _told
from rl.loop.nights import NightClock, Nights, _judged
from rl.loop.spark_jobs import SparkJobs
from rl.loop.state import RunNight
from tests.frozen_home.unpacked_home import unpack_home

pytestmark = pytest.mark.xdist_group("frozen_home")

SOURCE, SCENARIO, NIGHT, VERSION = "simulated_shop", "recommendation", date(2026, 3, 15), 2


def test_a_night_run_again_tells_what_its_version_was_registered_with(tmp_path: Path) -> None:
    """After a promotion it is evaluated against its own version, of which the file in the run folder then tells."""
    home = unpack_home(tmp_path)
    path = Run(home, SOURCE, SCENARIO, NIGHT).evaluation
    registered = read_figures(path).gain
    assert registered is not None and registered.value is not None

    def evaluate(**_: object) -> dict[str, Any]:
        content = json.loads(path.read_text())
        content["review"]["judgment"]["gain"] |= {"value": 0.0, "lower": -0.001, "upper": 0.001}
        path.write_text(json.dumps(content))
        return {}

    told = {"verdict": "promote", "version": VERSION, "compared_with": "1"}
    nothing: dict[str, Any] = {}
    commands = {
        **dict.fromkeys(("prepare", "train", "promote"), lambda **_: nothing),
        "evaluate": evaluate,
        "register": lambda **_: told,
    }
    nights = Nights(
        Settings.from_environment({"NIGHTCART_HOME": str(home)}),
        load_pipeline(SCENARIO, SOURCE),
        cast("SparkJobs", None),
        commands,
        tmp_path,
        lambda _, __: None,
    )
    nights._seconds = NightClock(tmp_path / "seconds.json")
    night = nights._learned(NIGHT)
    assert read_figures(path).gain != registered
    assert night.gain is not None
    assert (night.gain.value, night.gain.lower, night.gain.upper) == (
        registered.value,
        registered.lower,
        registered.upper,
    )
    assert (night.is_promoted, night.compared_with) == (True, "1")
    assert (night.interval, night.gain_level) == (None, pytest.approx(2 * registered.level - 1))


def test_a_night_keeps_the_gain_s_interval_beside_the_gate_s_bounds(tmp_path: Path) -> None:
    """And the true value of what the gain is over, of which a loss is a share."""
    figures = read_figures(Run(unpack_home(tmp_path), SOURCE, SCENARIO, NIGHT).evaluation)
    assert figures.gain is not None and figures.gain.interval is None
    interval = LevelSpread(value=0.5, lower=0.1, upper=0.9, level=0.95)
    gain = figures.gain.model_copy(update={"interval": interval})
    baseline = next(name for name in figures.policies if figures.role(name) == _role(figures))
    values = {baseline: 4.0, figures.selected.name: 3.5}
    truth = {name: PlayedValue(value=value, standard_error=0.1, n_episodes=10) for name, value in values.items()}
    found = _judged(figures.model_copy(update={"gain": gain, "truth": truth}))
    assert (found["interval"], found["true_gain"], found["true_baseline"]) == (interval, -0.5, 4.0)
    night = RunNight.model_validate({"date": NIGHT, "verdict": "reject"} | found)
    assert RunNight.model_validate_json(night.model_dump_json()) == night


def test_a_night_that_was_interrupted_keeps_the_seconds_of_its_first_try(tmp_path: Path) -> None:
    """The second finds the first candidate trained."""
    path = tmp_path / "nights" / f"{NIGHT}.json"
    first = NightClock(path)
    first.keep("ingest", "", 20.0)
    first.keep("train", "cql-1", 31.0)
    second = NightClock(path)
    for of, seconds in (("cql-1", 0.5), ("cql-2", 12.0)):
        second.keep("train", of, seconds)
    assert second.by_step == {"ingest": 20.0, "train": 43.0}


def test_the_line_of_a_night_tells_the_interval_and_the_gate_s_bound() -> None:
    """A night without an interval tells what it was judged by."""
    gain = Spread(value=0.5, lower=-0.2, upper=1.2)
    night = RunNight(date=NIGHT, verdict="reject", gain=gain)
    assert ", +0.500 (-0.200 to +1.200);" in _told(1, night)
    interval = LevelSpread(value=0.5, lower=0.1, upper=0.9, level=0.95)
    told = _told(1, night.model_copy(update={"interval": interval}))
    assert ", +0.500 (+0.100 to +0.900), the gate's bound -0.200;" in told


def _role(figures: NightFigures) -> str:
    return "behavior" if figures.compared_with == "behavior" else "champion"
