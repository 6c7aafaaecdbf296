"""Fitted Q evaluation of stochastic, masked policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.errors import EvaluationError
from rl.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes, Policy
from rl.ope.discount import Discount
from rl.ope.fqe_linear import fit_linear
from rl.ope.fqe_neural import fit_neural
from rl.ope.next_probabilities import NextProbabilities
from rl.ope.q_function import QFunction


@dataclass(frozen=True)
class FqeSettings:
    """How the Q-function is fitted.

    Attributes:
        method: `neural`, or `linear` (closed-form ridge per action around a shared ridge, iterated; a fast check, and
            exact on one-hot features).
        ridge: penalty of the linear fit on an action's departure from the fit shared by all actions.
        hidden: widths of the hidden layers.
        n_updates: gradient steps in all.
        n_rounds: refreshes of the target network; a reward travels one step back per round.
        batch_size: rows per gradient step.
        learning_rate: at the start; it falls along a cosine to a hundredth.
        seed: of the initial weights and the order of rows.
        device: for torch.
        max_probability_cells: probabilities at next observations are kept for all rows up to this many, else computed
            again per batch.
    """

    method: Literal["neural", "linear"] = "neural"
    ridge: float = 1.0
    hidden: tuple[int, ...] = (64, 64)
    n_updates: int = 2000
    n_rounds: int = 40
    batch_size: int = 1024
    learning_rate: float = 3e-3
    seed: int = 0
    device: str = "cpu"
    max_probability_cells: int = 128_000_000


@dataclass(frozen=True)
class FittedQ:
    """A fitted Q-function of one policy.

    Attributes:
        function: gives action values.
        policy_version: the policy it is of.
        gamma: discount per step or per day, as in the spec.
        steps: steps over which the value runs. The linear fit looks exactly that far ahead (None: until it settles).
            The neural one approximates the fixed point, which agrees where episodes end earlier.
        curve: mean squared error at the end of each round, in squared reward units.
    """

    function: QFunction
    policy_version: str
    gamma: float
    steps: int | None
    curve: tuple[float, ...]

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Action values, `(n, n_actions)`; 0 where the mask is False."""
        return self.function.q(features, mask)


def fit_fqe(
    policy: Policy,
    episodes: LoggedEpisodes,
    *,
    discount: Discount,
    steps: int | None = None,
    settings: FqeSettings | None = None,
    reward: FloatArray | None = None,
) -> FittedQ:
    """The Q-function of the policy, fitted to r + discount (1 - terminal) sum_a pi(a|s') Q(s', a) by squared loss.

    After a timeout the target looks on from `next_features`, so nothing that a cut episode would have earned is lost.
    Don't trust values at actions that the log seldom holds: they are extrapolated. Fit on one split and evaluate on
    another: on its own rows the fit has seen the noise.

    Args:
        policy: evaluation policy.
        episodes: the split to fit on.
        discount: of the spec.
        steps: over which the value runs.
        settings: how to fit.
        reward: another outcome to value instead of the reward (a side metric), `(n,)`.

    Raises:
        EvaluationError: no rows, an outcome that isn't a finite number for each, or the fit diverged.

    Source: Le, Voloshin and Yue (2019), algorithm 3, with the expectation over the evaluation policy's actions.
    """
    if not episodes.n_transitions:
        raise EvaluationError("there are no transitions to fit a Q-function on")
    chosen = settings or FqeSettings()
    outcome = episodes.reward if reward is None else reward
    if len(outcome) != episodes.n_transitions:
        raise EvaluationError(f"{len(outcome)} rows of the outcome, expected {episodes.n_transitions}")
    if (bad := np.flatnonzero(~np.isfinite(outcome))).size:
        raise EvaluationError(f"rows {bad[:5].tolist()} have no finite outcome to fit a Q-function on")
    probabilities = NextProbabilities(policy, episodes, max_cells=chosen.max_probability_cells)
    factors = discount.step_factors(episodes)
    if chosen.method == "linear":
        function, curve = fit_linear(
            episodes, outcome, factors=factors, probabilities=probabilities, ridge=chosen.ridge, steps=steps
        )
        return FittedQ(function, policy.version, discount.gamma, steps, curve)
    network, curve = fit_neural(episodes, outcome, factors=factors, probabilities=probabilities, settings=chosen)
    return FittedQ(network, policy.version, discount.gamma, steps, curve)
