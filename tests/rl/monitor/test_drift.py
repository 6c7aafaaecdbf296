"""Changes of what is served are noticed; a weekly rhythm and moods of days are none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from rl.monitor.drift import Series, ServedDay, Told, Watch, watch

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


def noisy(seed: int, n: int, *, launched: int | None = None, ended: int | None = None) -> list[ServedDay]:
    """Days of twenty scores, the first of which moves by 1.2 of its deviations; a launch adds three more."""
    rng, others, found = np.random.default_rng(seed), np.random.default_rng([seed, 1]), []
    for number in range(n):
        scores = {f"old {place:02d}": float(one) for place, one in enumerate(rng.normal(size=20))}
        scores["old 00"] += 1.2 * (number >= 60)
        if ended is not None and number >= ended:
            scores = dict(list(scores.items())[:10])
        if launched is not None and number >= launched:
            scores |= {f"new {place}": float(one) for place, one in enumerate(others.normal(size=3))}
        found.append(ServedDay(FIRST + timedelta(days=number), 2_000, scores=scores))
    return found


def told(found: Watch) -> set[tuple[Series, date]]:
    return {(one.series, one.day) for one in found.changes}


@pytest.mark.parametrize("later", [{"launched": 112}, {"ended": 112}])
def test_what_begins_or_ends_later_moves_no_alarm_of_the_past(later: dict[str, int]) -> None:
    n_alarms = 0
    for seed in range(12):
        before = told(watch(noisy(seed, 110), false_alarms_a_year=0.5))
        after = watch(noisy(seed, 116, **later), false_alarms_a_year=0.5)
        assert {one for one in told(after) if one[1] < FIRST + timedelta(days=110)} == before
        n_alarms += len(before)
    assert n_alarms > 20


def test_series_that_ended_cost_those_that_go_on_nothing() -> None:
    """After a hundred days with forty more series the evidence of a new change is what it is without them."""
    alone = [ServedDay(FIRST + timedelta(days=number), 2_000, scores={"a": 0.0}) for number in range(100, 105)]
    crowded = [
        ServedDay(FIRST + timedelta(days=number), 2_000, scores={f"gone {place}": 0.0 for place in range(40)})
        for number in range(100)
    ]
    states = [
        next(one for one in watch([*past, *alone], false_alarms_a_year=0.5).states if one.series.name == "a")
        for past in ([], crowded)
    ]
    assert states[0].evidence == states[1].evidence > 0


def test_awaited_series_share_what_a_day_allows_before_their_figures_come() -> None:
    """So that no alarm moves once they have come."""
    days = [ServedDay(FIRST, 2_000, scores={"a": 1.0}, awaited=frozenset({Series("mean", "value")}))]
    come = [ServedDay(FIRST, 2_000, scores={"a": 1.0}, numbers={"value": np.zeros(1)})]
    evidence = [
        {one.series: one.evidence for one in watch(one, false_alarms_a_year=0.5).states}[Series("score", "a")]
        for one in (days, come)
    ]
    assert evidence[0] > evidence[1], "a number is two series, its mean and its distribution"
    both = frozenset({Series("mean", "value"), Series("shape", "value")})
    (state,) = [
        one
        for one in watch([replace(days[0], awaited=both)], false_alarms_a_year=0.5).states
        if one.series == Series("score", "a")
    ]
    assert state.evidence == evidence[1]


def test_what_earlier_nights_judged_is_neither_told_again_nor_judged_otherwise() -> None:
    """Whatever rate or release they judged by: the series begins anew where it was told, and new days are judged."""
    days, series = noisy(3, 150), Series("score", "old 00")
    alone = [one[1] for one in sorted(told(watch(days, false_alarms_a_year=0.5)), key=lambda one: one[1])]
    until, earlier = FIRST + timedelta(days=109), FIRST + timedelta(days=71)
    assert earlier not in alone
    seen = Told({(series, earlier)}, lambda _: until)
    found = watch(days, false_alarms_a_year=0.5, told=seen)
    assert found.changes and min(one.day for one in found.changes) > until
    again = Told(seen.alarms | told(found), lambda _: days[-1].day)
    assert watch(days, false_alarms_a_year=0.5, told=again).changes == ()
