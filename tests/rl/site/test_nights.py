"""How far nights came is read from what they left, whatever of it is missing or broken."""

from __future__ import annotations

import pytest

from conf.night_lock import whole_night
from rl.site.left_files import LeftFiles
from rl.site.nights import SHOWN_NIGHTS, read_nights
from tests.rl.site.conftest import SCENARIO, Home


def test_a_night_that_stopped_says_how_far_it_came_and_why(home: Home) -> None:
    """Its own last failure, not another night's, and none of a night that went through."""
    home.night(0)
    home.night(1, verdict="reject", version=3)
    home.failed(0, reason="first try")
    home.failed(0, reason="no space")
    home.failed(1, reason="a first attempt")
    home.failed(0, dag="train_promotion", reason="another scenario's")
    stopped, through = read_nights(home.folder, left := LeftFiles(), left_lines(home))
    assert (stopped.reached, stopped.verdict, stopped.why) == ("build", "", "evaluate failed: no space")
    assert (through.verdict, through.version, through.why) == ("reject", 3, "for a reason")
    assert left.problems == []


def left_lines(home: Home) -> list:
    return LeftFiles().lines(home.folder / "logs" / "failures.jsonl")


def test_a_failed_ingest_is_every_scenarios(home: Home) -> None:
    home.write(home.run(0).lock("night"), "")
    home.failed(0, dag="ingest_events", task="ingest", reason="half a file")
    (night,) = read_nights(home.folder, LeftFiles(), left_lines(home))
    assert (night.reached, night.why) == ("", "ingest failed: half a file")


def test_a_night_that_somebody_computes_is_at_work(home: Home) -> None:
    """It isn't taken for one that stopped, and looking locks nothing: the night goes on meanwhile."""
    run = home.night(0)
    with whole_night(run, "make nightly", lambda _: None):
        (night,) = read_nights(home.folder, LeftFiles(), [])
        assert "make nightly" in night.at_work
    (night,) = read_nights(home.folder, LeftFiles(), [])
    assert night.at_work == ""


def test_nothing_to_learn_is_an_abstention(home: Home) -> None:
    home.write(home.night(0).nothing_to_learn, {"skipped": "two days of logs"})
    (night,) = read_nights(home.folder, LeftFiles(), [])
    assert (night.verdict, night.why, night.version) == ("abstain", "two days of logs", None)


@pytest.mark.parametrize("content", ["{", "[]", "", "null"])
def test_a_broken_file_is_a_problem_and_no_error(home: Home, content: str) -> None:
    run = home.night(0)
    home.write(run.registration, content)
    home.write(run.evaluation, content)
    (night,) = read_nights(home.folder, left := LeftFiles(), [])
    assert night.version is None
    assert any(str(run.registration) in one for one in left.problems)
    assert any(str(run.evaluation) in one for one in left.problems)


def test_what_is_no_night_is_left_out(home: Home) -> None:
    """Fits of models of shoppers, a source that is being forgotten, folders of other names."""
    runs = home.folder / "runs"
    home.write(runs / "shop" / "will_purchase" / "2026-03-02" / "shopper_model.json", {})
    home.write(runs / "_forgotten-shop" / SCENARIO / "2026-03-02" / "ingest.json", {})
    home.write(runs / "shop" / SCENARIO / "notes" / "ingest.json", {})
    assert read_nights(home.folder, LeftFiles(), []) == []


def test_the_last_nights_of_each_scenario_are_read(home: Home) -> None:
    for n in range(SHOWN_NIGHTS + 2):
        home.night(n)
    found = read_nights(home.folder, LeftFiles(), [])
    assert [one.run.date for one in found] == [home.run(n).date for n in range(2, SHOWN_NIGHTS + 2)]


def test_seconds_come_from_results_and_from_the_steps_own_files(home: Home) -> None:
    """Trainings add up; an earlier release kept them in results alone, where they count if nothing else tells."""
    run = home.night(0)
    home.write(run.candidate("bc-1") / "result.json", {"seconds": {"updates": 1.0, "all": 3.0}})
    home.write(run.candidate("bc-2") / "result.json", {"seconds": {"updates": 1.0, "all": 4.0}})
    (earlier,) = read_nights(home.folder, LeftFiles(), [])
    assert earlier.seconds == {"ingest": 10.0, "build": 20.0, "train": 7.0}
    for step, took in (("prepare", 2.0), ("train-bc-1", 5.0), ("train-bc-2", 6.0), ("monitor", 9.0), ("night", 30.0)):
        home.write(run.seconds(step), {"seconds": took})
    (now,) = read_nights(home.folder, LeftFiles(), [])
    assert now.seconds == {"ingest": 10.0, "build": 20.0, "prepare": 2.0, "train": 11.0, "night": 30.0}
