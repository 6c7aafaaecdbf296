"""Transitions of a date, and of whatever must be made with it, are published; or nothing is."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import structlog
from pyspark.sql import DataFrame, SparkSession

from conf.kernel_rules import partition_date
from conf.paths import Lake
from conf.publication import Manifest
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline, Scenario
from conf.specs.spec_hash import code_hash, data_spec_hash
from conf.tables import CONSENT, ITEMS, transitions_table
from jobs.errors import CheckError
from jobs.events.events_reading import (
    read_all_events,
    read_availability,
    read_deliveries,
    read_earliest,
    read_events,
)
from jobs.events.ordered_partitions import n_partitions_for
from jobs.events.products import by_product
from jobs.events.shopper_files import ShopperFiles, shopper_files
from jobs.events.told_rows import ToldRows, read_told
from jobs.publishing.publishing import (
    PartitionFacts,
    Provenance,
    StagedVersion,
    Target,
    checked,
    explaining_failures,
    publish,
)
from jobs.publishing.row_counts import RowCounts, n_equal, n_true, total
from jobs.publishing.row_pieces import join_pieces
from jobs.publishing.staging import staging_folder
from jobs.transitions.attribution import unattributable
from jobs.transitions.checks import CHECKS, count_mismatches, dates_for_times, lost_on_the_way
from jobs.transitions.consent import with_consent
from jobs.transitions.due_dates import DueDates, find_due_dates
from jobs.transitions.events_read import EventsRead, count_events, worth_by_day
from jobs.transitions.quarantine import DateDecisions, decisions_of, quarantined_totals, refuse_too_many, repeated_total
from jobs.transitions.reward_ledger import (
    ACTION_COST,
    EARNED,
    WITHOUT_MONEY,
    Counters,
    RewardTotals,
    residuals_of,
    reward_counters,
    reward_totals,
    reward_violations,
)
from jobs.transitions.row_checks import explain, row_inspector, row_rules
from jobs.transitions.tallies import costs, outcomes, without_money
from jobs.transitions.transitions import Made, make_transitions

LOG = structlog.get_logger()


@dataclass(frozen=True)
class _Order:
    """What is to be built: on which Spark, from which lake, for whom."""

    spark: SparkSession
    lake: Lake
    pipeline: Pipeline
    due: DueDates
    asked: date

    @property
    def target(self) -> Target:
        scenario = self.pipeline.scenario
        folder = self.lake.transitions(scenario.name, data_spec_hash(self.pipeline))
        return Target(transitions_table(scenario), folder, "date", sort_columns=("decision_time", "episode_id", "step"))

    def partition_of(self, day: date) -> date:
        """Return the transitions date that answers for a business day's events."""
        return partition_date(self.pipeline, day)

    @property
    def where(self) -> str:
        return f"transitions/{self.pipeline.scenario.name}"


def build(
    spark: SparkSession,
    settings: Settings,
    pipeline: Pipeline,
    horizon: date,
    *,
    again: Collection[date] | None = None,
) -> dict[str, Any]:
    """Build and publish the transitions of the date, of open dates before it, and of dates that aren't current.

    Args:
        spark: the session.
        settings: name lake and pseudonym key.
        pipeline: scenario and source.
        horizon: the date.
        again: None for a night. For a backfill, which makes what changed alone, dates to make although they are
            current; something must be due.

    Returns:
        what `docs/pipeline.md` says of `build.json`.

    Raises:
        DeliveryError: no events on the date.
        CheckError: something that must hold doesn't; lists everything, nothing was published.
        StaleInputs: another build has meanwhile published from more deliveries; run again.
    """
    started = time.monotonic()
    lake = Lake(settings.lake, pipeline.source.name)
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    order = _Order(spark, lake, pipeline, find_due_dates(lake, folder, pipeline, horizon, again=again), horizon)
    provenance = Provenance(
        spec_hash=data_spec_hash(pipeline),
        code_hash=code_hash(PROJECT_ROOT / "jobs", PROJECT_ROOT / "conf"),
        key_id=settings.pseudonym_key_id(),
        horizon=order.due.horizon,
    )
    LOG.info("transitions_started", scenario=pipeline.scenario.name, dates=len(order.due.dates), horizon=str(horizon))
    built = _build_dates(order, provenance)
    manifests = {day: pointer.manifest for day, pointer in order.due.kept.items()} | built
    result = _result(order, manifests) | {"seconds": {"build": round(time.monotonic() - started, 3)}}
    LOG.info("transitions_published", scenario=pipeline.scenario.name, n_transitions=result["n_transitions"])
    if result["quarantined"]["decisions"]:
        LOG.warning("decisions_set_aside", scenario=pipeline.scenario.name, **result["quarantined"])
    return result


