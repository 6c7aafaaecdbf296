"""Events of whole shoppers become transitions, by the kernel; beside them, what a ledger and the checks count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from conf.kernel.availability_in_force import AvailabilitySets
from conf.kernel.calendar import day_number
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel.told import Told
from conf.kernel.transitions import AsOf, Rules, transitions
from conf.kernel_rules import as_of, attribution_rule, longest_closing_days, rules_of
from conf.observation_features import id_hash
from conf.specs.orders import is_counted
from conf.specs.scenario import Pipeline
from conf.tables import transitions_table
from jobs.events.event_columns import HAS_CONSENT, MONEY_COLUMNS, SHOPPER, TRANSITION_COLUMNS, event_columns
from jobs.events.item_facts import ItemFacts
from jobs.events.ordered_partitions import by_shopper
from jobs.events.products import ToldProducts
from jobs.events.shopper_files import ShopperFiles
from jobs.events.told_rows import ATTRIBUTE, ToldRows, among_events, apart
from jobs.publishing.row_pieces import PIECE_DDL, Piece, arrow_schema, write_pieces
from jobs.publishing.table_schema import struct_of
from jobs.transitions.morning_rows import with_mornings
from jobs.transitions.tallies import TALLY_DDL, Tally, summed_tallies, tallies_of
from jobs.transitions.transition_rows import action_keys, transition_rows

SET_COLUMNS = ("availability_id", "valid_from", "delivery_date", "actions")
"""Columns of availability sets that transitions are made of."""


@dataclass(frozen=True)
class Made:
    """What the kernel makes of the events.

    Attributes:
        pieces: files with the transitions: the table's columns, by date.
        tallies: what was counted of the events, summed over shoppers: the columns of TALLY_DDL.
    """

    pieces: list[Piece]
    tallies: list[Tally]


def make_transitions(
    events: DataFrame | ShopperFiles,
    availability: DataFrame | None,
    pipeline: Pipeline,
    folder: Path,
    *,
    dates: Sequence[date],
    horizon: date,
    n_partitions: int = 0,
    told: ToldRows | None = None,
) -> Made:
    """Write the transitions of sessions that start on the dates; return where, and what was counted of all the events.

    A pure function of the events: no row depends on which other dates are made with it.

    Args:
        events: accepted events, each once, with event_date and delivery_date; as files only where nothing is told of
            shoppers.
        availability: sets with their delivery dates; None where the source has none.
        pipeline: what a session, a decision and a reward are.
        folder: where the pieces go, which Python's workers can write to.
        dates: business dates.
        horizon: up to which deliveries are known.
        n_partitions: how many parts the shoppers are split into; 0 leaves that to Spark.
        told: what side tables told of shoppers and items; None where nothing is asked of them.
    """
    told = told or ToldRows(None, None)
    beside: list[str] = []
    if isinstance(events, DataFrame):
        if told.attributes is not None:
            events = among_events(events, told.attributes)
        beside = [one for one in (HAS_CONSENT, ATTRIBUTE) if one in events.columns]
        beside += [] if is_counted(pipeline.scenario) else [SHOPPER]
    elif told.attributes is not None:
        raise ValueError("attributes of shoppers stand among rows of events, not among files")
    table_schema = arrow_schema(transitions_table(pipeline.scenario))
    sets = None if availability is None else _needed_sets(availability, pipeline).toArrow()
    job = transition_job(
        pipeline, sets, dates=dates, horizon=horizon, items=told.items, facts=told.facts, products=told.products
    )
    columns = [
        *TRANSITION_COLUMNS,
        *(MONEY_COLUMNS if pipeline.scenario.needs_money else ()),
        *beside,
    ]

    def write(partition: pa.Table) -> pa.Table:
        rows, tallies = job(partition)
        pieces = write_pieces(pa.Table.from_struct_array(rows), table_schema, "date", folder)
        return _said(pieces, tallies)

    schema = struct_of(f"piece struct<{PIECE_DDL}>, tally struct<{TALLY_DDL}>")
    said = by_shopper(events, columns, write, schema, n_partitions=n_partitions).toArrow()
    pieces = [Piece(one["value"], Path(one["path"])) for one in said["piece"].drop_null().to_pylist()]
    return Made(pieces, summed_tallies(said["tally"].drop_null().to_pylist()))


def _said(pieces: Sequence[Piece], tallies: pa.StructArray) -> pa.Table:
    """Return rows that name a piece each, and rows that hold a tally each."""
    named = pa.array([{"value": one.value, "path": str(one.path)} for one in pieces], _PIECE)
    return pa.table(
        {
            "piece": pa.concat_arrays([named, pa.nulls(len(tallies), _PIECE)]),
            "tally": pa.concat_arrays([pa.nulls(len(pieces), tallies.type), tallies]),
        }
    )


_PIECE = pa.struct([("value", pa.string()), ("path", pa.string())])


@dataclass(frozen=True)
class TransitionJob:
    """What is done with the events of a partition's shoppers; it travels to the workers.

    Attributes:
        rules: of the pipeline.
        known: what is asked for, and what is known.
        set_ids: ids of the known availability sets, ascending.
        names: of the table's columns, in order.
        passes_propensity: whether logged propensities are passed on; implied decisions have none.
        items: categories of items, for events that name none; None where they have none then.
        facts: what decisions and money lack of their items; None where nothing is asked.
        products: what was told of products, of decisions on them; None where nothing is asked.
    """

    rules: Rules
    known: AsOf
    set_ids: pa.Array
    names: tuple[str, ...]
    passes_propensity: bool
    items: Told | None = None
    facts: ItemFacts | None = None
    products: ToldProducts | None = None

    def __call__(self, events: pa.Table) -> tuple[pa.StructArray, pa.StructArray]:
        """Return the transitions, structs of the table's columns and `date`, and the tallies, structs of TALLY_DDL.

        Args:
            events: TRANSITION_COLUMNS, and MONEY_COLUMNS where the scenario counts money, of whole shoppers, by shopper
                in the total order; and ATTRIBUTE with its rows, where features are attributes.
        """
        events, attributes = apart(events)
        if self.facts is not None:
            events = self.facts.fill(events)
        clock = self.rules.clock
        if isinstance(clock, SkuDay) and not clock.is_counted:
            events = with_mornings(events, clock, self.known, look_back_days=self.rules.attribution.look_back_days)
        columns = event_columns(events, self.set_ids, self.items)
        told = None if self.products is None else self.products.of_units(events["user_id"])
        made = transitions(columns.stream, self.rules, self.known, attributes, told)
        rows = transition_rows(columns, made, self.rules, names=self.names, passes_propensity=self.passes_propensity)
        tallies = tallies_of(columns, made, self.rules, self.known, action_keys(columns, self.rules, made.decisions))
        return rows, tallies


def transition_job(
    pipeline: Pipeline,
    sets: pa.Table | None,
    *,
    dates: Sequence[date],
    horizon: date,
    items: Told | None = None,
    facts: ItemFacts | None = None,
    products: ToldProducts | None = None,
) -> TransitionJob:
    """Return what `make_transitions` does with a partition.

    Args:
        pipeline: what a session, a decision and a reward are.
        sets: SET_COLUMNS of availability sets; None where the source has none.
        dates: business dates.
        horizon: up to which deliveries are known.
        items: categories of items, for events that name none; None where they have none then.
        facts: what decisions and money lack of their items; None where nothing is asked.
        products: what was told of products, of decisions on them; None where nothing is asked.
    """
    table = transitions_table(pipeline.scenario)
    set_ids, known_sets = _sets(sets, pipeline)
    return TransitionJob(
        rules=rules_of(pipeline),
        known=as_of(
            pipeline.source,
            dates=dates,
            horizon=horizon,
            sets=known_sets,
            longest_days=longest_closing_days(pipeline),
            look_back_days=attribution_rule(pipeline.scenario).reach_days,
        ),
        set_ids=set_ids,
        names=tuple(table.column_names),
        passes_propensity=pipeline.is_logged,
        items=items,
        facts=facts,
        products=products,
    )


def _needed_sets(availability: DataFrame, pipeline: Pipeline) -> DataFrame:
    """Return SET_COLUMNS; the actions stand there once for each id, and only where decisions are held against them."""
    if pipeline.scenario.action.mask == "none":
        return availability.withColumn("actions", F.lit(None).cast("array<string>")).select(*SET_COLUMNS)
    same_id = Window.partitionBy("availability_id")
    once = F.row_number().over(same_id.orderBy(F.desc("actions"), "valid_from")) == 1
    return availability.withColumn("actions", F.when(once, F.col("actions"))).select(*SET_COLUMNS)


def _sets(table: pa.Table | None, pipeline: Pipeline) -> tuple[pa.Array, AvailabilitySets | None]:
    """Return the ids of the known sets, ascending, and the sets by their codes, which count from 1 in that order."""
    if table is None or not table.num_rows:
        return pa.array([], pa.string()), None
    named, days = table["availability_id"].to_pylist(), table["delivery_date"].to_pylist()
    ids = sorted(set(named))
    code = {name: number for number, name in enumerate(ids, start=1)}
    calendar = as_of(pipeline.source, dates=days, horizon=max(days)).calendar
    offers = table["actions"].combine_chunks()
    offered = offers.flatten().dictionary_encode()
    hashes = np.array([id_hash(action) for action in offered.dictionary.to_pylist()], dtype=np.int64)
    owners = np.array([code[name] for name in named], dtype=np.int64)
    return pa.array(ids, pa.string()), AvailabilitySets(
        code=owners,
        valid_from_us=np.asarray(table["valid_from"].cast(pa.int64()).to_numpy(), dtype=np.int64),
        delivered_us=calendar.start_of_day(np.array([day_number(day) for day in days], dtype=np.int64)),
        offering_code=owners[np.asarray(pc.list_parent_indices(offers), dtype=np.int64)],
        offered_action=hashes[np.asarray(offered.indices, dtype=np.int64)],
    )
