"""The files of a deployment: units that systemd takes, a compose file, settings that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conf.settings import PROJECT_ROOT, VARIABLES, Settings

FOLDER = PROJECT_ROOT / "conf" / "deployment"
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.timer")])
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))


def env_file() -> dict[str, str]:
    lines = (FOLDER / "nightcart.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    """Every directive is known, and what they start is there in a checkout that was set up."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    for other in UNITS:
        here = other.read_text(encoding="utf-8").replace("/opt/nightcart", str(PROJECT_ROOT))
        (tmp_path / other.name).write_text(here.replace("User=nightcart", "User=root"), encoding="utf-8")
    verified = ["systemd-analyze", "verify", str(tmp_path / unit.name)]
    ended = subprocess.run(verified, capture_output=True, text=True, check=False)
    about_ours = [line for line in ended.stderr.splitlines() if "nightcart" in line]
    assert (ended.returncode, about_ours) == (0, [])


def test_whatever_is_started_is_a_module_that_exists() -> None:
    """In the units and in the image."""
    named = [path.read_text(encoding="utf-8") for path in (*UNITS, FOLDER / "Dockerfile")]
    modules = {name for text in named for name in re.findall(r'-m"?,? "?([a-z._]+)', text)}
    assert modules == {"dags.deployment.services", "rl"}
    for name in modules:
        path = PROJECT_ROOT.joinpath(*name.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def test_settings_that_are_given_fit() -> None:
    """Variables are spelled as settings know them, and a misfit would be told."""
    settings = Settings.from_environment(env_file())
    assert settings.airflow_database is not None
    assert settings.mlflow_uri != settings.airflow_database
    given = {name for name in COMPOSE["services"]["nightcart"]["environment"] if name.startswith("NIGHTCART_")}
    assert given <= set(VARIABLES)


def test_compose_makes_the_databases_that_the_settings_name() -> None:
    """One by the image's variable, the other by its script; the home is a folder in the volume: restores rename it."""
    database, ours = COMPOSE["services"]["database"], COMPOSE["services"]["nightcart"]
    airflow, mlflow = (ours["environment"][name] for name in ("NIGHTCART_AIRFLOW_DATABASE", "NIGHTCART_MLFLOW_URI"))
    assert airflow.endswith(f"@127.0.0.1:5432/{database['environment']['POSTGRES_DB']}")
    assert COMPOSE["configs"]["second_database"]["content"] == f"CREATE DATABASE {mlflow.rpartition('/')[2]};"
    (volume,) = ours["volumes"]
    mount = volume.partition(":")[2]
    assert Path(ours["environment"]["NIGHTCART_HOME"]).parent == Path(mount)
    assert f"{mount} " in (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert database["ports"] == ["127.0.0.1:5432:5432"]


def test_the_image_copies_no_data() -> None:
    """Neither environments nor a home go into it: the home holds the key of the pseudonyms."""
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {".nightcart", ".venv", ".venv-airflow", ".git", "build"} <= set(ignored)
