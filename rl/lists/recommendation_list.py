"""Tomorrow's recommendations as a published table, and as a CSV file whose lines are those of the decision log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date

import pyarrow as pa

from conf.paths import Lake
from conf.publication import Pointer
from conf.tables import RECOMMENDATIONS
from rl.data.table_publishing import list_manifest, publish_rows


@dataclass(frozen=True)
class RecommendationOrigin:
    """What a list is of, and what it was made from.

    Attributes:
        scenario: whose.
        as_of: day that it decides for.
        horizon: last date whose deliveries were known.
        spec_hash: of both specs.
        code_hash: of the code and its pins.
        key_id: of the pseudonyms' key.
        event_type: of a decision in the source's log.
        inputs: what it was made from, by name.
        counters: what was counted while it was decided.
    """

    scenario: str
    as_of: date
    horizon: date
    spec_hash: str
    code_hash: str
    key_id: str
    event_type: str
    inputs: Mapping[str, str]
    counters: Mapping[str, int]


def publish_recommendations(lake: Lake, rows: pa.Table, origin: RecommendationOrigin) -> tuple[Pointer, bool]:
    """Publish the list and write its CSV file; return the pointer, and whether anything changed.

    Raises:
        StaleInputs: what is published was made from more.
    """
    manifest = list_manifest(RECOMMENDATIONS, origin.as_of, rows, origin, counters=origin.counters, checks={})
    return publish_rows(
        lake,
        lake.recommendations(origin.scenario),
        rows,
        manifest,
        csv=lake.recommendations_csv(origin.scenario, origin.as_of),
        plain=log_lines(rows, origin.event_type),
    )


def log_lines(rows: pa.Table, event_type: str) -> pa.Table:
    """Return the rows as the decision log of a service has them: times in ISO 8601, propensities in full."""
    times = [
        one.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        for one in rows["decision_time"].to_pylist()
    ]
    return pa.table(
        {
            "event_id": rows["decision_id"],
            "event_time": pa.array(times, pa.string()),
            "event_type": pa.array([event_type] * rows.num_rows, pa.string()),
            "user_id": rows["user_id"],
            "item_id": rows["item_id"],
            "category_id": rows["category_id"],
            "decision_id": rows["decision_id"],
            "slate_id": rows["slate_id"],
            "position": rows["position"],
            "action": rows["action"],
            "propensity": pa.array([f"{one:f}" for one in rows["propensity"].to_pylist()], pa.string()),
            "policy_version": rows["policy_version"],
            "availability_id": rows["availability_id"],
            "group": rows["group"],
        }
    )
