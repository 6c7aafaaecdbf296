"""A delivery that brings another one's bytes is told, and stops where it brings nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.source import Source
from jobs.errors import UnlikelyDelivery, UnpublishedDelivery
from jobs.events.events_reading import DeliveredEvents
from jobs.landing.acceptance import accept
from jobs.landing.raw_deliveries import RawDelivery, RawFile
from jobs.landing.repeated_deliveries import repeated_files, unlikely_repetitions
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.feed_shop import shop
from tests.jobs.shop_logs import DAYS, day_lines, deliver, deliver_days, line

FIRST, SECOND, THIRD = DAYS


def _delivery(day: date, hashes: Mapping[str, str], n_lines: int = 9) -> RawDelivery:
    return RawDelivery(day, tuple(RawFile(day, "events", name, one, n_lines) for name, one in hashes.items()))


def _told(
    due: list[RawDelivery], earlier: list[RawDelivery], of: Source | None = None
) -> list[tuple[date, date, str, bool]]:
    landed = {one.delivery_date: one for one in [*earlier, *due]}
    found = repeated_files(due, landed, of or source())
    return [(one.delivery_date, one.other_date, one.feed, one.is_whole) for one in found]


def test_yesterdays_file_under_todays_name_is_told() -> None:
    """Both files, the delivery that has them, and that nothing else is there."""
    before, now = _delivery(FIRST, {"a": "1", "b": "2"}), _delivery(SECOND, {"c": "2", "d": "1"})
    assert _told([now], [before]) == [(SECOND, FIRST, "canonical", True)]
    (found,) = repeated_files([now], {FIRST: before, SECOND: now}, source())
    assert found.sentence == (
        f"delivery_date={SECOND} feed canonical: all of its 2 file(s) hold the same bytes as delivery {FIRST} "
        "(c = b; d = a)"
    )
    assert [one.delivery_date for one in unlikely_repetitions([found], source(), [])] == [SECOND]
    assert unlikely_repetitions([found], source(), [SECOND]) == []


def test_file_beside_new_ones_is_told_and_no_reason_to_stop() -> None:
    """Something of the day is there."""
    before, now = _delivery(FIRST, {"a": "1"}), _delivery(SECOND, {"a": "1", "b": "2"})
    assert _told([now], [before]) == [(SECOND, FIRST, "canonical", False)]
    assert unlikely_repetitions(repeated_files([now], {FIRST: before, SECOND: now}, source()), source(), []) == []


def test_of_two_that_are_due_the_later_repeats() -> None:
    """And one that takes the place of an earlier delivery is compared with those after it."""
    one, other = _delivery(FIRST, {"a": "1"}), _delivery(SECOND, {"a": "1"})
    assert _told([other, one], []) == [(SECOND, FIRST, "canonical", True)]
    assert _told([one], [other]) == [(FIRST, SECOND, "canonical", True)]


def test_files_without_lines_equal_files_of_one_delivery_and_other_feeds_repeat_nothing() -> None:
    """A night without visitors, a file delivered twice on one day, lists of views and of carts."""
    assert _told([_delivery(SECOND, {"a": "1"}, n_lines=0)], [_delivery(FIRST, {"a": "1"}, n_lines=0)]) == []
    assert _told([_delivery(SECOND, {"a": "1", "b": "1"})], [_delivery(FIRST, {"a": "2"})]) == []
    clicks, stock = _delivery(FIRST, {"x/clicks-1.jsonl": "1"}), _delivery(SECOND, {"x/stock.parquet": "1"})
    assert _told([stock], [clicks], shop()) == []


def test_good_deliveries_of_a_first_load_are_published_and_the_bad_one_stops(
    ingest_into: Ingest, tmp_path: Path
) -> None:
    """Three days, the second of them the first's again: nothing is built over the gap until somebody settles it."""
    logs, home = deliver_days(tmp_path / "logs", DAYS), tmp_path / "home"
    deliver(logs, SECOND, day_lines(FIRST))
    lake = Lake(home / "lake", "canonical")
    with pytest.raises(UnlikelyDelivery) as raised:
        ingest_into(home, THIRD, logs)
    message = str(raised.value)
    assert message.startswith(f"2 of 3 deliveries were published; nothing is built from {SECOND} on until")
    assert f"delivery_date={SECOND} feed canonical: all of its 1 file(s) hold the same bytes" in message
    assert "make accept SOURCE=canonical" in message
    for table in ("events", "events_rejected", "items", "availability"):
        assert list(read_pointers(lake.table(table))) == [f"delivery_date={day}" for day in (FIRST, THIRD)]
    assert read_pointers(lake.table("sessions")) == {}
    with pytest.raises(UnpublishedDelivery, match=f"1 delivery.* up to {THIRD} came .*published .{SECOND}"):
        DeliveredEvents.read(lake, last_delivery_date=THIRD)
    assert set(DeliveredEvents.read(lake, last_delivery_date=FIRST).content_hashes) == {FIRST}
    # The next night is stopped as well, and publishes its own.
    fourth = date(2026, 1, 8)
    deliver(logs, fourth, [line(fourth, 600)])
    with pytest.raises(UnlikelyDelivery, match=r"^1 of 2 deliveries were published"):
        ingest_into(home, fourth, logs)
    deliver(logs, SECOND, day_lines(SECOND))
    result = ingest_into(home, fourth, logs)
    assert result["deliveries"] == [str(SECOND)]
    whole = tmp_path / "whole"
    assert ingest_into(whole, fourth, logs)["digests"] == result["digests"]


def test_repetition_that_is_accepted_is_published_and_said(ingest_into: Ingest, tmp_path: Path) -> None:
    """Its events are the first day's: each stands once."""
    logs, home = deliver_days(tmp_path / "logs", [FIRST]), tmp_path / "home"
    deliver(logs, SECOND, day_lines(FIRST))
    with pytest.raises(UnlikelyDelivery, match=f"hold the same bytes as delivery {FIRST}"):
        ingest_into(home, SECOND, logs)
    accept(Lake(home / "lake", "canonical"), SECOND, "the shop was closed and sent the day before again")
    result = ingest_into(home, SECOND)
    assert [one for one in result["drift"] if "hold the same bytes" in one]
    assert result["deliveries"] == [str(SECOND)]
