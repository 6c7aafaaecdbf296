"""Settings from the environment."""

from datetime import date
from pathlib import Path

import pytest

from conf.errors import SettingError
from conf.settings import Settings


def test_settings_default_to_one_folder(tmp_path: Path) -> None:
    """Everything produced lies under the home."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    assert settings.lake == tmp_path / "lake"
    assert settings.mlflow_uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert settings.source == "simulated_shop"


def test_settings_refuse_all_misfits_at_once() -> None:
    """A typo, a wrong choice, a wrong date, bad numbers and a short key are all in one error."""
    with pytest.raises(SettingError) as caught:
        Settings.from_environment(
            {
                "NIGHTCART_HOM": "x",
                "NIGHTCART_APPROVAL": "maybe",
                "NIGHTCART_TONIGHT": "soon",
                "NIGHTCART_SHUFFLE_PARTITIONS": "-1",
                "NIGHTCART_TRAINING_THREADS": "0",
                "NIGHTCART_PSEUDONYM_KEY": "short",
                "NIGHTCART_TRAINING_MEMORY": "plenty",
            }
        )
    message = str(caught.value)
    assert "NIGHTCART_HOM: unknown; did you mean 'NIGHTCART_HOME'?" in message
    assert "NIGHTCART_APPROVAL" in message and "NIGHTCART_TONIGHT" in message
    assert "NIGHTCART_TRAINING_MEMORY: got 'plenty', expected a size like 512MiB or 8GiB" in message
    assert "NIGHTCART_TRAINING_THREADS: got '0', expected a positive integer" in message
    assert "NIGHTCART_SHUFFLE_PARTITIONS" in message and "NIGHTCART_PSEUDONYM_KEY" in message


def test_settings_read_tonight_as_a_date() -> None:
    """The override of tonight's partition is a day."""
    assert Settings.from_environment({"NIGHTCART_TONIGHT": "2026-01-31"}).tonight == date(2026, 1, 31)


def test_pseudonym_key_is_made_once_and_private(tmp_path: Path) -> None:
    """A second process finds the key of the first; only its owner may read it; its id doesn't contain it."""
    environment = {"NIGHTCART_HOME": str(tmp_path)}
    first = Settings.from_environment(environment)
    second = Settings.from_environment(environment)
    assert first.pseudonym_key() == second.pseudonym_key()
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o777 == 0o600
    assert first.pseudonym_key_id() == second.pseudonym_key_id()
    assert first.pseudonym_key().decode() not in first.pseudonym_key_id()


def test_pseudonym_key_id_differs_with_the_key() -> None:
    """Data made under two keys can't be mixed unnoticed."""
    ids = {
        Settings.from_environment({"NIGHTCART_PSEUDONYM_KEY": key}).pseudonym_key_id() for key in ("a" * 16, "b" * 16)
    }
    assert len(ids) == 2


def test_settings_read_sizes_as_bytes() -> None:
    """Memory is stated in MiB or GiB; unstated, it is left to the machine."""
    assert Settings.from_environment({"NIGHTCART_TRAINING_MEMORY": "512MiB"}).training_memory_bytes == 512 << 20
    assert Settings.from_environment({"NIGHTCART_TRAINING_MEMORY": "8GiB"}).training_memory_bytes == 8 << 30
    assert Settings.from_environment({}).training_memory_bytes is None


def test_training_takes_one_thread_unless_told() -> None:
    """Candidates are trained side by side."""
    assert Settings.from_environment({}).training_threads == 1
    assert Settings.from_environment({"NIGHTCART_TRAINING_THREADS": "4"}).training_threads == 4


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("", Path("/h/mlflow.db")),
        ("sqlite:////elsewhere/m.db", Path("/elsewhere/m.db")),
        ("sqlite:////elsewhere/m.db?timeout=9", Path("/elsewhere/m.db")),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("http://127.0.0.1:5000", None),
        ("postgresql://a@b/c", None),
    ],
)
def test_the_registrys_file_is_known_where_there_is_one(uri: str, expected: Path | None) -> None:
    """Servers and other databases have none."""
    settings = Settings.from_environment({"NIGHTCART_HOME": "/h", "NIGHTCART_MLFLOW_URI": uri})
    assert settings.mlflow_database == expected


def test_addresses_are_shown_without_password() -> None:
    """Messages and files in the home are read by others."""
    settings = Settings.from_environment({"NIGHTCART_MLFLOW_URI": "postgresql+psycopg://me:a:secret@db:5432/x"})
    assert settings.shown_mlflow_uri == "postgresql+psycopg://me:***@db:5432/x"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"NIGHTCART_AIRFLOW_DATABASE": "postgresql://me@db/airflow"}, "postgresql://me@db/airflow"),
        ({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://me@db/theirs"}, "postgresql://me@db/theirs"),
        ({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////h/airflow.db"}, None),
    ],
)
def test_airflows_database_is_known_by_whichever_variable(given: dict[str, str], expected: str | None) -> None:
    """A backup has to copy the one that Airflow works on."""
    assert Settings.from_environment(given).airflow_database == expected


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"NIGHTCART_AIRFLOW_DATABASE": "mysql://me:word@db/x"},
            "got 'mysql://me:***@db/x', expected an address",
        ),
        (
            {"NIGHTCART_AIRFLOW_DATABASE": "postgresql://db/x", "NIGHTCART_MLFLOW_URI": "postgresql://db/x"},
            "the same as NIGHTCART_MLFLOW_URI",
        ),
        (
            {
                "NIGHTCART_AIRFLOW_DATABASE": "postgresql://db/x",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://db/y",
            },
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN names another",
        ),
        ({"NIGHTCART_LINEAGE": "events.jsonl"}, "got 'events.jsonl', expected an absolute path or an address http://"),
        ({"NIGHTCART_MLFLOW_URI": "postgres://me@db/x"}, "expected postgresql://"),
        ({"NIGHTCART_MLFLOW_ARTIFACTS": "models"}, "got 'models', expected an absolute path, or a URI"),
        (
            {"NIGHTCART_MLFLOW_ARTIFACTS": "/models", "NIGHTCART_MLFLOW_URI": "http://mlflow:5000"},
            "the server named by NIGHTCART_MLFLOW_URI decides",
        ),
    ],
)
def test_databases_that_cannot_be_meant_are_refused(given: dict[str, str], told: str) -> None:
    """Before anything is written to them."""
    with pytest.raises(SettingError) as caught:
        Settings.from_environment(given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "file:///h/mlartifacts"),
        ({"NIGHTCART_MLFLOW_URI": "postgresql://db/x"}, "file:///h/mlartifacts"),
        ({"NIGHTCART_MLFLOW_URI": "http://mlflow:5000"}, None),
        ({"NIGHTCART_MLFLOW_ARTIFACTS": "/data/of models"}, "file:///data/of%20models"),
        ({"NIGHTCART_MLFLOW_ARTIFACTS": "s3://bucket/models"}, "s3://bucket/models"),
    ],
)
def test_artifacts_lie_below_the_home_unless_told(given: dict[str, str], expected: str | None) -> None:
    """Never in the folder that a command happens to run in."""
    assert Settings.from_environment({"NIGHTCART_HOME": "/h", **given}).artifacts_uri == expected
