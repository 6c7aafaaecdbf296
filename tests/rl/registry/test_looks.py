"""What a look may spend, and what is said first where it isn't the first one at its date."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from structlog.testing import capture_logs

from rl.gate.alpha_spending import DAYS_PER_YEAR, Look, night_level
from rl.registry.looks import level_of_look

TONIGHT = date(2026, 3, 1)
PER_YEAR = 4.0


def test_one_more_look_at_a_date_is_warned_of_with_what_is_left_and_what_it_takes() -> None:
    first = Look(TONIGHT, night_level(PER_YEAR, TONIGHT).level, version=7)
    with capture_logs() as told:
        found = level_of_look(PER_YEAR, TONIGHT, [first])
    (warned,) = told
    assert warned["log_level"] == "warning"
    assert (warned["date"], warned["looked_at_by"]) == ("2026-03-01", ["version 7 (0.0088)"])
    assert warned["allowance_left"] == pytest.approx(0.2 * PER_YEAR / DAYS_PER_YEAR, abs=1e-6)
    assert warned["this_look_takes"] == pytest.approx(found.level, abs=1e-6)
    assert found == night_level(PER_YEAR, TONIGHT, [first])


@pytest.mark.parametrize("look", [Look(TONIGHT - timedelta(days=1), 0.002, 7), Look(TONIGHT, 0.0, 7)])
def test_another_date_and_a_look_that_spent_nothing_are_no_repeat(look: Look) -> None:
    with capture_logs() as told:
        level_of_look(PER_YEAR, TONIGHT, [look])
    assert told == []
