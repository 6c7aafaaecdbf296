"""Default simulated shops whose candidates are trained again with other seeds and threads: does the verdict stand.

A shop's logs are written, ingested, built and prepared once, by the commands of a night; then its candidates are
trained and judged as often as asked, each time with seeds of their own, every other time with two threads. Whatever is
there already (the dataset, each verdict) stays, so a run that was stopped goes on behind it.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from scipy.stats import binomtest

from conf.paths import Lake, Run
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands import prepare, simulate_shop
from rl.data.dataset import Dataset, load_dataset
from rl.data.discount_function import DiscountFunction
from rl.gate.alpha_spending import NightLevel, night_level
from rl.learning.candidates import SeededCandidate, seeded_candidates
from rl.learning.policy_making import make_policy
from rl.learning.replay.replay_columns import columns_of
from rl.learning.replay.ruled_rows import Ruling
from rl.learning.training import TrainingSettings, train_candidate
from rl.loop.spark_jobs import SparkJobs
from rl.night.checkpoint_choice import choose_checkpoints
from rl.night.evaluation import NightEvaluation, evaluate_night
from rl.night.gate_ahead import GateAhead
from rl.night.losses import BeforeTest
from rl.night.selection import Choice, Selection, select_candidate
from rl.ope.propensities.known import know_propensities
from rl.ope.report import EvaluationSettings
from rl.policy import StochasticPolicy
from rl.shops.recommendation.shop_settings import ShopSettings

SOURCE, SCENARIO = "simulated_shop", "recommendation"
_DAY = ShopSettings().first_date + timedelta(days=ShopSettings().n_days - 1)


@dataclass(frozen=True)
class FlipShop:
    """One default shop, and the verdicts on it.

    Attributes:
        seed: of the shop and its shoppers.
        folder: of its home and of its verdicts.
    """

    seed: int
    folder: Path

    def verdict(self, repeat: int) -> dict[str, Any]:
        """Return what the gate said after one training; it is trained where that isn't known yet.

        Args:
            repeat: which training, from 0: it decides on seeds and threads.
        """
        path = self.folder / f"verdict-{repeat}.json"
        if not path.exists():
            write_atomically(path, json.dumps(self._judged(repeat)))
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @cached_property
    def dataset(self) -> Dataset:
        """The night's dataset, prepared where it isn't there yet."""
        settings = Settings.from_environment(self._environment)
        run = Run(settings.home, SOURCE, SCENARIO, _DAY)
        if not run.dataset.exists():
            self._prepared(settings)
        return load_dataset(load_pipeline(SCENARIO, SOURCE), Lake(settings.lake, SOURCE), run)

    def _prepared(self, settings: Settings) -> None:
        written = simulate_shop.run(
            settings=settings, out=None, last_date=None, n_days=None, n_shoppers=None, seed=self.seed
        )
        where = [f"--source={SOURCE}", f"--date={_DAY}", f"--scenario={SCENARIO}"]
        with SparkJobs(self.folder / "spark.log", self._environment) as jobs:
            jobs.run(["ingest", *where, f"--logs={written['logs']}"])
            jobs.run(["build", *where])
        prepare.run(settings=settings, source=SOURCE, scenario=SCENARIO, run_date=_DAY)

    def _judged(self, repeat: int) -> dict[str, Any]:
        dataset, n_threads, started = self.dataset, 1 + repeat % 2, time.process_time()
        torch.set_num_threads(n_threads)
        candidates = {
            seeded.name: trained_policies(dataset, seeded, n_threads=n_threads)
            for seeded in reseeded(dataset, repeat).values()
        }
        trained = time.process_time()
        night = JudgedShop.of(dataset, candidates)
        return {
            "shop": self.seed,
            "repeat": repeat,
            "threads": n_threads,
            "selected": night.selection.best.policy.name,
            "candidates": [night.told(one) for one in night.selection.by_candidate],
            "seconds": {"train": round(trained - started, 1), "judge": round(time.process_time() - trained, 1)},
        }

    @property
    def _environment(self) -> dict[str, str]:
        own = ("NIGHTCART_HOME", "NIGHTCART_LAKE", "NIGHTCART_MLFLOW_URI", "NIGHTCART_SOURCE", "NIGHTCART_LOGS")
        kept = {name: value for name, value in os.environ.items() if name not in own}
        return kept | {"NIGHTCART_HOME": str(self.folder / "home")}


def reseeded(dataset: Dataset, repeat: int) -> dict[str, SeededCandidate]:
    """Return the scenario's candidates with as many seeds of their own: the spec's at repeat 0, the next ones after."""
    scenario = dataset.pipeline.scenario
    moved = [
        one.model_copy(update={"seeds": tuple(seed + repeat * len(one.seeds) for seed in one.seeds)})
        for one in scenario.candidates
    ]
    return seeded_candidates(scenario.model_copy(update={"candidates": tuple(moved)}))


def trained_policies(dataset: Dataset, seeded: SeededCandidate, *, n_threads: int) -> dict[int, StochasticPolicy]:
    """Return the policies that the candidate's training kept, by update, as `rl/commands/train.py` trains it."""
    settings = TrainingSettings(
        discount=DiscountFunction.of(dataset.pipeline.scenario.discount),
        layout=dataset.encoder.token_layout(dataset.vocabulary),
        never_chosen=dataset.vocabulary.other_index,
        action_attributes=dataset.encoder.action_attributes(dataset.vocabulary),
        n_threads=n_threads,
    )
    ruling = Ruling.of(dataset)
    training, validation = (columns_of(dataset.to_logged_episodes(name), ruling) for name in ("train", "validation"))
    kept = train_candidate(seeded, training, validation, settings).kept
    return {one.update: make_policy(dataset, seeded, one) for one in kept}


