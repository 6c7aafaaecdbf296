"""Scores of a day as a published table: Parquet behind a pointer with a manifest, and a CSV file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from conf.kernel.arrays import BoolArray, IntArray
from conf.paths import Lake
from conf.publication import Pointer
from conf.tables import SHOPPER_SCORES
from rl.data.arrow_schema import arrow_schema
from rl.data.table_publishing import list_manifest, publish_rows
from rl.shopper_models.daily_activity import MILLIONTHS
from rl.shopper_models.scores import ShopperScores


def scores_table(scores: ShopperScores, model_version: int) -> pa.Table:
    """Return the rows of the table `shopper_scores`, by shopper."""

    def known(values: IntArray, is_known: BoolArray) -> pa.Array:
        return pa.array(values, pa.int64(), mask=~is_known)

    return pa.table(
        {
            "user_id": pa.array(scores.user_id, pa.string()),
            "score": known(scores.score, scores.is_scored),
            "calibrated": known(scores.calibrated, scores.is_scored),
            "model_version": pa.array([model_version] * len(scores), pa.int32()),
        },
        schema=arrow_schema(SHOPPER_SCORES),
    )


@dataclass(frozen=True)
class ScoresOrigin:
    """What a day's scores are of, and what they were made from.

    Attributes:
        model: whose they are.
        as_of: the day before which everything known of shoppers lies.
        horizon: last date whose deliveries were read.
        spec_hash: of the model's spec.
        code_hash: of the code and its pins.
        key_id: of the pseudonyms' key.
        inputs: content hash of each delivery, and the model's version.
    """

    model: str
    as_of: date
    horizon: date
    spec_hash: str
    code_hash: str
    key_id: str
    inputs: Mapping[str, str]


def publish_scores(lake: Lake, table: pa.Table, origin: ScoresOrigin) -> tuple[Pointer, bool]:
    """Publish the day's scores and write their CSV; return the pointer, and whether anything changed.

    The same rows from the same inputs that lie there whole stay as they are.

    Raises:
        StaleInputs: what is published was made from more deliveries.
    """
    folder, csv = lake.shopper_scores(origin.model), lake.shopper_scores_csv(origin.model, origin.as_of)
    counters = {"n_scored": table.num_rows - table["score"].null_count}
    manifest = list_manifest(SHOPPER_SCORES, origin.as_of, table, origin, counters=counters, checks={})
    return publish_rows(lake, folder, table, manifest, csv=csv, plain=_plain_table(table, origin.as_of))


def _plain_table(table: pa.Table, as_of: date) -> pa.Table:
    """Return the scores as plain numbers: 0.25 for a probability, 12.5 of currency; empty where there is none."""
    scaled = {name: pa.array(_plain(table[name].to_pylist()), pa.string()) for name in ("score", "calibrated")}
    return pa.table(
        {
            "user_id": table["user_id"],
            **scaled,
            "as_of": pa.array([str(as_of)] * table.num_rows, pa.string()),
            "model_version": table["model_version"],
        }
    )


def _plain(values: list[int | None]) -> list[str | None]:
    """Return whole millionths as decimal numbers, exactly."""
    return [None if one is None else f"{one // MILLIONTHS}.{one % MILLIONTHS:06d}" for one in values]
