"""Alarms come as seldom as declared, and soon after a change."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.monitor.alarms import DAYS_PER_YEAR, AlarmBank, daily_allowance
from rl.monitor.weekday_scores import LEAST_DEGREES, WeekdayScores

BOTH = np.array([True])


def alarms_in(scores: np.ndarray, is_two_sided: np.ndarray, allowance: float | np.ndarray) -> np.ndarray:
    """Where a bank told an alarm, `(n_days, n_series)`; the allowance is of all days and series, or of each."""
    bank, found = AlarmBank(is_two_sided), []
    for day, allowed in zip(scores, np.broadcast_to(allowance, scores.shape), strict=True):
        found.append(bank.update(day, allowed))
        bank.forget(found[-1])
    return np.array(found)


def test_false_alarms_stay_within_the_declared_rate() -> None:
    """2,000 series of two years, each allowed one in 300 days: at most 2.43 each."""
    rng = np.random.default_rng(1)
    found = alarms_in(rng.normal(size=(730, 2000)), np.ones(2000, dtype=bool), 1 / 300).sum(axis=0)
    assert 0.5 < found.mean() < 730 / 300


def test_alarms_hold_their_rate_where_series_are_one_and_the_same() -> None:
    """Ten series that move together alarm together: the expected number is the same."""
    rng = np.random.default_rng(2)
    one = rng.normal(size=(365, 400))
    found = alarms_in(np.repeat(one, 10, axis=1), np.ones(4000, dtype=bool), daily_allowance(10, 5.0))
    assert found.reshape(365, 400, 10).sum(axis=(0, 2)).mean() < 5.0


def test_a_change_is_told_the_sooner_the_larger_it_is() -> None:
    rng = np.random.default_rng(3)
    delays = []
    for size in (1.0, 2.0, 4.0):
        found = alarms_in(rng.normal(size, 1.0, size=(120, 300)), np.ones(300, dtype=bool), 1e-4)
        delays.append(float(np.median(np.where(found.any(axis=0), found.argmax(axis=0) + 1, np.inf))))
    assert delays[0] < 35
    assert delays == sorted(delays, reverse=True)
    assert delays[-1] <= 2


def test_falls_are_no_alarm_where_rises_alone_count() -> None:
    falling = np.full((60, 2), -3.0)
    found = alarms_in(falling, np.array([True, False]), 1e-3).any(axis=0)
    assert found.tolist() == [True, False]


def test_a_day_without_a_score_says_nothing() -> None:
    bank = AlarmBank(BOTH)
    bank.update(np.array([2.0]), 1e-3)
    before = bank.evidence.copy()
    assert not bank.update(np.array([np.nan]), 1e-3).any()
    np.testing.assert_array_equal(bank.evidence, before)


def test_a_forgotten_series_begins_anew_and_others_go_on() -> None:
    bank = AlarmBank(np.array([True, True]))
    while not bank.update(np.array([3.0, 0.0]), 0.1)[0]:
        pass
    before = bank.evidence
    bank.forget(np.array([True, False]))
    assert bank.evidence.tolist() == [0.0, before[1]]


def test_what_is_allowed_bounds_false_alarms_while_series_begin_and_end() -> None:
    """Each month another number of series shares a rate of 6 a year: 1,000 runs of two years stay below 12 each."""
    rng = np.random.default_rng(5)
    of_day = np.repeat(rng.integers(1, 9, 25), 30)[:730]
    is_there = np.arange(8) < of_day[:, None]
    scores = np.where(is_there[:, None], rng.normal(size=(730, 1000, 8)), np.nan)
    allowed = np.array([daily_allowance(int(n), 6.0) for n in of_day])[:, None]
    found = alarms_in(scores.reshape(730, -1), np.ones(8000, dtype=bool), np.broadcast_to(allowed, (730, 8000)))
    mean = found.sum() / 1000
    assert 4 < mean < 6.0 * 730 / DAYS_PER_YEAR


@pytest.mark.parametrize(("n_series", "rate"), [(0, 1.0), (3, 0.0)])
def test_alarms_need_series_and_a_rate(n_series: int, rate: float) -> None:
    with pytest.raises(EvaluationError, match="need a series and a rate"):
        daily_allowance(n_series, rate)


def test_scores_of_a_weekly_rhythm_are_standard_normal() -> None:
    """20,000 of them, whatever the weekdays' levels: mean and spread within four of their errors, tails as declared."""
    rng, rhythm = np.random.default_rng(4), np.array([0.0, 5.0, -3.0, 1.0, 9.0, 40.0, 22.0])
    scores, found = WeekdayScores(200), []
    for day in range(121):
        figures = rhythm[day % 7] + rng.normal(size=200)
        found.append(scores.update(figures, np.zeros(200), day % 7))
    judged = np.array(found)[21:]
    assert np.isfinite(judged).all()
    assert abs(judged.mean()) < 4 / np.sqrt(judged.size)
    assert abs(judged.std() - 1) < 4 / np.sqrt(2 * judged.size)
    assert abs((np.abs(judged) > 2.576).mean() - 0.01) < 4 * np.sqrt(0.0099 / judged.size)
    assert abs(np.corrcoef(judged[1:].ravel(), judged[:-1].ravel())[0, 1]) < 4 / np.sqrt(judged.size)


def test_scores_wait_until_enough_days_were_seen() -> None:
    scores = WeekdayScores(1)
    found = [scores.update(np.array([float(day % 3)]), np.zeros(1), day % 7)[0] for day in range(30)]
    assert np.flatnonzero(np.isfinite(found))[0] == 7 + LEAST_DEGREES


def test_days_that_happened_to_be_alike_make_no_alarm_of_a_small_step() -> None:
    """The day's own sampling is the least that is believed; without it the step would be endless deviations."""
    scores, strict = WeekdayScores(1), WeekdayScores(1)
    for day in range(28):
        scores.update(np.array([0.5]), np.array([0.01]), day % 7)
        strict.update(np.array([0.5]), np.zeros(1), day % 7)
    assert abs(scores.update(np.array([0.55]), np.array([0.01]), 0)[0]) < 1
    assert strict.update(np.array([0.55]), np.zeros(1), 0)[0] > 6


def test_a_forgotten_series_learns_anew_and_others_go_on() -> None:
    scores = WeekdayScores(2)
    for day in range(28):
        scores.update(np.array([1.0, 1.0]) * day, np.ones(2), day % 7)
    scores.forget(np.array([True, False]))
    found = scores.update(np.array([5.0, 5.0]), np.ones(2), 0)
    assert np.isnan(found[0]) and np.isfinite(found[1])
