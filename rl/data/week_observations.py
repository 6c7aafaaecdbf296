"""What is known of shoppers at the start of a week, as `observe` published it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.intact_files import refuse_damaged, repair_command
from conf.observed_inputs import differing_inputs, week_inputs
from conf.paths import Lake
from conf.publication import Pointer, read_pointer
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import observations_table
from rl.data.arrow_schema import arrow_schema
from rl.data.logged_episodes import BoolArray, IntArray
from rl.data.transition_columns import struct_columns
from rl.errors import DatasetError


@dataclass(frozen=True)
class WeekObservations:
    """Shoppers by id, ascending, each column `(n_shoppers,)`.

    Attributes:
        user_id: pseudonyms.
        observation: feature name -> `(n_shoppers,)`, or `(n_shoppers, length)` for lists, padded with 0 at the end.
        is_active: came within the days that the scenario asks for.
        has_opted_out: said that they want no offer.
        pointer: of the partition.
    """

    user_id: tuple[str, ...]
    observation: Mapping[str, IntArray]
    is_active: BoolArray
    has_opted_out: BoolArray
    pointer: Pointer

    def __len__(self) -> int:
        return len(self.user_id)


def read_week(pipeline: Pipeline, lake: Lake, as_of: date) -> WeekObservations:
    """Return the observations of the week that starts on the day.

    Raises:
        DatasetError: nothing was published for the day, or by another eligibility than the scenario's now, or from
            deliveries that were ingested again since; shoppers stand there twice, or files can't be read.
        DamagedFile: a file isn't what was published.
    """
    scenario = pipeline.scenario
    folder = lake.observations(scenario.name, data_spec_hash(pipeline))
    pointer = read_pointer(Lake.pointer(folder, f"as_of={as_of}"))
    command = f"`python -m jobs.main observe --source {lake.source} --scenario {scenario.name} --as-of {as_of}`"
    if pointer is None:
        raise DatasetError(f"{folder}: no observations as of {as_of}; publish them: {command}")
    # Who opted out stands in the rows, and the folder's name doesn't depend on it.
    if scenario.eligibility is None or scenario.eligibility.input_name not in pointer.manifest.inputs:
        raise DatasetError(
            f"{folder}: the observations as of {as_of} say who may get an offer by another eligibility than "
            f"{scenario.name} has now; observe again: {command}"
        )
    if changed := differing_inputs(pointer.manifest.inputs, week_inputs(lake, pipeline, as_of)):
        raise DatasetError(
            f"{folder}: {len(changed)} of what the observations as of {as_of} are made from changed since they were "
            f"published ({', '.join(changed[:3])}); observe again: {command}"
        )
    refuse_damaged(folder, pointer.sums, repair_command(lake.source))
    schema = arrow_schema(observations_table(scenario))
    try:
        parts = [pq.ParquetFile(folder / file).read(columns=schema.names).cast(schema) for file in pointer.files]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, KeyError) as error:
        raise DatasetError(f"{folder}: as_of={as_of} can't be read ({error}); observe again") from error
    table = pa.concat_tables([*parts, schema.empty_table()]).sort_by("user_id").combine_chunks()
    if pc.count_distinct(table["user_id"]).as_py() != table.num_rows:
        raise DatasetError(f"{folder}: as_of={as_of} holds shoppers twice; observe again")
    lengths = {feature.name: feature.length for feature in scenario.observation.features}
    return WeekObservations(
        user_id=tuple(table["user_id"].to_pylist()),
        observation=struct_columns(table["observation"], lengths),
        is_active=_flags(table["is_active"]),
        has_opted_out=_flags(table["has_opted_out"]),
        pointer=pointer,
    )


def _flags(column: pa.ChunkedArray) -> BoolArray:
    return np.asarray(column.to_numpy(), dtype=np.bool_)
