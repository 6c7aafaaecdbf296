"""The entry for spark-submit: one JSON object on stdout, one clear message on stderr, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyspark
import pytest

import jobs.main
from conf.night_lock import whole_night
from conf.paths import Lake, Run
from conf.settings import PROJECT_ROOT
from jobs.errors import UnlikelyDelivery
from jobs.landing.held_back import note_held_back, read_held_back
from jobs.main import main
from tests.jobs.shop_logs import DAYS, day_lines, deliver_days
from tests.spark_plans import INTERPRETED


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.e2e
def test_spark_submit_ingests_and_prints_its_result_last(home: Path, tmp_path: Path) -> None:
    """The result is the last line of stdout and, for a scenario, a file in its run folder."""
    logs = deliver_days(tmp_path / "logs", DAYS[:1])
    tools = Path(sys.executable).parent
    submit = [str(tools / "spark-submit"), "--properties-file", "conf/spark/local.conf"]
    submit += [word for name, value in INTERPRETED.items() for word in ("--conf", f"{name}={value}")]
    command = [
        *submit,
        "jobs/main.py",
        "ingest",
        "--source",
        "canonical",
        "--date",
        str(DAYS[0]),
        "--logs",
        str(logs),
        "--scenario",
        "recommendation",
    ]
    # Spark's own script doesn't find its home below a folder with a space.
    spark_home = str(Path(pyspark.__file__).parent)
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "SPARK_HOME": spark_home}
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["n_events"], result["n_rejected"], result["n_not_yet"]) == (len(day_lines(DAYS[0])), 0, 0)
    assert set(result["seconds"]) == {"start", "land", "ingest", "sessions"}
    path = home / "runs" / "canonical" / "recommendation" / str(DAYS[0]) / "ingest.json"
    assert json.loads(path.read_text()) == result
    assert "ingested" in done.stdout  # spark-submit sends a Python driver's stderr there
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "taobo"], "no such file; did you mean 'taobao'?"),
        (["--source", "taobao", "--scenario", "recomendation"], "did you mean 'recommendation'?"),
        (["--source", "taobao", "--logs", "/no/such/log.csv"], "/no/such/log.csv: no such file or folder"),
    ],
)
def test_what_can_be_refused_at_once_is_one_line_on_stderr(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """No traceback, nothing on stdout, exit code 65, and nothing was made."""
    assert main(["ingest", "--date", "2017-12-02", *arguments]) == 65
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not home.exists()


@pytest.mark.parametrize(
    ("reason", "message"),
    [(" ", "REASON is missing"), ("a test day", "no delivery 2017-12-02 was landed: there is none")],
)
def test_delivery_that_cannot_be_accepted_is_refused_at_once(
    home: Path, capsys: pytest.CaptureFixture[str], reason: str, message: str
) -> None:
    """Before Spark starts."""
    assert main(["accept", "--source", "taobao", "--delivery", "2017-12-02", "--reason", reason]) == 65
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("is_there", "message"),
    [
        (True, "error: 2026-01-05 is accepted and published; of the others nothing was published:"),
        (False, "error: nothing was published:"),
    ],
)
def test_what_waits_beside_an_accepted_delivery_is_told_apart(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_there: bool, message: str
) -> None:
    """Who accepted one delivery of several is told that this one is in."""

    def hold_back(*_: object) -> None:
        raise UnlikelyDelivery("nothing was published:\n  delivery_date=2026-01-06")

    monkeypatch.setattr(jobs.main, "_accepted", lambda *_: True)
    monkeypatch.setattr(jobs.main, "is_published", lambda *_: is_there)
    monkeypatch.setattr(
        jobs.main,
        "start_spark",
        lambda *_: SimpleNamespace(stop=lambda: None, sparkContext=SimpleNamespace(master="local")),
    )
    monkeypatch.setattr(jobs.main, "_result", hold_back)
    assert main(["accept", "--source", "canonical", "--delivery", "2026-01-05", "--reason", "a sale"]) == 65
    assert message in capsys.readouterr().err


def test_a_delivery_that_could_not_be_landed_is_left_out_at_once(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to publish, so that Spark isn't started; whose word it is stands in the note."""
    lake = Lake(home / "lake", "canonical")
    note_held_back(lake, {DAYS[0]: "events.jsonl: empty delivery"}, [])
    monkeypatch.setattr(jobs.main, "start_spark", lambda *_: pytest.fail("Spark was started"))
    words = ["accept", "--source", "canonical", "--delivery", str(DAYS[0]), "--reason", "lost", "--who", "ann"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {"source": "canonical", "left_out": str(DAYS[0]), "reason": "lost"}
    one = read_held_back(lake)[DAYS[0]]
    assert (one.left_out, one.who) == ("lost", "ann")


def test_unknown_setting_is_one_line_on_stderr(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped variable is an error with a suggestion, before anything starts."""
    monkeypatch.setenv("NIGHTCART_HOM", "x")
    assert main(["ingest", "--source", "taobao", "--date", "2017-12-02"]) == 65
    assert "did you mean 'NIGHTCART_HOME'?" in capsys.readouterr().err


def test_date_without_a_delivery_is_refused_before_spark_starts(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A closed day: the dates that there are stand in the message, and nothing is landed."""
    logs = deliver_days(tmp_path / "logs", DAYS)
    command = ["ingest", "--source", "canonical", "--date", "2026-01-08"]
    assert main([*command, "--logs", str(logs)]) == 65
    captured = capsys.readouterr().err
    assert captured.startswith("error: no delivery for 2026-01-08: there are 3 from 2026-01-05 to 2026-01-07")
    assert main(command) == 65
    assert "no delivery for 2026-01-08: there is none at all" in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize("arguments", [["ingest", "--source", "taobao", "--date", "tomorrow"], ["build"], ["fly"]])
def test_wrong_arguments_exit_with_two(arguments: list[str]) -> None:
    """Usage goes to stderr, as command lines do."""
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


def test_build_waits_for_another_run_of_the_night(home: Path) -> None:
    """Before Spark starts; one line says for whom."""
    command = [sys.executable, "-m", "jobs.main", "build", "--source", "canonical", "--scenario", "recommendation"]
    night = Run(home, "canonical", "recommendation", DAYS[0])
    with whole_night(night, "make nightly", print):
        waiting = subprocess.Popen(
            [*command, "--date", str(DAYS[0])], cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        waiting.kill()
        waiting.communicate()
    assert f"make nightly (process {os.getpid()}) is at work on {night.folder}" in line
