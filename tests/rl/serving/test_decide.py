"""Choices, their probabilities and their groups."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from rl.rollout.assignment import is_control
from rl.serving.decide import FALLBACK_VERSION, choose, fall_back, offer_of
from tests.rl.policy.policies import make_observations, make_policy

POLICY = make_policy("a", "b", "c", "d", has_other=True, exploration_floor=0.2)
PLACES = {key: place for place, key in enumerate(POLICY.vocabulary.keys)}
FEATURES = POLICY.encode({name: values[:1] for name, values in make_observations().items()})
N = 20_000


def everything(n: int) -> np.ndarray:
    return np.ones(n, dtype=bool)


def test_actions_are_chosen_as_often_as_their_propensities_say() -> None:
    """Among what is offered and allowed alone; the logged propensity is that of the policy under the mask."""
    offer = offer_of(["d", "a", "new", "b", "a"], PLACES)
    allowed = np.array([key != "b" for key in offer.keys])
    mask = np.array([[True, False, False, True, False]])
    expected = POLICY.probabilities(FEATURES, mask)[0]
    generator = np.random.default_rng(1)
    choices = [choose(POLICY, FEATURES, offer, allowed, generator) for _ in range(N)]
    counts = Counter(choice.action for choice in choices)
    assert set(counts) == {"a", "d"}
    for choice in choices[:50]:
        assert choice.propensity == pytest.approx(expected[PLACES[choice.action]], abs=1e-15)
        assert choice.policy_version == POLICY.version
    # Four standard errors of a share.
    assert counts["a"] / N == pytest.approx(expected[0], abs=4 * 0.5 / N**0.5)


def test_explored_decisions_are_a_uniform_choice_of_the_floor() -> None:
    """A fifth of them, each action as often as the other; the rest follows the policy without its floor."""
    offer = offer_of(["a", "b", "c"], PLACES)
    generator = np.random.default_rng(2)
    choices = [choose(POLICY, FEATURES, offer, everything(3), generator) for _ in range(N)]
    explored = Counter(choice.action for choice in choices if choice.group == "exploration")
    assert explored.total() / N == pytest.approx(0.2, abs=4 * 0.4 / N**0.5)
    for key in "abc":
        assert explored[key] / explored.total() == pytest.approx(1 / 3, abs=4 * 0.5 / explored.total() ** 0.5)
    softmax = (POLICY.probabilities(FEATURES, np.array([[True, True, True, False, False]]))[0] - 0.2 / 3) / 0.8
    rest = Counter(choice.action for choice in choices if choice.group == "champion")
    for key in "abc":
        assert rest[key] / rest.total() == pytest.approx(softmax[PLACES[key]], abs=4 * 0.5 / rest.total() ** 0.5)


def test_a_policy_that_knows_no_allowed_action_does_not_choose() -> None:
    """`(other)` is nothing that can be shown, whatever it is called."""
    generator = np.random.default_rng(3)
    for keys in (["new", "newer"], ["(other)"], []):
        assert choose(POLICY, FEATURES, offer_of(keys, PLACES), everything(len(keys)), generator) is None
    assert choose(POLICY, FEATURES, offer_of(["a"], PLACES), np.array([False]), generator) is None


def test_a_single_allowed_action_is_certain() -> None:
    choice = choose(POLICY, FEATURES, offer_of(["c"], PLACES), everything(1), np.random.default_rng(4))
    assert (choice.action, choice.propensity) == ("c", 1.0)


def test_the_fallback_chooses_uniformly_among_all_that_is_allowed() -> None:
    """Actions that no policy knows too."""
    offer = offer_of(["a", "new", "c"], PLACES)
    generator = np.random.default_rng(5)
    choices = [fall_back(offer, np.array([True, True, False]), generator) for _ in range(2_000)]
    counts = Counter(choice.action for choice in choices)
    assert set(counts) == {"a", "new"}
    assert counts["a"] / 2_000 == pytest.approx(0.5, abs=4 * 0.5 / 2_000**0.5)
    assert {(one.propensity, one.group, one.policy_version) for one in choices} == {(0.5, "fallback", FALLBACK_VERSION)}
    assert fall_back(offer, np.zeros(3, dtype=bool), generator) is None


def test_the_holdout_is_a_stable_share_of_the_shoppers() -> None:
    """The same ones under one key, others under another or for another scenario; a greater share holds more."""
    shoppers = [f"{n:032x}" for n in range(N)]

    def held(share: float, key: bytes = b"key", scenario: str = "recommendation") -> set[str]:
        return {one for one in shoppers if is_control(one, key, scenario=scenario, share=share)}

    tenth = held(0.1)
    assert len(tenth) / N == pytest.approx(0.1, abs=4 * 0.3 / N**0.5)
    assert tenth == held(0.1) < held(0.2)
    for other in (held(0.1, key=b"other"), held(0.1, scenario="promotion")):
        assert len(tenth & other) / len(tenth) == pytest.approx(0.1, abs=4 * 0.3 / len(tenth) ** 0.5)
    assert (held(0.0), held(1.0)) == (set(), set(shoppers))
