"""The supervisor: order of starting, starting again, giving up; on processes that do as told."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from conf.settings import Settings
from dags.deployment.service_processes import Record, is_alive, processes_of, read_record, running
from dags.deployment.services import down
from dags.deployment.supervisor import ServiceError, ServicePlan, Supervisor, airflow_plans, answers

SLEEP = ["bash", "-c", "sleep 600 & wait"]


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock) -> Iterator[Supervisor]:
    """A supervisor in a home of its own; what it started is ended."""
    yield Supervisor(tmp_path, tmp_path / "logs", Record(address="http://here", source="shop"), clock=clock)
    down(tmp_path)


def plan(home: Path, name: str, command: list[str], check: str | None = None) -> ServicePlan:
    return ServicePlan(name, command, {**os.environ, "AIRFLOW_HOME": str(home / "airflow")}, check)


def serving(address: str, before: str) -> list[str]:
    """A command that answers at the address after it has done something else."""
    port = address.rstrip("/").rpartition(":")[2]
    serve = "import http.server as h; h.HTTPServer(('127.0.0.1', {}), h.SimpleHTTPRequestHandler).serve_forever()"
    return [sys.executable, "-c", before + serve.format(port)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pid_of(home: Path, name: str) -> int:
    return next(service.pid for service in read_record(home).services if service.name == name)


def kill(home: Path, name: str) -> None:
    """The service's first process is gone at once; its workers are not."""
    pid = pid_of(home, name)
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_supervisor_starts_a_turn_when_the_one_before_answers(tmp_path: Path, supervisor: Supervisor) -> None:
    """The second asks the first, which takes a while, as it starts: without an answer it would end."""
    first, second = (f"http://127.0.0.1:{free_port()}/" for _ in range(2))
    ask = f"import urllib.request; urllib.request.urlopen('{first}'); "
    turns = [
        [plan(tmp_path, "api-server", serving(first, before="import time; time.sleep(0.3); "), check=first)],
        [plan(tmp_path, "scheduler", serving(second, before=ask), check=second)],
    ]
    supervisor.start(turns)
    assert answers(second)
    record = read_record(tmp_path)
    assert [service.name for service in record.services] == ["api-server", "scheduler"]
    assert (record.is_ready, record.address, record.source) == (True, "http://here", "shop")


def test_supervisor_tells_which_service_ended_while_starting(tmp_path: Path, supervisor: Supervisor) -> None:
    """The message names the service and its log; no later turn is started."""
    never = plan(tmp_path, "scheduler", SLEEP)
    with pytest.raises(ServiceError, match=r"api-server ended while it started; its log is .*api-server\.log"):
        supervisor.start([[plan(tmp_path, "api-server", ["false"], check="http://127.0.0.1:1/")], [never]])
    assert [service.name for service in read_record(tmp_path).services] == ["api-server"]


def test_supervisor_starts_again_what_was_killed(tmp_path: Path, supervisor: Supervisor) -> None:
    """The new process is recorded, the others are left alone, and no worker of the old one is left."""
    supervisor.start([[plan(tmp_path, "scheduler", SLEEP), plan(tmp_path, "triggerer", SLEEP)]])
    before = pid_of(tmp_path, "scheduler"), pid_of(tmp_path, "triggerer")
    workers = psutil.Process(before[0]).children()
    kill(tmp_path, "scheduler")
    supervisor.look()
    assert pid_of(tmp_path, "scheduler") != before[0]
    assert pid_of(tmp_path, "triggerer") == before[1]
    assert len(running(tmp_path)) == 2
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)


def test_supervisor_waits_longer_each_time_and_gives_up(tmp_path: Path, supervisor: Supervisor, clock: Clock) -> None:
    """At once, then after 1, 2, 4 seconds; the fifth death in ten minutes is the last, and the record says so."""
    supervisor.start([[plan(tmp_path, "scheduler", SLEEP)]])
    for pause in (0.0, 1.0, 2.0, 4.0):
        kill(tmp_path, "scheduler")
        supervisor.look()
        if pause:
            assert running(tmp_path) == []
            clock.now += pause
            supervisor.look()
        assert len(running(tmp_path)) == 1
    kill(tmp_path, "scheduler")
    supervisor.look()
    clock.now += 3600.0
    supervisor.look()
    assert running(tmp_path) == []
    assert read_record(tmp_path).given_up == {"scheduler": "died 5 times in 10 minutes, last it ended with code -9"}


def test_supervisor_forgets_deaths_of_long_ago(tmp_path: Path, supervisor: Supervisor, clock: Clock) -> None:
    """A service that dies once a night is started again at once, for ever."""
    supervisor.start([[plan(tmp_path, "scheduler", SLEEP)]])
    for _ in range(6):
        kill(tmp_path, "scheduler")
        supervisor.look()
        assert len(running(tmp_path)) == 1
        clock.now += 86_400.0


def test_supervisor_stays_where_the_disk_is_full(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record can't be written; the service is started again all the same, and the watch goes on."""
    supervisor.start([[plan(tmp_path, "scheduler", SLEEP)]])
    kill(tmp_path, "scheduler")
    n_looks = 0

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def pause(_: float) -> None:
        nonlocal n_looks
        n_looks += 1
        if n_looks == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as full:
        full.setattr("dags.deployment.supervisor.write_record", refuse)
        full.setattr("dags.deployment.supervisor.time.sleep", pause)
        with pytest.raises(KeyboardInterrupt):
            supervisor.watch()
    assert processes_of(tmp_path, [], ["scheduler"])


def test_down_ends_every_service_and_its_workers(tmp_path: Path, supervisor: Supervisor) -> None:
    """Each ran with a log of its own, until all are stopped together with their children."""
    supervisor.start([[plan(tmp_path, name, ["bash", "-c", "echo up; sleep 600 & wait"]) for name in ("one", "two")]])
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["one.log", "two.log"]
    assert down(tmp_path) == ["one", "two"]
    assert processes_of(tmp_path, []) == []
    assert read_record(tmp_path) == Record()


def test_plans_start_the_api_first_and_no_log_server(tmp_path: Path) -> None:
    """Log servers would listen on all interfaces; the scheduler's first task needs the API."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    turns = airflow_plans(settings, 8123, 5123)
    assert [[plan.name for plan in turn] for turn in turns] == [
        ["api-server", "mlflow"],
        ["dag-processor"],
        ["triggerer", "scheduler"],
    ]
    assert all("--skip-serve-logs" in plan.command for plan in turns[2])
    assert [plan.name for plan in airflow_plans(settings, 8123, 0)[0]] == ["api-server"]


def test_a_service_is_recognized_after_it_renamed_itself(tmp_path: Path, supervisor: Supervisor) -> None:
    """As Airflow's processes do, which would overwrite their environment."""
    rename = "import setproctitle, time; setproctitle.setproctitle('x' * 2000); print(1, flush=True); time.sleep(600)"
    supervisor.start([[plan(tmp_path, "scheduler", [sys.executable, "-c", rename])]])
    log = tmp_path / "logs" / "scheduler.log"
    subprocess.run(["timeout", "30", "bash", "-c", 'until [ -s "$0" ]; do :; done', str(log)], check=True)
    assert [process.pid for process in processes_of(tmp_path, [])] == [pid_of(tmp_path, "scheduler")]
    assert all(is_alive(service) for service in read_record(tmp_path).services)
