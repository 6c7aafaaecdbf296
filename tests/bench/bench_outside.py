"""Nights of a shop that others simulate: SARDINE's shoppers, whose logs pass the pipeline as any shop's would.

For each seed: a day's log of a behavior policy, written by SARDINE; ingest and build in Spark, then prepare, train,
evaluate and register, as a night does; and what policies truly earn, played by SARDINE on the same further shoppers:
the selected candidate, the best policy learned from the same log for the next click alone (of all temperatures, which
is in its favor), the behavior policy, and rules that bound them. Prints JSON lines; `make bench-outside` runs it:

- `SEEDS=1-5`: logs, from the first to the last.
- `SESSIONS=3000`: of each log, of 100 steps.
- `TRUTH=2000`: sessions that each policy is played on.
- `OUT=build/outside`: homes of the nights; a seed whose night is registered there goes on behind it, and one whose log
  is of another size is refused.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from conf.paths import Lake, Run
from conf.publication import write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline, load_pipeline
from rl.commands import evaluate, prepare, register, train
from rl.data.dataset import load_dataset
from rl.data.discount_function import DiscountFunction
from rl.errors import LoopError
from rl.figures.night import NightFigures, read_figures
from rl.learning.candidates import find_candidate, seeded_candidates
from rl.learning.policy_making import make_policy
from rl.learning.replay.replay_columns import columns_of
from rl.learning.replay.ruled_rows import Ruling
from rl.learning.trained_candidates import kept_folder
from rl.learning.training import TrainingSettings, train_candidate
from rl.logs import configure_logs
from rl.loop.spark_jobs import SparkJobs
from rl.policy import StochasticPolicy, load_policy
from tests.bench.bench_promotion import seeds_of

SOURCE, SCENARIO, DAY = "sardine", "recommendation", date(2026, 3, 2)
BOUNDS = ("random", "behavior", "repeat last click", "best next click, known shopper")
# Truths are of further shoppers: no log has them.
TRUTH_SEED = 900
# A discount is above 0; this one leaves nothing of what comes later.
_NOTHING_LATER = 1e-9


@dataclass(frozen=True)
class Size:
    """Sessions of a log, and of each truth."""

    n_sessions: int
    n_truth: int


@dataclass(frozen=True)
class OutsideNight:
    """One seed's log and night.

    Attributes:
        seed: of the log.
        size: of log and truths.
        folder: of the home.
        python: of the environment that SARDINE is in.
    """

    seed: int
    size: Size
    folder: Path
    python: str

    @cached_property
    def settings(self) -> Settings:
        """Settings of the home."""
        return Settings.from_environment(self._environment)

    @property
    def pipeline(self) -> Pipeline:
        """The scenario on SARDINE's source."""
        return load_pipeline(SCENARIO, SOURCE)

    @property
    def run(self) -> Run:
        """The night's working folder."""
        return Run(self.settings.home, SOURCE, SCENARIO, DAY)

    def live(self) -> dict[str, Any]:
        """Write the log and run the night, where they aren't there yet; return what it said.

        Raises:
            LoopError: the folder's log is of another size.
        """
        logs = self.folder / "logs"
        self._write_log(logs)
        if not self.run.registration.exists():
            self._transitions(logs)
            where = {"settings": self.settings, "source": SOURCE, "scenario": SCENARIO, "run_date": DAY}
            prepare.run(**where)
            for name in seeded_candidates(self.pipeline.scenario):
                train.run(**where, candidate=name)
            evaluate.run(**where)
            register.run(**where)
        return _told(read_figures(self.run.evaluation))

    def _write_log(self, logs: Path) -> None:
        """Write the log where there is none yet; refuse one of another size than was asked for."""
        noted, asked = self.folder / "log.json", self.size.n_sessions
        if not noted.exists():
            told = self._sardine("log", str(logs), "--sessions", str(asked), "--day", str(DAY))
            write_atomically(noted, json.dumps(told | {"n_sessions": asked}))
        n_sessions = json.loads(noted.read_text(encoding="utf-8")).get("n_sessions")
        if n_sessions != asked:
            raise LoopError(
                f"{noted}: the log there is of {n_sessions} sessions, and {asked} were asked for; ask for "
                f"SESSIONS={n_sessions}, name another OUT, or remove {self.folder}"
            )

    def truths(self) -> dict[str, Any]:
        """Return the clicks a session of each policy with their interval, on the same shoppers."""
        selected = self._selected()
        selected.save(self.folder / "selected")
        found = {name: self._truth(name) for name in BOUNDS}
        found["selected"] = self._truth(str(self.folder / "selected"))
        myopic = {name: self._truth(str(path)) for name, path in self._myopic().items()}
        best = max(myopic, key=lambda name: float(myopic[name]["value"]))
        return found | {"best myopic": myopic[best] | {"temperature": best}}

    def _selected(self) -> StochasticPolicy:
        """Return the policy that the night selected, as it was registered."""
        chosen = read_figures(self.run.evaluation).selected
        folder = self.run.candidate(chosen.name)
        return load_policy(kept_folder(folder, chosen.update)).with_temperature(chosen.temperature)

    def _myopic(self) -> Mapping[str, Path]:
        """Train the first learner of values for the next reward alone; return its policies' folders by temperature."""
        dataset = load_dataset(self.pipeline, Lake(self.settings.lake, SOURCE), self.run)
        name = next(one for one in seeded_candidates(self.pipeline.scenario) if not one.startswith("bc"))
        seeded = find_candidate(self.pipeline.scenario, name)
        settings = TrainingSettings(
            discount=DiscountFunction(_NOTHING_LATER),
            never_chosen=dataset.vocabulary.other_index,
            action_attributes=dataset.encoder.action_attributes(dataset.vocabulary),
            encoder=dataset.encoder,
        )
        columns = columns_of(dataset.to_logged_episodes("train"), Ruling.of(dataset))
        policy = make_policy(dataset, seeded, train_candidate(seeded, columns, None, settings).kept[-1])
        folders = {}
        for temperature in self.pipeline.scenario.policy.temperatures:
            folders[f"{temperature:g}"] = self.folder / f"myopic-{temperature:g}"
            policy.with_temperature(temperature).save(folders[f"{temperature:g}"])
        return folders

    def _truth(self, policy: str) -> dict[str, Any]:
        return self._sardine("truth", policy, "--sessions", str(self.size.n_truth), seed=TRUTH_SEED + self.seed)

    def _transitions(self, logs: Path) -> None:
        where = [f"--source={SOURCE}", f"--date={DAY}"]
        with SparkJobs(self.folder / "spark.log", self._environment) as jobs:
            jobs.run(["ingest", *where, f"--logs={logs}", f"--scenario={SCENARIO}"])
            jobs.run(["build", *where, f"--scenario={SCENARIO}"])

    def _sardine(self, *arguments: str, seed: int | None = None) -> dict[str, Any]:
        command = [self.python, "-m", "tests.bench.outside.sardine_shop", *arguments]
        command += ["--seed", str(self.seed if seed is None else seed)]
        answer = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    @property
    def _environment(self) -> dict[str, str]:
        own = ("NIGHTCART_HOME", "NIGHTCART_LAKE", "NIGHTCART_MLFLOW_URI", "NIGHTCART_SOURCE", "NIGHTCART_LOGS")
        kept = {name: value for name, value in os.environ.items() if name not in own}
        return kept | {"NIGHTCART_HOME": str(self.folder / "home")}


def main() -> None:
    """Every seed that the environment asks for is lived and played."""
    configure_logs("console")
    size = Size(int(os.environ.get("SESSIONS", "3000")), int(os.environ.get("TRUTH", "2000")))
    out = Path(os.environ.get("OUT", "build/outside")).resolve()
    for seed in seeds_of(os.environ.get("SEEDS", "1-5")):
        folder = out / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        night = OutsideNight(seed, size, folder, os.environ["NIGHTCART_SARDINE_PYTHON"])
        _say("night", seed, night.live)
        _say("truth", seed, night.truths)


def _say(kind: str, seed: int, tell: Callable[[], dict[str, Any]]) -> None:
    print(json.dumps({"kind": kind, "seed": seed, **tell()}), flush=True)


def _told(figures: NightFigures) -> dict[str, Any]:
    gain = figures.gain
    return {
        "selected": figures.selected.name,
        "temperature": figures.selected.temperature,
        "verdict": figures.verdict.model_dump(mode="json"),
        "gain": None if gain is None else gain.model_dump(mode="json"),
    }


if __name__ == "__main__":
    main()
