"""`train` under torchrun: two processes, each with its shard, leave what one process leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conf.paths import Lake, Run
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands import prepare
from rl.policy import load_policy
from tests.rl.factories import write_shop

PROJECT = Path(__file__).parents[3]
SOURCE, SCENARIO, CANDIDATE = "simulated_shop", "recommendation", "bc-1"


def test_two_processes_train_one_candidate(tmp_path: Path) -> None:
    """One result and one policy, by rank 0; the rows of both shards are all of the training rows, each once."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    last = write_shop(Lake(settings.lake, SOURCE), load_pipeline(SCENARIO, SOURCE), n_episodes=90)
    prepared = prepare.run(settings=settings, source=SOURCE, scenario=SCENARIO, run_date=last)
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rl"]
    arguments = ["--source", SOURCE, "--scenario", SCENARIO, "--date", str(last), "--candidate", CANDIDATE]
    environment = {**os.environ, "NIGHTCART_HOME": str(tmp_path), "NIGHTCART_DEVICE": "cpu"}
    ended = subprocess.run(
        [*launched, "train", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    printed = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    folder = Run(settings.home, SOURCE, SCENARIO, last).candidate(CANDIDATE)
    result = json.loads((folder / "result.json").read_text())
    assert printed == [result]
    assert result["n_processes"] == 2
    assert result["n_transitions"] == prepared["splits"]["train"]["n_transitions"]
    assert load_policy(folder / "policy").version == result["policy_version"]
    # The log chooses uniformly among 11 available items, log(11) = 2.40; below it, the rows have been learned from.
    assert result["final"]["train/loss"] < 2.3
    assert not (folder / "checkpoint.pt").exists()
