"""Parameters of `make` reach the commands as they were typed; nothing in them is run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from conf.errors import SettingError
from conf.parameter_words import quoted_words
from conf.settings import PROJECT_ROOT

PROBE = """
.PHONY: show nested
show nested:
\t@printf '%s\\037' "$${LOGS-}" "$${PYTHON-}"; $(call set-words,$(PROBE_PYTHON),ARGS); printf '%s\\036' "$$@"
again:
\t@$(MAKE) --no-print-directory -f "$$FILES" -f "$$PROBE_FILE" show
"""


def make(folder: Path, *given: str, target: str = "show", environment: dict[str, str] | None = None) -> str:
    """What a target added to the project's Makefile prints for parameters given on the command line."""
    probe = folder / "probe.mk"
    python = PROJECT_ROOT / ".venv" / "bin" / "python"
    probe.write_text(PROBE.replace("$(PROBE_PYTHON)", f"'{python}'"), encoding="utf-8")
    files = {"FILES": str(PROJECT_ROOT / "Makefile"), "PROBE_FILE": str(probe)}
    command = ["make", "--no-print-directory", "-f", "Makefile", "-f", str(probe), target, *given]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    ended = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=variables | files | (environment or {}),
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


@pytest.mark.parametrize("target", ["show", "again"])
def test_parameters_are_taken_as_typed(tmp_path: Path, target: str) -> None:
    """Neither make nor a shell expands them, here or in a make that this one starts."""
    trap = tmp_path / "trap"
    value = f"$(shell touch {trap})$x $$ `touch {trap}` \"q' b\\ c*  \nn"
    shown = make(
        tmp_path, f"LOGS={value}", f"PYTHON={value}", f"ARGS=a $(shell touch {trap}) '*  $x' \"b c\"", target=target
    )
    logs, python, words = shown.split("\037")
    assert (logs, python) == (value, value)
    assert words.split("\036")[:-1] == ["a", "$(shell", "touch", f"{trap})", "*  $x", "b c"]
    assert not trap.exists()


def test_parameters_of_the_environment_are_taken_as_they_are(tmp_path: Path) -> None:
    """`LOGS=… make nightly` means the same as `make nightly LOGS=…`."""
    trap = tmp_path / "trap"
    value = f"$(shell touch {trap})$x"
    assert make(tmp_path, environment={"LOGS": value, "ARGS": value}).split("\037")[0] == value
    assert not trap.exists()


def test_every_parameter_is_read_from_the_environment() -> None:
    """A parameter that make itself puts into a recipe would be run by the shell."""
    text = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    names = [
        "SOURCE",
        "LOGS",
        "DATE",
        "SCENARIO",
        "PORT",
        "MLFLOW_PORT",
        "ARGS",
        "TESTS",
        "NIGHTS",
        "REPLICATIONS",
        "SECTIONS",
        "DEVICE",
        "REPEATS",
        "THREADS",
        "PYTHON",
        "INSTALL_JAVA",
    ]
    assert [name for name in names if f"$({name})" in text] == []


def test_words_with_an_open_quote_are_refused_in_one_line() -> None:
    """The message names the parameter and what stands in it."""
    assert quoted_words("ARGS", "") == ""
    with pytest.raises(SettingError, match="ARGS: can't be cut into words"):
        quoted_words("ARGS", 'a "b')


def test_no_target_is_written_twice() -> None:
    """Make would take the later recipe, and only warn."""
    done = subprocess.run(["make", "-n", "help"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
