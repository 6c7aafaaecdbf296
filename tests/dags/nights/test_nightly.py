"""`make nightly`'s command, as a person runs it: DAGs in process, on commands that do as told."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.night_lock import own_turn
from conf.paths import Run
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import load_pipeline
from dags.nights import nightly
from dags.nights.nightly import approval_of
from dags.nights.nightly_progress import NightlyProgress
from dags.nights.nightly_request import NightlyRequest
from tests.dags.fake_pipeline import calls, write_fake_pipeline

OTHERS = ("AIRFLOW", "NIGHTCART")  # of the tests' own Airflow
Start = Callable[..., subprocess.Popen[str]]
Night = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all nights of this module, so that Airflow's database is made once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def start(home: Path, tmp_path: Path) -> Start:
    """Starts the command."""

    def begin(*arguments: str, in_home: Path = home, **told: Any) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
        environment["NIGHTCART_HOME"] = str(in_home)
        environment["NIGHTCART_PIPELINE_VENV"] = str(write_fake_pipeline(tmp_path / "venv", **told))
        command = [sys.executable, "-m", "dags.nights.nightly", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)

    return begin


@pytest.fixture
def night(home: Path, start: Start) -> Night:
    """Runs the command as on the first night: without a shop, without runs."""
    for name in ("shops", "runs", "logs"):
        shutil.rmtree(home / name, ignore_errors=True)

    def run(*arguments: str, **told: Any) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **told)
        stdout, stderr = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


def test_nightly_goes_from_logs_to_a_champion(night: Night, home: Path, tmp_path: Path) -> None:
    """Every command runs once and in order; stdout is the one JSON object, stderr the stages."""
    ended = night(verdict="promote")
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    result = json.loads(line)
    seconds = result.pop("seconds")
    assert result == {
        "scenario": "recommendation",
        "source": "simulated_shop",
        "date": "2026-01-31",
        "verdict": "promote",
        "model": "recommendation-policy",
        "version": 3,
        "dataset_digest": "d1",
        "n_events": 7,
        "n_rejected": 2,
        "n_not_yet": 1,
        "n_transitions": 5,
        "page": str(home / "runs/simulated_shop/recommendation/2026-01-31/review.html"),
        "recommendations": {
            "as_of": "2026-02-02",
            "version": 3,
            "n_shoppers": 9,
            "n_decisions": 9,
            "n_control": 0,
            "groups": {"champion": 9},
            "csv": "list.csv",
        },
    }
    assert {"simulate_shop", "ingest", "build", "prepare", "train", "evaluate", "register", "promote"} < set(seconds)
    ran = [call["command"] for call in calls(tmp_path / "venv")]
    trained = ["prepare", *["train"] * 4, "evaluate", "register", "promote"]
    assert ran == ["simulate-shop", "ingest", "build", *trained, "observe", "decide"]
    assert "] train discrete_cql-2: done" in ended.stderr
    assert "a line of log" not in ended.stderr, "the long log belongs into its file"
    (log,) = (home / "logs").glob("nightly-*.log")
    assert str(log) in ended.stderr
    assert "a line of log" in log.read_text()
    assert not (home / "airflow" / "airflow.db").exists(), "a scheduler would take its tasks"


def test_nightly_is_green_where_the_gate_says_no(night: Night, tmp_path: Path) -> None:
    """A verdict of abstain is a result, and nothing is promoted."""
    ended = night(verdict="abstain")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["verdict"] == "abstain"
    assert "read_registration: skipped" in ended.stderr
    assert "promote" not in [call["command"] for call in calls(tmp_path / "venv")]


def test_nightly_is_green_where_nothing_can_be_learned(night: Night, tmp_path: Path) -> None:
    """A log of three days, or of one action, is an abstention with its reason; nothing is trained and nothing red."""
    ended = night(skip={"prepare": "the window is too short to split"})
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["verdict"], result["reasons"]) == ("abstain", ["the window is too short to split"])
    assert (result["n_events"], result["n_transitions"]) == (7, 5)
    assert not {"model", "version"} & set(result)
    assert Path(result["page"]).read_text() == "nothing learned"
    assert f"nothing was learned; why, and what it would take: {result['page']}" in ended.stderr
    ran = [call["command"] for call in calls(tmp_path / "venv")]
    assert ran == ["simulate-shop", "ingest", "build", "prepare", "observe", "decide"]
    assert "FAILED" not in ended.stderr


def test_nightly_ends_with_the_failing_commands_message(night: Night, tmp_path: Path) -> None:
    """What went wrong stands last, in the command's words; it isn't tried again, and nothing runs behind it."""
    names = ("bc-1", "bc-2", "discrete_cql-1", "discrete_cql-2")
    ended = night(fail={f"train:{name}": (65, f"{name}: loss is not finite at update 120") for name in names})
    assert ended.returncode == 1
    assert ended.stdout == ""
    expected = {f"error: train {name}: {name}: loss is not finite at update 120" for name in names}
    assert ended.stderr.splitlines()[-1] in expected
    ran = [call["command"] for call in calls(tmp_path / "venv")]
    assert ran.count("train") == 4
    assert "evaluate" not in ran


def test_nightly_goes_on_without_a_candidate_that_failed(night: Night, tmp_path: Path) -> None:
    """One of four fails: the others are evaluated, and the failure is shown."""
    ended = night(fail={"train:bc-2": (65, "bc-2: loss is not finite at update 120; lower the learning rate")})
    assert ended.returncode == 0, ended.stderr
    assert "train bc-2: FAILED" in ended.stderr
    (evaluated,) = [call for call in calls(tmp_path / "venv") if call["command"] == "evaluate"]
    assert "training-is-over" in evaluated["options"]


def test_nightly_ends_with_a_spark_jobs_message(night: Night, tmp_path: Path) -> None:
    """The same for a command that spark-submit runs, whose output Java writes into."""
    ended = night(fail={"ingest": (1, "logs/2026-01-31/events.jsonl.gz: not a whole gzip file; deliver it again")})
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "error: ingest: logs/2026-01-31/events.jsonl.gz: not a whole gzip file; deliver it again"
    )
    assert [call["command"] for call in calls(tmp_path / "venv")] == ["simulate-shop", "ingest"]


def test_nightly_ends_with_the_simulations_message(night: Night) -> None:
    """What goes wrong before the DAGs reads the same."""
    ended = night(fail={"simulate-shop": (1, "no space left on device")})
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "error: simulate_shop: no space left on device"


@pytest.mark.parametrize(("n_left", "is_told"), [(1, True), (9, False)])
def test_what_set_most_decisions_aside_is_said_first(tmp_path: Path, n_left: int, is_told: bool) -> None:
    """Before what the deliveries ask of a person, and in the result; nothing where most decisions remain."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    run = Run(tmp_path, "shop", "recommendation", date(2026, 1, 31))
    run.folder.mkdir(parents=True)
    ingest = {"n_events": 7, "n_rejected": 2, "n_not_yet": 1, "unread_files": ["a.csv"]}
    build = {"n_transitions": n_left, "quarantined": {"episodes": 4, "decisions": 9, "no_consent": 9}}
    registration = {"verdict": "promote", "model": "m", "version": 3, "dataset_digest": "d1"}
    written = {run.ingest_result: ingest, run.build_result: build, run.registration: registration}
    for path, content in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    lines = list[str]()
    progress = NightlyProgress(lines.append)
    result = nightly._told_result(NightlyRequest("recommendation", "shop", run.date, None), settings, progress)
    progress.end()
    assert ("9 of 10 decisions are of shoppers without consent" in lines[0]) == is_told
    assert "a.csv" in lines[-1]
    assert ("set_aside" in result) == is_told


