"""The files of a deployment: units that systemd takes, a compose file, settings that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from conf.errors import SettingError
from conf.settings import PROJECT_ROOT, VARIABLES, Settings
from conf.systemd_units import Folders, folders_of, units

FOLDER = PROJECT_ROOT / "conf" / "deployment"
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.timer")])
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))


def env_file() -> dict[str, str]:
    lines = (FOLDER / "nightcart.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def spaced(tmp_path: Path) -> Folders:
    """This checkout and a home, both in folders whose names units have to quote."""
    folder = tmp_path / "night cart, 100% (1)"
    folder.mkdir()
    (folder / "check out").symlink_to(PROJECT_ROOT, target_is_directory=True)
    return Folders(folder / "check out", folder / "back ups", (folder / "lib 1", folder / "lib 2"), "root")


def complaints(written: Mapping[str, str], unit: str, folder: Path) -> tuple[int, list[str]]:
    """What systemd says of a unit that stands beside the others."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    verified = ["systemd-analyze", "verify", str(folder / unit)]
    ended = subprocess.run(verified, capture_output=True, text=True, check=False)
    return ended.returncode, [line for line in ended.stderr.splitlines() if "nightcart" in line]


@pytest.mark.parametrize("unit", [path.name for path in UNITS])
def test_systemd_takes_the_units(unit: str, spaced: Folders, tmp_path: Path) -> None:
    """Every directive is known, and what they start is there in a checkout that was set up, also below a space."""
    assert complaints(units(spaced), unit, tmp_path) == (0, [])


def test_systemd_would_tell_a_folder_that_is_not_quoted(spaced: Folders, tmp_path: Path) -> None:
    """The check above tells good units from bad ones."""
    text = (FOLDER / "nightcart.service").read_text(encoding="utf-8").replace("/opt/nightcart", str(spaced.checkout))
    assert complaints({"nightcart.service": text}, "nightcart.service", tmp_path) != (0, [])


def test_units_for_the_usual_folders_are_the_files_themselves() -> None:
    """So the files can be copied as they stand."""
    usual = Folders(Path("/opt/nightcart"), Path("/var/backups/nightcart"), (Path("/var/lib/nightcart"),), "nightcart")
    for path in UNITS:
        expected = [
            line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("ExecStart=/bin")
        ]
        assert set(expected) <= set(units(usual)[path.name].splitlines())


def test_a_backup_goes_where_it_was_told_to(spaced: Folders) -> None:
    """The shell gets the folder as one word, and the date's signs are no specifiers."""
    text = units(spaced)["nightcart-backup.service"]
    (command,) = (line.removeprefix("ExecStart=") for line in text.splitlines() if line.startswith("ExecStart="))
    (given,) = (line.removeprefix("Environment=") for line in text.splitlines() if line.startswith("Environment="))
    told = [word.replace("$$", "$").replace("%%", "%") for word in shlex.split(command)]
    variables = dict(word.replace("%%", "%").split("=", 1) for word in shlex.split(given))
    told[-1] = told[-1].replace("exec .venv/bin/python", "printf '%s|'")
    said = subprocess.run(told, env=variables, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(re.escape(f"-m|rl|backup|--out|{spaced.backups}/") + r"\d{4}-\d\d-\d\d-\d{4}\|", said)
    assert variables["PYTHONPATH"] == str(spaced.checkout)


def test_units_open_what_they_need_and_no_more() -> None:
    """A home below /home is hidden by systemd unless the unit says otherwise; a lake of its own is written to."""
    lake, models = "/data/big lake/lake", "/data/more models/ours"
    given = {"NIGHTCART_HOME": "/home/me/cart/home", "NIGHTCART_LAKE": lake, "NIGHTCART_MLFLOW_ARTIFACTS": models}
    settings = Settings.from_environment(given)
    folders = folders_of(settings, backups=Path("/backups"), user="me")
    assert folders.written == (Path("/home/me/cart"), Path("/data/big lake"), Path("/data/more models"))
    text = units(folders)["nightcart.service"].splitlines()
    assert {"ProtectHome=false", "User=me", 'ReadWritePaths=/home/me/cart "/data/big lake" "/data/more models"'} <= set(
        text
    )
    elsewhere = Folders(Path("/opt/a"), Path("/b"), (Path("/c"),), "me")
    assert {"ProtectHome=true", "PrivateTmp=true"} <= set(units(elsewhere)["nightcart.service"].splitlines())
    with pytest.raises(SettingError, match=r"'/opt/a\$HOME' holds a character"):
        units(Folders(Path("/opt/a$HOME"), Path("/b"), (Path("/c"),), "me"))


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
