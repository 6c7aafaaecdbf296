"""The processes of `make up`: recorded in the home, found again whatever became of the record, and ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # ships no types

from conf.paths import services_record
from conf.publication import write_atomically
from conf.settings import Settings

SUPERVISOR = "supervisor"
# Every process of a service carries this variable with the service's name, and Airflow's home, in its environment.
MARK = "NIGHTCART_SERVICE"
_SECONDS_TO_STOP = 30.0
_SECONDS_TO_DIE = 5.0


@dataclass(frozen=True)
class ServiceProcess:
    """A process of its own session; the time it was created tells it from a later one with the same number."""

    name: str
    pid: int
    created: float


@dataclass(frozen=True)
class Record:
    """What a home remembers of its services.

    Attributes:
        services: the processes as they were started last, the supervisor first.
        address: where Airflow's API answers; empty where that isn't known.
        source: the source the services' DAGs run on.
        places: the lake and the registry they work on, as they may be shown; empty where that isn't known.
        is_ready: everything was started, in order, and answered.
        given_up: services that died too often to be started again, with what is known of why.
    """

    services: tuple[ServiceProcess, ...] = ()
    address: str = ""
    source: str = ""
    places: dict[str, str] = field(default_factory=dict)
    is_ready: bool = False
    given_up: dict[str, str] = field(default_factory=dict)


def places_of(settings: Settings) -> dict[str, str]:
    """Return where a night's tables and versions go, by the name of the setting that says so."""
    return {"NIGHTCART_LAKE": str(settings.lake), "NIGHTCART_MLFLOW_URI": settings.shown_mlflow_uri}


def read_record(home: Path) -> Record:
    """Return what the home remembers; an empty record where there is none, or none that can be read."""
    try:
        content = json.loads(record_path(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return Record()
    if isinstance(content, list):  # as it was written before there was a supervisor
        content = {"services": content}
    return Record(**{**content, "services": tuple(ServiceProcess(**fields) for fields in content["services"])})


def write_record(home: Path, record: Record) -> None:
    """Remember the services in the home."""
    write_atomically(record_path(home), json.dumps(asdict(record), indent=1))


def record_path(home: Path) -> Path:
    """Return the file that remembers a home's services."""
    return services_record(home)


def marked(environment: dict[str, str], name: str) -> dict[str, str]:
    """Return the environment for a service's processes, by which they are found whoever is their parent."""
    # Airflow's processes rename themselves, which would overwrite the environment that others see of them.
    return environment | {MARK: name, "SPT_NOENV": "1"}


def as_service(name: str, pid: int) -> ServiceProcess:
    """Return the record of a process that was just started."""
    return ServiceProcess(name, pid, psutil.Process(pid).create_time())


def running(home: Path) -> list[ServiceProcess]:
    """Return the recorded services of this home that still run."""
    return [service for service in read_record(home).services if is_alive(service)]


def is_alive(service: ServiceProcess) -> bool:
    """Return whether the very process that was recorded still runs."""
    try:
        process = psutil.Process(service.pid)
        return bool(process.create_time() == service.created and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def processes_of(home: Path, services: Sequence[ServiceProcess], names: Iterable[str] | None = None) -> list[Any]:
    """Return every process that belongs to services of this home, whoever is its parent by now.

    Found by the environment (a home, and a service's name among `names`, or any), and by the session of a recorded
    service, for processes that another version started.
    """
    wanted = None if names is None else set(names)
    sessions = {service.pid: service for service in services if wanted is None or service.name in wanted}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if _is_marked(process, home, wanted) or _is_in_session(process, home, sessions):
                found.append(process)
    return found


def names_of(processes: Sequence[Any]) -> list[str]:
    """Return the names of the services that marked processes belong to, each once."""
    names: dict[str | None, None] = {}
    for process in processes:
        with suppress(psutil.Error, OSError):
            names[process.environ().get(MARK)] = None
    return [name for name in names if name]


def end_processes(find: Callable[[], list[Any]]) -> list[Any]:
    """End the processes that are found, and what they start meanwhile: first as asked, by force after half a minute.

    Returns:
        The processes that couldn't be ended.
    """
    left = _signal_until_gone(find, psutil.Process.terminate, _SECONDS_TO_STOP)
    return kill_processes(find) if left else []


def kill_processes(find: Callable[[], list[Any]]) -> list[Any]:
    """End the processes that are found by force, and what they start meanwhile; return those that couldn't be ended."""
    return _signal_until_gone(find, psutil.Process.kill, _SECONDS_TO_DIE)


def _signal_until_gone(find: Callable[[], list[Any]], tell: Callable[[Any], None], seconds: float) -> list[Any]:
    """Tell each process that is found once; return those still there at the end."""
    told: set[Any] = set()
    deadline = time.monotonic() + seconds
    while found := find():
        for process in set(found) - told:
            with suppress(psutil.Error):
                tell(process)
        told |= set(found)
        if time.monotonic() > deadline:
            return found
        time.sleep(0.05)
    return []


def _is_marked(process: Any, home: Path, wanted: set[str] | None) -> bool:
    environment = process.environ()
    name = environment.get(MARK)
    is_wanted = name is not None and (wanted is None or name in wanted)
    return is_wanted and environment.get("AIRFLOW_HOME") == str(home / "airflow")


def _is_in_session(process: Any, home: Path, sessions: dict[int, ServiceProcess]) -> bool:
    """Return whether the process is a recorded service or of its session, whose number stays while one of it runs.

    After a restart of the machine or the container the number may be a stranger's: so what isn't the recorded process
    itself has to look like ours.
    """
    service = sessions.get(os.getsid(process.pid))
    if service is None or process.create_time() < service.created or _is_taken(service):
        return False
    if process.pid == service.pid or process.environ().get("AIRFLOW_HOME") == str(home / "airflow"):
        return True
    return "airflow" in " ".join(process.cmdline())  # renamed, which overwrote its environment


def _is_taken(service: ServiceProcess) -> bool:
    """Return whether another process has the recorded number by now."""
    try:
        return bool(psutil.Process(service.pid).create_time() != service.created)
    except psutil.NoSuchProcess:
        return False
