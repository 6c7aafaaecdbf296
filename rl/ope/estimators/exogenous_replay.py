"""Policy value by replay: where all that is random in the state is exogenous, the log needs no reweighting.

Demand doesn't depend on what was ordered. So any policy can be led through the demand that was logged, on the stock it
would have had, by rules that are known. No propensities, no overlap and no weights are needed; what is needed instead
are two assumptions, and both are declared by whoever calls: that actions don't move the exogenous variable, and that
the log holds it whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.intervals.sums import RatioSums, sums_by_unit
from rl.ope.samples.evaluation_probabilities import checked_probabilities

States = npt.NDArray[Any]


class KnownDynamics(Protocol):
    """How a state follows from the state before, the action and the exogenous variable; all episodes at once."""

    def observe(self, states: States, step: int) -> tuple[FeatureArray, BoolArray]:
        """Return what the policy sees: features `(n, n_features)` and available actions `(n, n_actions)`."""
        ...

    def advance(self, states: States, actions: IntArray, exogenous: FloatArray) -> tuple[States, FloatArray]:
        """Return the next states `(n, ...)` and the rewards `(n,)`.

        Args:
            states: `(n, ...)`.
            actions: dense index, `(n,)`.
            exogenous: what the outside did in this step, `(n, n_exogenous)`.
        """
        ...


@dataclass(frozen=True)
class ExogenousLog:
    """Logged sequences of the exogenous variable; one step a row, rows of an episode in step order.

    Attributes:
        exogenous: what the outside did at each step, `(n, n_exogenous)`.
        is_censored: the log holds a lower bound only (sales of a day that sold out), `(n,)`.
        offsets: start row of each episode and, last, `n`, `(n_episodes + 1,)`.
        initial_states: what the episodes start from, whatever is decided, `(n_episodes, ...)`.
        unit: independent unit of each episode (product block), `(n_episodes,)`.
        discount: of each row's reward, `(n,)`.
    """

    exogenous: FloatArray
    is_censored: BoolArray
    offsets: IntArray
    initial_states: States
    unit: IntArray
    discount: FloatArray

    def __post_init__(self) -> None:
        if found := [*self._length_violations(), *self._value_violations()]:
            raise EvaluationError("the exogenous log is inconsistent: " + "; ".join(found))

    @property
    def n_episodes(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        return np.diff(self.offsets)

    def _length_violations(self) -> list[str]:
        n = len(self.exogenous)
        found = [] if self.exogenous.ndim == 2 else [f"exogenous has shape {self.exogenous.shape}, expected two axes"]
        found += [
            f"{name} has {len(getattr(self, name))} rows, expected {n}"
            for name in ("is_censored", "discount")
            if len(getattr(self, name)) != n
        ]
        found += [
            f"{name} has {len(getattr(self, name))} entries, expected {self.n_episodes}"
            for name in ("initial_states", "unit")
            if len(getattr(self, name)) != self.n_episodes
        ]
        if self.n_episodes < 1:
            found.append("there are no episodes")
        elif int(self.offsets[0]) != 0 or int(self.offsets[-1]) != n or (self.lengths <= 0).any():
            found.append(f"offsets must rise from 0 to {n}")
        return found

    def _value_violations(self) -> list[str]:
        if self._length_violations():
            return []
        bad = np.flatnonzero(~np.isfinite(self.exogenous).all(axis=1) | ~np.isfinite(self.discount))
        return [f"rows {bad[:5].tolist()} hold values that are not finite"] if bad.size else []


@dataclass(frozen=True)
class ReplayAssumptions:
    """What the caller declares about the exogenous variable; nothing in the log can show it.

    Attributes:
        is_exogenous: actions don't influence it. An assortment that sells out sends shoppers to the next product, a
            price moves demand: then a replay is wrong, and False refuses it.
        censored: `refuse` a log that holds lower bounds, or take each as the value itself (`as_logged`), which favors
            policies that stock less, since demand above what was sold is never there to be lost.
    """

    is_exogenous: bool
    censored: Literal["refuse", "as_logged"] = "refuse"


def replay(
    policy: Policy,
    log: ExogenousLog,
    dynamics: KnownDynamics,
    *,
    assumptions: ReplayAssumptions,
    n_repeats: int = 1,
    seed: int = 0,
) -> RatioSums:
    """Return per-unit sums of the policy's mean discounted reward per episode over logged exogenous sequences.

    Unbiased where the assumptions hold, with no more noise than the outside itself; two policies replayed on one log
    meet the same outside, so their paired difference is sharper than either value. Don't trust it where the declared
    rules aren't those of the shop: nothing in the log checks them here.

    Args:
        policy: decides on what `dynamics` shows it; a stochastic one is drawn from.
        log: the outside.
        dynamics: the rules.
        assumptions: declared by the spec.
        n_repeats: times that each sequence is replayed; more only average out a stochastic policy's own draws.
        seed: of the policy's draws.

    Raises:
        UnsupportedEstimator: the variable isn't declared exogenous, or rows are censored and not declared usable.
        EvaluationError: probabilities that are none, or rewards that are not finite.

    Source: the exogenous part of an exogenous-input MDP replayed, as in Sinclair et al. (2023), hindsight learning.
    """
    _refuse(log, assumptions)
    if n_repeats < 1:
        raise EvaluationError(f"each sequence must be replayed at least once, got n_repeats={n_repeats}")
    generator = np.random.default_rng(seed)
    returns = np.mean([_returns(policy, log, dynamics, generator) for _ in range(n_repeats)], axis=0)
    unit_ids, unit = np.unique(log.unit, return_inverse=True)
    numerators = sums_by_unit(returns, unit, len(unit_ids))
    counts = sums_by_unit(np.ones(log.n_episodes), unit, len(unit_ids))
    return RatioSums(unit_ids.astype(np.int64), numerators[:, None], counts[:, None])


def _refuse(log: ExogenousLog, assumptions: ReplayAssumptions) -> None:
    if not assumptions.is_exogenous:
        raise UnsupportedEstimator(
            "replay needs the declared assumption that actions don't influence the exogenous variable"
        )
    n_censored = int(np.count_nonzero(log.is_censored))
    if n_censored and assumptions.censored == "refuse":
        first = np.flatnonzero(log.is_censored)[:5].tolist()
        raise UnsupportedEstimator(
            f"{n_censored} of {len(log.is_censored)} rows (first {first}) hold a lower bound of the exogenous variable "
            "only (lost sales): replaying them would favor policies that stock less; leave such episodes out, "
            "estimate the censored demand, or declare that the bounds may stand for the values"
        )


def _returns(policy: Policy, log: ExogenousLog, dynamics: KnownDynamics, generator: np.random.Generator) -> FloatArray:
    """Return the discounted return of each episode, `(n_episodes,)`."""
    # Longest first: the episodes that still run are always the first ones, so that states need no gathering.
    order = np.argsort(-log.lengths, kind="stable")
    starts, lengths = log.offsets[:-1][order], log.lengths[order]
    states = log.initial_states[order]
    total = np.zeros(log.n_episodes)
    for step in range(int(lengths[0])):
        n_running = int(np.searchsorted(-lengths, -step, side="left"))
        rows = starts[:n_running] + step
        states = states[:n_running]
        actions = _draw_actions(policy, *dynamics.observe(states, step), generator)
        states, reward = dynamics.advance(states, actions, log.exogenous[rows])
        if (bad := np.flatnonzero(~np.isfinite(reward))).size:
            raise EvaluationError(
                f"the dynamics gave a reward that is not finite at step {step} of episodes {order[bad[:5]].tolist()}"
            )
        total[order[:n_running]] += log.discount[rows] * reward
    return total


def _draw_actions(policy: Policy, features: FeatureArray, mask: BoolArray, generator: np.random.Generator) -> IntArray:
    """Draw one action per episode by inversion: a policy that is certain always takes its action, `(n,)`."""
    cumulative = checked_probabilities(policy, features, mask).cumsum(axis=1)
    uniform = generator.random((len(cumulative), 1)) * cumulative[:, -1:]
    return np.asarray((cumulative <= uniform).sum(axis=1), dtype=np.int64)