def _build_dates(order: _Order, provenance: Provenance) -> dict[date, Manifest]:
    """Publish the due dates and return their manifests."""
    due, target = order.due, order.target
    sets = _read_sets(order)
    names = [str(day) for day in due.dates]
    with staging_folder(Lake.staging(target.folder)) as folder:
        made = _made(order, sets, folder)
        read = _count_events(order)
        decided = decisions_of(made.tallies, read, order.pipeline, due.dates, order.partition_of)
        refuse_too_many(decided, order.pipeline, order.where)
        with explaining_failures(target.table.name, target.folder):
            join_pieces(
                order.spark,
                made.pieces,
                partition_column=target.partition_column,
                sort_columns=target.sort_columns,
                folder=folder,
            )
        offered = sets.select("availability_id", "actions").toArrow() if sets is not None else None
        inspector = row_inspector(row_rules(order.pipeline, offered))
        version = checked(order.spark, target, folder, partitions=names, counted=_counted(), inspector=inspector)
        went = [*outcomes(made.tallies), *unattributable(read, order.pipeline)]
        counters = _counters(order, made, read, went, version)
        found = [
            *lost_on_the_way(made, read, order.where),
            *dates_for_times(made, order.pipeline, order.where, dates=due.dates),
        ]
        _check(order, version, found, decided, counters)
        counters = {day: found | decided[day].counters for day, found in counters.items()}
        notes = {"reward_unit": order.pipeline.scenario.reward.unit}
        facts = {str(day): PartitionFacts(due.inputs[day], counters[day], list(CHECKS), notes) for day in due.dates}
        (manifests,) = publish(order.lake.lock, [(version, facts)], provenance)
    return {date.fromisoformat(name): manifest for name, manifest in manifests.items()}


def _made(order: _Order, sets: DataFrame | None, folder: Path) -> Made:
    """Return what the kernel makes of the events, its rows in pieces below the staging folder."""
    due, configured = order.due, int(order.spark.conf.get("spark.sql.shuffle.partitions") or 0)
    told = read_told(
        order.spark, order.lake, order.pipeline, first_day=due.first_event_date, last_delivery_date=due.horizon
    )
    events = _events(order, told)
    with explaining_failures(order.target.table.name, order.target.folder):
        return make_transitions(
            events,
            sets,
            order.pipeline,
            folder / "_pieces",
            told=told,
            dates=due.dates,
            horizon=due.horizon,
            n_partitions=n_partitions_for(due.n_events, configured),
        )


def _span(due: DueDates) -> dict[str, date]:
    return {
        "first_event_date": due.first_event_date,
        "last_event_date": due.horizon,
        "last_delivery_date": due.horizon,
    }


def _events(order: _Order, told: ToldRows) -> DataFrame | ShopperFiles:
    """Return the events that the due dates need, each once: as rows where Spark has to join something to them.

    Decisions on products are nobody's, so that no consent is asked; files are by shopper, so that Spark moves the rows.
    """
    source, span = order.pipeline.source, _span(order.due)
    if order.pipeline.scenario.ordering is not None:
        return by_product(read_events(order.spark, order.lake, **span))
    if source.consent is not None:
        known = read_deliveries(order.spark, CONSENT, order.lake, order.due.horizon)
        return with_consent(read_events(order.spark, order.lake, **span), known, order.pipeline)
    files = None
    if told.attributes is None:
        files = shopper_files(order.spark, order.lake, n_buckets=source.user_buckets, **span)
    return files or read_events(order.spark, order.lake, **span)


def _read_sets(order: _Order) -> DataFrame | None:
    """Return the availability sets, where the source has any."""
    if order.pipeline.source.availability is None:
        return None
    return read_availability(order.spark, order.lake, last_delivery_date=order.due.horizon)


