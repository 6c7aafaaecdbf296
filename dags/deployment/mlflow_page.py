"""MLflow's page as `make up` starts it: on this machine alone, and behind a password."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from conf.errors import NightcartError
from conf.publication import write_atomically
from conf.settings import Settings
from dags.command_output import clear_message
from dags.deployment.kept_secrets import made_once
from dags.pipeline_command import LearningCommand, pipeline_environment

USER = "nightcart"


class PageError(NightcartError):
    """MLflow's page can't be made ready."""


def has_page(settings: Settings, port: int) -> bool:
    """Return whether `make up` starts MLflow's page; it doesn't where a server is named or the port is 0."""
    return port != 0 and not settings.mlflow_uri.startswith("http")


def registry_problem(settings: Settings) -> str | None:
    """Make MLflow's database where there is none, as nights do; return what is wrong with the registry, if anything.

    The page would make it in place, where a kill leaves it half made and a night beside it finds it so.
    """
    outcome = LearningCommand(["open-registry"], settings, lambda _: None).run()
    return clear_message(outcome.stderr) if outcome.return_code else None


def would_make_database(settings: Settings) -> bool:
    """Return whether the page would begin a new registry: its SQLite database isn't there."""
    return settings.mlflow_database is not None and not settings.mlflow_database.exists()


def would_upgrade_database(problem: str) -> bool:
    """Return whether the page would upgrade an earlier MLflow's database in place, uncopied, by the problem told."""
    return "`make migrate`" in problem


def make_users(settings: Settings, log: Path) -> None:
    """Make the database of the page's users where there is none: in a draft that is moved into place when whole.

    MLflow would make it in place, by migrations that each stay: killed in between, no later start could use it.

    Raises:
        PageError: MLflow couldn't; its output is in the log.
    """
    users = _users(settings)
    if users.exists():
        return
    users.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = users.with_name(f"{users.name}.draft")
    for part in (draft, Path(f"{draft}-journal")):
        part.unlink(missing_ok=True)  # a killed start's
    python = str(settings.pipeline_venv / "bin" / "python")
    command = [python, "-m", "mlflow.server.auth", "db", "upgrade", "--url", f"sqlite:///{draft}"]
    environment = {**os.environ, **pipeline_environment(settings)}
    with log.open("a", encoding="utf-8") as output:
        ended = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False)
    if ended.returncode or not draft.exists():
        raise PageError(f"the users of MLflow's page can't be made; MLflow's output is in {log}")
    draft.replace(users)


def mlflow_command(settings: Settings, port: int) -> list[str]:
    """Return the command that serves the page; it needs the variables of `mlflow_environment`."""
    python = str(settings.pipeline_venv / "bin" / "python")
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # Experiments of this project name their own place; what others make through the page lands there too.
    artifacts = ["--artifacts-destination", settings.artifacts_uri] if settings.artifacts_uri else []
    return [python, "-m", "mlflow", "server", "--app-name", "basic-auth", *where, *artifacts]


def mlflow_environment(settings: Settings) -> dict[str, str]:
    """Return the variables the page runs with: who may log in, and where users are kept.

    MLflow makes the user on its first start; a password that is changed in MLflow later is MLflow's alone.
    """
    folder = _folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = made_once(passwords_file(settings), lambda: {USER: secrets.token_urlsafe(12)})[USER]
    key = made_once(folder / "keys.json", lambda: {"flask": secrets.token_hex(32)})["flask"]
    # Whoever is let in without rights of their own may look: the alias `champion` decides what is served.
    users = ["[mlflow]", "default_permission = READ", f"database_uri = sqlite:///{_users(settings)}"]
    write_atomically(folder / "basic_auth.ini", "\n".join([*users, f"admin_username = {USER}", ""]))
    return pipeline_environment(settings) | {
        # Not on the command line, where others could read a database's password.
        "MLFLOW_BACKEND_STORE_URI": settings.mlflow_uri,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "basic_auth.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": USER,
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": key,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Nothing here hands work to MLflow's own queue, whose folders and processes would be left behind.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def passwords_file(settings: Settings) -> Path:
    """Return the file that holds the password, readable by the owner alone."""
    return _folder(settings) / "passwords.json"


def _users(settings: Settings) -> Path:
    return _folder(settings) / "users.db"


def _folder(settings: Settings) -> Path:
    return settings.home / "mlflow"
