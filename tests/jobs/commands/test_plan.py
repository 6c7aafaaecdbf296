"""What a backfill would do, told before it does it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from jobs.commands.plan import lines_of, plan
from jobs.errors import DeliveryError
from jobs.landing.landing import land
from jobs.publishing.publishing import Provenance
from jobs.transitions.due_dates import why_due
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import DAYS, day_lines, deliver, deliver_days, line
from tests.jobs.transitions.test_due_dates import Shelf, day

FIRST, SECOND, THIRD = DAYS
KEY = "a key for tests only"


def planned(home: Path, first: date = FIRST, last: date = THIRD) -> dict[str, Any]:
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})
    return plan(settings, load_pipeline("recommendation", "canonical"), first, last)


def test_a_plan_names_what_ingest_then_does(spark: SparkSession, ingest_into: Ingest, tmp_path: Path) -> None:
    """Deliveries that were never taken in, and one that was corrected since; nothing where all is current."""
    home, logs = tmp_path / "home", deliver_days(tmp_path / "logs")
    ingest_into(home, SECOND, logs)
    found = planned(home)
    assert found["deliveries"] == {str(THIRD): "it was never ingested"}
    assert list(found["deliveries"]) == ingest_into(home, THIRD)["deliveries"]
    assert planned(home)["deliveries"] == {}
    deliver(logs, SECOND, [*day_lines(SECOND), line(SECOND, 30, event_id="new")])
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})
    pipeline = load_pipeline("recommendation", "canonical")
    provenance = Provenance("spec", "code", settings.pseudonym_key_id(), THIRD)
    lake = Lake(settings.lake, "canonical")
    land(spark, lake, pipeline.source, logs, key=settings.pseudonym_key(), provenance=provenance)
    found = planned(home)
    assert found["deliveries"] == {str(SECOND): "its files, or what they are read by, have changed since"}
    assert list(found["deliveries"]) == ingest_into(home, THIRD)["deliveries"]


def test_each_date_has_its_reason(tmp_path: Path) -> None:
    """Never built, made from a delivery that changed or came since, or still open; the dates are those of a build."""
    shelf = Shelf(tmp_path)
    for n in (0, 10, 20):
        shelf.deliver(n)

    def whys(n: int) -> dict[int, str]:
        found = why_due(shelf.lake, shelf.folder, shelf.pipeline, day(n))
        assert list(found) == shelf.due(n).dates
        return {(one - day(0)).days: why for one, why in found.items()}

    assert set(whys(20).values()) == {"it was never built under this spec"}
    shelf.build(20)
    assert whys(20) == {20: "it is still open: later days may add to it"}
    shelf.deliver(10, content="2-z")
    shelf.deliver(9)
    found = whys(20)
    assert found[10] == f"events of delivery {day(9)} came since; events of delivery {day(10)} changed"
    assert found[9] == "it was never built under this spec"
    shelf.build(20)
    shelf.deliver(30)
    assert whys(30) == {20: "days have passed since, and it was still open", 30: "it was never built under this spec"}


def test_a_plan_is_told_in_lines() -> None:
    """One for each delivery and date; those before the range say so."""
    empty: dict[str, Any] = {"deliveries": {}, "sessions": [], "dates": {}, "earlier_dates": {}, "still_open": []}
    nothing = {"from": "a", "to": "b", **empty}
    found = nothing | {"deliveries": {"d1": "new"}, "dates": {"d2": "old"}, "earlier_dates": {"d0": "x"}}
    assert lines_of(found) == ["ingest delivery d1: new", "build d2: old", "build d0, before the range: x"]
    (of_sessions,) = lines_of(nothing | {"sessions": ["d1"]})
    assert of_sessions == "sessions of d1: deliveries around it changed, or days have passed since"
    open_ones = "still open, and current: d3; a night makes them again, a backfill not"
    assert lines_of(nothing | {"still_open": ["d3"]}) == ["nothing is to be done from a to b", open_ones]


def test_a_range_that_can_not_be_planned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="first date is after its last; swap them"):
        planned(tmp_path, THIRD, FIRST)
    with pytest.raises(DeliveryError, match="nothing was landed up to 2026-01-07"):
        planned(tmp_path)
