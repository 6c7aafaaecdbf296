"""Starting and stopping Airflow's processes; what they do together is the scheduler's test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from conf.settings import PROJECT_ROOT, Settings
from dags.services import ServiceError, down, running, start, up


@pytest.fixture
def used_port() -> Iterator[int]:
    """A port that something listens on while the test runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def services(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dags.services", *arguments]
    environment = os.environ | {"NIGHTCART_HOME": str(home)}
    return subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("option", "parameter"), [("--port", "PORT"), ("--mlflow-port", "MLFLOW_PORT")])
def test_up_refuses_a_port_in_use(tmp_path: Path, used_port: int, option: str, parameter: str) -> None:
    """One clear line that names another way, and nothing is started."""
    ended = services(tmp_path, "up", f"{option}={used_port}", *(["--port=0"] if option != "--port" else []))
    assert ended.returncode == 1
    assert ended.stderr == (
        f"error: port {used_port} is in use; stop what listens there, or choose another: "
        f"make up {parameter}={used_port + 1}\n"
    )
    assert running(tmp_path) == []


def test_down_without_up_says_so(tmp_path: Path) -> None:
    """Stopping what doesn't run is no error."""
    ended = services(tmp_path, "down")
    assert (ended.returncode, ended.stdout) == (0, "stopped: nothing was running\n")


def test_down_ends_what_was_started(tmp_path: Path) -> None:
    """Each service runs, with a log of its own, until all are stopped together with their children."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    command = ["bash", "-c", "echo up; sleep 600 & wait"]
    start(settings, {"one": command, "two": command}, os.environ, tmp_path / "logs")
    started = running(tmp_path)
    assert [service.name for service in started] == ["one", "two"]
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["one.log", "two.log"]
    children = [child for service in started for child in psutil.Process(service.pid).children()]
    assert down(tmp_path) == ["one", "two"]
    assert running(tmp_path) == []
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_up_refuses_a_second_time(tmp_path: Path) -> None:
    """Two schedulers on one embedded database would get in each other's way."""
    record_as_running(tmp_path, created_offset=0.0)
    with pytest.raises(ServiceError, match=r"already up \(scheduler\)"):
        up(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), 0, 0)


def test_down_spares_a_stranger_with_the_same_number(tmp_path: Path) -> None:
    """A process number that was given anew isn't ours: this test would end itself otherwise."""
    record_as_running(tmp_path, created_offset=-100.0)
    assert running(tmp_path) == []
    assert down(tmp_path) == []


def record_as_running(home: Path, created_offset: float) -> None:
    """This process is recorded as the scheduler, created when it was or at another time."""
    created = psutil.Process().create_time() + created_offset
    (home / "airflow").mkdir()
    record = [{"name": "scheduler", "pid": os.getpid(), "created": created}]
    (home / "airflow" / "services.json").write_text(json.dumps(record))
