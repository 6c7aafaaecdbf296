"""The service's observations are those of the transitions, on logs that Hypothesis makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings

from conf.kernel.arrays import IntArray
from conf.kernel.daily_counts import daily_counts
from conf.specs.scenario import Pipeline
from rl.serving.histories import NOTHING, from_bytes, to_bytes
from rl.serving.observation import Moment, ObservationMaker, SeenEvent
from tests.conf.kernel.columns_of_rows import log_of, micros
from tests.conf.kernel.comparison import told_observation
from tests.conf.kernel.made_logs import MadeLog, made_logs, random_pipelines
from tests.conf.kernel.reference import Row, transitions_of


def seen_event(row: Row) -> SeenEvent:
    return SeenEvent(
        event_type=row["event_type"],
        time_us=micros(row["event_time"]),
        event_id=row["event_id"],
        item=row["item_id"],
        category=row["category_id"],
        action=row["action"],
        price=row["price"],
        decision_id=row["decision_id"],
        position=row["position"],
    )


def history_of(rows: Sequence[Row], pipeline: Pipeline, as_of: date) -> IntArray:
    """What is published of one shopper for a day, as a store would keep it."""
    first = as_of - timedelta(days=pipeline.scenario.observation.history_days)
    delivered = [row for row in rows if row["event_date"] >= first and row["delivery_date"] < as_of]
    if not delivered:
        return NOTHING
    _, *columns = vars(daily_counts(log_of(delivered).stream)).values()
    return from_bytes(to_bytes(np.stack(columns, axis=1)))


def moment_of(decision: Row, rows: Sequence[Row], pipeline: Pipeline) -> Moment:
    """The decision's request: whatever the shopper ever did, later events too, in no order."""
    own = [row for row in rows if row["user_id"] == decision["user_id"]]
    others = [seen_event(row) for row in own if row["event_id"] != decision["event_id"]]
    history = history_of(own, pipeline, decision["event_date"])
    return Moment(micros(decision["event_time"]), decision["event_id"], others[::-1], history)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(made_logs(random_pipelines(60, seed=5)))
def test_observations_are_those_of_the_transitions(log: MadeLog) -> None:
    """Every feature of every decision, asked in one batch: sessions, ties, clock changes, late deliveries."""
    expected = transitions_of(log.rows, log.pipeline, sets=log.sets, dates=log.dates, horizon=log.horizon)
    by_id = {row["event_id"]: row for row in log.rows}
    moments = [moment_of(by_id[row["event_id"]], log.rows, log.pipeline) for row in expected]
    found = ObservationMaker(log.pipeline).observe(moments)
    lengths = {feature.name: feature.length for feature in log.pipeline.scenario.observation.features}
    told = [told_observation(found, place, lengths) for place in range(len(moments))]
    assert told == [row["observation"] for row in expected]


def test_a_moment_alone_is_observed_as_among_others() -> None:
    """Nothing of one request is seen by another."""
    (pipeline,) = random_pipelines(1, seed=3)
    events = [SeenEvent("view", 10**15 - n * 10**6, item=f"i{n}", category="c", price=n) for n in range(5)]
    moments = [Moment(10**15 + n, f"d{n}", events[:n], NOTHING) for n in range(6)]
    maker = ObservationMaker(pipeline)
    together = maker.observe(moments)
    for place, moment in enumerate(moments):
        alone = maker.observe([moment])
        assert all((alone[name][0] == together[name][place]).all() for name in together)
