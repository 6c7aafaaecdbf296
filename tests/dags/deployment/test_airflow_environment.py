"""Airflow's environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dags.deployment.airflow_environment as airflow_environment_module
from conf.settings import Settings
from conf.specs.review import Review
from conf.specs.scenario import load_pipeline
from dags.deployment.airflow_environment import airflow_environment, in_process_environment, parallel_tasks


def made(home: Path, port: int = 8080, **given: str) -> dict[str, str]:
    return airflow_environment(Settings.from_environment({"NIGHTCART_HOME": str(home)}), port=port, given=given)


def test_environment_sets_all_three_addresses(tmp_path: Path) -> None:
    """With the port alone, tasks would look for the API elsewhere and fail without a reason."""
    variables = made(tmp_path, port=8123)
    assert variables["AIRFLOW__API__PORT"] == "8123"
    assert variables["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8123"
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"


def test_environment_keeps_its_keys(tmp_path: Path) -> None:
    """Keys and password are made once, and only their owner can read them."""
    assert made(tmp_path) == made(tmp_path)
    files = [tmp_path / "airflow" / name for name in ("keys.json", "passwords.json")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    other = made(tmp_path / "other")
    assert other["AIRFLOW__API_AUTH__JWT_SECRET"] != made(tmp_path)["AIRFLOW__API_AUTH__JWT_SECRET"]


def test_environment_lets_a_deployment_choose(tmp_path: Path) -> None:
    """PostgreSQL or a cluster's connection, where given, stay."""
    spark = json.dumps({"conn_type": "spark", "host": "spark://master:7077"})
    variables = made(tmp_path, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql://db", AIRFLOW_CONN_SPARK_DEFAULT=spark)
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql://db"
    assert variables["AIRFLOW_CONN_SPARK_DEFAULT"] == spark


def test_environment_takes_the_database_that_one_variable_names(tmp_path: Path) -> None:
    """For the scheduler; a night in process keeps its own."""
    given = {"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_AIRFLOW_DATABASE": "postgresql://me@db/airflow"}
    settings, name = Settings.from_environment(given), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    assert airflow_environment(settings, given={})[name] == "postgresql://me@db/airflow"
    own = f"sqlite:///{tmp_path / 'airflow' / 'in-process' / 'airflow.db'}?timeout=30"
    assert in_process_environment(settings)[name] == own


def test_environment_never_uses_another_airflows_home(tmp_path: Path) -> None:
    """An AIRFLOW_HOME left in someone's shell is not migrated and scheduled from here."""
    assert made(tmp_path, AIRFLOW_HOME="/home/someone/airflow")["AIRFLOW_HOME"] == str(tmp_path / "airflow")


def test_parallel_tasks_fit_the_machine() -> None:
    """At least one, and no more than Airflow's own default, which is for bigger ones."""
    assert 1 <= parallel_tasks() <= 1024


def test_environment_names_no_log_server(tmp_path: Path) -> None:
    """None runs here: the page mustn't ask, and show its token to, the one of another deployment."""
    variables = made(tmp_path)
    assert {variables[f"AIRFLOW__LOGGING__{name}_LOG_SERVER_PORT"] for name in ("WORKER", "TRIGGER")} == {"0"}


def test_whoever_may_answer_has_an_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the administrator, who has one anyway; a deployment's own list of users stays."""
    pipeline = load_pipeline("recommendation", "simulated_shop")
    scenario = pipeline.scenario.model_copy(update={"review": Review(respondents=("admin", "ann", "bob"))})
    asked = {"recommendation": pipeline.model_copy(update={"scenario": scenario})}
    monkeypatch.setattr(airflow_environment_module, "read_pipelines", lambda _: (asked, {}))
    name = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
    assert made(tmp_path)[name] == "admin:admin,ann:op,bob:op"
    assert made(tmp_path, **{name: "root:admin"})[name] == "root:admin"
