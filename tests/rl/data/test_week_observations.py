"""Observations decide only while all that they were made from is as it was."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conf.intact_files import sums_of
from conf.observed_inputs import differing_inputs, week_inputs
from conf.paths import Lake
from conf.publication import Manifest, Pointer, swap_pointer
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import observations_table
from rl.data.arrow_schema import arrow_schema
from rl.data.week_observations import read_week
from rl.errors import DatasetError

AS_OF = date(2026, 2, 2)
SUNDAY = AS_OF - timedelta(days=1)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline("promotion", "simulated_promotion")


def a_manifest(table: str, partition: str, content_hash: str, inputs: dict[str, str]) -> Manifest:
    return Manifest(
        table=table,
        partition=partition,
        schema_version=1,
        n_rows=0,
        content_hash=content_hash,
        spec_hash="s",
        code_hash="c",
        key_id="k",
        horizon=SUNDAY,
        inputs=inputs,
    )


def deliver(lake: Lake, table: str, day: date, content_hash: str, *event_dates: date) -> None:
    """Publish a delivery of no rows: pointers are all that is asked for."""
    files = tuple(f"event_date={one}/delivery_date={day}/part.parquet" for one in event_dates)
    manifest = a_manifest(table, f"delivery_date={day}", content_hash, {"raw": content_hash})
    swap_pointer(Lake.pointer(lake.table(table), manifest.partition), Pointer(files=files, manifest=manifest))


def a_lake(root: Path, pipeline: Pipeline) -> Lake:
    """Deliveries of events, shoppers and consent, and observations of nobody, made from them."""
    lake = Lake(root, pipeline.source.name)
    deliver(lake, "events", SUNDAY, "1-events", SUNDAY)
    deliver(lake, "shoppers", SUNDAY, "1-told")
    deliver(lake, "consent", SUNDAY, "1-consent")
    folder = lake.observations("promotion", data_spec_hash(pipeline))
    file = f"v-1/as_of={AS_OF}/part.parquet"
    (folder / file).parent.mkdir(parents=True)
    pq.write_table(arrow_schema(observations_table(pipeline.scenario)).empty_table(), folder / file)
    manifest = a_manifest("observations", f"as_of={AS_OF}", "0-0", week_inputs(lake, pipeline, AS_OF))
    swap_pointer(
        Lake.pointer(folder, manifest.partition),
        Pointer(files=(file,), manifest=manifest, sums=sums_of(folder, [file])),
    )
    return lake


def test_what_nothing_changed_of_is_read(tmp_path: Path, pipeline: Pipeline) -> None:
    """Deliveries of the day itself and of days that history doesn't reach change nothing."""
    lake = a_lake(tmp_path, pipeline)
    long_ago = AS_OF - timedelta(days=pipeline.scenario.observation.history_days + 1)
    deliver(lake, "events", AS_OF, "1-later", AS_OF)
    deliver(lake, "shoppers", AS_OF, "1-later")
    deliver(lake, "events", long_ago, "1-earlier", long_ago)
    assert len(read_week(pipeline, lake, AS_OF)) == 0


@pytest.mark.parametrize("table", ["events", "shoppers", "consent"])
def test_a_delivery_ingested_again_since_is_refused(tmp_path: Path, pipeline: Pipeline, table: str) -> None:
    """Else who opted out, or took their consent back, by the delivery as it is now would get an offer."""
    lake = a_lake(tmp_path, pipeline)
    deliver(lake, table, SUNDAY, "2-again", SUNDAY)
    with pytest.raises(
        DatasetError,
        match=rf"1 of what .* changed since .* \({table}/delivery_date={SUNDAY}\); observe again: .*--as-of {AS_OF}",
    ):
        read_week(pipeline, lake, AS_OF)


@pytest.mark.parametrize("table", ["events", "shoppers", "consent"])
def test_a_delivery_that_came_since_is_refused(tmp_path: Path, pipeline: Pipeline, table: str) -> None:
    """One of an earlier day, that was ingested after the observations were published."""
    lake, saturday = a_lake(tmp_path, pipeline), SUNDAY - timedelta(days=1)
    deliver(lake, table, saturday, "1-late", saturday)
    with pytest.raises(DatasetError, match=rf"{table}/delivery_date={saturday}"):
        read_week(pipeline, lake, AS_OF)


def test_inputs_differ_where_they_came_went_or_changed() -> None:
    """Their names are told in order; equal ones aren't."""
    assert differing_inputs({"a": "1", "b": "1", "d": "1"}, {"a": "1", "b": "2", "c": "1"}) == ["b", "c", "d"]
