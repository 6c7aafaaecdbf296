"""`train`: one candidate of the night's dataset."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import date
from typing import Any

import structlog

from conf.paths import Lake, Run
from conf.publication import write_atomically
from conf.scenario import load_pipeline
from conf.settings import Settings
from rl.candidates import SeededCandidate, find_candidate
from rl.dataset import Dataset, load_dataset
from rl.learning.training import TrainedCandidate, TrainingSettings, resolve_device, train_candidate
from rl.policy import StochasticPolicy


def run(*, settings: Settings, source: str, scenario: str, run_date: date, candidate: str) -> dict[str, Any]:
    """The candidate's folder holds policy/, curve.jsonl and result.json; gives the last's content."""
    started = time.perf_counter()
    pipeline = load_pipeline(scenario, source)
    seeded = find_candidate(pipeline.scenario, candidate)
    run_paths = Run(settings.home, source, scenario, run_date)
    device = resolve_device(settings.device)
    dataset = load_dataset(pipeline, Lake(settings.lake, source), run_paths)
    training, validation = (dataset.to_logged_episodes(split) for split in ("train", "validation"))
    structlog.get_logger().info("training", candidate=candidate, n_transitions=training.n_transitions, device=device)
    trained = train_candidate(seeded, training, validation, _training_settings(dataset, device))
    policy = make_policy(dataset, seeded, trained)
    folder = run_paths.candidate(candidate)
    policy.save(folder / "policy")
    write_atomically(folder / "curve.jsonl", "".join(json.dumps(asdict(point)) + "\n" for point in trained.curve))
    result = _result(dataset, seeded, trained, policy) | {
        "device": device,
        "n_transitions": training.n_transitions,
        "seconds": {"updates": round(trained.seconds, 2), "all": round(time.perf_counter() - started, 2)},
    }
    write_atomically(folder / "result.json", json.dumps(result, indent=1))
    return result


def make_policy(dataset: Dataset, seeded: SeededCandidate, trained: TrainedCandidate) -> StochasticPolicy:
    """The trained candidate as a policy, at the softest temperature of the spec until one is chosen."""
    spec = dataset.pipeline.scenario.policy
    return StochasticPolicy(
        name=seeded.name,
        network=trained.network,
        encoder=dataset.encoder,
        vocabulary=dataset.vocabulary,
        output_scale=trained.output_scale,
        temperature=max(spec.temperatures),
        exploration_floor=spec.exploration_floor,
        is_other_chosen=not dataset.pipeline.is_logged,
        dataset_digest=dataset.digest,
    )


def _training_settings(dataset: Dataset, device: str) -> TrainingSettings:
    return TrainingSettings(
        gamma=dataset.pipeline.scenario.discount.gamma,
        device=device,
        never_chosen=dataset.vocabulary.other_index if dataset.pipeline.is_logged else None,
    )


def _result(
    dataset: Dataset, seeded: SeededCandidate, trained: TrainedCandidate, policy: StochasticPolicy
) -> dict[str, Any]:
    last = {(point.split, point.metric): point.value for point in trained.curve}
    return {
        "candidate": seeded.name,
        "algorithm": seeded.candidate.algorithm,
        "seed": seeded.seed,
        "settings": seeded.candidate.model_dump(mode="json"),
        "dataset_digest": dataset.digest,
        "policy_version": policy.version,
        "n_updates": seeded.candidate.n_updates,
        "updates_per_second": round(seeded.candidate.n_updates / trained.seconds, 1),
        "reward_scale": trained.reward_scale,
        "output_scale": trained.output_scale,
        "final": {f"{split}/{metric}": value for (split, metric), value in last.items()},
    }
