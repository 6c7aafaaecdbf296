"""What commands import before they do anything: each library here costs every start of a process a second or more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from conf.settings import PROJECT_ROOT

SLOW = ("torch", "d3rlpy", "sklearn", "scipy.stats", "matplotlib", "mlflow")

WITHOUT_REGISTRY = {
    "backup",
    "deliver",
    "experiment",
    "night_turn",
    "nothing_learned",
    "prepare",
    "pseudonyms",
    "restore",
    "rule_names",
    "serve",
    "simulate_inventory",
    "simulate_promotion",
    "simulate_shop",
    "step_seconds",
    "switch",
    "worth",
}
"""Commands that can do all of their work, or refuse it, without MLflow's database."""

TRAINING = {"torch", "d3rlpy", "sklearn", "scipy.stats"}
"""d3rlpy itself imports the last two."""

NEED: Mapping[str, set[str]] = {
    "compare": {"torch"},
    "evaluate": {"torch"},
    "fit_shopper_models": {"scipy.stats"},
    "loop": TRAINING,
    "retrain": TRAINING,
    "train": TRAINING,
}
"""What commands use whenever they run."""

IMPORT_EACH = """
import importlib, json, sys
slow, found = sys.argv[1].split(","), {}
for command in sys.argv[2:]:
    before = set(sys.modules)
    importlib.import_module("rl.commands." + command if command else "rl.main")
    found[command] = [name for name in slow if name in sys.modules and name not in before]
print(json.dumps(found))
"""


def allowed(command: str) -> set[str]:
    return NEED.get(command, set()) | (set() if command in WITHOUT_REGISTRY or not command else {"mlflow"})


def test_commands_import_no_slow_library_that_they_may_not_need() -> None:
    """Where a function needs one now and then it imports it itself; a new command starts with none but MLflow."""
    commands = {path.stem for path in (PROJECT_ROOT / "rl" / "commands").glob("*.py")} - {"__init__"}
    assert commands >= WITHOUT_REGISTRY | NEED.keys()
    # Those that may import less come first: what one has imported can't be told of the next.
    in_turn = sorted({"", *commands}, key=lambda command: (len(allowed(command)), command))
    process = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, ",".join(SLOW), *in_turn],
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    found = {command: set(names) - allowed(command) for command, names in json.loads(process.stdout).items()}
    assert {command: names for command, names in found.items() if names} == {}
