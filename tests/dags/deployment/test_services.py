"""Starting and stopping the services as `make up` and `make down` do; what they do together is the scheduler's test."""

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
from dags.deployment.service_processes import (
    Record,
    ServiceProcess,
    as_service,
    is_alive,
    marked,
    processes_of,
    running,
    write_record,
)
from dags.deployment.services import ServiceError, down, up


@pytest.fixture
def used_port() -> Iterator[int]:
    """A port that something listens on while the test runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def services(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dags.deployment.services", *arguments]
    environment = os.environ | {"NIGHTCART_HOME": str(home)}
    return subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)


def marked_process(home: Path, name: str, script: str = "exec sleep 600") -> subprocess.Popen[bytes]:
    """A process as a service's: marked, in a session of its own."""
    environment = marked({**os.environ, "AIRFLOW_HOME": str(home / "airflow")}, name)
    return subprocess.Popen(["bash", "-c", f"{script} # {name}"], env=environment, start_new_session=True)


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


def test_down_finds_what_no_record_and_no_parent_tells_of(tmp_path: Path) -> None:
    """A command that a killed scheduler left behind, in a session of its own, is ended; another home's is not."""
    script = "setsid sleep 600 >/dev/null 2>&1 & echo $!"
    environment = marked({**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")}, "scheduler")
    started = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    orphan = psutil.Process(int(started.stdout))
    other = marked_process(tmp_path / "other", "scheduler")
    try:
        assert down(tmp_path) == ["scheduler"]
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_down_ends_the_session_of_a_recorded_service(tmp_path: Path) -> None:
    """Processes of a version that marked nothing are found by the session their dead service opened."""
    service = subprocess.Popen(
        ["bash", "-c", "sleep 600 & echo $!; wait"],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert service.stdout is not None
    worker = psutil.Process(int(service.stdout.readline()))
    recorded = as_service("scheduler", service.pid)
    (tmp_path / "airflow").mkdir()
    as_before = [{"name": recorded.name, "pid": recorded.pid, "created": recorded.created}]
    (tmp_path / "airflow" / "services.json").write_text(json.dumps(as_before))
    service.kill()
    service.wait()
    down(tmp_path)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_up_ends_what_a_dead_supervisor_left(tmp_path: Path, used_port: int) -> None:
    """It doesn't refuse because of leftovers: here they are ended before the port, in use by a stranger, is."""
    left = marked_process(tmp_path, "api-server")
    write_record(tmp_path, Record((as_service("api-server", left.pid),)))
    with pytest.raises(ServiceError, match=f"port {used_port} is in use"):
        up(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), used_port, 0)
    assert left.wait(10) != 0
    assert processes_of(tmp_path, []) == []


def test_up_heals_what_was_given_up(tmp_path: Path, used_port: int) -> None:
    """A supervisor that gave a service up is no reason to refuse; it is ended with the rest."""
    left = marked_process(tmp_path, "supervisor")
    write_record(tmp_path, Record((as_service("supervisor", left.pid),), given_up={"scheduler": "died 5 times"}))
    with pytest.raises(ServiceError, match=f"port {used_port} is in use"):
        up(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), used_port, 0)
    assert left.wait(10) != 0


def test_up_refuses_a_second_time(tmp_path: Path) -> None:
    """Two schedulers on one embedded database would get in each other's way."""
    write_record(tmp_path, Record((as_service("supervisor", os.getpid()),), is_ready=True))
    with pytest.raises(ServiceError, match=r"already up \(supervisor\)"):
        up(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), 0, 0)


def test_down_spares_a_stranger_with_the_same_number(tmp_path: Path) -> None:
    """A process number that was given anew isn't ours."""
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        found = as_service("scheduler", stranger.pid)
        earlier = type(found)(found.name, found.pid, found.created - 100.0)
        write_record(tmp_path, Record((earlier,)))
        assert not is_alive(earlier)
        assert down(tmp_path) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_down_spares_a_stranger_in_a_session_of_that_number(tmp_path: Path) -> None:
    """After a restart numbers are given anew, and the leader of a daemon's session has usually ended."""
    leader = subprocess.Popen(
        ["bash", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert leader.stdout is not None
    daemon = psutil.Process(int(leader.stdout.readline()))
    leader.wait()
    try:
        write_record(tmp_path, Record((ServiceProcess("scheduler", leader.pid, daemon.create_time() - 100.0),)))
        assert down(tmp_path) == []
        assert daemon.is_running()
    finally:
        daemon.kill()


def staying(home: Path) -> subprocess.Popen[str]:
    """A process that stays with the home's services, as systemd starts it, after they came up."""
    # It is up once it looks at the record: signals are waited for by then.
    script = """
import sys
from pathlib import Path
from dags.deployment import services
from dags.deployment.services import *
own = services.read_record
def told(home):
    print("up", flush=True)
    services.read_record = own
    return own(home)
services.read_record = told
try: stay(Path(sys.argv[1]), seconds_between=0.05)
except ServiceError as error: sys.exit(str(error))
"""
    command = [sys.executable, "-c", script, str(home)]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("how", ["SIGTERM", "down"])
def test_whoever_stays_ends_with_the_services(tmp_path: Path, how: str) -> None:
    """Asked to end, it stops them; stopped by somebody else, it ends well, so that nothing starts them again."""
    supervisor = marked_process(tmp_path, "supervisor")
    write_record(tmp_path, Record((as_service("supervisor", supervisor.pid),), is_ready=True))
    process = staying(tmp_path)
    if how == "SIGTERM":
        process.terminate()
    else:
        down(tmp_path)
    assert process.wait(60) == 0
    assert supervisor.wait(10) != 0
    assert running(tmp_path) == []


@pytest.mark.parametrize("how", ["killed", "given up"])
def test_whoever_stays_fails_when_nobody_looks_after_the_services(tmp_path: Path, how: str) -> None:
    """It says why and ends with an error, which lets systemd start all of it again; nothing is left running."""
    supervisor, scheduler = marked_process(tmp_path, "supervisor"), marked_process(tmp_path, "scheduler")
    services = tuple(as_service(name, one.pid) for name, one in (("supervisor", supervisor), ("scheduler", scheduler)))
    write_record(tmp_path, Record(services, is_ready=True))
    process = staying(tmp_path)
    if how == "killed":
        supervisor.kill()
        supervisor.wait()
    else:
        write_record(tmp_path, Record(services, is_ready=True, given_up={"scheduler": "died 5 times"}))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert ("the supervisor died" if how == "killed" else "scheduler died 5 times") in told
    assert scheduler.wait(10) != 0
