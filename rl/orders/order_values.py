"""Offline RL on orders: what levels are worth, or which to order up to, learned from rows of logged decisions.

Learners of values choose among the levels of OFFSETS. Learners with a policy of their own say any level within a range
that their rows support: the levels drawn evenly, where rows are relabelled, and what the log ordered up to, but for the
most unusual days, where they are as logged. Nothing else bounds what such a policy says of a state that no row shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conf.specs.candidate import Candidate, ContinuousCandidate
from conf.specs.orders import OrderCandidate
from conf.specs.problem import DiscountRate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import TrainingError
from rl.inventory.order_decisions import decision_rows
from rl.inventory.order_policy import LEVEL_RANGE, OFFSETS, OrderPolicy
from rl.learning.candidates import SeededCandidate
from rl.learning.order_learning import ActorRows, train_actor
from rl.learning.training import TrainingSettings, train_candidate
from rl.orders.order_basis import OrderBasis
from rl.orders.order_replay import OrderSpan
from rl.orders.order_rows import LevelRows, level_rows
from rl.policy.network import DenseNetwork

DISCOUNT = 0.9
"""Of a day; of the days between two orders in the mean, where there are several."""
_DAYS_PER_WEEK = 7
_UNUSUAL = 0.01
"""Share of logged levels at either end that a range leaves out: 5% of a test bed's orders are odd."""
_LEAST_REACH = 0.25
"""Of a range to either side, in standard deviations, where the log hardly ever ordered up to anything else."""
_OWN: dict[str, dict[str, float]] = {
    "double_dqn": {"target_update_interval": 100},
    "discrete_cql": {"target_update_interval": 100, "conservative_weight": 0.1},
    "discrete_iql": {"expectile": 0.9, "inverse_temperature": 10.0},
    "cql": {"conservative_weight": 0.1},
    "iql": {"expectile": 0.9, "inverse_temperature": 10.0},
    "td3_plus_bc": {},
    "awac": {},
}
"""Settings of the algorithms, those of the test bed."""


@dataclass(frozen=True)
class ValueSettings:
    """How values are learned.

    Attributes:
        hidden_units: of each hidden layer.
        n_updates: gradient steps.
        batch_size: rows of an update.
        learning_rate: of Adam.
        n_checkpoints: networks that validation days choose from.
        n_copies: of each day with a level drawn anew, where rows are relabelled.
        n_threads: of the processor.
    """

    hidden_units: tuple[int, ...] = (64, 64)
    n_updates: int = 5000
    batch_size: int = 256
    learning_rate: float = 1e-3
    n_checkpoints: int = 5
    n_copies: int = 4
    n_threads: int = 1

    def of(self, candidate: OrderCandidate, seed: int) -> dict[str, Any]:
        """Return the settings of the candidate's algorithm as specs have them."""
        return {
            "algorithm": candidate.algorithm,
            "seeds": (seed,),
            "n_updates": self.n_updates,
            "batch_size": self.batch_size,
            "hidden_units": self.hidden_units,
            "learning_rate": self.learning_rate,
            "n_checkpoints": self.n_checkpoints,
            **_OWN[candidate.algorithm],
        }


def learn_values(
    policy: OrderPolicy,
    basis: OrderBasis,
    span: OrderSpan,
    candidate: OrderCandidate,
    *,
    settings: ValueSettings,
    seed: int,
) -> Iterator[tuple[int, OrderPolicy]]:
    """Yield the policy after some updates, the last among them; its network says the value of each of OFFSETS.

    Args:
        policy: whose costs and quantiles it learns for.
        basis: draws the demand of days that ran out.
        span: days to learn from.
        candidate: algorithm and rows.
        settings: how.
        seed: of weights, rows and draws.

    Raises:
        TrainingError: no day whose order's arrival is known, or values that no plain network holds.
    """
    seeded = SeededCandidate(policy.name, Candidate.model_validate(settings.of(candidate, seed)), seed)
    rows = value_rows(policy, basis, span, candidate, n_copies=settings.n_copies, seed=seed)
    training = TrainingSettings(
        discount=DiscountFunction.of(DiscountRate(gamma=_between_orders(policy))), n_threads=settings.n_threads
    )
    for kept in train_candidate(seeded, rows, None, training).kept:
        if not isinstance(kept.network, DenseNetwork):
            raise TrainingError(
                f"{policy.name}: values are in a {type(kept.network).__name__}, which orders can't hold"
            )
        yield kept.update, replace(policy, network=kept.network)


