"""The home page is made when it is asked for, once a minute; where it can't be, the old one says so."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from conf.paths import site_folder
from conf.settings import Settings
from dags.deployment.home_page import HomePage, with_notice


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A pipeline's environment whose command says what it is told to, and notes that it ran."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    return tmp_path / "venv"


def make_command(venv: Path, script: str) -> None:
    python = venv / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {venv}/calls\n{script}\n')
    python.chmod(0o755)


def settings(tmp_path: Path, venv: Path) -> Settings:
    return Settings.from_environment(
        {"NIGHTCART_HOME": str(tmp_path / "home"), "NIGHTCART_PIPELINE_VENV": str(venv), "NIGHTCART_SOURCE": "shop"}
    )


def old_page(tmp_path: Path) -> Path:
    page = site_folder(tmp_path / "home") / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<main>old</main>")
    os.utime(page, (time.time() - 3600,) * 2)
    return page


def test_a_fresh_page_is_not_made_again(tmp_path: Path, venv: Path) -> None:
    page = old_page(tmp_path)
    make_command(venv, f"touch {page}")
    home_page = HomePage(settings(tmp_path, venv))
    assert [home_page.refresh(), home_page.refresh()] == ["", ""]
    assert (venv / "calls").read_text().splitlines() == ["-m rl home"]


def test_why_it_could_not_be_made_is_told(tmp_path: Path, venv: Path) -> None:
    make_command(venv, "echo 'rl home: no space left' >&2; exit 65")
    assert "no space left" in HomePage(settings(tmp_path, venv)).refresh()


def test_an_environment_that_is_gone_is_told_with_the_cure(tmp_path: Path) -> None:
    assert "make setup" in HomePage(settings(tmp_path, tmp_path / "nowhere")).refresh()


def test_a_command_that_does_not_end_is_stopped(tmp_path: Path, venv: Path) -> None:
    """It may wait for a night that holds the registry; whoever asks gets the old page meanwhile."""
    make_command(venv, "exec sleep 600")
    began = time.monotonic()
    problem = HomePage(settings(tmp_path, venv), seconds_to_make_it=0.2).refresh()
    assert "took longer" in problem
    assert time.monotonic() - began < 60


def test_the_notice_stands_on_the_page_and_is_escaped() -> None:
    page = with_notice("<body><main>old</main></body>", "bad <file>")
    assert page.startswith("<body><main>")
    assert "could not be made anew" in page
    assert "bad &lt;file&gt;" in page
    assert page.endswith("old</main></body>")
