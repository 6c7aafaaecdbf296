"""Every unit of reward is somewhere, and sums of sealed dates go on adding up."""

from __future__ import annotations

from datetime import date, timedelta

from conf.tables import REWARD_RESIDUALS
from jobs.transitions.reward_ledger import reward_counters, reward_totals, reward_violations

MONDAY = date(2026, 1, 12)
TUESDAY = MONDAY + timedelta(days=1)

# Monday: 10 attributed on the day; 3 repeated; 2 without decision. Tuesday: 5 for Monday's decision, 7 for its own.
OUTCOMES = [
    (MONDAY, "attributed", MONDAY, 10),
    (MONDAY, "no_earlier_decision", None, 2),
    (TUESDAY, "attributed", MONDAY, 5),
    (TUESDAY, "attributed", TUESDAY, 7),
    (TUESDAY, "unknown_decision", None, -1),
]
ACCEPTED = {MONDAY: 15, TUESDAY: 11}


def ledger(earned_on_monday: int = 15) -> dict[date, dict[str, int]]:
    return reward_counters(
        [MONDAY, TUESDAY],
        accepted=ACCEPTED,
        repeated={MONDAY: 3},
        outcomes=OUTCOMES,
        earned={MONDAY: earned_on_monday, TUESDAY: 7},
    )


def test_counters_say_where_a_days_reward_went() -> None:
    """Events and residuals by the event's day, earned by the transition's date."""
    monday = ledger()[MONDAY]
    assert monday["reward.events"] == 15
    assert monday["reward.residual.duplicate_across_deliveries"] == 3
    assert monday["reward.residual.no_earlier_decision"] == 2
    assert monday["reward.attributed"] == 15
    assert monday[f"reward.attributed_on.{TUESDAY}"] == 5


def test_days_without_reward_have_all_counters_at_0() -> None:
    """So that sums over manifests never miss a name."""
    empty = reward_counters([MONDAY], accepted={}, repeated={}, outcomes=[], earned={})[MONDAY]
    assert set(empty) == {
        "reward.events",
        "reward.attributed",
        *(f"reward.residual.{name}" for name in REWARD_RESIDUALS),
    }
    assert set(empty.values()) == {0}


def test_totals_add_up() -> None:
    """26 in events, 22 in transitions, 4 in residuals; a refund weighs negative."""
    totals = reward_totals(ledger(), TUESDAY)
    assert (totals.events, totals.transitions, sum(totals.residuals.values())) == (26, 22, 4)
    assert reward_violations(ledger(), TUESDAY) == []


def test_reward_of_later_events_is_left_out_of_an_earlier_days_totals() -> None:
    """Monday's rows, built on Tuesday's horizon, hold 5 that Monday's events don't."""
    monday = {MONDAY: ledger()[MONDAY]}
    assert (reward_totals(monday, MONDAY).events, reward_totals(monday, MONDAY).transitions) == (15, 10)
    assert reward_violations(monday, MONDAY) == []


def test_rows_that_earned_other_than_attributed_are_named() -> None:
    """A point too much on Monday: the date's rows don't fit, nor does the sum."""
    first, second = reward_violations(ledger(earned_on_monday=16), TUESDAY)
    assert (
        first == "date=2026-01-12: rows earned 16 millionths; expected 15, what the events attributed to them are worth"
    )
    assert "expected 26 together" in second


def test_reward_that_went_nowhere_is_named() -> None:
    """An event counted on one side alone."""
    lost = reward_counters([MONDAY], accepted={MONDAY: 11}, repeated={}, outcomes=OUTCOMES[:1], earned={MONDAY: 10})
    assert reward_violations(lost, MONDAY) == [
        "all dates up to 2026-01-12: transitions earned 10 millionths and residuals hold 0; expected 11 together, "
        "what the events are worth"
    ]


def test_reward_of_decisions_set_aside_is_a_residual_of_their_date() -> None:
    """A later event's worth counts once that event's day does; manifests that know no such residual hold none."""
    found = reward_counters(
        [MONDAY],
        accepted={MONDAY: 10},
        repeated={},
        outcomes=[
            (MONDAY, "attributed", MONDAY, 6),
            (MONDAY, "quarantined", MONDAY, 4),
            (TUESDAY, "quarantined", MONDAY, 5),
            (TUESDAY, "quarantined", TUESDAY, 7),
        ],
        earned={MONDAY: 6},
    )
    assert reward_totals(found, MONDAY).residuals["quarantined"] == 4
    assert reward_totals(found, TUESDAY).residuals["quarantined"] == 9
    assert reward_violations(found, MONDAY) == []
    del found[MONDAY]["reward.residual.quarantined"], found[MONDAY][f"reward.quarantined_on.{MONDAY}"]
    del found[MONDAY][f"reward.quarantined_on.{TUESDAY}"]
    assert reward_totals(found, MONDAY).residuals["quarantined"] == 0
