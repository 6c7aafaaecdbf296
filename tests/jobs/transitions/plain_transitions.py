"""Transitions computed the slow and obvious way, shopper by shopper in plain Python, to compare Spark's with.

Written from the definitions alone (conf/observation_features.py, conf/tables.py), one loop for each sentence there.
Times are aware UTC datetimes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from conf.event_types import ENGAGEMENT_TYPES, EVENT_TYPE_RANK
from conf.observation_features import id_hash
from conf.specs.scenario import Pipeline

Row = dict[str, Any]


@dataclass
class Session:
    """A shopper's events, and how they ended."""

    events: list[Row] = field(default_factory=list)
    is_cut: bool = False
    closing: datetime = datetime.max


def plain_transitions(
    rows: Iterable[Row], pipeline: Pipeline, *, sets: Sequence[Row], dates: Sequence[date], horizon: date
) -> dict[str, Row]:
    """Expected values of each transition by the event id of its decision."""
    expected: dict[str, Row] = {}
    by_shopper: dict[str, list[Row]] = {}
    for row in rows:
        by_shopper.setdefault(row["user_id"], []).append(row)
    for own in by_shopper.values():
        own.sort(key=lambda row: (row["event_time"], EVENT_TYPE_RANK[row["event_type"]], row["event_id"]))
        events = _told_once(own, pipeline)
        earned = _earned(events, pipeline)
        for session in _sessions(events, pipeline):
            if _day(session.events[0]["event_time"], pipeline) in dates:
                _add(expected, session, _Shopper(events, earned, sets, pipeline, horizon))
    return expected


def _told_once(events: list[Row], pipeline: Pipeline) -> list[Row]:
    """The events, with `is_repeat` where the day's decision of that id, item and position stands before."""
    told: set[tuple[Any, ...]] = set()
    found = []
    for row in events:
        is_named = pipeline.is_logged and _is_decision(row, pipeline) and row["decision_id"] is not None
        place = (row["event_date"], row["decision_id"], row["action"] or row["item_id"], row["position"])
        found.append(row | {"is_repeat": is_named and place in told})
        told |= {place} if is_named else set()
    return found


@dataclass(frozen=True)
class _Shopper:
    events: list[Row]
    earned: dict[str, list[Row]]
    sets: Sequence[Row]
    pipeline: Pipeline
    horizon: date


def _sessions(events: list[Row], pipeline: Pipeline) -> list[Session]:
    rule = pipeline.source.session
    gap = timedelta(minutes=rule.gap_minutes)
    chains: list[list[Row]] = []
    for row in events:
        if chains and row["event_time"] - chains[-1][-1]["event_time"] <= gap:
            chains[-1].append(row)
        else:
            chains.append([row])
    sessions: list[Session] = []
    for chain in chains:
        parts = [part for piece in _by_second_midnight(chain, pipeline) for part in _by_length(piece, rule.max_hours)]
        cut = [Session(part, True, following[0]["event_time"]) for part, following in pairwise(parts)]
        sessions += [*cut, Session(parts[-1], False, parts[-1][-1]["event_time"] + gap)]
    return sessions


def _by_second_midnight(chain: list[Row], pipeline: Pipeline) -> list[list[Row]]:
    first_day = _day(chain[0]["event_time"], pipeline)
    pieces: list[list[Row]] = [[]]
    for row in chain:
        day = _day(row["event_time"], pipeline)
        is_new_day = bool(pieces[-1]) and _day(pieces[-1][-1]["event_time"], pipeline) != day
        if is_new_day and (day - first_day).days >= 2:
            pieces.append([])
        pieces[-1].append(row)
    return pieces


def _by_length(piece: list[Row], max_hours: int) -> list[list[Row]]:
    parts: dict[int, list[Row]] = {}
    for row in piece:
        number = (row["event_time"] - piece[0]["event_time"]) // timedelta(hours=max_hours)
        parts.setdefault(number, []).append(row)
    return list(parts.values())


