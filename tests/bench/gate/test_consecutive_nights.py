"""Nights in a row in arrays say what the code that judges real nights says, and spend no more than is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest

from rl.data.logged_episodes import LoggedEpisodes
from rl.gate.rules import GateEvidence, Verdict
from tests.bench.gate.consecutive_nights import (
    N_NIGHTS,
    WINDOW_DAYS,
    RunCount,
    SessionRun,
    consecutive_line,
    upper_mean,
)
from tests.bench.gate.fast_sessions import verdict_of
from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, GATE, judged
from tests.bench.gate.shop import candidate
from tests.rl.ope.tabular_mdp import reordered


def days(run: SessionRun, first: int, last: int) -> LoggedEpisodes:
    return reordered(run.logs[1], np.arange(first * run.per_day, last * run.per_day))


def slow(
    run: SessionRun, test: LoggedEpisodes, *, alpha: float, seen: Sequence[LoggedEpisodes] = ()
) -> tuple[GateEvidence, Verdict]:
    return judged(candidate(run.gain), train=run.logs[0], test=test, seen=seen, alpha=alpha, seed=1)


def require_equal(fast: tuple[GateEvidence, Verdict], by_nights: tuple[GateEvidence, Verdict]) -> None:
    """To rounding; a bound that fails needn't be drawn, so it is then only known to fail."""
    (found, verdict), (expected, judgment) = fast, by_nights
    assert found.difference is not None
    assert expected.difference is not None
    assert found.losses is not None
    assert expected.losses is not None
    for name in ("value", "standard_error"):
        assert getattr(found.difference, name) == pytest.approx(getattr(expected.difference, name), rel=1e-7), name
    for name in ("shift", "standard_error", "n_units", "n_differing"):
        assert getattr(found.losses, name) == pytest.approx(getattr(expected.losses, name), rel=1e-7), name
    for name in ("effective_sample_size", "effective_rewarded", "effective_differing"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-7), name
    for policy, balance in expected.balances.items():
        assert balance is not None
        own = found.balances[policy]
        assert own is not None
        assert (own.mean, own.standard_error) == pytest.approx((balance.mean, balance.standard_error), rel=1e-7)
    if expected.difference.lower > 0:
        assert found.difference.lower == pytest.approx(expected.difference.lower, rel=1e-7)
    else:
        assert found.difference.lower <= 0
    assert [(one.name, one.is_passed) for one in verdict.checks] == [
        (one.name, one.is_passed) for one in judgment.checks
    ]
    assert (verdict.decision, verdict.spends_level) == (judgment.decision, judgment.spends_level)


@pytest.mark.parametrize(("gain", "alpha"), [(0.0, FIRST_NIGHT_LEVEL), (0.1, 0.05)])
def test_a_night_in_arrays_is_the_night(gain: float, alpha: float) -> None:
    """Of an equal candidate, and of one whose bound passes and is drawn."""
    run = SessionRun(3, 100, GATE, gain)
    fast = verdict_of(run.first_look(5), gate=GATE, alpha=alpha, seed=1)
    require_equal(fast, slow(run, days(run, 5, 5 + WINDOW_DAYS), alpha=alpha))
    assert fast[0].difference is not None
    assert (fast[0].difference.lower > 0) == (gain > 0)


def test_a_second_look_reads_the_days_since_the_first_one_s_window_and_its_losses_alone() -> None:
    """As by the code of real nights, with that window among the splits before."""
    run = SessionRun(4, 50, GATE)
    fast = verdict_of(run.second_look(10, 28), gate=GATE, alpha=FIRST_NIGHT_LEVEL, seed=1)
    seen, unseen = days(run, 10, 10 + WINDOW_DAYS), days(run, 10 + WINDOW_DAYS, 10 + WINDOW_DAYS + 28)
    require_equal(fast, slow(run, unseen, seen=[seen], alpha=FIRST_NIGHT_LEVEL))


def test_runs_spend_no_more_than_is_allowed_and_second_looks_are_declared_where_floors_fail() -> None:
    """Thin logs that fail them every night; without second looks those spend nothing and promote nothing."""
    runs = [SessionRun(number, 25, GATE) for number in range(3)]
    without, later = ([run.count(after_days) for run in runs] for after_days in (None, 28))
    allowed = GATE.wrong_promotions_per_year * N_NIGHTS / 365
    assert all(0 < one.spent <= allowed + 1e-9 for one in later if one.n_declared)
    assert sum(one.n_declared for one in later) >= 2
    for plain, second in zip(without, later, strict=True):
        assert plain.n_declared == plain.n_second == 0
        assert plain.n_short > N_NIGHTS / 2
        assert second.spent >= plain.spent


def test_a_line_counts_what_runs_promoted_beside_what_they_were_allowed() -> None:
    runs = [asdict(RunCount(n, n // 2, n, 0, 0.5)) for n in (0, 2, 1, 0)]
    line = consecutive_line(100, "none", runs, GATE)
    assert (line["wrong_promotions"], line["runs_with_any"], line["n_second"]) == (0.75, 0.5, 0.25)
    assert line["spent_less_promoted"] == -0.25
    assert line["allowed"] == pytest.approx(4 * 60 / 365, abs=1e-4)
    assert line["upper95"] == round(upper_mean(np.array([0.0, 2.0, 1.0, 0.0])), 4)
    assert upper_mean(np.zeros(50)) == pytest.approx(-np.log(0.05) / 50)
