"""`train`: one candidate of the night's dataset."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import torch

from conf.paths import Lake, Run
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import load_pipeline
from conf.specs.spec_hash import code_hash
from rl.commands.night_turn import own_candidate_of
from rl.data.dataset import Dataset, load_dataset
from rl.data.description import read_description
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.data.shop_rules import rules_of_scenario
from rl.learning.candidates import SeededCandidate, find_candidate
from rl.learning.checkpoint import CheckpointFile
from rl.learning.device import resolve_device
from rl.learning.distributed import Ranks, joined
from rl.learning.machine_memory import machine_memory
from rl.learning.policy_making import make_policy
from rl.learning.replay.replay_columns import ReplayColumns, columns_of
from rl.learning.replay.ruled_rows import Ruling
from rl.learning.trained_candidates import FAILURE_FILE, kept_folder
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from rl.learning.training_run import Criterion
from rl.learning.training_split import training_split
from rl.night.validation_gain import gain_in_standard_errors
from rl.ope.report import EvaluationSettings
from rl.ope.samples.weights import refusal_to_weight
from rl.orders.order_basis import OrderBasis
from rl.orders.order_fitting import fit_orders
from rl.orders.order_split import load_orders
from rl.orders.trained_orders import find_orders, save_orders
from rl.policy import StochasticPolicy

CHECKPOINT = "checkpoint.pt"


def run(*, settings: Settings, source: str, scenario: str, run_date: date, candidate: str) -> dict[str, Any]:
    """Write policy/, curve.jsonl and result.json to the candidate's folder and return result.json's content.

    Of the processes that `torchrun` starts, each learns from its shard of the training episodes; rank 0 alone writes
    and returns something.

    Of the processes that `torchrun` starts, each learns from its shard of the training episodes, and rank 0 writes; the
    others give nothing.
    """
    run_paths = Run(settings.home, source, scenario, run_date)
    if load_pipeline(scenario, source).scenario.orders is not None:
        return _fit_orders(settings, run_paths, candidate)
    with joined(resolve_device(settings.device)) as ranks:
        if not ranks.is_first:
            return _train(settings, run_paths, candidate, ranks)
        known = find_candidate(load_pipeline(scenario, source).scenario, candidate)
        with own_candidate_of(run_paths, known.name):
            # Before anything that may fail: an earlier try's result would pass for this one's.
            _remove_earlier(run_paths, known.name)
            return _train(settings, run_paths, candidate, ranks)


def _remove_earlier(run_paths: Run, candidate: str) -> None:
    for left in ("result.json", FAILURE_FILE):
        (run_paths.candidate(candidate) / left).unlink(missing_ok=True)


def _fit_orders(settings: Settings, run_paths: Run, name: str) -> dict[str, Any]:
    """Fit one way to order; it writes what a training does, without checkpoints."""
    started = time.perf_counter()
    pipeline = load_pipeline(run_paths.scenario, run_paths.source)
    candidate, seed = find_orders(pipeline.scenario, name)
    with own_candidate_of(run_paths, name):
        _remove_earlier(run_paths, name)
        dataset = load_orders(pipeline, Lake(settings.lake, run_paths.source), run_paths)
        structlog.get_logger().info("fitting", candidate=name, n_products=len(dataset.history.products))
        fitted = fit_orders(
            OrderBasis.of(dataset), candidate, name=name, seed=seed, n_threads=settings.training_threads
        )
        return save_orders(
            run_paths.candidate(name),
            fitted,
            candidate,
            seed=seed,
            seconds=time.perf_counter() - started,
            more={"device": "cpu", "n_processes": 1},
        )


def _train(settings: Settings, run_paths: Run, candidate: str, ranks: Ranks) -> dict[str, Any]:
    started = time.perf_counter()
    pipeline = load_pipeline(run_paths.scenario, run_paths.source)
    seeded = find_candidate(pipeline.scenario, candidate)
    lake = Lake(settings.lake, run_paths.source)
    dataset = _own_part(load_dataset(pipeline, lake, run_paths, is_in_memory=not ranks.is_alone), ranks)
    folder = run_paths.candidate(candidate)
    training_settings, validation = _held_out(
        dataset, seeded, ranks, folder=folder, n_threads=settings.training_threads
    )
    with _training_split(dataset, settings, run_paths, candidate, ranks) as training:
        n_transitions = int(ranks.sums([training.n_transitions])[0])
        structlog.get_logger().info(
            "training",
            candidate=candidate,
            n_transitions=training.n_transitions,
            of=n_transitions,
            device=ranks.device,
        )
        trained = train_candidate(seeded, training, validation, training_settings)
    if not ranks.is_first:
        return {}
    policies = [make_policy(dataset, seeded, kept) for kept in trained.kept]
    policy = policies[-1]
    for one, kept in zip(policies, trained.kept, strict=True):
        one.save(kept_folder(folder, kept.update))
    policy.save(folder / "policy")
    write_atomically(folder / "curve.jsonl", "".join(to_json(asdict(point)) + "\n" for point in trained.curve))
    result = _result(dataset, seeded, trained, policy) | {
        "device": ranks.device,
        "n_processes": ranks.n_ranks,
        "n_transitions": n_transitions,
        "seconds": {"updates": round(trained.seconds, 2), "all": round(time.perf_counter() - started, 2)},
    }
    write_atomically(folder / "result.json", to_json(result, indent=1))
    if training_settings.checkpoint is not None:
        training_settings.checkpoint.remove()
    return result


def _training_split(
    dataset: Dataset, settings: Settings, run_paths: Run, candidate: str, ranks: Ranks
) -> AbstractContextManager[ReplayColumns]:
    """Return the training columns: in files where they need more memory than allowed, else in memory.

    Each of several processes holds its shard in memory.
    """
    if not ranks.is_alone:
        return nullcontext(columns_of(dataset.to_logged_episodes("train"), Ruling.of(dataset)))
    allowed = settings.training_memory_bytes
    return training_split(
        dataset,
        n_transitions=read_description(run_paths).splits["train"].n_transitions,
        memory_bytes=machine_memory() // 2 if allowed is None else allowed,
        folder=run_paths.candidate(candidate) / "replay",
    )


def _own_part(dataset: Dataset, ranks: Ranks) -> Dataset:
    """Return the dataset with this rank's share of the training episodes; rank 0 alone keeps the other splits."""
    if ranks.is_alone:
        return dataset
    whole = dataset.published.transitions
    training, validation = (dataset.intervals[split].holds(whole) for split in ("train", "validation"))
    own = training[ranks.shard(np.diff(whole.offsets)[training])]
    kept = np.union1d(own, validation) if ranks.is_first else own
    return replace(dataset, published=replace(dataset.published, loaded=whole.take_episodes(kept)))