def _add(expected: dict[str, Row], session: Session, shopper: _Shopper) -> None:
    pipeline, zone = shopper.pipeline, ZoneInfo(shopper.pipeline.source.zone)
    places = [n for n, row in enumerate(session.events) if _is_decision(row, pipeline)]
    window = timedelta(hours=pipeline.scenario.reward.attribution.window_hours)
    max_steps = pipeline.scenario.episode.max_steps
    watermark = _start_of(shopper.horizon - timedelta(days=pipeline.source.lateness_days - 1), zone)
    for number, place in enumerate(places):
        row = session.events[place]
        is_last = number == len(places) - 1
        next_place = len(session.events) if is_last else places[number + 1]
        next_time = session.closing if is_last else session.events[next_place]["event_time"]
        next_set = session.events[next_place]["availability_id"] if not is_last else _set_at(next_time, shopper, row)
        terminal = is_last and not session.is_cut and session.closing < watermark
        expected[row["event_id"]] = {
            "step": number % max_steps,
            "decision_time": row["event_time"],
            "observation": _observation(session, place, row["event_time"], shopper),
            "next_observation": _observation(session, next_place, next_time, shopper),
            "action_key": _action(row, pipeline),
            "reward": sum(
                pipeline.scenario.reward.weight_millionths.get(one["event_type"], 0)
                for one in shopper.earned.get(row["event_id"], [])
            ),
            "metrics": {
                name: sum(one["event_type"] == kind for one in shopper.earned.get(row["event_id"], []))
                for name, kind in pipeline.scenario.metrics.items()
            },
            "terminal": terminal,
            "timeout": not terminal and (is_last or number % max_steps == max_steps - 1),
            "reward_settled": row["event_time"] + window <= _start_of(shopper.horizon + timedelta(days=1), zone),
            "elapsed_seconds": (next_time - row["event_time"]) // timedelta(seconds=1),
            "availability_id": row["availability_id"],
            "next_availability_id": next_set,
            "date": _day(session.events[0]["event_time"], pipeline),
        }


def _earned(events: list[Row], pipeline: Pipeline) -> dict[str, list[Row]]:
    """Attributed events by the event id of their decision."""
    scenario = pipeline.scenario
    window = timedelta(hours=scenario.reward.attribution.window_hours)
    counted = {*scenario.reward.weights, *scenario.metrics.values()}
    earned: dict[str, list[Row]] = {}
    for place, row in enumerate(events):
        if row["event_type"] not in counted:
            continue
        fitting = [one for one in events[:place] if _is_decision(one, pipeline) and _is_linked(one, row, pipeline)]
        if pipeline.scenario.reward.attribution.link == "decision_id" and row["item_id"] is not None:
            fitting = [one for one in fitting if _shown_item(one, pipeline) == row["item_id"]] or fitting
        if fitting and row["event_time"] <= fitting[-1]["event_time"] + window:
            earned.setdefault(fitting[-1]["event_id"], []).append(row)
    return earned


def _is_linked(decision: Row, row: Row, pipeline: Pipeline) -> bool:
    if pipeline.scenario.reward.attribution.link == "decision_id":
        return bool(row["decision_id"] == (decision["decision_id"] or decision["event_id"]))
    key = row["item_id"] if pipeline.scenario.action.key == "item" else row["category_id"]
    return key is not None and bool(_action(decision, pipeline) == key)


