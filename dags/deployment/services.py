"""Airflow's processes and the MLflow page, started and stopped together: `make up` and `make down`."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen

from conf.errors import NightcartError
from conf.private_home import keep_private, refuse_unwritable
from conf.settings import PROJECT_ROOT, Settings
from dags.deployment.airflow_database import make_database
from dags.deployment.airflow_environment import DEFAULT_PORT, airflow_environment
from dags.deployment.mlflow_page import (
    USER,
    has_page,
    make_users,
    passwords_file,
    registry_problem,
    would_make_database,
    would_upgrade_database,
)
from dags.deployment.served_pages import PREFIX
from dags.deployment.service_processes import (
    SUPERVISOR,
    Record,
    end_processes,
    is_alive,
    marked,
    names_of,
    processes_of,
    read_record,
    record_path,
)
from dags.deployment.supervisor import SECONDS_TO_START, ServiceError, api_address

DEFAULT_MLFLOW_PORT = 5000
# What schedules and runs tasks ends first, while the API still answers: a task then reports how it ended.
_ENDED_FIRST = ("scheduler", "triggerer", "dag-processor")


def up(settings: Settings, port: int, mlflow_port: int) -> list[str]:
    """Start all services, after ending what an earlier start left behind; return what to tell about them.

    An MLflow port of 0 leaves its page out.

    Raises:
        ServiceError: a port is in use, the services run already, or one ended while starting; none is left running.
    """
    with _only_one(settings.home):
        refuse_second_start(settings.home)
        told = _healed(settings.home)
        refuse_used_port("PORT", port)
        if has_page(settings, mlflow_port):
            refuse_used_port("MLFLOW_PORT", mlflow_port)
        environment = {**os.environ, **airflow_environment(settings, port=port)}
        logs = settings.home / "logs" / "services"
        make_database(environment, logs / "database.log")
        if has_page(settings, mlflow_port):
            told += (problems := _problems_of_page(settings, logs))
            mlflow_port = 0 if len(problems) > 1 else mlflow_port
        try:
            supervisor = _start_supervisor(environment, logs, port, mlflow_port)
            _wait_until_ready(settings.home, supervisor, logs)
        except BaseException:
            _end_all(settings.home)
            raise
    return told + _addresses(settings, environment, port, mlflow_port) + [f"logs: {logs}"]


def down(home: Path) -> list[str]:
    """End every process of this home's services; return the names of the services that ran.

    Raises:
        ServiceError: a process can't be ended.
    """
    with _only_one(home):
        return _end_all(home)


def stay(home: Path, *, seconds_between: float = 1.0) -> None:
    """Return once this home's services are stopped, by `down` or by SIGTERM or SIGINT, which stop them: for systemd.

    Raises:
        ServiceError: the supervisor died or gave a service up; what was left is stopped.
    """
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: asked.append(got))
    while not asked:
        record = read_record(home)
        if not record.services:
            return
        if problem := _problem_of(record):
            with _only_one(home):
                if not read_record(home).services:
                    return  # a `down` was at work, which ends the supervisor first
                _end_all(home)
            raise ServiceError(problem)
        time.sleep(seconds_between)
    down(home)


def _problem_of(record: Record) -> str:
    """Return why the services can't go on; empty where they do."""
    if record.given_up:
        return "; ".join(f"{name} {why}" for name, why in record.given_up.items())
    is_watched = any(is_alive(service) for service in record.services if service.name == SUPERVISOR)
    return "" if is_watched else "the supervisor died; what it looked after is stopped"


def refuse_second_start(home: Path) -> None:
    """Raise if a supervisor that has not given up on any service looks after this home's.

    Raises:
        ServiceError: the services run, and what dies is started again without anybody's help.
    """
    record = read_record(home)
    alive = [service.name for service in record.services if is_alive(service)]
    if SUPERVISOR in alive and not record.given_up:
        raise ServiceError(f"already up ({', '.join(alive)}); `make down` stops them")


