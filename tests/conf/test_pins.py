"""What the code imports is named in pyproject.toml, and what is named there is pinned."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conf.settings import PROJECT_ROOT

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
BY_FILE = {
    "requirements.txt": ("pipeline", "serving", "tests", "checks"),
    "requirements-airflow.txt": ("airflow", "tests"),
}


def named(extras: tuple[str, ...]) -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return {canonicalize_name(one.name): one for one in map(Requirement, lines)}


def pinned(file: str) -> dict[str, str]:
    lines = (PROJECT_ROOT / file).read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def imported(folder: str) -> set[str]:
    """Return the top-level names that the folder's modules import from others."""
    found: set[str] = set()
    for path in (PROJECT_ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.split(".")[0])
    return {name for name in found if name not in sys.stdlib_module_names and not Path(PROJECT_ROOT / name).is_dir()}


@pytest.mark.parametrize("file", BY_FILE)
def test_what_is_named_is_pinned_within_its_bounds(file: str) -> None:
    pins = pinned(file)
    wrong = {
        name: (str(one.specifier), pins.get(name))
        for name, one in named(BY_FILE[file]).items()
        if name not in pins or not one.specifier.contains(pins[name])
    }
    assert wrong == {}, f"run `make pins`: {wrong}"


@pytest.mark.parametrize("file", BY_FILE)
def test_pins_hold_for_every_machine(file: str) -> None:
    """No local version, no index, no file of one machine."""
    lines = (PROJECT_ROOT / file).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "+" in line or "/" in line or line.startswith("-")] == []


@pytest.mark.parametrize("folder", ["conf", "jobs", "rl"])
def test_what_the_pipeline_imports_is_named(folder: str) -> None:
    """A package that merely comes with another may go with it."""
    distributions = packages_distributions()
    known = set(named(("pipeline", "serving")))
    comes_with = {"py4j": "pyspark", "pydantic_core": "pydantic"}  # their own halves, pinned by them
    missing = {
        name
        for name in imported(folder)
        if comes_with.get(name) not in known
        and not known & {canonicalize_name(one) for one in distributions.get(name, ())}
    }
    assert missing == set()
