"""Who waits for whom in a night."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from conf.night_lock import own_candidate, own_turn, whole_night
from conf.paths import Run
from conf.settings import PROJECT_ROOT

HOLD = """
import sys, time
from datetime import date
from pathlib import Path
from conf.night_lock import whole_night
from conf.paths import Run
with whole_night(Run(Path(sys.argv[1]), "shop", "recommendation", date(2026, 1, 31)), "make nightly", print):
    print("held", flush=True)
    time.sleep(600)
"""


class Waits(Exception):
    """Raised in place of waiting."""


def say(line: str) -> None:
    raise Waits(line)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, "shop", "recommendation", date(2026, 1, 31))


def test_a_step_waits_for_a_whole_run_and_its_own_steps_do_not(run: Run) -> None:
    """The line names who is at work on what."""
    with whole_night(run, "make nightly", say) as night:
        with own_turn(run, "rl prepare", say, night=night):
            pass
        for other in (None, "0123456789abcdef"):
            with (
                pytest.raises(Waits, match=rf"make nightly \(process \d+\) is at work on {run.folder}; waiting"),
                own_turn(run, "rl prepare", say, night=other),
            ):
                pass


def test_a_whole_run_waits_for_steps_by_themselves_and_for_those_left_over(run: Run) -> None:
    """A training goes on where the run that started it was killed: the next run begins when it has ended."""
    with (
        own_turn(run, "rl build", say, night=None),
        pytest.raises(Waits, match="rl build"),
        whole_night(run, "make nightly", say),
    ):
        pass
    with ExitStack() as left, ExitStack() as killed:
        night = killed.enter_context(whole_night(run, "make nightly", say))
        left.enter_context(own_turn(run, "rl train", say, night=night, is_side_by_side=True))
        killed.close()
        with pytest.raises(Waits, match="rl train"), whole_night(run, "make nightly", say):
            pass


def test_trainings_run_side_by_side_and_each_candidate_once(run: Run) -> None:
    """Every other step waits for them."""
    with (
        own_turn(run, "rl train", say, night=None, is_side_by_side=True),
        own_candidate(run, "bc-1", say),
        own_turn(run, "rl train", say, night=None, is_side_by_side=True),
        own_candidate(run, "bc-2", say),
    ):
        with pytest.raises(Waits, match="rl train"), own_turn(run, "rl evaluate", say, night=None):
            pass
        with pytest.raises(Waits, match="rl train bc-1"), own_candidate(run, "bc-1", say):
            pass


def test_nights_do_not_wait_for_each_other(run: Run, tmp_path: Path) -> None:
    """Another date, scenario or source is another night."""
    others = [
        Run(tmp_path, "shop", "recommendation", date(2026, 1, 30)),
        Run(tmp_path, "shop", "promotion", date(2026, 1, 31)),
        Run(tmp_path, "other", "recommendation", date(2026, 1, 31)),
    ]
    with ExitStack() as held:
        for one in [run, *others]:
            held.enter_context(whole_night(one, "make nightly", say))


def test_a_lock_falls_with_its_process(run: Run) -> None:
    """A killed run holds nobody back."""
    command = [sys.executable, "-c", HOLD, str(run.home)]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with pytest.raises(Waits, match=f"process {process.pid}"), whole_night(run, "make nightly", say):
        pass
    process.kill()
    process.wait()
    with whole_night(run, "make nightly", say):
        pass