def _observation(session: Session, place: int, moment: datetime, shopper: _Shopper) -> Row:
    before = session.events[:place]
    pipeline = shopper.pipeline
    engaged = [row for row in before if row["event_type"] in ENGAGEMENT_TYPES]
    shown = [row for row in before if _is_decision(row, pipeline)]
    local = moment.astimezone(ZoneInfo(pipeline.source.zone))
    prices = [row["price"] for row in engaged if row["price"] is not None]
    kinds = Counter(row["event_type"] for row in before)
    values: Row = {
        "recent_shown_items": [_shown_item(row, pipeline) for row in shown],
        "recent_shown_categories": [row["category_id"] for row in shown],
        "recent_engaged_items": [row["item_id"] for row in engaged],
        "recent_engaged_categories": [row["category_id"] for row in engaged],
        "session_step": len(shown),
        "n_session_clicks": kinds["click"] + kinds["view"],
        "n_session_carts": kinds["cart"] + kinds["favorite"],
        "n_session_purchases": kinds["purchase"],
        "seconds_since_session_start": (moment - before[0]["event_time"]) // timedelta(seconds=1) if before else 0,
        "seconds_since_previous_event": (moment - before[-1]["event_time"]) // timedelta(seconds=1) if before else -1,
        **_answers(before, pipeline),
        "last_price_band": len(f"{prices[-1]:b}") if prices else -1,
        "hour_of_day": local.hour,
        "day_of_week": local.isoweekday(),
    } | _history(local.date(), shopper)
    features = pipeline.scenario.observation.features
    return {one.name: _latest(values[one.name], one.length, one.name) for one in features}


def _answers(before: list[Row], pipeline: Pipeline) -> Row:
    """Count decisions since an engagement, and the last ones that one followed before the next."""
    n_since, n_in_a_row = 0, 0
    for row in before:
        if _is_decision(row, pipeline):
            n_in_a_row = 0 if n_since else n_in_a_row
            n_since += 1
        if row["event_type"] in ENGAGEMENT_TYPES:
            n_in_a_row += n_since > 0
            n_since = 0
    return {"n_decisions_since_engagement": n_since, "n_engaged_in_a_row": 0 if n_since else n_in_a_row}


def _latest(value: Any, length: int | None, name: str) -> Any:
    if length is None:
        return value
    known = [id_hash(key) for key in value if key is not None]
    return (known if name == "favorite_categories" else known[::-1])[:length]


def _history(day: date, shopper: _Shopper) -> Row:
    first = day - timedelta(days=shopper.pipeline.scenario.observation.history_days)
    known = [row for row in shopper.events if first <= row["event_date"] < day and row["delivery_date"] < day]
    kinds = Counter(row["event_type"] for row in known)
    liked = Counter(row["category_id"] for row in known if row["event_type"] in ENGAGEMENT_TYPES)
    del liked[None]
    return {
        "n_past_sessions_days": len({row["event_date"] for row in known}),
        "days_since_last_visit": min(((day - row["event_date"]).days for row in known), default=-1),
        "n_past_clicks": kinds["click"] + kinds["view"],
        "n_past_purchases": kinds["purchase"],
        "favorite_categories": sorted(liked, key=lambda key: (-liked[key], id_hash(key))),
    }


def _set_at(moment: datetime, shopper: _Shopper, decision: Row) -> str | None:
    day = _day(moment, shopper.pipeline)
    known = [
        (one["valid_from"], one["availability_id"])
        for one in shopper.sets
        if one["valid_from"] <= moment and one["delivery_date"] <= day
    ]
    fallback: str | None = decision["availability_id"]
    return max(known)[1] if known else fallback


def _is_decision(row: Row, pipeline: Pipeline) -> bool:
    return bool(row["event_type"] == pipeline.source.decisions.event_type) and not row.get("is_repeat")


def _action(row: Row, pipeline: Pipeline) -> Any:
    if pipeline.scenario.action.key == "item":
        return row["action"] if row["action"] is not None else row["item_id"]
    is_named = row["category_id"] is not None or not pipeline.is_logged
    return row["category_id"] if is_named else row["action"]


def _shown_item(row: Row, pipeline: Pipeline) -> Any:
    is_item_logged = pipeline.is_logged and pipeline.scenario.action.key == "item"
    return _action(row, pipeline) if is_item_logged else row["item_id"]


def _day(moment: datetime, pipeline: Pipeline) -> date:
    return moment.astimezone(ZoneInfo(pipeline.source.zone)).date()


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
