"""What the Spark jobs read out of a dirty log is what the simulated shop knows it did, value by value."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from conf.id_form import keyed_id
from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.spec_hash import data_spec_hash
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.simulated_episodes import SimulatedEpisodes, episodes_from_simulation
from rl.shops.recommendation.writer import DELIVERED_FILE
from tests.e2e.simulated_lake import LAST_DATE, PIPELINE, BuiltLake, settings_of, small_shop

Row = dict[str, Any]


@pytest.fixture(scope="module")
def night(small_lake: BuiltLake) -> dict[str, Any]:
    """One night on the small shop: results of both steps, transitions by decision, and what the shop knows."""
    home = small_lake.home
    folder = Lake(settings_of(home).lake, "simulated_shop").transitions("recommendation", data_spec_hash(PIPELINE))
    rows = [
        row
        for pointer in read_pointers(folder).values()
        for file in pointer.files
        for row in pq.ParquetFile(folder / file).read().to_pylist()
    ]
    delivered = json.loads((home / "shop" / DELIVERED_FILE).read_text(encoding="utf-8"))
    known = episodes_from_simulation(simulate(build_shop(small_shop())))
    return {
        "ingested": small_lake.ingested,
        "built": small_lake.built,
        "rows": rows,
        "delivered": delivered,
        "known": known,
        "ids": [keyed_id(one, settings_of(home).pseudonym_key()) for one in known.decision_id.tolist()],
    }


def test_ingest_counts_every_kind_of_dirt_the_shop_delivered(night: dict[str, Any]) -> None:
    """Accepted lines, and rejected lines by reason, are exactly those that were delivered."""
    ingested, delivered = night["ingested"], night["delivered"]
    assert ingested["n_lines"] == delivered["n_lines"]
    assert ingested["n_events"] == delivered["n_events"]
    assert ingested["rejected"] == {reason: n for reason, n in delivered["rejected"].items() if n}


def test_build_makes_one_transition_of_every_decision(night: dict[str, Any]) -> None:
    """No decision is lost or doubled; those whose line comes after the last delivery can't be there."""
    found = Counter(row["decision_id"] for row in night["rows"])
    known = set(night["ids"])
    assert max(found.values()) == 1
    assert set(found) <= known
    assert len(known - set(found)) <= night["delivered"]["n_after_last_delivery"]


def test_build_recovers_what_the_shop_knows_value_by_value(night: dict[str, Any]) -> None:
    """All features, reward, metrics, propensity, availability, step and end of every settled decision are the shop's.

    Decisions of the last two days are left out: their late lines and later purchases aren't delivered yet.
    """
    known: SimulatedEpisodes = night["known"]
    place = {decision: row for row, decision in enumerate(night["ids"])}
    lengths = np.diff(known.offsets)
    step = np.arange(len(known.item)) - np.repeat(known.offsets[:-1], lengths)
    settled = [row for row in night["rows"] if row["decision_time"].date() < LAST_DATE - timedelta(days=1)]
    assert len(settled) > 500
    wrong = Counter(name for row in settled for name in differing(row, known, place[row["decision_id"]], step))
    assert wrong == Counter()


def test_build_gives_the_reward_of_every_event_to_a_decision_or_a_named_residual(night: dict[str, Any]) -> None:
    """In integer units, nothing is left over; the duplicates across deliveries are named."""
    reward = night["built"]["reward"]
    assert reward["events"] == reward["transitions"] + sum(reward["residuals"].values())
    assert reward["residuals"]["duplicate_across_deliveries"] > 0
    assert reward["transitions"] == sum(row["reward"] for row in night["rows"])


def differing(row: Row, known: SimulatedEpisodes, at: int, step: Any) -> list[str]:
    """Names of the row's columns that differ from what the shop knows."""
    expected: Row = {
        "reward": round(known.reward[at] * 1_000_000),
        "action_key": known.action_key[at],
        "availability_id": known.availability_id[at],
        "step": step[at],
        "terminal": known.terminal[at],
    }
    wrong = [name for name, value in expected.items() if row[name] != value]
    wrong += [name for name, value in row["observation"].items() if not is_same(value, known.observation[name][at])]
    wrong += [name for name, value in row["metrics"].items() if value != known.metrics[name][at]]
    return wrong + (["propensity"] if abs(float(row["propensity"]) - known.propensity[at]) > 1e-15 else [])


def is_same(value: Any, known: Any) -> bool:
    """Lists are padded with 0 in the shop's columns, and short in the table."""
    return value == known[known != 0].tolist() if isinstance(value, list) else value == known
