"""Other estimators' gains beside the gate's."""

from __future__ import annotations

from functools import cache

import pytest

from rl.night.evaluation import NightEvaluation
from rl.night.second_look.opinions import gate_opinion, state_opinions
from tests.rl.night_factory import made_night
from tests.rl.ope.tabular_mdp import small_mdp

MDP = small_mdp()
BEHAVIOR, POLICY, CHAMPION = MDP.random_policy(1), MDP.random_policy(2), MDP.random_policy(3)


@cache
def night(*, has_champion: bool = False, is_logged: bool = True, n_episodes: int = 3000) -> NightEvaluation:
    train, test = (MDP.log(BEHAVIOR, n_episodes=n_episodes, seed=seed) for seed in (3, 4))
    return made_night(train, test, POLICY, champion=CHAMPION if has_champion else None, is_logged=is_logged)


@pytest.mark.parametrize("has_champion", [False, True])
def test_the_gate_s_opinion_is_its_own_gain(has_champion: bool) -> None:
    """The same value as in the gate's evidence, from the samples alone, between bounds at the reports' level."""
    evaluated = night(has_champion=has_champion)
    found = gate_opinion(evaluated)
    assert found.is_gate
    assert found.gain is not None
    assert evaluated.evidence.difference is not None
    assert found.gain.value == pytest.approx(evaluated.evidence.difference.value)
    assert found.gain.level == evaluated.evaluation.settings.confidence


@pytest.mark.parametrize("has_champion", [False, True])
def test_estimators_by_state_agree_where_the_observation_is_the_state(has_champion: bool) -> None:
    """Gains within four of the larger standard errors of the gate's; candidate and baseline reported each."""
    evaluated = night(has_champion=has_champion)
    gate = gate_opinion(evaluated).gain
    opinions = state_opinions(evaluated, ("drl_s", "snmis_s"))
    policies = ["candidate", "champion" if has_champion else "behavior"]
    assert [one.estimator for one in opinions] == ["drl_s", "snmis_s"]
    for opinion in opinions:
        assert not opinion.is_gate
        assert [report.policy for report in opinion.reports] == policies
        assert gate is not None
        assert opinion.gain is not None
        assert opinion.gain.value == pytest.approx(
            gate.value, abs=4 * max(gate.standard_error, opinion.gain.standard_error)
        )


def test_an_opinion_that_is_refused_says_why() -> None:
    """Implied decisions, and too few shoppers to fit ratios: no gain and no value, the reason in each report."""
    for evaluated, reason in (
        (night(is_logged=False), "implied"),
        (night(n_episodes=3), "too few for 5 folds"),
    ):
        (found,) = state_opinions(evaluated, ("drl_s",))
        assert found.gain is None
        assert reason in str(found.refusal)
        assert all(report.value is None and report.refusal == found.refusal for report in found.reports)


def test_nothing_is_asked_where_no_name_is_given() -> None:
    """A scenario without `also` fits no ratios."""
    assert state_opinions(night(), ()) == ()
