"""A backfill makes what its plan names, after any interruption, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake, Run, services_record
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from jobs.commands.backfill import BackfillRange, Versions, backfill, summary_lines, versions
from jobs.commands.plan import plan
from jobs.errors import DeliveryError
from jobs.landing.landing import land
from jobs.main import main
from jobs.publishing.publishing import Provenance
from tests.jobs.shop_logs import DAYS, day_lines, deliver, deliver_days, line

FIRST, SECOND, THIRD = DAYS
PIPELINE = load_pipeline("recommendation", "canonical")


def decided_lines(day: date) -> list[str]:
    """A day's events whose decisions are among the actions of the set that is delivered with them."""
    rows = [json.loads(one) for one in day_lines(day)]
    for n, row in enumerate(row for row in rows if row["event_type"] == "impression"):
        row |= {"item_id": f"i{n % 3}", "action": f"i{n % 3}", "availability_id": "a1"}
    return [json.dumps(row) for row in rows]


class Shop:
    """A home with three landed days, none of them ingested."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.n_started = spark, 0
        environment = {"NIGHTCART_HOME": str(folder / "home"), "NIGHTCART_PSEUDONYM_KEY": "a key for tests only"}
        self.settings = Settings.from_environment(environment)
        self.lake, self.logs = Lake(self.settings.lake, "canonical"), deliver_days(folder / "logs")
        for day in DAYS:
            deliver(self.logs, day, decided_lines(day))
        self.land()

    def land(self) -> None:
        provenance = Provenance("spec", "code", self.settings.pseudonym_key_id(), THIRD)
        key = self.settings.pseudonym_key()
        land(self.spark, self.lake, PIPELINE.source, self.logs, key=key, provenance=provenance)

    def fill(self, first: date = FIRST, last: date = THIRD, **more: bool) -> dict[str, Any]:
        return self._fill(self.start, BackfillRange(first, last, **more))

    def fill_and_stop(self, n_steps: int) -> None:
        """A person stops it when it is about to take step `n_steps`."""
        n_before = self.n_started

        def start() -> SparkSession:
            if self.n_started - n_before == n_steps:
                raise KeyboardInterrupt
            return self.start()

        with pytest.raises(KeyboardInterrupt):
            self._fill(start, BackfillRange(FIRST, THIRD))

    def start(self) -> SparkSession:
        self.n_started += 1
        return self.spark

    def versions(self) -> Versions:
        return versions(self.lake, PIPELINE)

    def _fill(self, start: Callable[[], SparkSession], asked: BackfillRange) -> dict[str, Any]:
        return backfill(start, self.settings, PIPELINE, asked, code_hash="code")


@dataclass(frozen=True)
class Lived:
    """What a shop went through, one step after the other.

    Attributes:
        stopped: what was published when the first backfill was stopped between ingest and build.
        repeated: the same backfill again.
        idle: and again.
        n_started_idle: how often that one asked for Spark.
        forced: all of the range anew.
        planned: the plan after the second day was corrected.
        first_alone: a backfill up to the second day.
        corrected: a backfill of all days after it.
        for_training: another one, whose results a training needs; those of before were removed.
        made: versions after the steps `repeated`, `forced`, `corrected` and `for_training`.
        home: where all of that is.
    """

    stopped: Versions
    repeated: dict[str, Any]
    idle: dict[str, Any]
    n_started_idle: int
    forced: dict[str, Any]
    planned: dict[str, Any]
    first_alone: dict[str, Any]
    corrected: dict[str, Any]
    for_training: dict[str, Any]
    made: tuple[Versions, Versions, Versions, Versions]
    home: Path


@pytest.fixture(scope="module")
def lived(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """One home's steps, since each of them takes Spark seconds."""
    shop = Shop(spark, tmp_path_factory.mktemp("backfill"))
    shop.fill_and_stop(1)
    stopped, repeated = shop.versions(), shop.fill()
    made, n_before = shop.versions(), shop.n_started
    idle, n_started_idle = shop.fill(), shop.n_started - n_before
    forced = shop.fill(is_forced=True)
    made_again = shop.versions()
    deliver(shop.logs, SECOND, [*decided_lines(SECOND), line(SECOND, 30, event_id="new")])
    shop.land()
    planned = plan(shop.settings, PIPELINE, FIRST, THIRD)
    first_alone, corrected = shop.fill(FIRST, SECOND), shop.fill()
    run = Run(shop.settings.home, "canonical", "recommendation", THIRD)
    run.ingest_result.unlink()
    run.build_result.unlink()
    before_training = shop.versions()
    for_training = shop.fill(is_for_training=True)
    return Lived(
        stopped,
        repeated,
        idle,
        n_started_idle,
        forced,
        planned,
        first_alone,
        corrected,
        for_training,
        (made, made_again, before_training, shop.versions()),
        shop.settings.home,
    )