@dataclass(frozen=True)
class JudgedShop:
    """What validation episodes chose of the trained candidates, and what a first night's gate says of each.

    A night judges the selected one alone. That the others are judged too says what it would have said had they been
    selected: how far a seed moves what the gate reads.

    Attributes:
        dataset: of the night.
        selection: on validation episodes.
        before: training and validation episodes.
        settings: of the evaluation.
        level: of a first night.
    """

    dataset: Dataset
    selection: Selection
    before: BeforeTest
    settings: EvaluationSettings
    level: NightLevel

    @classmethod
    def of(cls, dataset: Dataset, candidates: Mapping[str, Mapping[int, StochasticPolicy]]) -> Self:
        """Return the choice among policies that trainings kept, by candidate and update, as a night makes it."""
        scenario = dataset.pipeline.scenario
        settings = EvaluationSettings.from_scenario(
            scenario, action_attributes=dataset.encoder.action_attributes(dataset.vocabulary)
        )
        level = night_level(scenario.gate.wrong_promotions_per_year, _DAY, [])
        train = dataset.to_logged_episodes("train")
        validation = know_propensities(dataset.to_logged_episodes("validation"), is_logged=True).episodes
        before = BeforeTest.of(train, validation, is_logged=True)
        temperatures = scenario.policy.temperatures
        how: dict[str, Any] = {
            "train": train,
            "validation": validation,
            "settings": settings,
            "estimator": scenario.evaluation.estimator,
            "ahead": GateAhead.from_scenario(scenario, alpha=level.level),
        }
        chosen = choose_checkpoints(candidates, temperature=temperatures[len(temperatures) // 2], **how)
        policies = {name: one.policy for name, one in chosen.items()}
        selection = select_candidate(policies, temperatures=temperatures, is_logged=True, **how)
        return cls(dataset, selection, before, settings, level)

    def told(self, choice: Choice) -> dict[str, Any]:
        """Return what validation and test episodes say of a candidate, and the verdict on it, as JSON values."""
        selection = replace(self.selection, best=choice)
        night = evaluate_night(
            self.dataset,
            selection,
            champion=None,
            level=self.level,
            before=self.before,
            settings=self.settings,
            is_ours=lambda _: False,
        )
        return {
            "name": choice.policy.name,
            "seeds": asdict(selection.seeds),
            "temperature": choice.policy.temperature,
            "certainty": choice.certainty,
            "cautious_gain": choice.cautious_gain,
            "gain_to_ship": choice.gain_to_ship,
            **_judgment(night),
        }


def _judgment(night: NightEvaluation) -> dict[str, Any]:
    """Return the verdict with all that it hangs on."""
    evidence, found, near = night.evidence, night.evidence.difference, night.closeness
    return {
        "decision": night.verdict.decision.value,
        "failed": [one.name for one in night.verdict.checks if not one.is_passed],
        "gain": None if found is None else {"value": found.value, "lower": found.lower, "error": found.standard_error},
        "effective_sample_size": evidence.effective_sample_size,
        "effective_rewarded": evidence.effective_rewarded,
        "effective_differing": evidence.effective_differing,
        "guardrails": {one.metric: [one.relative_increase, one.bound] for one in evidence.guardrails},
        "closeness": None if near is None else {**asdict(near), "is_close": near.is_close},
    }


def shop_line(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the gate said of a shop after each training."""
    own = [selected_of(one) for one in verdicts]
    return {
        "bench": "gate",
        "log": "default shop",
        "shop": verdicts[0]["shop"],
        "threads": [one["threads"] for one in verdicts],
        "selected": [one["selected"] for one in verdicts],
        "decisions": [one["decision"] for one in own],
        "close": [is_close(one) for one in own],
        "moves": [None if one["closeness"] is None else round(one["closeness"]["moves"], 2) for one in own],
    }


def flips_line(shops: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return on how many shops another training turned the verdict, and how many had been flagged, with 95% bounds.

    A flip is unflagged where the first training's verdict was no close call: a night knows but its own.
    """
    decisions = [[selected_of(one)["decision"] for one in verdicts] for verdicts in shops]
    flips = [any(one != own for one in others) for own, *others in decisions]
    flagged = [is_close(selected_of(own)) for own, *_ in shops]
    unflagged = sum(flip and not flag for flip, flag in zip(flips, flagged, strict=True))
    return {
        "bench": "gate",
        "log": "default shops",
        "shops": len(shops),
        "first_verdicts": dict(Counter(own for own, *_ in decisions)),
        "flipped": sum(flips),
        "unflagged_flips": unflagged,
        "unflagged_upper95": _upper(unflagged, len(shops)),
        "flagged": sum(flagged),
        "flagged_upper95": _upper(sum(flagged), len(shops)),
    }


def _upper(count: int, n: int) -> float:
    return round(float(binomtest(count, n).proportion_ci(0.95).high), 4)


def selected_of(verdict: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was said of the selected candidate."""
    return next(one for one in verdict["candidates"] if one["name"] == verdict["selected"])


def is_close(told: Mapping[str, Any]) -> bool:
    """Return whether the verdict on a candidate was called a close call."""
    return told["closeness"] is not None and bool(told["closeness"]["is_close"])