def _held_out(
    dataset: Dataset, seeded: SeededCandidate, ranks: Ranks, *, folder: Path, n_threads: int
) -> tuple[TrainingSettings, ReplayColumns | None]:
    """Return the training settings, and the validation episodes as columns.

    The episodes themselves stay only where kept networks are compared.
    """
    validation = dataset.to_logged_episodes("validation") if ranks.is_first else None
    settings = _training_settings(dataset, seeded, ranks, n_threads=n_threads, validation=validation)
    settings = replace(settings, checkpoint=CheckpointFile(folder / CHECKPOINT, _identity(dataset, seeded, settings)))
    return settings, None if validation is None else columns_of(validation, Ruling.of(dataset))


def _training_settings(
    dataset: Dataset, seeded: SeededCandidate, ranks: Ranks, *, n_threads: int, validation: LoggedEpisodes | None
) -> TrainingSettings:
    return TrainingSettings(
        discount=DiscountFunction.of(dataset.pipeline.scenario.discount),
        device=ranks.device,
        never_chosen=dataset.vocabulary.other_index if dataset.pipeline.is_logged else None,
        criterion=None if validation is None else _criterion(dataset, seeded, validation),
        ranks=ranks,
        layout=dataset.encoder.token_layout(dataset.vocabulary),
        action_attributes=dataset.encoder.action_attributes(dataset.vocabulary),
        encoder=dataset.encoder,
        n_threads=n_threads,
    )


def _identity(dataset: Dataset, seeded: SeededCandidate, settings: TrainingSettings) -> str:
    """Return the hash of everything that the run's numbers depend on."""
    content = {
        "dataset_digest": dataset.digest,
        "encoder": dataset.encoder.to_json(),
        "candidate": seeded.candidate.model_dump(mode="json"),
        "seed": seeded.seed,
        "discount": asdict(settings.discount),
        "never_chosen": settings.never_chosen,
        "rules": rules_of_scenario(dataset.pipeline.scenario).to_json(),
        "device": settings.device,
        "n_processes": settings.ranks.n_ranks,
        "n_threads": settings.n_threads,
        "torch": torch.__version__,
        "code": code_hash(*(PROJECT_ROOT / name for name in ("conf", "rl"))),
    }
    return sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()


def _criterion(dataset: Dataset, seeded: SeededCandidate, validation: LoggedEpisodes) -> Criterion | None:
    """Return how to compare kept networks (by their gain over the log); None where they can't be."""
    pipeline = dataset.pipeline
    if seeded.candidate.n_checkpoints == 1:
        return None
    if not pipeline.is_logged or refusal_to_weight(validation.propensity) is not None:
        if seeded.candidate.patience is not None:
            structlog.get_logger().warning(
                "networks can't be compared while training, so it won't stop early",
                candidate=seeded.name,
                why="the log holds no propensities",
            )
        return None
    spec, settings = (
        pipeline.scenario.policy,
        EvaluationSettings.from_scenario(
            pipeline.scenario, action_attributes=dataset.encoder.action_attributes(dataset.vocabulary)
        ),
    )
    middle = spec.temperatures[len(spec.temperatures) // 2]
    return lambda kept: gain_in_standard_errors(
        make_policy(dataset, seeded, kept).with_temperature(middle), validation, settings
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
        "rules": rules_of_scenario(dataset.pipeline.scenario).to_json(),
        "policy_version": policy.version,
        "n_updates": trained.n_updates,
        "stopped_early": trained.stopped_early,
        "checkpoints": [kept.update for kept in trained.kept],
        "updates_per_second": round(trained.n_updates * seeded.candidate.ensemble / trained.seconds, 1),
        "reward_scale": trained.reward_scale,
        "output_scale": trained.output_scale,
        "final": {f"{split}/{metric}": value for (split, metric), value in last.items()},
    }
