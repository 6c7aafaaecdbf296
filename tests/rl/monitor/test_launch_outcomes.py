"""Launches beside their promises, and what they have in common."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from rl.figures.monitor import Earned, InCommon, LaunchFigures, Promised
from rl.monitor.launch_outcomes import Outcome, in_common, ledger_figures
from rl.monitor.realised import GainInfluences


def launch(version: int, earned: float | None, promised: float = 1.0) -> LaunchFigures:
    return LaunchFigures(
        version=version,
        policy_version=f"policy-{version}",
        launched=date(2026, 3, version),
        promised=Promised(value=promised, corrected=None, lower=0.0, upper=2 * promised, level=0.95),
        earned=None
        if earned is None
        else Earned(value=earned, lower=0, upper=2, standard_error=0.1, n_days=7, n_shoppers=100),
    )


def seen(*influences: float) -> Outcome:
    """A launch of the shoppers 0, 1, … with these influences."""
    known = GainInfluences(np.arange(len(influences)), np.array(influences))
    return Outcome((), (), "open", None, known)


def test_launches_have_in_common_what_their_shoppers_move_in_both() -> None:
    launches = [launch(1, 0.9), launch(2, 1.1), launch(3, None)]
    (found,) = in_common(launches, {1: seen(0.1, -0.2), 2: seen(0.3, 0.1, 0.5), 3: Outcome((), (), "open", None)})
    assert (found.first, found.second) == (1, 2)
    assert found.covariance == pytest.approx(0.1 * 0.3 - 0.2 * 0.1)


def test_a_launch_whose_days_are_gone_keeps_what_an_earlier_night_found() -> None:
    gone = Outcome((), (), "open", None)
    earlier = [InCommon(first=1, second=2, covariance=0.05), InCommon(first=2, second=3, covariance=9.0)]
    launches = [launch(1, 0.9), launch(2, 1.1), launch(3, 1.0), launch(4, 1.0)]
    outcomes = {1: gone, 2: seen(0.1, 0.2), 3: seen(0.5), 4: seen(0.2)}
    found = {(one.first, one.second): one.covariance for one in in_common(launches, outcomes, earlier)}
    assert found == pytest.approx({(1, 2): 0.05, (2, 3): 0.05, (2, 4): 0.02, (3, 4): 0.1})


def test_the_ledger_s_range_grows_by_what_launches_have_in_common() -> None:
    launches = [launch(1, 0.9), launch(2, 1.2), launch(3, 1.0), launch(4, None)]
    alone = ledger_figures(launches, level=0.95, reward_unit="EUR")
    pairs = [InCommon(first=a, second=b, covariance=0.04) for a, b in ((1, 2), (1, 3), (2, 3), (3, 4))]
    found = ledger_figures(launches, pairs, level=0.95, reward_unit="EUR")
    assert found.calibration == alone.calibration == pytest.approx(3.1 / 3)
    assert alone.lower is not None
    assert found.lower is not None
    assert found.lower < alone.lower - 0.1
    assert found.n_compared == 3
    assert found.in_common == tuple(pairs)
    assert (alone.n_unknown_pairs, found.n_unknown_pairs) == (3, 0)
    assert ledger_figures(launches, pairs[:1], level=0.95, reward_unit="EUR").n_unknown_pairs == 2
