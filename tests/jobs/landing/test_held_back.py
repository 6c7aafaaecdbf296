"""A file that can't be taken in holds back its own delivery alone, and its day isn't taken for one without visitors."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.errors import FAILS_AGAIN, exit_code
from conf.paths import Lake
from conf.publication import read_pointers
from jobs.errors import DeliveryError, UnlikelyDelivery, UnpublishedDelivery
from jobs.events.events_reading import DeliveredEvents
from jobs.landing.acceptance import accept
from jobs.landing.held_back import open_days, read_held_back
from jobs.landing.landing import refuse_date_at_once
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, day_lines, deliver, deliver_days

FIRST, SECOND, THIRD = DAYS


def _published(lake: Lake) -> list[str]:
    return sorted(read_pointers(lake.table("events")))


def _utf16(logs: Path) -> None:
    (logs / str(SECOND) / "events.jsonl").write_bytes("\n".join(day_lines(SECOND)).encode("utf-16"))


def _cut(logs: Path) -> None:
    (logs / str(SECOND) / "events.jsonl").unlink()
    (logs / str(SECOND) / "events.jsonl.gz").write_bytes(b"\x1f\x8b\x08 cut off")


def _empty(logs: Path) -> None:
    (logs / str(SECOND) / "events.jsonl").write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "why"), [(_utf16, "UTF-16"), (_cut, "not a whole gzip file"), (_empty, "empty delivery")]
)
def test_one_bad_file_holds_back_its_own_delivery(
    ingest_into: Ingest, spark: SparkSession, tmp_path: Path, spoil: object, why: str
) -> None:
    """The others are published; the command ends with an error, again without logs; builds refuse over the gap."""
    logs, home = deliver_days(tmp_path / "logs"), tmp_path / "home"
    lake = Lake(home / "lake", "canonical")
    assert callable(spoil)
    spoil(logs)
    for given in (logs, None, logs):
        with pytest.raises(UnlikelyDelivery, match=f"delivery_date={SECOND}: .*{why}") as raised:
            ingest_into(home, THIRD, given)
        assert exit_code(raised.value) == FAILS_AGAIN
        assert "make accept SOURCE=canonical" in str(raised.value)
        assert _published(lake) == [f"delivery_date={FIRST}", f"delivery_date={THIRD}"]
    with pytest.raises(UnpublishedDelivery, match=str(SECOND)):
        DeliveredEvents.read(lake, last_delivery_date=THIRD)
    assert list(DeliveredEvents.read(lake, last_delivery_date=FIRST).content_hashes) == [FIRST]
    assert ingest_into(home, FIRST)["left_out"] == []


def test_a_good_delivery_settles_it(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """As if it had never been wrong."""
    logs, home = deliver_days(tmp_path / "logs"), tmp_path / "home"
    lake = Lake(home / "lake", "canonical")
    expected = ingest_into(tmp_path / "other", THIRD, logs)["digests"]
    _utf16(logs)
    with pytest.raises(UnlikelyDelivery):
        ingest_into(home, THIRD, logs)
    deliver(logs, SECOND, day_lines(SECOND))
    assert ingest_into(home, THIRD, logs)["digests"] == expected
    assert read_held_back(lake) == {}


def test_a_person_may_leave_it_out(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """Whose word that is, and what was wrong, stands in every later night's result."""
    logs, home = deliver_days(tmp_path / "logs"), tmp_path / "home"
    lake = Lake(home / "lake", "canonical")
    _utf16(logs)
    with pytest.raises(UnlikelyDelivery):
        ingest_into(home, THIRD, logs)
    accept(lake, SECOND, "lost for good", who="ann")
    assert open_days(lake, THIRD) == []
    for given in (None, logs):
        (one,) = ingest_into(home, THIRD, given)["left_out"]
        assert (one["delivery"], one["reason"], one["who"]) == (str(SECOND), "lost for good", "ann")
        assert "UTF-16" in one["why"]
    assert DeliveredEvents.read(lake, last_delivery_date=THIRD).content_hashes.keys() == {FIRST, THIRD}


def test_the_horizons_own_delivery_may_be_the_bad_one(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """What is wrong is told, not that there is none."""
    logs, home = deliver_days(tmp_path / "logs", DAYS[:2]), tmp_path / "home"
    _utf16(logs)
    lake = Lake(home / "lake", "canonical")
    with pytest.raises(UnlikelyDelivery, match="UTF-16"):
        ingest_into(home, SECOND, logs)
    assert _published(lake) == [f"delivery_date={FIRST}"]
    refuse_date_at_once(lake, None, SECOND)
    with pytest.raises(DeliveryError, match=f"no delivery for {THIRD}"):
        refuse_date_at_once(lake, None, THIRD)


def test_where_no_file_is_right_nothing_is_noted(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """A first try with a wrong description leaves nothing behind that would have to be settled."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    deliver(logs, SECOND, day_lines(SECOND))
    _utf16(logs)
    with pytest.raises(DeliveryError, match="UTF-16"):
        ingest_into(home, SECOND, logs)
    assert read_held_back(Lake(home / "lake", "canonical")) == {}


def test_a_delivery_that_fails_alone_after_others_is_noted(
    ingest_into: Ingest, spark: SparkSession, tmp_path: Path
) -> None:
    """A night whose one new file is bad leaves a gap that the next night must not pass over."""
    first, home = deliver_days(tmp_path / "first", [FIRST]), tmp_path / "home"
    ingest_into(home, FIRST, first)
    second, third = tmp_path / "second", tmp_path / "third"
    deliver(second, SECOND, day_lines(SECOND))
    _utf16(second)
    with pytest.raises(DeliveryError, match="UTF-16"):
        ingest_into(home, SECOND, second)
    deliver(third, THIRD, day_lines(THIRD))
    with pytest.raises(UnlikelyDelivery, match=f"delivery_date={SECOND}"):
        ingest_into(home, THIRD, third)
    with pytest.raises(UnpublishedDelivery):
        DeliveredEvents.read(Lake(home / "lake", source().name), last_delivery_date=THIRD)
