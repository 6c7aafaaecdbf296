"""The gain that a Q-function alone tells, against exact gains of a shop with known dynamics."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp, small_mdp

GAMMA, TEMPERATURES = 0.95, (0.3, 1.0, 3.0)
SETTINGS = EvaluationSettings(
    DiscountFunction(GAMMA),
    estimators=("dr",),
    resampling=Resampling(n_draws=2),
    fqe=FqeSettings(method="linear", n_rounds=200),
)


def at_temperature(mdp: TabularMdp, q: FloatArray, temperature: float) -> TablePolicy:
    """A softmax of values, exploring a tenth."""
    chances = np.where(mdp.mask, np.exp((q - q.max(axis=1, keepdims=True)) / temperature), 0.0)
    uniform = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    return TablePolicy(0.9 * chances / chances.sum(axis=1, keepdims=True) + 0.1 * uniform)


@pytest.mark.parametrize("end_probability", [0.35, 0.1], ids=["three decisions", "ten decisions"])
def test_one_q_function_tells_what_share_of_the_gain_each_temperature_has(end_probability: float) -> None:
    """The middle one's serves all: departures count at each decision, not at the first alone."""
    mdp = small_mdp(end_probability=end_probability, noise=0.3)
    behavior = mdp.random_policy(3, sharpness=0.3)
    q = mdp.exact_q(behavior, gamma=GAMMA)
    policies = {f"at {one}": at_temperature(mdp, q, one) for one in TEMPERATURES}
    base = mdp.exact_value(behavior, gamma=GAMMA)
    exact = np.array([mdp.exact_value(one, gamma=GAMMA) - base for one in policies.values()])
    found = evaluate_policies(
        policies,
        train=mdp.log(behavior, n_episodes=3000, seed=1),
        test=mdp.log(behavior, n_episodes=1500, seed=2),
        settings=SETTINGS,
        stand_ins=dict.fromkeys(policies, policies["at 1.0"]),
    ).advantages
    told = np.array([found[name] for name in policies])
    np.testing.assert_allclose(told / told.max(), exact / exact.max(), atol=0.05)
    assert told == pytest.approx(exact, rel=0.15)
    assert found[BEHAVIOR] == 0.0


def test_without_a_q_function_nothing_is_told() -> None:
    """Weights alone tell no advantage."""
    mdp = small_mdp()
    behavior = mdp.random_policy(1)
    log = mdp.log(behavior, n_episodes=50, seed=1)
    settings = EvaluationSettings(DiscountFunction(GAMMA), estimators=("pdis",), resampling=Resampling(n_draws=2))
    assert evaluate_policies({"one": mdp.random_policy(2)}, train=log, test=log, settings=settings).advantages == {}
