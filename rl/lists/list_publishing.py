"""A list as a published table of decisions, and as the CSV file that a campaign tool reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from conf.observation_features import NOTHING_OFFERED
from conf.paths import Lake
from conf.publication import Pointer
from conf.tables import DECISIONS
from rl.data.table_publishing import list_manifest, publish_rows, write_csv
from rl.policy.offer_prices import MILLIONTHS


@dataclass(frozen=True)
class ListPrices:
    """What a unit of committed money had to bring beyond its cost before an offer went out, in the reward's unit.

    Attributes:
        own: at which the list keeps its week's budget.
        registered: at which the version was judged, fixed on earlier weeks; None where it isn't known.
    """

    own: float
    registered: float | None

    def columns(self, n_rows: int) -> dict[str, list[str]]:
        """Return both as columns of a CSV file, the same in each row; empty where one isn't known."""
        told = {"price_of_money": self.own, "registered_price_of_money": self.registered}
        return {name: ["" if one is None else f"{one:.6f}"] * n_rows for name, one in told.items()}

    def counters(self) -> dict[str, int]:
        """Return what is known of them in millionths, for a manifest."""
        told = {"price_of_money": self.own, "registered_price_of_money": self.registered}
        return {name: round(one * MILLIONTHS) for name, one in told.items() if one is not None}


@dataclass(frozen=True)
class ListOrigin:
    """What a list is of, and what it was made from.

    Attributes:
        scenario: whose.
        as_of: day on which its week starts.
        horizon: last date whose deliveries were known.
        spec_hash: of both specs.
        code_hash: of the code and its pins.
        key_id: of the pseudonyms' key.
        weekly_budget: in millionths.
        inputs: content hash of the observations, the policy's version, and what offers commit.
        prices: of money that the list was decided at.
    """

    scenario: str
    as_of: date
    horizon: date
    spec_hash: str
    code_hash: str
    key_id: str
    weekly_budget: int
    inputs: Mapping[str, str]
    prices: ListPrices


def publish_list(lake: Lake, rows: pa.Table, origin: ListOrigin) -> tuple[Pointer, bool]:
    """Publish the list and write its CSV file; return the pointer, and whether anything changed.

    Raises:
        StaleInputs: what is published was made from more.
    """
    counters = {
        "n_offers": pc.sum(pc.not_equal(rows["action"], NOTHING_OFFERED)).as_py() or 0,
        "committed": pc.sum(rows["committed"]).as_py() or 0,
        "weekly_budget": origin.weekly_budget,
        **origin.prices.counters(),
    }
    manifest = list_manifest(DECISIONS, origin.as_of, rows, origin, counters=counters, checks={"within_budget": True})
    return publish_rows(
        lake,
        lake.decisions(origin.scenario),
        rows,
        manifest,
        csv=lake.decisions_csv(origin.scenario, origin.as_of),
        plain=_plain(rows, origin.prices),
    )


def write_draft_csv(path: Path, rows: pa.Table, prices: ListPrices, *, verdict: str) -> None:
    """Write a list that nobody approved as the CSV file beside its table would be, without publishing it.

    Where the gate didn't pass the version, each row says so in a column of its own, `gate`: whoever feeds the file to
    a campaign tool meets it.
    """
    plain = _plain(rows, prices)
    if verdict != "promote":
        plain = plain.append_column("gate", pa.array([verdict] * plain.num_rows, pa.string()))
    write_csv(path, plain)


def _plain(rows: pa.Table, prices: ListPrices) -> pa.Table:
    """Return the rows as text: times in ISO 8601, propensities in full, money in currency, an empty set as nothing.

    The prices of money stand in each row, since the file has no other place that a campaign tool reads over.
    """
    return pa.table(
        {
            "decision_id": rows["decision_id"],
            "decision_time": [one.isoformat() for one in rows["decision_time"].to_pylist()],
            "user_id": rows["user_id"],
            "action": rows["action"],
            "propensity": [f"{one:f}" for one in rows["propensity"].to_pylist()],
            "policy_version": rows["policy_version"],
            "availability_id": rows["availability_id"],
            "committed": [f"{one // MILLIONTHS}.{one % MILLIONTHS:06d}" for one in rows["committed"].to_pylist()],
            **prices.columns(rows.num_rows),
        }
    )