def _count_events(order: _Order) -> list[EventsRead]:
    """Return what Spark reads of the events that the kernel was given, and of those that count for no date."""
    scenario = order.pipeline.scenario
    needs_items = scenario.reward.item_costs
    items = read_earliest(order.spark, ITEMS, order.lake, order.due.horizon) if needs_items else None
    events = read_all_events(order.spark, order.lake, **_span(order.due))
    return count_events(events if scenario.ordering is None else by_product(events), scenario, items)


def _counted() -> RowCounts:
    """Return what is counted over the written rows, by the name of its counter."""
    return {
        "episodes": n_equal("step", 0),
        "terminals": n_true("terminal"),
        "timeouts": n_true("timeout"),
        "unsettled": n_true("reward_settled", expected=False),
        EARNED: total("reward"),
    }


def _counters(
    order: _Order,
    made: Made,
    read: Sequence[EventsRead],
    went: Sequence[tuple[date, str, date | None, int]],
    version: StagedVersion,
) -> dict[date, Counters]:
    """Return counters of each due date's manifest: counts over its rows, and where the day's reward went."""
    scenario, due = order.pipeline.scenario, order.due
    counts = {day: dict(version.partitions[str(day)].counts) for day in due.dates}
    ledger = reward_counters(
        due.dates,
        accepted=worth_by_day(one for one in read if one.event_date <= order.asked),
        repeated=worth_by_day(one for one in read if one.is_repeated and one.event_date <= order.asked),
        outcomes=[one for one in went if one[2] is not None or one[0] <= order.asked],
        earned={day: counts[day][EARNED] for day in due.dates},
        residuals=residuals_of(scenario),
        extra=_money_counters(made, scenario),
        partition_of=order.partition_of,
    )
    return {day: counts[day] | ledger[day] for day in due.dates}


def _money_counters(made: Made, scenario: Scenario) -> dict[str, Mapping[date, int]]:
    """Return what the ledger says beyond events and residuals: nothing where a scenario counts events alone."""
    found: dict[str, Mapping[date, int]] = {}
    if scenario.reward.action_cost is not None:
        found[ACTION_COST] = costs(made.tallies)
    if scenario.counts_money:
        found[WITHOUT_MONEY] = without_money(made.tallies)
    return found


def _check(
    order: _Order,
    version: StagedVersion,
    found: Sequence[str],
    decided: Mapping[date, DateDecisions],
    counters: Mapping[date, Counters],
) -> None:
    """Raise if anything was found of the events, or a check of the rows, their number or sums of reward fails.

    Raises:
        CheckError: lists every violation.
    """
    problems = [*found]
    problems += explain(order.where, {day: one.violations for day, one in version.partitions.items()})
    problems += count_mismatches(order.where, version, decided)
    kept = {day: pointer.manifest.counters for day, pointer in order.due.kept.items()}
    problems += [f"{order.where} {problem}" for problem in reward_violations(kept | dict(counters), order.asked)]
    if problems:
        raise CheckError("nothing was published:\n" + "\n".join(f"  {problem}" for problem in problems))


def _result(order: _Order, manifests: Mapping[date, Manifest]) -> dict[str, Any]:
    reward = reward_totals({day: manifest.counters for day, manifest in manifests.items()}, order.asked)
    return {
        "source": order.pipeline.source.name,
        "scenario": order.pipeline.scenario.name,
        "date": str(order.asked),
        "spec_hash": data_spec_hash(order.pipeline),
        "n_transitions": sum(manifest.n_rows for manifest in manifests.values()),
        "n_episodes": sum(manifest.counters["episodes"] for manifest in manifests.values()),
        "partitions": {str(day): manifests[day].content_hash for day in sorted(manifests)},
        "n_repeated_decisions": repeated_total(manifests.values()),
        "quarantined": quarantined_totals(manifests.values()),
        "reward": {"events": reward.events, "transitions": reward.transitions, "residuals": reward.residuals}
        | _money_totals(reward, order.pipeline.scenario),
        "built": [str(day) for day in order.due.dates],
    }


def _money_totals(reward: RewardTotals, scenario: Scenario) -> dict[str, int]:
    found = {"action_cost": reward.action_cost} if scenario.reward.action_cost is not None else {}
    return found | ({"events_without_money": reward.events_without_money} if scenario.counts_money else {})
