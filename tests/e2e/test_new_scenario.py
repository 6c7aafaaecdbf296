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


def run(checkout: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The command's result, as it stands in the last line of stdout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTCART_")}
    environment |= {"NIGHTCART_HOME": str(checkout / "home"), "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if code == 0 else {"message": done.stderr}
    return found


@pytest.fixture(scope="module")
def built(checkout: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ingest and build said."""
    logs = ("--logs", "logs", "--scenario", "free_shipping")
    ingested = run(checkout, "jobs.main", "ingest", "--source", "canonical", "--date", str(LAST), *logs)
    return ingested, run(checkout, "jobs.main", "build", *NIGHT)


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
    prepared = run(checkout, "rl", "prepare", *NIGHT)
    assert set(prepared["vocabulary"]) == set(THRESHOLDS)
    for candidate in prepared["candidates"]:
        run(checkout, "rl", "train", *NIGHT, "--candidate", candidate)
    evaluated = run(checkout, "rl", "evaluate", *NIGHT)
    assert evaluated["verdict"] in ("promote", "reject", "abstain")
    assert evaluated["gain"]["baseline"] == "behavior"
    registered = run(checkout, "rl", "register", *NIGHT)
    assert registered["model"] == "free_shipping-policy"
    assert Path(registered["page"]).exists()


def test_the_new_scenario_runs_on_its_own_source_alone(checkout: Path) -> None:
    """No other source has it among its scenarios, and asking for it says why not."""
    refused = run(
        checkout, "rl", "prepare", "--source", "taobao", "--scenario", "free_shipping", "--date", str(LAST), code=65
    )
    assert "scenario free_shipping is for canonical (sources), not taobao" in refused["message"]
    listed = subprocess.run(
        [
            sys.executable,
            "-c",
            "from conf.specs.scenario import scenarios_for; print(scenarios_for('taobao'), scenarios_for('canonical'))",
        ],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.strip() == "['recommendation'] ['free_shipping', 'recommendation']"


def test_the_guide_says_what_the_yaml_says() -> None:
    """Actions aren't listed in it: the log's own are the vocabulary."""
    content = yaml.safe_load(guide_s_yaml())
    assert content["name"] == "free_shipping"
    assert content["sources"] == ["canonical"]
    assert "availability" not in str(content["action"])