def test_an_unexpected_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever didn't ask for it meets no traceback; at debug level it is told."""

    def broken(*_: object) -> None:
        raise KeyError("tags")

    monkeypatch.setattr(nightly, "_run", broken)
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    assert nightly.main([]) == 1
    assert capsys.readouterr().err == ("error: unexpected KeyError: 'tags'; NIGHTCART_LOG_LEVEL=debug tells where\n")
    monkeypatch.setenv("NIGHTCART_LOG_LEVEL", "debug")
    assert nightly.main([]) == 1
    assert "in broken" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--source=taobo", "--scenario=x", "--date=tomorrow", "--logs=/no/such"])
def test_nightly_refuses_wrong_parameters_in_one_line(night: Night, tmp_path: Path, argument: str) -> None:
    """Before Airflow starts, and before anything is made."""
    ended = night(argument, in_home=tmp_path / "home")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


def test_nightly_leaves_approval_to_a_person(night: Night, tmp_path: Path) -> None:
    """The spec says human and the shop is real: nothing is promoted, and the last line is what to type."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.jsonl").write_text("{}")
    ended = night(f"--logs={tmp_path / 'logs'}", "--date=2026-01-31", verdict="promote")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1].endswith(
        "review.html, then: make promote SOURCE=canonical SCENARIO=recommendation DATE=2026-01-31 VERSION=3"
    )
    assert [call["command"] for call in calls(tmp_path / "venv")][-3:] == ["register", "observe", "decide"]


@pytest.mark.parametrize(
    ("source", "setting", "approval"),
    [
        ("simulated_shop", None, "auto"),
        ("simulated_shop", "human", "human"),
        ("canonical", None, "human"),
        ("canonical", "auto", "auto"),
    ],
)
def test_approval_is_by_itself_on_the_simulated_shop_alone(source: str, setting: str | None, approval: str) -> None:
    """Unless the deployment says who approves, everywhere."""
    given = {"NIGHTCART_APPROVAL": setting} if setting else {}
    request = NightlyRequest("recommendation", source, None, None)
    assert approval_of(request, Settings.from_environment(given)) == approval


def test_nightly_waits_for_whoever_computes_the_night(start: Start, home: Path) -> None:
    """A scheduler's task, or a command by hand; one line says which."""
    (home / "shops" / "simulated_shop" / "logs" / "2026-01-31").mkdir(parents=True, exist_ok=True)
    (home / "shops" / "simulated_shop" / "shop.json").touch()
    run = Run(home, "simulated_shop", "recommendation", date(2026, 1, 31))
    with own_turn(run, "rl train", pytest.fail, night=None, is_side_by_side=True):
        process = start(fail={"ingest": (1, "told so")})
        assert process.stderr is not None
        line = next(line for line in process.stderr if "waiting" in line)
        assert process.poll() is None
    assert f"rl train (process {os.getpid()}) is at work on {run.folder}" in line
    assert process.communicate()[1].splitlines()[-1] == "error: ingest: told so"


