"""Airflow's processes and the MLflow page, started and stopped together: `make up` and `make down`."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen

import psutil  # type: ignore[import-untyped]  # ships no types

from conf.errors import NightcartError
from conf.paths import model_artifacts
from conf.private_home import keep_private, refuse_unwritable
from conf.publication import write_atomically
from conf.settings import PROJECT_ROOT, Settings
from dags.airflow_database import make_database
from dags.airflow_environment import DEFAULT_PORT, airflow_environment
from dags.pipeline_command import pipeline_environment

DEFAULT_MLFLOW_PORT = 5000
_AIRFLOW_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")
_SECONDS_TO_START = 180.0
_SECONDS_TO_STOP = 30.0


class ServiceError(NightcartError):
    """A service can't start."""


@dataclass(frozen=True)
class Service:
    """A running process; the time it was created tells it from a later one with the same number."""

    name: str
    pid: int
    created: float


def up(settings: Settings, port: int, mlflow_port: int) -> list[str]:
    """All services answer; given is what to tell about them. An MLflow port of 0 leaves its page out.

    Raises:
        ServiceError: a port is in use, the services run already, or one ended while starting; none is left running.
    """
    if alive := running(settings.home):
        raise ServiceError(f"already up ({', '.join(service.name for service in alive)}); `make down` stops them")
    shows_mlflow = mlflow_port != 0 and not settings.mlflow_uri.startswith("http")
    refuse_used_port("PORT", port)
    if shows_mlflow:
        refuse_used_port("MLFLOW_PORT", mlflow_port)
    environment = {**os.environ, **airflow_environment(settings, port=port)}
    logs = settings.home / "logs" / "services"
    make_database(environment, logs / "database.log")
    commands = {name: [sys.executable, "-m", "airflow", name] for name in _AIRFLOW_SERVICES}
    if shows_mlflow:
        commands["mlflow"] = _mlflow_command(settings, mlflow_port)
    addresses = {"Airflow": f"http://127.0.0.1:{port}"}
    checks = [f"{addresses['Airflow']}/api/v2/monitor/health"]
    if shows_mlflow:
        addresses["MLflow"] = f"http://127.0.0.1:{mlflow_port}"
        checks.append(f"{addresses['MLflow']}/health")
    start(settings, commands, environment, logs)
    try:
        _wait(settings.home, len(commands), checks, logs)
    except BaseException:
        down(settings.home)
        raise
    passwords = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    return [f"{name}: {address}" for name, address in addresses.items()] + [
        f"log in to Airflow as admin; the password is in {passwords}",
        f"logs: {logs}",
    ]


def down(home: Path) -> list[str]:
    """No service of this home runs; given are the names of those that did."""
    found = running(home)
    processes = []
    for service in found:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(service.pid)
            processes += [process, *process.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=_SECONDS_TO_STOP)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    _record(home).unlink(missing_ok=True)
    return [service.name for service in found]


def running(home: Path) -> list[Service]:
    """The services started in this home that still run."""
    try:
        recorded = [Service(**fields) for fields in json.loads(_record(home).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    return [service for service in recorded if _is_alive(service)]


def refuse_used_port(parameter: str, port: int) -> None:
    """The port is free.

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


def start(settings: Settings, commands: Mapping[str, list[str]], environment: Mapping[str, str], logs: Path) -> None:
    """Every command runs by itself, writes to a log of its name, and is recorded, so that `down` finds it."""
    logs.mkdir(parents=True, exist_ok=True)
    started: list[Service] = []
    for name, command in commands.items():
        variables = dict(environment) | (_of_mlflow(settings) if name == "mlflow" else {})
        with (logs / f"{name}.log").open("a") as log:
            process = Popen(
                command,
                env=variables,
                cwd=PROJECT_ROOT,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,
            )
        started.append(Service(name, process.pid, psutil.Process(process.pid).create_time()))
        write_atomically(_record(settings.home), json.dumps([asdict(service) for service in started]))


def _wait(home: Path, n_services: int, checks: list[str], logs: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        alive = running(home)
        if len(alive) < n_services:
            raise ServiceError(f"a service ended while it started; its log is in {logs}")
        if all(_answers(check) for check in checks):
            return
        if time.monotonic() > deadline:
            raise ServiceError(f"the services don't answer after {_SECONDS_TO_START:.0f} s; their logs are in {logs}")
        time.sleep(0.5)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _is_alive(service: Service) -> bool:
    try:
        process = psutil.Process(service.pid)
        return bool(process.create_time() == service.created and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _mlflow_command(settings: Settings, port: int) -> list[str]:
    python = str(settings.pipeline_venv / "bin" / "python")
    where = ["--backend-store-uri", settings.mlflow_uri, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # Experiments of this project name their own place; what others make through the page lands there too.
    artifacts = ["--artifacts-destination", model_artifacts(settings.home).as_uri()]
    return [python, "-m", "mlflow", "server", *where, *artifacts]


def _of_mlflow(settings: Settings) -> dict[str, str]:
    return pipeline_environment(settings) | {"MLFLOW_DISABLE_TELEMETRY": "true"}


def _record(home: Path) -> Path:
    return home / "airflow" / "services.json"


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 1 after one clear line."""
    parser = ArgumentParser(prog="dags.services")
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--mlflow-port", type=int, default=DEFAULT_MLFLOW_PORT)
    given = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        keep_private(settings)
        if given.what == "up":
            refuse_unwritable(settings)
            print("\n".join(up(settings, given.port, given.mlflow_port)))
        else:
            print(f"stopped: {', '.join(down(settings.home)) or 'nothing was running'}")
    except (NightcartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
