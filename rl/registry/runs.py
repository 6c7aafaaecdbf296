"""MLflow runs of a night: a parent, and a child for each candidate and seed.

Everything is written with the night's own timestamp, so that writing it again (after a kill, or on a repeat) changes
nothing: MLflow keeps one point for each metric, step, time and value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from rl.learning.curves import Curve
from rl.registry.entry import TAG, CandidateRecord, NightKey

_COMPLETE = TAG + "is_complete"
_BATCH = 1000  # MLflow's limit on metrics in one request
_MAX_PARAM_LENGTH = 6000  # MLflow's limit


def night_run(client: MlflowClient, experiment: str, key: NightKey) -> str:
    """Return the id of the night's parent run; the one with the same inputs where there is one."""
    found = _find_run(client, experiment, {TAG + "input_key": key.input_key, TAG + "role": "night"})
    if found is not None:
        return str(found.info.run_id)
    tags = {**key.tags, TAG + "role": "night"}
    created = client.create_run(experiment, run_name=f"{key.date} {key.source}", tags=tags)
    return str(created.info.run_id)


def record_candidates(
    client: MlflowClient, experiment: str, parent: str, *, key: NightKey, candidates: Sequence[CandidateRecord]
) -> None:
    """Give each candidate one finished child run with its params, metrics and curves, unless it has one."""
    for candidate in candidates:
        tags = {MLFLOW_PARENT_RUN_ID: parent, TAG + "candidate": candidate.name, TAG + "role": "candidate"}
        run = _find_run(client, experiment, tags)
        if run is None:
            run = client.create_run(experiment, run_name=candidate.name, tags={**key.tags, **tags})
        if run.data.tags.get(_COMPLETE) == "yes":
            continue
        run_id = run.info.run_id
        client.log_batch(run_id, params=list(_params(candidate.params)))
        log_metrics(client, run_id, key, candidate.metrics)
        for curve in candidate.curves:
            _log_in_batches(client, run_id, _curve_metrics(curve, _timestamp(key)))
        client.set_tag(run_id, TAG + "is_selected", "yes" if candidate.is_selected else "no")
        client.set_tag(run_id, _COMPLETE, "yes")
        client.set_terminated(run_id)


def finish_night_run(
    client: MlflowClient, run_id: str, *, key: NightKey, metrics: Mapping[str, float], files: Iterable[Path]
) -> None:
    """Log the figures and files to the parent run and finish it."""
    log_metrics(client, run_id, key, metrics)
    for path in files:
        client.log_artifact(run_id, str(path))
    client.set_tag(run_id, _COMPLETE, "yes")
    client.set_terminated(run_id)


def log_metrics(client: MlflowClient, run_id: str, key: NightKey, metrics: Mapping[str, float]) -> None:
    """Log the figures to the run, leaving out what isn't finite."""
    points = (Metric(name, value, _timestamp(key), 0) for name, value in metrics.items() if math.isfinite(value))
    _log_in_batches(client, run_id, points)


def log_day(client: MlflowClient, run_id: str, day: date, metrics: Mapping[str, float]) -> None:
    """Log the figures of a day after the night to its run, leaving out what isn't finite; the step is the day's number.

    Written again, they change nothing, as with all that a run holds.
    """
    moment = int(datetime.combine(day, time.min, tzinfo=UTC).timestamp() * 1000)
    points = (Metric(name, value, moment, day.toordinal()) for name, value in metrics.items() if math.isfinite(value))
    _log_in_batches(client, run_id, points)


def _find_run(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> Run | None:
    conditions = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found = client.search_runs([experiment], filter_string=conditions, order_by=["attributes.start_time ASC"])
    return found[0] if found else None


def _params(params: Mapping[str, str]) -> Iterator[Param]:
    for name, value in params.items():
        yield Param(name, str(value)[:_MAX_PARAM_LENGTH])


def _curve_metrics(curve: Curve, timestamp: int) -> Iterator[Metric]:
    for update, value in zip(curve.updates, curve.values, strict=True):
        if value is not None and math.isfinite(value):
            yield Metric(f"{curve.split}/{curve.metric}", value, timestamp, update)


def _log_in_batches(client: MlflowClient, run_id: str, metrics: Iterable[Metric]) -> None:
    iterator = iter(metrics)
    while batch := [metric for _, metric in zip(range(_BATCH), iterator, strict=False)]:
        client.log_batch(run_id, metrics=batch)


def _timestamp(key: NightKey) -> int:
    return int(datetime.combine(key.date, time.min, tzinfo=UTC).timestamp() * 1000)
