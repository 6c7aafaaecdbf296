"""The process that starts the services in order, watches them, and starts again what dies: part of `make up`."""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen

from conf.errors import NightcartError
from conf.settings import PROJECT_ROOT, Settings
from dags.deployment.airflow_environment import airflow_environment
from dags.deployment.mlflow_page import has_page, mlflow_command, mlflow_environment
from dags.deployment.service_processes import (
    SUPERVISOR,
    Record,
    ServiceProcess,
    as_service,
    kill_processes,
    marked,
    places_of,
    processes_of,
    read_record,
    write_record,
)

SECONDS_TO_START = 180.0
_SECONDS_BETWEEN_LOOKS = 0.5
_MOST_DEATHS = 5
_SECONDS_OF_DEATHS = 600.0
_LONGEST_PAUSE_SECONDS = 60.0


class ServiceError(NightcartError):
    """A service can't start."""


@dataclass(frozen=True)
class ServicePlan:
    """How a service is started, and where it answers once it is up; null where it answers nowhere."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    check: str | None = None


@dataclass
class _Watched:
    """A service as the supervisor sees it: its process, when it died lately, and when it is due again."""

    plan: ServicePlan
    process: Popen[bytes]
    service: ServiceProcess
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_DEATHS))
    due: float | None = None


def airflow_plans(settings: Settings, port: int, mlflow_port: int) -> list[list[ServicePlan]]:
    """Return the services by turn: those of a turn are started once all of the turn before answer.

    The scheduler comes after the API: a task that is started while nothing answers there loses its attempt.
    """
    environment = {**os.environ, **airflow_environment(settings, port=port)}
    address = api_address(port)
    first = [_airflow("api-server", environment, check=f"{address}/api/v2/monitor/health")]
    if has_page(settings, mlflow_port):
        mlflow = {**environment, **mlflow_environment(settings)}
        command = mlflow_command(settings, mlflow_port)
        first.append(ServicePlan("mlflow", command, mlflow, f"http://127.0.0.1:{mlflow_port}/health"))
    # Log servers would listen on all interfaces; the API server reads the same files.
    return [
        first,
        [_airflow("dag-processor", environment)],
        [
            _airflow("triggerer", environment, "--skip-serve-logs"),
            _airflow("scheduler", environment, "--skip-serve-logs"),
        ],
    ]


def api_address(port: int) -> str:
    """Return the address of Airflow's page and API."""
    return f"http://127.0.0.1:{port}"


def answers(address: str) -> bool:
    """Return whether a service answers at the address that it is well."""
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _airflow(name: str, environment: Mapping[str, str], *more: str, check: str | None = None) -> ServicePlan:
    return ServicePlan(name, [sys.executable, "-m", "airflow", name, *more], environment, check)


class Supervisor:
    """Starts services turn by turn, then keeps them running until it is stopped; what it does is in the record.

    A service that dies is started again, after what is left of it has been ended, at once the first time and then
    after 1, 2, 4 … seconds. One that died five times in ten minutes is given up.
    """

    def __init__(self, home: Path, logs: Path, record: Record, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._home = home
        self._logs = logs
        self._record = record
        self._own = record.services
        self._watched: dict[str, _Watched] = {}

    def start(self, turns: Sequence[Sequence[ServicePlan]]) -> None:
        """Start all services, turn by turn.

        Raises:
            ServiceError: a service ended while it started, or doesn't answer.
        """
        for turn in turns:
            for plan in turn:
                self._watched[plan.name] = self._started(plan)
                self._write()
            self._wait_until_up(turn)
        self._record = replace(self._record, is_ready=True)
        self._write()

    def watch(self) -> None:
        """Look after the services for ever, also while something can't be started or written down (a full disk)."""
        while True:
            with suppress(OSError):
                self.look()
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def look(self) -> None:
        """Notice which services died, and start those that are due again."""
        for watched in self._watched.values():
            name = watched.plan.name
            if watched.due is None and watched.process.poll() is not None and name not in self._record.given_up:
                self._bury(watched)
            if watched.due is not None and self._clock() >= watched.due:
                self._watched[name] = replace(self._started(watched.plan), deaths=watched.deaths)
                self._write()

    def _bury(self, watched: _Watched) -> None:
        """End what is left of a dead service and set when to start it again; give it up if it died too often."""
        name, now = watched.plan.name, self._clock()
        how = f"ended with code {watched.process.returncode}"
        self._end_rest_of(watched)
        watched.deaths.append(now)
        if len(watched.deaths) == _MOST_DEATHS and now - watched.deaths[0] < _SECONDS_OF_DEATHS:
            why = f"died {_MOST_DEATHS} times in {_SECONDS_OF_DEATHS / 60:.0f} minutes, last it {how}"
            self._record = replace(self._record, given_up=self._record.given_up | {name: why})
            self._write()
            self._say(f"{name} {why}; given up: its log is {self._logs / name}.log, and `make up` starts all again")
            return
        n_lately = sum(now - death < _SECONDS_OF_DEATHS for death in watched.deaths)
        pause = 0.0 if n_lately == 1 else min(2.0 ** (n_lately - 2), _LONGEST_PAUSE_SECONDS)
        watched.due = now + pause
        self._say(f"{name} {how}; started again in {pause:.0f} s")

    def _end_rest_of(self, watched: _Watched) -> None:
        """End the service's workers and their commands: its next process would run beside them.

        By force, since an executor's worker that is asked takes the next task from its queue first.
        """
        name = watched.plan.name
        if left := kill_processes(lambda: processes_of(self._home, [watched.service], [name])):
            self._say(f"{name}: {len(left)} of its processes can't be ended: {[process.pid for process in left]}")

    def _started(self, plan: ServicePlan) -> _Watched:
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{plan.name}.log").open("a") as log:
            process = Popen(
                plan.command,
                env=marked(dict(plan.environment), plan.name),
                cwd=PROJECT_ROOT,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,
            )
        return _Watched(plan, process, as_service(plan.name, process.pid))

    def _wait_until_up(self, turn: Sequence[ServicePlan]) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            for watched in self._watched.values():
                if watched.process.poll() is not None:
                    log = self._logs / f"{watched.plan.name}.log"
                    raise ServiceError(f"{watched.plan.name} ended while it started; its log is {log}")
            silent = [plan.name for plan in turn if plan.check is not None and not answers(plan.check)]
            if not silent:
                return
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{', '.join(silent)} doesn't answer after {SECONDS_TO_START:.0f} s; logs are in {self._logs}"
                )
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _write(self) -> None:
        services = (*self._own, *(watched.service for watched in self._watched.values()))
        self._record = replace(self._record, services=services)
        write_record(self._home, self._record)

    def _say(self, text: str) -> None:
        print(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {text}", flush=True)


def main(arguments: list[str]) -> int:
    """Return 1 after one clear line, where the services can't be started; else stay until stopped."""
    parser = ArgumentParser(prog="dags.deployment.supervisor")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mlflow-port", type=int, required=True)
    given = parser.parse_args(arguments)
    settings = Settings.from_environment()
    logs = settings.home / "logs" / "services"
    own = as_service(SUPERVISOR, os.getpid())
    record = Record((own,), address=api_address(given.port), source=settings.source, places=places_of(settings))
    supervisor = Supervisor(settings.home, logs, record)
    try:
        supervisor.start(airflow_plans(settings, given.port, given.mlflow_port))
    except (NightcartError, OSError) as error:
        # Left as it is for `up`, which tells of it and ends what was started.
        started = read_record(settings.home)
        write_record(settings.home, replace(started, given_up={SUPERVISOR: str(error)}))
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    supervisor.watch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
