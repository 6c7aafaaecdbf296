"""Fitted Q evaluation of stochastic, masked policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray
from rl.errors import EvaluationError
from rl.ope.q_functions.fqe_linear import fit_linear
from rl.ope.q_functions.fqe_settings import FqeSettings
from rl.ope.q_functions.fqe_task import FqeTask
from rl.ope.q_functions.next_probabilities import NextProbabilities
from rl.ope.samples.q_function import QFunction

__all__ = ["FittedQ", "FqeSettings", "FqeTask", "fit_fqe_together"]


@dataclass(frozen=True)
class FittedQ:
    """A fitted Q-function of one policy.

    Attributes:
        function: gives action values.
        policy_version: the policy it is of.
        discount: what a later reward counts for, as the spec states it.
        steps: steps over which the value runs. The linear fit looks exactly that far ahead (None: until it settles).
            The neural one approximates the fixed point, which agrees where episodes end earlier.
        curve: mean squared error at the end of each round, in squared reward units.
    """

    function: QFunction
    policy_version: str
    discount: DiscountFunction
    steps: int | None
    curve: tuple[float, ...]

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the action values, `(n, n_actions)`; 0 where the mask is False."""
        return self.function.q(features, mask)


def fit_fqe_together(
    tasks: Sequence[FqeTask],
    *,
    discount: DiscountFunction,
    steps: int | None = None,
    settings: FqeSettings | None = None,
) -> list[FittedQ]:
    """Return the Q-function of each task, fitted by squared loss.

    The target is r + discount (1 - terminal) sum_a pi(a|s') Q(s', a). After a timeout it looks on from
    `next_features`, so nothing that a cut episode would have earned is lost. Don't trust values at actions that the log
    seldom holds: they are extrapolated. Fit on one split and evaluate on another: on its own rows the fit has seen the
    noise.

    Neural fits pass over the data once for all. With a shared trunk a policy's values depend on which others it was
    fitted with; with separate networks they don't.

    Args:
        tasks: policies, with the split to fit on and the outcome to value.
        discount: what a later reward counts for, as the spec states it.
        steps: over which the value runs.
        settings: how to fit.

    Raises:
        EvaluationError: no rows, no step, tasks on other rows than the first, an outcome that isn't a finite number
            for each, or a fit diverged.

    Source: Le, Voloshin and Yue (2019), algorithm 3, with the expectation over the evaluation policy's actions.
    """
    if not tasks:
        return []
    if steps is not None and steps < 1:
        raise EvaluationError(f"a value runs over at least one step, got steps = {steps}")
    for task in tasks:
        _require_fit_rows(task, tasks[0])
    chosen = settings or FqeSettings()
    factors = discount.step_factors(tasks[0].episodes)
    if chosen.method == "linear":
        return [_fit_linear(task, factors, discount=discount, steps=steps, settings=chosen) for task in tasks]
    from rl.ope.q_functions.batched_fqe import fit_stacked  # noqa: PLC0415  (torch takes seconds to import)

    fitted = fit_stacked(tasks, factors=factors, settings=chosen)
    return [
        FittedQ(network, task.policy.version, discount, steps, curve)
        for task, (network, curve) in zip(tasks, fitted, strict=True)
    ]


def _fit_linear(
    task: FqeTask, factors: FloatArray, *, discount: DiscountFunction, steps: int | None, settings: FqeSettings
) -> FittedQ:
    probabilities = NextProbabilities(task.policy, task.episodes, max_cells=settings.max_probability_cells)
    function, curve = fit_linear(
        task.episodes, task.outcome, factors=factors, probabilities=probabilities, ridge=settings.ridge, steps=steps
    )
    return FittedQ(function, task.policy.version, discount, steps, curve)


def _require_fit_rows(task: FqeTask, first: FqeTask) -> None:
    outcome, n_rows = task.outcome, task.episodes.n_transitions
    if not n_rows:
        raise EvaluationError("there are no transitions to fit a Q-function on")
    if len(outcome) != n_rows:
        raise EvaluationError(f"{len(outcome)} rows of the outcome, expected {n_rows}")
    if (bad := np.flatnonzero(~np.isfinite(outcome))).size:
        raise EvaluationError(f"rows {bad[:5].tolist()} have no finite outcome to fit a Q-function on")
    if not task.shares_rows(first):
        raise EvaluationError(
            f"policy {task.policy.version} is to be fitted on other rows than policy {first.policy.version}; "
            "policies fitted together share one split and its features: fit the others apart"
        )
