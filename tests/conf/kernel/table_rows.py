"""What the kernel makes of a log as rows of the sessions and transitions tables, every column of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from conf.kernel.arrays import IntArray
from conf.kernel.attribution import OUTCOMES
from conf.kernel.decisions import decisions
from conf.kernel.sessions import closing_times, has_closed, sessions
from conf.kernel.transitions import StreamTransitions, transitions
from conf.kernel_rules import as_of, rules_of
from conf.observation_features import id_hash
from conf.specs.scenario import Pipeline
from tests.conf.kernel.columns_of_rows import EPOCH, Log, log_of, micros
from tests.conf.kernel.comparison import availability_sets, told_observation

Row = dict[str, Any]

_PASSED_ON = ("position", "policy_version", "availability_id")


def session_rows(rows: Sequence[Row], pipeline: Pipeline, horizon: date) -> list[Row]:
    """Rows of the sessions table, with `date`, in the stream's order."""
    log, rules = log_of(rows), rules_of(pipeline)
    found = sessions(log.stream, rules.session)
    decided = Counter(found.number[decisions(log.stream, rules.decision).rows].tolist())
    closing = closing_times(log.stream, found, rules.session.gap_us)
    watermark_us = as_of(pipeline.source, dates=[], horizon=horizon).watermark_us
    closed = has_closed(found, closing, watermark_us)
    return [
        {
            "session_id": session_id(log, first),
            "user_id": log.rows[first]["user_id"],
            "start_time": log.rows[first]["event_time"],
            "end_time": log.rows[end - 1]["event_time"],
            "n_events": end - first,
            "n_decisions": decided[number],
            "is_cut": bool(found.is_cut[number]),
            "is_closed": bool(closed[number]),
            "date": log.rows[first]["event_date"],
        }
        for number, (first, end) in enumerate(zip(found.starts.tolist(), found.starts[1:].tolist(), strict=False))
    ]


def transition_rows(
    rows: Sequence[Row], pipeline: Pipeline, *, sets: Sequence[Row], dates: Sequence[date], horizon: date
) -> tuple[list[Row], Counter[tuple[Any, ...]]]:
    """Rows of the transitions table, with `date`, in the stream's order; and what became of the counted events.

    The latter as shopper, business day, type, outcome, event id of the decision, and date of the decision's session.
    """
    log = log_of(rows, sets)
    known = as_of(pipeline.source, dates=dates, horizon=horizon)
    offered = availability_sets(sets, log, known.calendar.start_of_day)
    made = transitions(
        log.stream, rules_of(pipeline), as_of(pipeline.source, dates=dates, horizon=horizon, sets=offered)
    )
    return _table_rows(log, made, pipeline), _attributed_rows(log, made)


def session_id(log: Log, first: int) -> str:
    """The id of the session that starts with the row."""
    row = log.rows[first]
    return _hash(row["user_id"], str(micros(row["event_time"])), row["event_id"])


def _table_rows(log: Log, made: StreamTransitions, pipeline: Pipeline) -> list[Row]:
    lengths = {feature.name: feature.length for feature in pipeline.scenario.observation.features}
    named = {row[name] for row in log.rows for name in ("item_id", "category_id", "action")} - {None}
    keys = {id_hash(name): name for name in named}
    starts = made.sessions.starts[made.session].tolist()
    observation, next_observation = made.observation, made.next_observation
    found = []
    for place, (row, start) in enumerate(zip((log.rows[row] for row in made.row.tolist()), starts, strict=True)):
        session = session_id(log, start)
        propensity = row["propensity"] if pipeline.is_logged else None
        found.append(
            {name: row[name] for name in _PASSED_ON}
            | {
                "episode_id": _hash(session, str(made.part[place])),
                "step": int(made.step[place]),
                "session_id": session,
                "user_id": row["user_id"],
                "decision_id": row["event_id"] if row["decision_id"] is None else row["decision_id"],
                "decision_time": row["event_time"],
                "observation": told_observation(observation, place, lengths),
                "action_id": int(made.action[place]) or None,
                "action_key": keys.get(int(made.action[place])),
                "reward": int(made.reward[place]),
                "metrics": _metrics(made.metrics, place),
                "next_observation": told_observation(next_observation, place, lengths),
                "terminal": bool(made.terminal[place]),
                "timeout": bool(made.timeout[place]),
                "reward_settled": bool(made.reward_settled[place]),
                "propensity": propensity,
                "propensity_source": "none" if propensity is None else "logged",
                "next_availability_id": log.availability.get(int(made.next_availability[place])),
                "elapsed_seconds": int(made.elapsed_seconds[place]),
                "date": log.rows[start]["event_date"],
            }
        )
    return found


def _metrics(metrics: dict[str, IntArray], place: int) -> Row:
    return {name: int(values[place]) for name, values in metrics.items()} or {"none": 0}


def _attributed_rows(log: Log, made: StreamTransitions) -> Counter[tuple[Any, ...]]:
    days = log.stream.day[made.sessions.starts[:-1]][made.sessions.number]
    found: Counter[tuple[Any, ...]] = Counter()
    attributed = made.attributed
    for row, decision, outcome in zip(attributed.row, attributed.decision, attributed.outcome, strict=True):
        event = log.rows[row]
        told = (event["user_id"], event["event_date"], event["event_type"], OUTCOMES[outcome])
        if decision < 0:
            found[(*told, None, None)] += 1
        else:
            decided = made.decisions.rows[decision]
            session_date = EPOCH.date() + timedelta(days=int(days[decided]))
            found[(*told, log.rows[decided]["event_id"], session_date)] += 1
    return found


def _hash(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