def test_nightly_runs_once_at_a_time(night: Night, home: Path) -> None:
    """Airflow's embedded database has one writer at a time; whose turn it is is told, and where to go meanwhile."""
    with nightly._only_one(home):
        ended = night()
    assert ended.returncode == 1
    whose = f"(process {os.getpid()}, since 20"
    assert ended.stderr.startswith(f"error: another `make nightly` is running in {home} {whose}")
    assert "NIGHTCART_HOME=another/folder make nightly" in ended.stderr
    with (home / "nightly.lock").open("w") as lock:  # of a release that wrote nothing into it
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "which process is not known" in night().stderr


def test_a_simulated_buyer_orders_on_the_scenario_s_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that today's rule has the same week as all that it is held against; every day where none is named."""
    request = NightlyRequest("inventory", "simulated_inventory", None, None)
    assert nightly._buyers_days(request) == []
    pipeline = load_pipeline("inventory", "simulated_inventory")
    orders = pipeline.scenario.orders
    assert orders is not None
    twice = orders.model_copy(update={"weekdays": ("monday", "thursday")})
    scenario = pipeline.scenario.model_copy(update={"orders": twice})
    monkeypatch.setattr(nightly, "load_pipeline", lambda *_: pipeline.model_copy(update={"scenario": scenario}))
    assert nightly._buyers_days(request) == ["--weekday=monday", "--weekday=thursday"]


def test_a_morning_without_orders_is_said_in_the_night_s_result(tmp_path: Path) -> None:
    """Instead of a list."""
    run = Run(tmp_path, "simulated_inventory", "inventory", date(2026, 1, 30))
    run.decide_result.parent.mkdir(parents=True)
    told = "no orders on Saturday 2026-01-31: they are placed every Monday, next on Monday 2026-02-02"
    run.decide_result.write_text(json.dumps({"date": "2026-01-30", "no_orders": told}), encoding="utf-8")
    assert nightly._list(run) == {"order_list": {"no_orders": told}}
