"""The service's observations are those of the transitions, on logs that Hypothesis makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings

from conf.kernel.arrays import IntArray
from conf.kernel.daily_counts import daily_counts
from conf.observation_features import id_hash
from rl.serving.histories import ATTRIBUTE_COLUMNS, NOTHING, History, from_bytes, to_bytes
from rl.serving.observation import Moment, ObservationMaker, SeenEvent
from tests.conf.kernel.columns_of_rows import day_number, ids, log_of, micros, told_of
from tests.conf.kernel.comparison import expected_transitions, told_observation
from tests.conf.kernel.made_logs import MadeLog, made_logs, random_pipelines
from tests.conf.kernel.reference import Row


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


def history_of(shopper: str, log: MadeLog, as_of: date) -> History:
    """What is published of one shopper for a day, as a store would keep it."""
    first = as_of - timedelta(days=log.pipeline.scenario.observation.history_days)
    own = [row for row in log.rows if row["user_id"] == shopper]
    delivered = [row for row in own if row["event_date"] >= first and row["delivery_date"] < as_of]
    told = [row for row in log.shoppers if row["user_id"] == shopper and row["delivery_date"] < as_of]
    found = History(attributes=attribute_rows(told))
    if delivered:
        stream = log_of(delivered, items=items_of(log)).stream
        _, *columns = vars(daily_counts(stream)).values()
        found = History(np.stack(columns, axis=1), found.attributes)
    return from_bytes(to_bytes(found))


def attribute_rows(told: Sequence[Row]) -> IntArray:
    return np.array(
        [
            [
                id_hash(row["attribute"]),
                micros(row["valid_from"]),
                day_number(row["delivery_date"]),
                0 if row["value"] is None else id_hash(row["value"]),
            ]
            for row in told
        ],
        dtype=np.int64,
    ).reshape(-1, len(ATTRIBUTE_COLUMNS))


def items_of(log: MadeLog) -> list[Row] | None:
    return log.items if log.pipeline.scenario.observation.item_categories else None


def moment_of(decision: Row, log: MadeLog) -> Moment:
    """The decision's request: whatever the shopper ever did, later events too, in no order."""
    own = [row for row in log.rows if row["user_id"] == decision["user_id"]]
    others = [seen_event(row) for row in own if row["event_id"] != decision["event_id"]]
    history = history_of(decision["user_id"], log, decision["event_date"])
    return Moment(micros(decision["event_time"]), decision["event_id"], others[::-1], history)


def maker_of(log: MadeLog) -> ObservationMaker:
    """What the service has of the shop's items: all that was ever delivered, by item."""
    maker = ObservationMaker(log.pipeline)
    if (items := items_of(log)) is not None:
        items = sorted(items, key=lambda row: id_hash(row["item_id"]))
        maker.items = told_of(items, ids(items, "item_id"), "category_id")
    return maker


@settings(max_examples=400, deadline=None, derandomize=True)
@given(made_logs(random_pipelines(60, seed=5)))
def test_observations_are_those_of_the_transitions(log: MadeLog) -> None:
    """Every feature of every decision, asked in one batch: sessions, ties, clock changes, late deliveries."""
    expected = expected_transitions(log)
    by_id = {row["event_id"]: row for row in log.rows}
    moments = [moment_of(by_id[row["event_id"]], log) for row in expected]
    found = maker_of(log).observe(moments)
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
