"""What is known of every shopper at the start of a week, by the kernel: rows of the observations table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.kernel.calendar import Calendar, calendar_of, day_number
from conf.kernel.decisions import decisions
from conf.kernel.moment_points import moment_points
from conf.kernel.told import AttributeRule, Told, attribute_features
from conf.kernel.transitions import Rules, observations
from conf.kernel.window_features import NONE, Window, window_features
from conf.kernel_rules import rules_of
from conf.observation_features import id_hash
from conf.specs.budget import Eligibility, plain_word
from conf.specs.scenario import Pipeline
from conf.tables import observations_table
from jobs.events.event_columns import MONEY_COLUMNS, TRANSITION_COLUMNS, event_columns
from jobs.events.item_facts import ItemFacts
from jobs.events.observation_structs import observation_structs
from jobs.events.ordered_partitions import by_shopper
from jobs.events.told_rows import ATTRIBUTE, ToldRows, among_events, apart
from jobs.publishing.table_schema import struct_of

_ACTIVE = "days_since_visit"


def weekly_observations(
    events: DataFrame, told: ToldRows, pipeline: Pipeline, *, as_of: date, n_partitions: int = 0
) -> DataFrame:
    """Return what is known of each shopper with an event: the columns of the observations table, and as_of.

    Args:
        events: accepted events, each once, of the days that history looks back on, as delivered before the day.
        told: what side tables told before the day, of whoever opted out, too.
        pipeline: with eligibility, whose decisions are made by the week.
        as_of: the day on which the week starts.
        n_partitions: how many parts the shoppers are split into; 0 leaves that to Spark.
    """
    schema = struct_of(f"{observations_table(pipeline.scenario).ddl}, as_of date")
    columns = [*TRANSITION_COLUMNS, *(MONEY_COLUMNS if pipeline.scenario.needs_money else ())]
    if told.attributes is not None:
        events, columns = among_events(events, told.attributes), [*columns, ATTRIBUTE]
    job = week_job(pipeline, as_of, items=told.items, facts=told.facts)
    return by_shopper(events, columns, job, schema, n_partitions=n_partitions)


def consenting(events: DataFrame, consent: DataFrame, moment_us: int, *, takes_unlisted: bool = False) -> DataFrame:
    """Return the events of shoppers whose latest consent of those that hold at a moment is given.

    Args:
        events: of shoppers.
        consent: deliveries of the table before the moment's day.
        moment_us: UTC microseconds.
        takes_unlisted: whether a shopper consents whom no row names by then.
    """
    # Of rows that say both of one moment, the one that takes it back stands last.
    said = F.struct("valid_from", "delivery_date", (~F.col("is_given")).alias("is_taken_back"))
    held = consent.where(F.unix_micros("valid_from") <= moment_us)
    latest = held.groupBy("user_id").agg(F.max(said).alias("_said"))
    if takes_unlisted:
        return events.join(latest.where("_said.is_taken_back"), "user_id", how="left_anti")
    return events.join(latest.where(~F.col("_said.is_taken_back")), "user_id", how="left_semi")


@dataclass(frozen=True)
class WeekJob:
    """What is done with the events of a partition's shoppers; it travels to the workers.

    Attributes:
        rules: of the pipeline.
        calendar: of the business zone.
        moment_us: start of the week, UTC microseconds.
        as_of_day: its business day, days since the epoch.
        active: how far back a visit makes a shopper active.
        opted_out: attributes, and the plain words with which a shopper has opted out.
        items: categories of items, for events that name none; None where they have none then.
        facts: what decisions and money lack of their items; None where nothing is asked.
    """

    rules: Rules
    calendar: Calendar
    moment_us: int
    as_of_day: int
    active: Window
    opted_out: Mapping[str, AttributeRule] = field(default_factory=dict)
    items: Told | None = None
    facts: ItemFacts | None = None

    def __call__(self, events: pa.Table) -> pa.Table:
        """Return the columns of the observations table, and as_of.

        Args:
            events: TRANSITION_COLUMNS, and MONEY_COLUMNS where features are money, of whole shoppers, by shopper in the
                total order; and ATTRIBUTE with its rows, where attributes are asked for.
        """
        # Who opted out may have said so in other letters than the scenario does.
        said = apart(events, plain_word)[1] if self.opted_out else None
        events, attributes = apart(events)
        if self.facts is not None:
            events = self.facts.fill(events)
        columns = event_columns(events, items=self.items)
        stream = columns.stream
        decided, points = decisions(stream, self.rules.decision), moment_points(stream, self.moment_us, self.calendar)
        features = observations(stream, decided, points, self.rules, attributes=attributes)
        codes = attribute_features(said, points, self.opted_out)
        has_opted_out = np.zeros(len(points), dtype=np.bool_)
        for code in codes.values():
            has_opted_out |= code > 0
        since = window_features(
            stream, decided, {_ACTIVE: self.active}, points.unit, points.as_of_day, nothing=self.rules.nothing
        )[_ACTIVE]
        rows = pa.array(stream.starts[:-1])
        return pa.table(
            {
                "user_id": columns.table["user_id"].combine_chunks().take(rows),
                "observation": observation_structs(features, self.rules.lengths, np.arange(len(points))),
                "is_active": pa.array(since != NONE),
                "has_opted_out": pa.array(has_opted_out),
                "as_of": pa.array(np.full(len(points), self.as_of_day, dtype=np.int32)).cast(pa.date32()),
            }
        )


def week_job(pipeline: Pipeline, as_of: date, *, items: Told | None = None, facts: ItemFacts | None = None) -> WeekJob:
    """Return what `weekly_observations` does with a partition.

    Raises:
        ValueError: the scenario doesn't decide by the week, or doesn't say who may get an offer.
    """
    week, eligibility = pipeline.scenario.week, pipeline.scenario.eligibility
    if week is None or eligibility is None:
        raise ValueError(f"{pipeline.scenario.name} has no weeks, or doesn't say who is eligible")
    day = day_number(as_of)
    calendar = calendar_of(pipeline.source.zone, day - 1, day + 1)
    return WeekJob(
        rules=rules_of(pipeline),
        calendar=calendar,
        moment_us=int(calendar.at_hour(np.array([day], dtype=np.int64), week.hour)[0]),
        as_of_day=day,
        active=Window(_ACTIVE, eligibility.active_days),
        opted_out=_opt_out_rules(eligibility),
        items=items,
        facts=facts,
    )


def _opt_out_rules(eligibility: Eligibility) -> dict[str, AttributeRule]:
    return {
        attribute: AttributeRule(id_hash(attribute), tuple(id_hash(plain_word(value)) for value in values))
        for attribute, values in eligibility.opted_out.items()
    }
