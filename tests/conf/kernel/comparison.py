"""What the kernel says of a log, in the reference's words, and where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conf.kernel.arrays import IntArray
from conf.kernel.attribution import OUTCOMES
from conf.kernel.availability_in_force import AvailabilitySets
from conf.kernel.calendar import date_of
from conf.kernel.quarantine import QUARANTINE_REASONS, USABLE
from conf.kernel.transitions import StreamTransitions, transitions
from conf.kernel_rules import as_of, longest_closing_days, rules_of
from conf.specs.scenario import Pipeline
from tests.conf.kernel.columns_of_rows import (
    Log,
    array,
    attributes_of,
    codes_of_sets,
    day_number,
    hashed,
    log_of,
    micros,
)
from tests.conf.kernel.made_logs import MadeLog
from tests.conf.kernel.reference import Row, by_shopper, outcomes_of, set_aside_of, transitions_of


def kernel_transitions(log: MadeLog) -> tuple[Log, StreamTransitions]:
    """The log's columns and what the kernel makes of them."""
    items = log.items if log.pipeline.scenario.observation.item_categories else None
    columns = log_of(log.rows, log.sets, items)
    source = log.pipeline.source
    longest = longest_closing_days(log.pipeline)
    asked = as_of(source, dates=log.dates, horizon=log.horizon, longest_days=longest)
    sets = availability_sets(log.sets, columns, asked.calendar.start_of_day)
    known = as_of(source, dates=log.dates, horizon=log.horizon, sets=sets, longest_days=longest)
    attributes = attributes_of(columns, log.shoppers)
    return columns, transitions(columns.stream, rules_of(log.pipeline), known, attributes)


def availability_sets(sets: Sequence[Row], log: Log, start_of_day: Any) -> AvailabilitySets:
    """The sets with the codes that the log's rows name them by."""
    codes = codes_of_sets(log.rows, sets)
    offers = {(codes[one["availability_id"]], hashed(action)) for one in sets for action in one["actions"]}
    return AvailabilitySets(
        code=array(codes[one["availability_id"]] for one in sets),
        valid_from_us=array(micros(one["valid_from"]) for one in sets),
        delivered_us=start_of_day(array(day_number(one["delivery_date"]) for one in sets)),
        offering_code=array(code for code, _ in offers),
        offered_action=array(action for _, action in offers),
    )


def expected_transitions(log: MadeLog) -> list[Row]:
    """What the reference makes of the log."""
    return transitions_of(
        log.rows,
        log.pipeline,
        sets=log.sets,
        dates=log.dates,
        horizon=log.horizon,
        shoppers=log.shoppers,
        items=log.items,
    )


def differences(log: MadeLog) -> list[str]:
    """Where kernel and reference differ: one line for each row and column."""
    columns, made = kernel_transitions(log)
    told = told_transitions(columns, made, log.pipeline)
    expected = expected_transitions(log)
    if (found := [row["event_id"] for row in told]) != (wanted := [row["event_id"] for row in expected]):
        return [f"decisions {found}; expected {wanted}"]
    wrong = [
        f"{row['event_id']} {name}: {value}; expected {one[name]}"
        for row, one in zip(told, expected, strict=True)
        for name, value in row.items()
        if value != one[name]
    ]
    return wrong + differing_outcomes(columns, made, log) + differing_quarantine(columns, made, log)


def differing_outcomes(columns: Log, made: StreamTransitions, log: MadeLog) -> list[str]:
    """Where they differ in what became of the counted events."""
    found = told_outcomes(columns, made)
    expected = {
        event_id: (outcome.name, outcome.decision["event_id"] if outcome.decision else None)
        for events in by_shopper(log.rows, log.pipeline).values()
        for event_id, outcome in outcomes_of(events, log.pipeline).items()
    }
    return [] if found == expected else [f"outcomes {found}; expected {expected}"]


def differing_quarantine(columns: Log, made: StreamTransitions, log: MadeLog) -> list[str]:
    """Where they differ in which decisions are set aside, and why."""
    found = told_quarantine(columns, made)
    expected = set_aside_of(log.rows, log.pipeline, sets=log.sets, dates=log.dates)
    return [] if found == expected else [f"set aside {found}; expected {expected}"]


def told_quarantine(log: Log, made: StreamTransitions) -> dict[str, str | None]:
    """The decisions that are set aside by event id, with the reason or None."""
    aside = made.quarantine
    return {
        log.rows[made.decisions.rows[decision]]["event_id"]: None if reason == USABLE else QUARANTINE_REASONS[reason]
        for decision, reason, is_set_aside in zip(aside.decision, aside.reason, aside.is_set_aside, strict=True)
        if is_set_aside
    }


def told_outcomes(log: Log, made: StreamTransitions) -> dict[str, tuple[str, str | None]]:
    """What became of each counted event, by event id."""
    decided = [log.rows[row]["event_id"] for row in made.decisions.rows]
    return {
        log.rows[row]["event_id"]: (OUTCOMES[outcome], decided[decision] if decision >= 0 else None)
        for row, decision, outcome in zip(
            made.attributed.row, made.attributed.decision, made.attributed.outcome, strict=True
        )
    }


def told_transitions(log: Log, made: StreamTransitions, pipeline: Pipeline) -> list[Row]:
    """The transitions as rows of the reference."""
    first_of_session = made.sessions.starts[made.session]
    plain = {
        name: getattr(made, name).tolist()
        for name in ("step", "reward", "terminal", "timeout", "reward_settled", "elapsed_seconds")
    }
    lengths = {feature.name: feature.length for feature in pipeline.scenario.observation.features}
    observation, next_observation = made.observation, made.next_observation
    rows = []
    for place, row in enumerate(made.row.tolist()):
        first = log.rows[first_of_session[place]]
        rows.append(
            {name: values[place] for name, values in plain.items()}
            | {
                "event_id": log.rows[row]["event_id"],
                "episode": (first["user_id"], first["event_id"], int(made.part[place])),
                "action_id": int(made.action[place]),
                "observation": told_observation(observation, place, lengths),
                "next_observation": told_observation(next_observation, place, lengths),
                "metrics": {name: int(values[place]) for name, values in made.metrics.items()},
                "next_availability_id": log.availability.get(int(made.next_availability[place])),
                "date": date_of(int(made.sessions.day[made.session[place]])),
            }
        )
    return rows


def told_observation(features: dict[str, IntArray], place: int, lengths: dict[str, int | None]) -> Row:
    """One row's features: numbers, and lists without their padding."""
    return {
        name: values[place].item() if lengths[name] is None else values[place][values[place] != 0].tolist()
        for name, values in features.items()
    }
