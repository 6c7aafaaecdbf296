"""Published events become running sessions, of days up to the last delivery's own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from conf.kernel.calendar import day_number
from conf.paths import Lake
from conf.specs.shopper_model import load_shopper_model
from conf.specs.source import load_source
from rl.shopper_models.session_reading import read_sessions
from tests.rl.shopper_models.events_lake import FIRST, event, write_events


def test_first_hours_of_the_next_day_are_not_known_yet(tmp_path: Path) -> None:
    """Files of whole sessions have them; the next day's own delivery makes the day known."""
    lake, model = Lake(tmp_path / "lake", "simulated_shop"), load_shopper_model("session-purchase")
    rows = [event("a", 3, "click"), event("a", 4, "click", delivered=3, event_id="past midnight")]
    write_events(lake, [*rows, event("b", 4, "click")], n_days=5)
    source, zero = load_source("simulated_shop"), day_number(FIRST)
    known = [read_sessions(source, lake, FIRST + timedelta(days=last), model) for last in (3, 4)]
    assert [one.stream.day.tolist() for one in known] == [[zero + 3], [zero + 3, zero + 4, zero + 4]]
    assert known[0].shoppers == ("a",)
