"""The environment variables that make Airflow this project's: its home, database, ports, keys and connection.

`python -m dags.deployment.airflow_environment COMMAND...` runs a command in it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from conf.errors import NightcartError
from conf.private_home import keep_private
from conf.settings import PROJECT_ROOT, Settings
from dags.deployment.kept_secrets import made_once
from dags.specs import read_pipelines

DEFAULT_PORT = 8080
_BUSY_SECONDS = 30
"""How long a process waits for another's write. After SQLite's own 5, a scheduler on a slow disk turns answers away."""
_GIB_PER_TASK = 4  # a Spark driver with its Python workers, or a training


def airflow_environment(
    settings: Settings, *, port: int = DEFAULT_PORT, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables of Airflow's processes here; an `AIRFLOW__…` or `AIRFLOW_CONN_…` already given stays.

    AIRFLOW_HOME is always the project's own: another Airflow's home is not to be migrated or scheduled from here.
    """
    home = settings.home / "airflow"
    address = f"http://127.0.0.1:{port}"
    keys = made_once(home / "keys.json", _new_keys)
    passwords = home / "passwords.json"
    made_once(passwords, lambda: {"admin": secrets.token_urlsafe(12)})
    variables = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "dags" / "deployment" / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(parallel_tasks()),
        # An asset starts only DAGs that are not paused, so the chain would end at the first new one.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # Three that go together: with the port alone, tasks fail and their log says nothing.
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(["admin:admin", *respondents(settings)]),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": settings.airflow_database or _sqlite(home),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        # No log servers run: they would listen on all interfaces, and the page reads the same files here. Port 0 keeps
        # the page from asking another deployment's.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "0",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "0",
        # Tasks of a scheduler that was killed wait for this check, which Airflow makes every five minutes.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": settings.spark_master}),
    }
    chosen = {name: value for name, value in (os.environ if given is None else given).items() if name in variables}
    return {**variables, **chosen, **_own(settings, home)}


def in_process_environment(settings: Settings) -> dict[str, str]:
    """Return the variables for a night that is run in process, on a database of its own.

    In the scheduler's, its tasks would be taken by a scheduler that is started meanwhile, or after it was killed.
    """
    home = settings.home / "airflow" / "in-process"
    home.mkdir(parents=True, exist_ok=True)
    return airflow_environment(settings) | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _sqlite(home),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def _sqlite(home: Path) -> str:
    return f"sqlite:///{home / 'airflow.db'}?timeout={_BUSY_SECONDS}"


def parallel_tasks() -> int:
    """Return how many tasks this machine runs at once without swapping; Airflow's own default starts 32 workers."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return max(1, min(len(os.sched_getaffinity(0)), int(memory_gib // _GIB_PER_TASK)))


def respondents(settings: Settings) -> list[str]:
    """Return an account for everybody whom a scenario lists as one who may answer: it may answer, and change no user.

    A scenario that can't be read has none; its DAGs say what is wrong with it.
    """
    try:
        pipelines, _ = read_pipelines(settings.source)
    except NightcartError:
        return []
    reviews = [pipeline.scenario.review for pipeline in pipelines.values()]
    names = dict.fromkeys(name for review in reviews for name in review.respondents)
    return [f"{name}:op" for name in names if name != "admin"]


def _own(settings: Settings, home: Path) -> dict[str, str]:
    """Return the variables that nobody else may choose, with absolute paths: tasks run in other folders."""
    variables = {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(PROJECT_ROOT),
        "NIGHTCART_HOME": str(settings.home),
        "NIGHTCART_LAKE": str(settings.lake),
        "NIGHTCART_PIPELINE_VENV": str(settings.pipeline_venv),
    }
    return variables | ({"NIGHTCART_LOGS": str(settings.logs)} if settings.logs else {})


def _new_keys() -> dict[str, str]:
    """Return the keys Airflow signs and encrypts with."""
    fernet = base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")
    return {"api": secrets.token_hex(32), "jwt": secrets.token_hex(32), "fernet": fernet}


def main(command: list[str]) -> NoReturn:
    """Replace this process by the command, with the project's variables of Airflow in its environment."""
    try:
        settings = Settings.from_environment()
        keep_private(settings)
        environment = {**os.environ, **airflow_environment(settings)}
    except NightcartError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
