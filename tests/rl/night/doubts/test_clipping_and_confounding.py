"""What limited weights and hidden reasons leave of a night's gain."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from rl.gate.rules import GateEvidence
from rl.night.doubts.clipping import night_clip_sensitivity
from rl.night.doubts.confounding import confounding_sensitivity
from rl.night.evaluation import NightEvaluation
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Interval
from tests.rl.night_factory import made_night
from tests.rl.ope.tabular_mdp import small_mdp

MDP = small_mdp()
LOGGER, POLICY, CHAMPION = MDP.random_policy(1), MDP.random_policy(2), MDP.random_policy(3)


@cache
def night(*, has_champion: bool = False) -> NightEvaluation:
    train, test = (MDP.log(LOGGER, n_episodes=3000, seed=seed) for seed in (3, 4))
    return made_night(train, test, POLICY, champion=CHAMPION if has_champion else None)


def contenders(found: NightEvaluation) -> list[Contender]:
    return [one for one in found.samples.contenders if one is not None]


def with_bounds(found: NightEvaluation, lower: float, upper: float) -> GateEvidence:
    difference = found.evidence.difference
    assert difference is not None
    moved: Interval = replace(difference, lower=lower, upper=upper)
    return replace(found.evidence, difference=moved)


@pytest.mark.parametrize("has_champion", [False, True])
def test_without_a_limit_the_gain_is_the_gates(has_champion: bool) -> None:
    found = night(has_champion=has_champion)
    *limited, unlimited = night_clip_sensitivity(found.evidence, found.evaluation)
    assert found.evidence.difference is not None
    assert unlimited.clip is None
    assert unlimited.value == pytest.approx(found.evidence.difference.value, rel=1e-9)
    assert [one.clip for one in limited] == sorted(one.clip or 0 for one in limited)
    assert [one.share_clipped for one in limited] == sorted((one.share_clipped for one in limited), reverse=True)


def test_limits_are_not_asked_of_an_estimator_without_weights() -> None:
    found = night()
    assert night_clip_sensitivity(replace(found.evidence, estimator="dm"), found.evaluation) == ()
    assert night_clip_sensitivity(replace(found.evidence, is_logged=False), found.evaluation) == ()


@pytest.mark.parametrize("has_champion", [False, True])
def test_a_larger_gain_takes_a_stronger_reason_to_undo(has_champion: bool) -> None:
    found = night(has_champion=has_champion)
    strengths = []
    for lower in (0.01, 0.05, 0.2):
        told = confounding_sensitivity(with_bounds(found, lower, 1.0), found.evaluation, contenders(found))
        assert told is not None
        assert (told.flips, told.bounded) == ("gain", "wdr")
        strengths.append(told.gamma)
    assert None not in strengths
    assert strengths == sorted(strengths, key=lambda gamma: gamma or 0)
    assert strengths[0] != strengths[-1]


def test_a_doubt_is_asked_how_it_could_hide_a_gain() -> None:
    found = night()
    told = confounding_sensitivity(with_bounds(found, -0.05, 1.0), found.evaluation, contenders(found))
    assert told is not None
    assert told.flips == "doubt"
    assert told.gamma is not None
    assert told.gamma > 1


def test_nothing_to_flip_is_not_asked() -> None:
    found = night()
    for evidence in (replace(found.evidence, difference=None), replace(found.evidence, is_logged=False)):
        assert confounding_sensitivity(evidence, found.evaluation, contenders(found)) is None