def learn_actors(
    policy: OrderPolicy,
    basis: OrderBasis,
    span: OrderSpan,
    candidate: OrderCandidate,
    *,
    settings: ValueSettings,
    seed: int,
) -> Iterator[tuple[int, OrderPolicy]]:
    """Yield the policy after some updates, the last among them; its network says a level within its range.

    Arguments are those of `learn_values`.

    Raises:
        TrainingError: no day whose order's arrival is known, or weights that aren't finite.
    """
    rows, levels = actor_rows(policy, basis, span, candidate, n_copies=settings.n_copies, seed=seed)
    spec = ContinuousCandidate.model_validate(settings.of(candidate, seed))
    for update, network in train_actor(spec, seed, rows, gamma=_between_orders(policy), n_threads=settings.n_threads):
        yield update, replace(policy, network=network, level_range=levels)


def _between_orders(policy: OrderPolicy) -> float:
    """Return the discount from an order to the next one, in the mean over its days."""
    return float(DISCOUNT ** (_DAYS_PER_WEEK / len(policy.weekdays)))


def value_rows(
    policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, candidate: OrderCandidate, *, n_copies: int, seed: int
) -> LoggedEpisodes:
    """Return the span's days as decisions among OFFSETS, each an episode cut by time after one step.

    Raises:
        TrainingError: no day whose order's arrival is known.
    """
    offsets = np.array(OFFSETS)

    def draw(generator: np.random.Generator, n: int) -> FloatArray:
        return np.asarray(offsets[generator.integers(len(OFFSETS), size=n)])

    rows = level_rows(policy, basis, span, candidate.rows, draw=draw, n_copies=n_copies, seed=seed)
    action = np.argmin(np.abs(rows.offset[:, None] - offsets), axis=1).astype(np.int64)
    timeout = np.ones(len(action), dtype=bool)
    return decision_rows(rows.features, rows.following, action, rows.reward, timeout, len(OFFSETS))


def actor_rows(
    policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, candidate: OrderCandidate, *, n_copies: int, seed: int
) -> tuple[ActorRows, tuple[float, float]]:
    """Return the span's days as decisions on a level, and the range of levels, whose ends are the actions -1 and 1.

    Raises:
        TrainingError: no day whose order's arrival is known.
    """
    rows = level_rows(
        policy,
        basis,
        span,
        candidate.rows,
        draw=lambda generator, n: generator.uniform(*LEVEL_RANGE, n),
        n_copies=n_copies,
        seed=seed,
    )
    levels = LEVEL_RANGE if candidate.rows == "relabelled" else logged_range(rows.offset)
    return scaled_rows(rows, levels), levels


def scaled_rows(rows: LevelRows, levels: tuple[float, float]) -> ActorRows:
    """Return rows whose actions run from -1 to 1 over the range; levels beyond it are taken for its ends."""
    least, largest = levels
    action = 2 * (np.clip(rows.offset, least, largest) - least) / (largest - least) - 1
    return ActorRows(rows.features, rows.following, action, rows.reward, np.zeros(len(action), dtype=np.bool_))


def logged_range(offset: FloatArray) -> tuple[float, float]:
    """Return the levels that a log ordered up to, but for the most unusual at either end, within LEVEL_RANGE.

    Args:
        offset: logged levels, in standard deviations beside the quantile, `(n,)`.
    """
    inside = np.clip(offset, *LEVEL_RANGE)
    least, largest = np.quantile(inside, [_UNUSUAL, 1 - _UNUSUAL]).tolist()
    middle = float(np.clip((least + largest) / 2, LEVEL_RANGE[0] + _LEAST_REACH, LEVEL_RANGE[1] - _LEAST_REACH))
    return min(least, middle - _LEAST_REACH), max(largest, middle + _LEAST_REACH)
