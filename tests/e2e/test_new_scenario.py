"""The guide's scenario runs as a newcomer runs it: one YAML file put beside the others, and the pipeline's commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.settings import PROJECT_ROOT
from tests.e2e.free_shipping_logs import THRESHOLDS, write_logs

pytestmark = pytest.mark.e2e

FIRST, N_DAYS = date(2026, 1, 5), 12
LAST = FIRST + timedelta(days=N_DAYS - 1)
CANDIDATES = ("bc-1", "discrete_cql-1")
NIGHT = ("--source", "canonical", "--scenario", "free_shipping", "--date", str(LAST))


def guide_s_yaml() -> str:
    """The one block of YAML that the guide tells to put into a file."""
    (block,) = re.findall(
        r"```yaml\n# conf/scenarios/free_shipping\.yaml\n(.*?)```",
        (PROJECT_ROOT / "docs" / "new-scenario.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    return str(block)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it ships, with one file more."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(PROJECT_ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("jobs", "rl", "requirements.txt"):
        (folder / name).symlink_to(PROJECT_ROOT / name)
    (folder / "conf" / "scenarios" / "free_shipping.yaml").write_text(guide_s_yaml(), encoding="utf-8")
    write_logs(folder / "logs", first=FIRST, n_days=N_DAYS, n_shoppers=450)
    return folder


# What `python -m rl` runs, for several commands: the start of a process, its imports, takes longer than most of them.
RL_COMMANDS = """
import json, sys
from rl.main import app

for line in sys.stdin:
    if code := app(json.loads(line), standalone_mode=False):
        sys.exit(code)
"""


def in_one_process(checkout: Path, *program: str, commands: list[list[str]]) -> list[dict[str, Any]]:
    """The results of commands that a process of the checkout reads line by line, one line of stdout each."""
    lines = "".join(json.dumps(command) + "\n" for command in commands)
    done = python(checkout, *program, stdin=lines)
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(commands), (results, done.stderr[-2000:])
    return results


def python(checkout: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A process of Python in the checkout, with its code and a home of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTCART_")}
    environment |= {"NIGHTCART_HOME": str(checkout / "home"), "PYTHONPATH": str(checkout)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def built(checkout: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ingest and build said."""
    logs = ("--logs", "logs", "--scenario", "free_shipping")
    ingest = ["ingest", "--source", "canonical", "--date", str(LAST), *logs]
    answers = in_one_process(checkout, "-m", "jobs.standing", commands=[ingest, ["build", *NIGHT]])
    assert all("result" in answer for answer in answers), answers
    return answers[0]["result"], answers[1]["result"]


def test_decisions_and_money_are_those_of_the_log(checkout: Path, built: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Every decision is a row, its reward 40% of what was paid less 4.90 for what shipped free, to the millionth."""
    lines = [
        json.loads(line)
        for path in sorted((checkout / "logs").rglob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert built[0]["n_events"] == len(lines)
    assert built[1]["n_transitions"] == sum(line["event_type"] == "impression" for line in lines)
    earned = sum(round(line["price"] * 400_000) for line in lines if line["event_type"] == "purchase")
    shipped = sum(line["event_type"] == "promotion" for line in lines)
    assert built[1]["reward"]["transitions"] == earned - 4_900_000 * shipped


@pytest.mark.usefixtures("built")
def test_the_guide_s_yaml_runs_to_a_verdict(checkout: Path) -> None:
    """Actions are the thresholds that the log chose; the version is registered under the scenario's name."""
    trained = [["train", *NIGHT, "--candidate", name] for name in CANDIDATES]
    night = [["prepare", *NIGHT], *trained, ["evaluate", *NIGHT], ["register", *NIGHT]]
    prepared, *_, evaluated, registered = in_one_process(checkout, "-c", RL_COMMANDS, commands=night)
    assert set(prepared["vocabulary"]) == set(THRESHOLDS)
    assert set(prepared["candidates"]) == set(CANDIDATES)
    assert evaluated["verdict"] in ("promote", "reject", "abstain")
    assert evaluated["gain"]["baseline"] == "behavior"
    assert registered["model"] == "free_shipping-policy"
    assert Path(registered["page"]).exists()


def test_the_new_scenario_runs_on_its_own_source_alone(checkout: Path) -> None:
    """No other source has it among its scenarios, and asking for it says why not."""
    arguments = ("--source", "taobao", "--scenario", "free_shipping", "--date", str(LAST))
    refused = python(checkout, "-m", "rl", "prepare", *arguments)
    assert refused.returncode == 65
    assert "scenario free_shipping is for canonical (sources), not taobao" in refused.stderr
    listed = python(
        checkout,
        "-c",
        "from conf.specs.scenario import scenarios_for; print(scenarios_for('taobao'), scenarios_for('canonical'))",
    )
    assert listed.stdout.strip() == "['recommendation'] ['free_shipping', 'recommendation']"


def test_the_guide_says_what_the_yaml_says() -> None:
    """Actions aren't listed in it: the log's own are the vocabulary."""
    content = yaml.safe_load(guide_s_yaml())
    assert content["name"] == "free_shipping"
    assert content["sources"] == ["canonical"]
    assert "availability" not in str(content["action"])
