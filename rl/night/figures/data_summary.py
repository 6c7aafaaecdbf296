"""What the night's data was: counts that ingest, build and prepare left in the run folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from conf.paths import Run
from conf.set_aside import set_aside_sentence
from rl.data.description import DatasetDescription
from rl.errors import EvaluationError
from rl.figures.data import DataSummary, IngestCounts, PersonsWord, RewardBalance, SplitSummary


def summarize_data(run: Run, dataset: DatasetDescription) -> DataSummary:
    """Return the summary; counts of lines and rewards are None where the run folder doesn't hold them.

    Args:
        run: the night's working folder.
        dataset: that the night learned from.

    Raises:
        EvaluationError: a result file that can't be read.
    """
    ingest, build = _read(run.ingest_result), _read(run.build_result)
    counts = dataset.counts
    return DataSummary(
        dates=tuple(sorted(date.fromisoformat(day) for day in dataset.partitions)),
        n_transitions=counts["n_transitions"],
        n_episodes=counts["n_episodes"],
        n_actions=counts["n_actions"],
        n_features=counts["n_features"],
        splits=tuple(
            SplitSummary(
                name=name,
                start=split.start,
                end=split.end,
                n_episodes=split.n_episodes,
                n_transitions=split.n_transitions,
            )
            for name, split in dataset.splits.items()
        ),
        ingest=None if ingest is None else _ingest_counts(ingest),
        reward=None if build is None else _reward_balance(build),
        quarantined={} if build is None else _quarantined(build),
        main_cause="" if build is None else set_aside_sentence(build),
        counters={**dataset.counters, **counts},
    )


def read_ingest(run: Run) -> IngestCounts | None:
    """Return where the delivered lines went; None where the run folder doesn't tell.

    Raises:
        EvaluationError: a result file that can't be read.
    """
    ingest = _read(run.ingest_result)
    return None if ingest is None else _ingest_counts(ingest)


def _ingest_counts(ingest: Mapping[str, Any]) -> IngestCounts:
    return IngestCounts(
        n_lines=ingest["n_lines"],
        n_accepted=ingest["n_events"],
        n_derived=ingest["n_derived"],
        n_rejected=ingest["n_rejected"],
        n_not_yet=ingest["n_not_yet"],
        rejected=ingest["rejected"],
        n_unended_files=ingest.get("n_unended_files", 0),
        unended_files=tuple(ingest.get("unended_files", ())),
        drift=tuple(ingest.get("drift", ())),
        accepted=_words(ingest.get("accepted", ())),
        left_out=_words(ingest.get("left_out", ())),
        unknown_event_types=dict(ingest.get("unknown_event_types", {})),
    )


def _words(found: Iterable[Mapping[str, str]]) -> tuple[PersonsWord, ...]:
    return tuple(
        PersonsWord(
            delivery=date.fromisoformat(one["delivery"]),
            reason=one["reason"],
            who=one.get("who", ""),
            at=one.get("at", ""),
            problem=one.get("why", ""),
        )
        for one in found
    )


def _reward_balance(build: Mapping[str, Any]) -> RewardBalance:
    reward = build["reward"]
    return RewardBalance(
        events=reward["events"],
        transitions=reward["transitions"],
        residuals=dict(reward["residuals"]),
        action_cost=reward.get("action_cost", 0),
        events_without_money=reward.get("events_without_money", 0),
    )


def _quarantined(build: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = build.get("quarantined", {})
    return {name: n for name, n in found.items() if n}


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise EvaluationError(f"{path}: not JSON ({error}); run the step that writes it again") from error
    return content
