"""`prepare`: the night's dataset from published partitions."""

from __future__ import annotations

from datetime import date
from typing import Any

import structlog

from conf.paths import Lake, Run
from conf.scenario import load_pipeline
from conf.settings import Settings
from rl.candidates import seeded_candidates
from rl.dataset import prepare_dataset


def run(*, settings: Settings, source: str, scenario: str, run_date: date) -> dict[str, Any]:
    """The run folder holds dataset/dataset.json and dataset/encoder.json; gives the former's content."""
    pipeline = load_pipeline(scenario, source)
    candidates = list(seeded_candidates(pipeline.scenario))
    dataset = prepare_dataset(pipeline, Lake(settings.lake, source), run_date)
    content = dataset.write(Run(settings.home, source, scenario, run_date).dataset, candidates)
    structlog.get_logger().info(
        "prepared",
        dataset_digest=dataset.digest,
        n_actions=dataset.vocabulary.n_actions,
        n_features=dataset.encoder.n_features,
        **{name: split["n_transitions"] for name, split in content["splits"].items()},
    )
    return content
