"""What the run folder tells about a night's data."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Run
from rl.data.description import DatasetDescription
from rl.errors import EvaluationError
from rl.night.figures.data_summary import summarize_data


def description() -> DatasetDescription:
    split = {
        "start": "2026-01-01T00:00:00+00:00",
        "end": "2026-01-02T00:00:00+00:00",
        "n_episodes": 3,
        "n_transitions": 9,
    }
    content = {
        "source": "shop",
        "scenario": "recommendation",
        "date": "2026-01-02",
        "dataset_digest": "d",
        "schema_version": 1,
        "spec_hash": "s",
        "key_id": "k",
        "is_logged": True,
        "vocabulary": ["a"],
        "partitions": {"2026-01-02": "2-b", "2026-01-01": "1-a"},
        "splits": {"train": split, "validation": split, "test": split},
        "counts": {"n_transitions": 27, "n_episodes": 9, "n_actions": 4, "n_features": 12},
        "counters": {"n_decisions": 27},
    }
    return DatasetDescription.model_validate(content)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, "shop", "recommendation", date(2026, 1, 2))


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_summary_joins_what_the_steps_left(run: Run) -> None:
    """Lines from ingest, rewards from build, episodes from prepare; dates in order."""
    write(
        run.ingest_result,
        {
            "n_lines": 10,
            "n_events": 7,
            "n_derived": 1,
            "n_rejected": 2,
            "n_not_yet": 1,
            "rejected": {"duplicate": 2},
            "n_unended_files": 2,
            "drift": ["column 'price' is gone"],
        },
    )
    reward = {"events": 5, "transitions": 3, "residuals": {"unknown_decision": 2}}
    write(run.build_result, {"reward": reward, "quarantined": {"episodes": 1, "decisions": 2, "no_action": 1}})
    summary = summarize_data(run, description())
    assert summary.dates == (date(2026, 1, 1), date(2026, 1, 2))
    assert summary.ingest is not None
    assert summary.ingest.n_accepted + summary.ingest.n_rejected + summary.ingest.n_not_yet == summary.ingest.n_lines
    assert (summary.ingest.n_unended_files, summary.ingest.drift) == (2, ("column 'price' is gone",))
    assert summary.reward is not None
    assert summary.reward.transitions + sum(summary.reward.residuals.values()) == summary.reward.events
    assert summary.quarantined == {"episodes": 1, "decisions": 2, "no_action": 1}
    assert summary.counters["n_decisions"] == 27


@pytest.mark.parametrize(("n_left", "first"), [(1, "8 of 10 decisions are of shoppers without consent"), (9, "")])
def test_what_set_most_decisions_aside_is_told(run: Run, n_left: int, first: str) -> None:
    """By the decisions that the build left, whatever the dataset takes of them; nothing where most remain."""
    reward = {"events": 0, "transitions": 0, "residuals": {}}
    aside = {"episodes": 4, "decisions": 9, "no_consent": 8}
    write(run.build_result, {"reward": reward, "n_transitions": n_left, "quarantined": aside})
    told = summarize_data(run, description()).main_cause
    assert told.startswith(first)
    assert bool(told) == bool(first)


def test_missing_results_are_unknown_not_zero(run: Run) -> None:
    """A run folder without ingest or build results gives no counts rather than counts of nothing."""
    summary = summarize_data(run, description())
    assert (summary.ingest, summary.reward) == (None, None)


def test_a_broken_result_is_named(run: Run) -> None:
    """A file that isn't JSON is an error that names it."""
    run.ingest_result.parent.mkdir(parents=True)
    run.ingest_result.write_text("{", encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"ingest\.json"):
        summarize_data(run, description())