def refuse_used_port(parameter: str, port: int) -> None:
    """Raise if something listens on the port.

    Raises:
        ServiceError: something listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(
                f"port {port} is in use; stop what listens there, or choose another: make up {parameter}={port + 1}"
            ) from error


def _problems_of_page(settings: Settings, logs: Path) -> list[str]:
    """Make MLflow's databases where they are missing, and return what to tell about a registry that isn't well.

    The second line, where there is one, says why the page is left out.
    """
    make_users(settings, logs / "mlflow.log")
    problem = registry_problem(settings)
    if problem is None:
        return []
    if would_make_database(settings):
        return [f"warning: {problem}", "MLflow's page isn't started: it would begin a registry of its own"]
    if would_upgrade_database(problem):
        return [f"warning: {problem}", "MLflow's page isn't started: it would change the database in place, uncopied"]
    return [f"warning: {problem}"]


def _healed(home: Path) -> list[str]:
    """End what is left of an earlier start; return a line about it where there was something."""
    ended = _end_all(home)
    return [f"ended what an earlier start had left running: {', '.join(ended)}"] if ended else []


def _end_all(home: Path) -> list[str]:
    """End the supervisor first, which would restart others, then what runs tasks, then the rest; return their names."""
    services = read_record(home).services
    alive = [service.name for service in services if is_alive(service)]
    names = dict.fromkeys(alive + names_of(processes_of(home, services)))
    for group in ((SUPERVISOR,), (SUPERVISOR, *_ENDED_FIRST), None):
        if left := end_processes(partial(processes_of, home, services, group)):
            raise ServiceError(f"processes {[process.pid for process in left]} can't be ended; end them by hand")
    record_path(home).unlink(missing_ok=True)
    return list(names)


def _start_supervisor(environment: dict[str, str], logs: Path, port: int, mlflow_port: int) -> Popen[bytes]:
    logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "dags.deployment.supervisor", f"--port={port}", f"--mlflow-port={mlflow_port}"]
    with (logs / f"{SUPERVISOR}.log").open("a") as log:
        return Popen(
            command,
            env=marked(environment, SUPERVISOR),
            cwd=PROJECT_ROOT,
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(home: Path, supervisor: Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + 2 * SECONDS_TO_START
    while not read_record(home).is_ready:
        if supervisor.poll() is not None or time.monotonic() > deadline:
            said = "; ".join(read_record(home).given_up.values())
            raise ServiceError(said or f"the services didn't start; the logs are in {logs}")
        time.sleep(0.2)


def _addresses(settings: Settings, environment: dict[str, str], port: int, mlflow_port: int) -> list[str]:
    passwords = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    told = [
        f"Airflow: {api_address(port)} (log in as admin; the password is in {passwords})",
        f"home page: {api_address(port)}{PREFIX}/ (behind the same login; without services: make home)",
    ]
    if has_page(settings, mlflow_port):
        where = f"http://127.0.0.1:{mlflow_port}"
        told.append(f"MLflow: {where} (log in as {USER}; the password is in {passwords_file(settings)})")
    return told


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the lock that lets one `up` or `down` at a time work in this home."""
    lock = home / "airflow" / "services.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            line = f"another `make up` or `make down` is at work in {home}; waiting until it has ended"
            print(line, file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Return the exit code: 0, or 1 after one clear line."""
    parser = ArgumentParser(prog="dags.deployment.services")
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--mlflow-port", type=int, default=DEFAULT_MLFLOW_PORT)
    parser.add_argument("--stay", action="store_true", help="end when the services end, and stop them by SIGTERM")
    given = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        keep_private(settings)
        if given.what == "up":
            refuse_unwritable(settings)
            print("\n".join(up(settings, given.port, given.mlflow_port)), flush=True)
            if given.stay:
                stay(settings.home)
        else:
            print(f"stopped: {', '.join(down(settings.home)) or 'nothing was running'}")
    except (NightcartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
