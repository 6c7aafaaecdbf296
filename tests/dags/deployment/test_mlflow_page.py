"""How MLflow's page is started, and how commands log in to a server elsewhere; the scheduler's test asks the page."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conf.settings import Settings
from dags.deployment.mlflow_page import (
    PageError,
    has_page,
    make_users,
    mlflow_command,
    mlflow_environment,
    passwords_file,
    registry_problem,
    would_make_database,
    would_upgrade_database,
)
from dags.pipeline_command import LearningCommand


def settings_in(home: Path, **given: str) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home), **given})


def test_page_listens_here_alone_and_asks_for_a_password(tmp_path: Path) -> None:
    """Its user isn't MLflow's own `admin`, and nobody else gets more than a look."""
    settings = settings_in(tmp_path)
    command = mlflow_command(settings, 5123)
    assert command[command.index("--app-name") + 1] == "basic-auth"
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert mlflow_environment(settings)["MLFLOW_AUTH_ADMIN_USERNAME"] == "nightcart"
    written = (tmp_path / "mlflow" / "basic_auth.ini").read_text()
    assert f"database_uri = sqlite:///{tmp_path / 'mlflow' / 'users.db'}\n" in written
    assert "default_permission = READ\n" in written


def test_page_keeps_its_password_private(tmp_path: Path) -> None:
    """Made once; readable by the owner alone, like the key of its forms."""
    settings = settings_in(tmp_path)
    made = mlflow_environment(settings)
    assert made["MLFLOW_AUTH_ADMIN_PASSWORD"] == json.loads(passwords_file(settings).read_text())["nightcart"]
    assert mlflow_environment(settings) == made
    files = [tmp_path / "mlflow" / name for name in ("passwords.json", "keys.json")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert (tmp_path / "mlflow").stat().st_mode & 0o777 == 0o700


def test_registry_is_made_as_nights_make_it_before_the_page_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page would make it in place, and begin a new one where the old was lost."""
    script = '#!/bin/sh\necho "$*" > "$NIGHTCART_HOME/asked"\n[ -e "$NIGHTCART_HOME/lost" ] || exit 0\n'
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(script + "echo 'rl open-registry: the database is gone' >&2\nexit 65\n")
    python.chmod(0o755)
    settings = settings_in(tmp_path, NIGHTCART_PIPELINE_VENV=str(tmp_path / "venv"))
    assert registry_problem(settings) is None
    assert (tmp_path / "asked").read_text() == "-m rl open-registry\n"
    (tmp_path / "lost").touch()
    assert registry_problem(settings) == "the database is gone"
    assert would_make_database(settings)
    (tmp_path / "mlflow.db").touch()
    assert not would_make_database(settings)
    assert not would_make_database(settings_in(tmp_path, NIGHTCART_MLFLOW_URI="postgresql://here/mlflow"))


def test_page_is_left_out_where_it_would_upgrade_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's server changes an earlier MLflow's tables in place; `make migrate` copies them first."""
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    settings = settings_in(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('earlier')")
        database.execute("CREATE TABLE runs (run_uuid TEXT)")
        database.execute("INSERT INTO runs VALUES ('seen')")
        database.commit()
    problem = registry_problem(settings)
    assert problem is not None and would_upgrade_database(problem)
    assert not would_upgrade_database("the alias champion was moved by hand")


def test_page_shows_no_password_to_others_on_the_machine(tmp_path: Path) -> None:
    """Command lines are everybody's to read; artifacts lie below the home also where the database is a server's."""
    settings = settings_in(tmp_path, NIGHTCART_MLFLOW_URI="postgresql://me:secret-word@db/mlflow")
    command = mlflow_command(settings, 5123)
    assert "secret-word" not in " ".join(command)
    assert mlflow_environment(settings)["MLFLOW_BACKEND_STORE_URI"] == "postgresql://me:secret-word@db/mlflow"
    assert command[command.index("--artifacts-destination") + 1] == (tmp_path / "mlartifacts").as_uri()


def test_users_are_made_in_a_draft(tmp_path: Path) -> None:
    """By MLflow itself, in one move; what a killed start left isn't used, and what is there stays."""
    settings, log = settings_in(tmp_path), tmp_path / "mlflow.log"
    draft = tmp_path / "mlflow" / "users.db.draft"
    draft.parent.mkdir()
    with closing(sqlite3.connect(draft)) as half_made:
        half_made.execute("CREATE TABLE users (id INTEGER)")
    make_users(settings, log)
    with closing(sqlite3.connect(tmp_path / "mlflow" / "users.db")) as users:
        assert users.execute("SELECT count(*) FROM alembic_version_auth").fetchone() == (1,)
    assert [path.name for path in draft.parent.iterdir()] == ["users.db"]
    before = (tmp_path / "mlflow" / "users.db").stat()
    make_users(settings, log)
    assert (tmp_path / "mlflow" / "users.db").stat() == before


def test_users_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    """Nothing is left that a later start would take for them."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to("/bin/false")
    settings = settings_in(tmp_path, NIGHTCART_PIPELINE_VENV=str(tmp_path / "venv"))
    with pytest.raises(PageError, match=r"can't be made; MLflow's output is in .*mlflow\.log"):
        make_users(settings, tmp_path / "mlflow.log")
    assert not (tmp_path / "mlflow" / "users.db").exists()


def test_page_is_left_to_a_server_elsewhere(tmp_path: Path) -> None:
    """Where commands talk to a server, that server has the page."""
    assert has_page(settings_in(tmp_path), 5000)
    assert not has_page(settings_in(tmp_path), 0)
    assert not has_page(settings_in(tmp_path, NIGHTCART_MLFLOW_URI="http://mlflow:5000"), 5000)


def test_commands_log_in_to_a_server_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own variables for user and password reach the commands as they were given."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "night")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p w")
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$MLFLOW_TRACKING_USERNAME:$MLFLOW_TRACKING_PASSWORD"\n')
    python.chmod(0o755)
    settings = settings_in(tmp_path, NIGHTCART_PIPELINE_VENV=str(tmp_path / "venv"))
    assert LearningCommand(["register"], settings, [].append).run().stdout == ["night:p w"]
