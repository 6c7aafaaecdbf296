"""What is odd about earlier deliveries is said by every later night, and beside the error over another delivery."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import DeliveryError, UnlikelyDelivery
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import DAYS, day_lines, deliver, deliver_days, line

MISSED, AFTER, LATER, LAST = (DAYS[2] + timedelta(days=n) for n in (1, 2, 3, 4))
GAP = f"delivery_date={AFTER}: no delivery came for {MISSED}, which counts as without visitors until it does"


def test_a_missing_day_is_said_until_it_comes(ingest_into: Ingest, tmp_path: Path) -> None:
    """By the night that meets it, by later ones, by one that fails; once it came, by none."""
    logs, home = deliver_days(tmp_path / "logs", [*DAYS, AFTER]), tmp_path / "home"
    deliver(logs, LATER, day_lines(LATER))
    for horizon, given in ((AFTER, logs), (AFTER, None), (LATER, None)):
        result = ingest_into(home, horizon, given)
        assert (result["missing_days"], result["drift"][-1]) == ([str(MISSED)], GAP)
    assert ingest_into(home, DAYS[2])["missing_days"] == []
    deliver(logs, LAST, ["{"] * 40)
    deliver(logs, LAST, ["x"], "clicks.json")
    with pytest.raises(UnlikelyDelivery, match="40 of 40 lines are rejected") as raised:
        ingest_into(home, LAST, logs)
    assert str(raised.value).splitlines()[-2:] == [
        f"not read, since no pattern of the source matches: {LAST}/clicks.json",
        GAP,
    ]
    deliver(logs, MISSED, day_lines(MISSED))
    with pytest.raises(UnlikelyDelivery) as raised:
        ingest_into(home, LAST, logs)
    assert "no delivery came" not in str(raised.value)
    result = ingest_into(home, LATER)
    assert result["missing_days"] == []
    assert not [one for one in result["drift"] if "no delivery came" in one]


def test_what_differs_is_said_by_later_nights_the_latest_first(ingest_into: Ingest, tmp_path: Path) -> None:
    """What an earlier night's delivery brought anew stands behind that of tonight's."""
    days, home, logs = [DAYS[0] + timedelta(days=n) for n in range(6)], tmp_path / "home", tmp_path / "logs"
    anew: list[dict[str, Any]] = [{}, {}, {}, {"price": "5.00"}, {"price": "5.00"}, {"price": "5.00", "quantity": 2}]
    for day, fields in zip(days, anew, strict=True):
        deliver(logs, day, [line(day, n, event_id=f"{day}-{n}", user_id=f"u{n % 9}", **fields) for n in range(120)])
    (first,) = ingest_into(home, days[3], logs)["drift"]
    assert first.startswith(f"delivery_date={days[3]} feed canonical: price in 100%")
    assert ingest_into(home, days[4])["drift"] == [first]
    latest, earlier = ingest_into(home, days[5])["drift"]
    assert latest.startswith(f"delivery_date={days[5]} feed canonical: quantity in 100%")
    assert earlier == first


def test_a_date_without_a_delivery_is_explained_by_files_that_no_pattern_matches(
    ingest_into: Ingest, tmp_path: Path
) -> None:
    logs = deliver_days(tmp_path / "logs")
    deliver(logs, AFTER, ["x"], "clicks.json")
    with pytest.raises(DeliveryError, match=f"no delivery for {AFTER}") as raised:
        ingest_into(tmp_path / "home", AFTER, logs)
    assert f"no pattern of the source matches: {AFTER}/clicks.json" in str(raised.value)