def test_stopped_between_ingest_and_build_and_repeated_it_does_the_rest(lived: Lived) -> None:
    """What was published stays; the same command goes on from there."""
    assert {table for table, _ in lived.stopped} == {"events", "events_rejected", "items", "availability", "sessions"}
    assert (lived.repeated["ingested"], lived.repeated["built"]) == ([], [str(day) for day in DAYS])
    assert {row["table"] for row in lived.repeated["versions"] if row["state"] == "new"} == {"transitions"}
    assert lived.made[0].items() > lived.stopped.items()


def test_a_repeat_does_nothing_and_starts_no_spark(lived: Lived) -> None:
    """And says so."""
    assert lived.n_started_idle == 0
    found = [lived.idle[name] for name in ("ingested", "built", "n_new", "n_changed")]
    assert found == [[], [], 0, 0]
    first = summary_lines(lived.idle)[0]
    assert first.startswith("nothing to do: recommendation on canonical, 2026-01-05 to 2026-01-07: all ")


def test_force_makes_all_of_the_range_anew_and_leaves_it_as_it_was(lived: Lived) -> None:
    """What was made after an interruption is what is made in one go: the hashes tell."""
    assert lived.forced["ingested"] == lived.forced["built"] == [str(day) for day in DAYS]
    assert lived.made[0] == lived.made[1]
    assert (lived.forced["n_new"], lived.forced["n_changed"]) == (0, 0)
    assert lived.forced["n_same"] == len(lived.forced["versions"])
    assert f"{lived.forced['n_same']} the same" in summary_lines(lived.forced)[-1]


def test_a_correction_rebuilds_what_the_plan_said(lived: Lived) -> None:
    """One delivery, and the dates that were made from it; the days beside it keep their events."""
    assert lived.first_alone["ingested"] == list(lived.planned["deliveries"]) == [str(SECOND)]
    # The first day is still open: what is attributed to it may lie in the second.
    assert lived.first_alone["built"] == [str(FIRST), str(SECOND)]
    assert lived.corrected["built"] == [str(THIRD)]
    assert list(lived.planned["dates"]) == [str(day) for day in DAYS]
    rows = {(row["table"], row["date"]): row for row in lived.first_alone["versions"]}
    assert {row[1] for row, told in rows.items() if row[0] == "events" and told["state"] == "changed"} == {str(SECOND)}
    events = rows["events", str(SECOND)]
    assert events["after"]["rows"] == events["before"]["rows"] + 1


def test_dates_after_the_range_that_a_correction_reaches_are_named(lived: Lived) -> None:
    """They are left as they are; a backfill of them makes them."""
    assert list(lived.first_alone["later_dates"]) == [str(THIRD)]
    assert summary_lines(lived.first_alone)[-1].startswith("after the range 1 dates are due, up to 2026-01-07")
    assert lived.corrected["ingested"] == []
    assert lived.corrected["later_dates"] == {}


def test_the_command_says_so_and_how_the_services_do_it(
    lived: Lived, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines for people, then one line of JSON; the night's folder keeps the result."""
    monkeypatch.setenv("NIGHTCART_HOME", str(lived.home))
    monkeypatch.setenv("NIGHTCART_PSEUDONYM_KEY", "a key for tests only")
    services = services_record(lived.home)
    services.parent.mkdir(exist_ok=True)
    services.write_text(json.dumps({"services": [{"name": "scheduler", "pid": os.getpid()}]}))
    where = ["--source=canonical", "--scenario=recommendation", f"--from={FIRST}", f"--to={THIRD}"]
    assert main(["backfill", *where]) == 0
    told, beside, result = capsys.readouterr().out.splitlines()
    assert told.startswith("nothing to do: ")
    assert "--dag-id ingest_events --from-date 2026-01-05 --to-date 2026-01-08" in beside
    kept = Run(lived.home, "canonical", "recommendation", THIRD).backfill_result
    assert json.loads(result) == json.loads(kept.read_text())


def test_for_a_training_the_last_date_runs_as_on_a_night(lived: Lived) -> None:
    """Though nothing changed: a training reads what ingest and build leave in its night's folder."""
    assert (lived.for_training["ingested"], lived.for_training["built"]) == ([], [str(day) for day in DAYS])
    assert lived.made[2] == lived.made[3]
    run = Run(lived.home, "canonical", "recommendation", THIRD)
    assert json.loads(run.ingest_result.read_text())["n_events"] == 88
    assert json.loads(run.build_result.read_text())["n_transitions"] == 45


def test_a_range_without_deliveries_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path)
    with pytest.raises(DeliveryError, match="nothing was landed up to 2025-01-01"):
        shop.fill(date(2025, 1, 1), date(2025, 1, 1))
    with pytest.raises(DeliveryError, match="swap them"):
        shop.fill(THIRD, FIRST)
    assert shop.n_started == 0
