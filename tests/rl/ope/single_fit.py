"""One Q-function fitted alone."""

from __future__ import annotations

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes, Policy
from rl.ope.q_functions.fqe import FittedQ, FqeSettings, FqeTask, fit_fqe_together


def fit_fqe(
    policy: Policy,
    episodes: LoggedEpisodes,
    *,
    discount: DiscountFunction,
    steps: int | None = None,
    settings: FqeSettings | None = None,
    reward: FloatArray | None = None,
) -> FittedQ:
    """Return the Q-function of one policy, fitted with no other."""
    return fit_fqe_together([FqeTask(policy, episodes, reward)], discount=discount, steps=steps, settings=settings)[0]
