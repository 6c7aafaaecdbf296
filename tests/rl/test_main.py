from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from conf.night_lock import whole_night
from conf.paths import Lake, Run
from conf.settings import PROJECT_ROOT
from conf.specs.scenario import load_pipeline
from rl.main import app
from tests.rl.factories import write_shop

NIGHT = ("--source", "simulated_shop", "--scenario", "recommendation", "--date", "2026-01-18")


def rl(home: Path, *arguments: str, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m rl ARGUMENTS` (or `code`) in a process of its own."""
    command = [sys.executable, "-c", code, *arguments] if code else [sys.executable, "-m", "rl", *arguments]
    variables = os.environ | {"NIGHTCART_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT)} | environment
    return subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def rl_here() -> Iterator[Callable[..., Result]]:
    """`python -m rl ARGUMENTS` in this process, whose logs and file modes are afterwards what they were."""
    logs, umask = structlog.get_config(), os.umask(0o077)

    def run(home: Path, *arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, env={"NIGHTCART_HOME": str(home)} | environment)

    yield run
    structlog.configure(**logs)
    os.umask(umask)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    pipeline = load_pipeline("recommendation", "simulated_shop")
    write_shop(Lake(folder / "lake", "simulated_shop"), pipeline, n_episodes=90)
    return folder


def test_prepare_prints_one_json_object_last(home: Path) -> None:
    """Stdout carries the result alone; logs go to stderr, as JSON where asked."""
    finished = rl(home, "prepare", *NIGHT, NIGHTCART_LOG_FORMAT="json")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("\n") == 1
    assert len(json.loads(finished.stdout)["dataset_digest"]) == 32
    assert [json.loads(line)["event"] for line in finished.stderr.splitlines()] == ["prepared"]


def test_errors_of_data_are_one_message_and_exit_code_65(home: Path) -> None:
    """What, where, what to do; no traceback, nothing on stdout."""
    finished = rl(home, "prepare", *NIGHT[:-1], "2026-03-01")
    assert finished.returncode == 65
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr
    assert finished.stderr.startswith("rl prepare: transitions/recommendation of source simulated_shop: no partition")


def test_unknown_scenario_is_an_error_with_a_suggestion(home: Path, rl_here: Callable[..., Result]) -> None:
    """A typo in a name is answered with the near one; a lock isn't made for a night that can't be."""
    finished = rl_here(home, "prepare", "--source", "simulated_shop", "--scenario", "recomendation", *NIGHT[4:])
    assert finished.exit_code == 65
    assert "did you mean 'recommendation'" in finished.stderr
    assert not (home / "runs" / "simulated_shop" / "recomendation").exists()


@pytest.mark.parametrize("arguments", [("prepare",), ("prepare", *NIGHT[:-1], "yesterday"), ("unknown",)])
def test_wrong_arguments_exit_with_2(home: Path, rl_here: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    """Usage errors are told apart from failures."""
    assert rl_here(home, *arguments).exit_code == 2


def test_prepare_imports_nothing_heavy(home: Path) -> None:
    """Preparing needs neither torch nor MLflow, whose import takes seconds."""
    code = (
        "import sys\nfrom rl.main import app\ntry:\n    app()\nfinally:\n"
        "    print([name for name in ('torch', 'd3rlpy', 'mlflow') if name in sys.modules], file=sys.stderr)"
    )
    finished = rl(home, "prepare", *NIGHT, code=code)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.splitlines()[-1] == "[]"


def test_a_missing_reason_is_told_at_once(home: Path) -> None:
    """Under the command's own name, before MLflow is imported."""
    commands = ("rollback", "off", "on", "control")
    code = (
        "import sys\nfrom rl.main import app\nfor what in sys.argv[1:]:\n"
        "    print(app([what, '--scenario', 'recommendation', '--why', ' '], standalone_mode=False))\n"
        "print([name for name in ('torch', 'mlflow') if name in sys.modules], file=sys.stderr)"
    )
    finished = rl(home, *commands, code=code)
    assert finished.stdout.splitlines() == ["65"] * len(commands)
    told = [f"rl {what}: say why, for the record (--why, or WHY of make)" for what in commands]
    assert finished.stderr.splitlines() == [*told, "[]"]


def test_train_keeps_stdout_clean(home: Path, rl_here: Callable[..., Result]) -> None:
    """Importing d3rlpy sends logs to stdout and makes gym print a notice; neither gets through."""
    code = (
        "import conf.specs.scenario as s\n"
        "load = s.load_pipeline\n"
        "def small(*a, **k):\n"
        "    p = load(*a, **k)\n"
        "    c = tuple(x.model_copy(update={'n_updates': 20}) for x in p.scenario.candidates)\n"
        "    return p.model_copy(update={'scenario': p.scenario.model_copy(update={'candidates': c})})\n"
        "s.load_pipeline = small\nfrom rl.main import app\napp()"
    )
    assert rl_here(home, "prepare", *NIGHT).exit_code == 0
    finished = rl(home, "train", *NIGHT, "--candidate", "discrete_cql-2", code=code)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("\n") == 1
    assert json.loads(finished.stdout)["candidate"] == "discrete_cql-2"
    assert "Gym" not in finished.stderr
    assert "updates_per_second" in finished.stderr


def test_an_unexpected_error_is_one_line_and_told_where_at_debug_level(
    home: Path, rl_here: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug, or a disk that breaks: nobody is met by a traceback who didn't ask for it."""

    def broken(**_: object) -> object:
        return {}["tags"]

    monkeypatch.setattr("rl.commands.prepare.run", broken)
    plain = rl_here(home, "prepare", *NIGHT)
    assert (plain.exit_code, plain.stdout) == (1, "")
    assert plain.stderr.splitlines() == [
        "rl prepare: unexpected KeyError: 'tags'; NIGHTCART_LOG_LEVEL=debug tells where"
    ]
    debugging = rl_here(home, "prepare", *NIGHT, NIGHTCART_LOG_LEVEL="debug")
    assert "in broken" in debugging.stderr
    assert debugging.stderr.splitlines()[-1] == plain.stderr.strip()


def test_a_result_holds_no_nan(home: Path, rl_here: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't a number is null on stdout."""
    monkeypatch.setattr("rl.commands.prepare.run", lambda **_: {"value": float("nan"), "bounds": [float("-inf"), 1.0]})
    assert json.loads(rl_here(home, "prepare", *NIGHT).stdout) == {"value": None, "bounds": [None, 1.0]}


def test_a_registry_that_cannot_take_the_night_is_said_by_prepare(
    home: Path, rl_here: Callable[..., Result], tmp_path: Path
) -> None:
    """Before any training, in one line, with what to do; nothing is made in the damaged file's place."""
    (tmp_path / "mlflow.db").write_text("not a database")
    finished = rl_here(tmp_path, "prepare", *NIGHT, NIGHTCART_LAKE=str(home / "lake"))
    assert (finished.exit_code, finished.stdout) == (65, "")
    assert "Traceback" not in finished.stderr
    (line,) = finished.stderr.splitlines()
    assert line.startswith(f"rl prepare: {tmp_path}/mlflow.db: MLflow's database is damaged")
    assert (tmp_path / "mlflow.db").read_text() == "not a database"


def test_open_registry_makes_the_database(tmp_path: Path) -> None:
    """Before others open it, who would make it in place."""
    finished = rl(tmp_path, "open-registry")
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == {"address": f"sqlite:///{tmp_path}/mlflow.db", "models": {}}
    assert (tmp_path / "mlflow.db").exists()


def test_commands_wait_for_another_run_of_the_night(home: Path) -> None:
    """One line says for whom; when that run is over, the command does its work."""
    variables = os.environ | {"NIGHTCART_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-m", "rl", "prepare", *NIGHT]
    night = Run(home, "simulated_shop", "recommendation", date(2026, 1, 18))
    with whole_night(night, "make nightly", print):
        waiting = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        assert f"make nightly (process {os.getpid()}) is at work on {night.folder}" in line
        assert waiting.poll() is None
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert "dataset_digest" in json.loads(out)


def test_commands_of_a_run_do_not_wait_for_it(home: Path) -> None:
    """Its steps are given its name; a name that isn't this run's would not do."""
    night = Run(home, "simulated_shop", "recommendation", date(2026, 1, 18))
    with whole_night(night, "make nightly", print) as name:
        finished = rl(home, "prepare", *NIGHT, NIGHTCART_NIGHT=name)
    assert finished.returncode == 0, finished.stderr
    assert "waiting" not in finished.stderr
