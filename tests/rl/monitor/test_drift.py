"""Changes of what is served are noticed; a weekly rhythm and moods of days are none."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from rl.monitor.drift import Series, ServedDay, watch

FIRST = date(2026, 1, 5)


def days(n: int, seed: int, *, since: int | None = None, shift: float = 0.0, new_item: float = 0.0, wide: float = 1.0):
    """Served days with a weekly rhythm and moods; from day `since` on something is otherwise."""
    rng, found = np.random.default_rng(seed), []
    for number in range(n):
        is_later = since is not None and number >= since
        weekday, mood = number % 7, rng.normal(0, 0.1)
        depth = rng.normal(3 + 0.8 * (weekday > 4) + mood, wide if is_later else 1.0, 600) + shift * is_later
        shares = np.array([0.5, 0.3, 0.2, 0.0]) + new_item * is_later * np.array([-0.5, -0.3, -0.2, 1.0])
        found.append(
            ServedDay(
                FIRST + timedelta(days=number),
                int(rng.poisson(900 * (1 + 0.5 * (weekday > 4)))),
                numbers={"n_session_clicks": depth},
                names={"action of version 1": rng.choice(4, 500, p=shares)},
                shares={"decisions that no policy made": (int(rng.binomial(900, 0.02)), 900)},
                scores={"actions as often as told": float(rng.normal())},
            )
        )
    return found


def test_quiet_days_have_hardly_an_alarm() -> None:
    """Three half years at half an alarm a year: .75 are declared, and more than 4 happen once in a thousand times."""
    found = [len(watch(days(182, seed), false_alarms_a_year=0.5).changes) for seed in range(3)]
    assert sum(found) <= 4
    assert 0 in found


def test_a_mean_that_shifts_is_told_and_then_usual() -> None:
    found = watch(days(150, 7, since=60, shift=0.6), false_alarms_a_year=0.5)
    told = [one for one in found.changes if one.series == Series("mean", "n_session_clicks")]
    assert len(told) == 1
    assert FIRST + timedelta(days=60) <= told[0].day <= FIRST + timedelta(days=66)
    assert told[0].expected is not None and told[0].figure > told[0].expected


def test_a_distribution_that_widens_is_told_though_its_mean_stays() -> None:
    found = watch(days(120, 8, since=80, wide=2.0), false_alarms_a_year=0.5)
    assert {one.series for one in found.changes} == {Series("shape", "n_session_clicks")}


def test_actions_that_are_chosen_otherwise_are_told() -> None:
    found = watch(days(110, 9, since=80, new_item=0.3), false_alarms_a_year=0.5)
    (told,) = found.changes
    assert told.series == Series("names", "action of version 1")
    assert told.day <= FIRST + timedelta(days=84)


def test_propensities_that_lie_are_told() -> None:
    quiet = days(60, 10)
    lying = [
        ServedDay(one.day, one.n_decisions, scores={"actions as often as told": 3.0 if place > 40 else 0.0})
        for place, one in enumerate(quiet)
    ]
    first, *others = watch(lying, false_alarms_a_year=0.5).changes
    assert first.series.kind == "score"
    assert FIRST + timedelta(days=41) <= first.day <= FIRST + timedelta(days=45)
    assert others, "as long as they lie, it is told again"


def test_the_series_nearest_to_an_alarm_stands_first() -> None:
    found = watch(days(80, 11, since=77, shift=0.35), false_alarms_a_year=0.5)
    evidence = [one.evidence for one in found.states]
    assert evidence == sorted(evidence, reverse=True)
    assert all(0 <= one <= 1 for one in evidence)
    assert len(found.states) == 6


def test_days_without_anything_say_nothing() -> None:
    assert watch([], false_alarms_a_year=0.5).changes == ()
