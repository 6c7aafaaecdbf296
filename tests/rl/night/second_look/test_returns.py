"""The returns of a night's candidate and baseline."""

from __future__ import annotations

import pytest

from rl.night.figures.returns import returns_figures
from rl.night.second_look.returns import night_returns
from tests.rl.night_factory import made_night
from tests.rl.ope.tabular_mdp import small_mdp

MDP = small_mdp(end_probability=0.5)
BEHAVIOR, POLICY = MDP.random_policy(1), MDP.random_policy(2)


def test_returns_compare_with_what_the_gate_compared_with() -> None:
    """A champion that is the candidate has the same distribution; the page names both, at the same points."""
    log = MDP.log(BEHAVIOR, n_episodes=2000, seed=3)
    night = made_night(log, log, POLICY, champion=POLICY)
    report = night_returns(night)
    assert report.baseline == "champion"
    content = returns_figures(report, "candidate")
    assert [(one.role, one.name) for one in content.policies] == [("candidate", "candidate"), ("champion", "champion")]
    assert content.policies[0].cdf == content.policies[1].cdf
    assert content.worst_gain is not None
    assert (content.worst_gain.lower, content.worst_gain.upper) == (0, 0)
    found = report.comparison
    assert found is not None
    assert content.policies[0].deviation.value == pytest.approx(found.candidate.variance.value**0.5)


def test_too_small_a_log_has_a_reason_in_place_of_its_returns() -> None:
    """Twenty shoppers: no distribution, and the page's content says why and up to what share of cuts one is told."""
    log = MDP.log(BEHAVIOR, n_episodes=20, seed=3)
    content = returns_figures(night_returns(made_night(log, log, POLICY)), "candidate")
    assert content.policies == ()
    assert "20 shoppers are worth" in str(content.refusal)
    assert content.max_share_cut == 0.1
