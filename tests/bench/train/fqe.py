"""Fitted Q evaluation of eight policies: ours all at once, stock DiscreteFQE one after the other.

All fit the same log of a small shop whose values are known in closed form, with as many gradient steps, refreshes of
the target, rows a batch and the same networks. Stock's policies are the greedy ones of d3rlpy networks, since it knows
no others; ours evaluates the same, asking the same networks. Lines for stochastic policies have no counterpart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import d3rlpy
import numpy as np
import torch
from d3rlpy.dataset import MDPDataset
from d3rlpy.models.encoders import VectorEncoderFactory
from d3rlpy.ope import DiscreteFQE, FQEConfig

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes, Policy
from rl.ope.q_functions.fqe import FqeSettings, FqeTask, fit_fqe_together
from tests.bench.train.direct import HIDDEN
from tests.bench.train.timing import DEVICE, REPEATS, Timing, ratios, setting
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp

N_STATES, N_ACTIONS, N_POLICIES = 64, 50, 8
N_EPISODES = 7000
END_PROBABILITY = 0.35
GAMMA = 0.9
N_UPDATES, N_ROUNDS, BATCH_SIZE, LEARNING_RATE = 400, 10, 256, 1e-3
WARM_UP = 20

Networks = Literal["separate", "shared"]
Fit = Callable[[int, int], list[float]]
"""Values of the policies after so many updates, from a seed."""


def lines() -> Iterator[dict[str, Any]]:
    """One line for the greedy policies, one for stochastic ones."""
    shop = known_shop()
    log = shop.log(shop.random_policy(1), n_episodes=N_EPISODES, seed=2)
    algorithms = [_network(seed) for seed in range(N_POLICIES)]
    greedy = [GreedyNetwork(algorithm) for algorithm in algorithms]
    tables = [policy.table() for policy in greedy]
    found = {
        "separate": _ours(log, shop, greedy, tables, "separate"),
        "shared": _ours(log, shop, greedy, tables, "shared"),
        "d3rlpy": _stock(log, shop, algorithms, tables),
    }
    yield _line("greedy", found, log, shop, tables)
    stochastic = [shop.random_policy(10 + seed) for seed in range(N_POLICIES)]
    found = {
        "separate": _ours(log, shop, stochastic, stochastic, "separate"),
        "shared": _ours(log, shop, stochastic, stochastic, "shared"),
    }
    yield _line("stochastic", found, log, shop, stochastic)


def known_shop() -> TabularMdp:
    """64 states, all 50 actions available in each, episodes of three steps on average."""
    generator = np.random.default_rng(7)
    dynamics = generator.dirichlet(np.full(N_STATES, 0.2), size=(N_STATES, N_ACTIONS)) * (1 - END_PROBABILITY)
    dynamics = np.concatenate([dynamics, np.full((N_STATES, N_ACTIONS, 1), END_PROBABILITY)], axis=2)
    # Part of a reward is the state's and part the action's: with a few rows a pair, there must be something to learn.
    mean_reward = generator.normal(size=(N_STATES, 1)) + generator.normal(size=N_ACTIONS)
    mean_reward = mean_reward + 0.3 * generator.normal(size=(N_STATES, N_ACTIONS))
    mask = np.ones((N_STATES, N_ACTIONS), dtype=bool)
    return TabularMdp(dynamics, mean_reward, mask, np.full(N_STATES, 1 / N_STATES))


@dataclass(frozen=True)
class GreedyNetwork:
    """What a d3rlpy algorithm thinks best, as a policy of ours."""

    algorithm: Any
    version: str = "greedy"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        best = self.algorithm.predict(np.ascontiguousarray(features, dtype=np.float32))
        found = np.zeros(mask.shape)
        found[np.arange(len(best)), best] = 1.0
        return found

    def table(self) -> TablePolicy:
        """The same by state."""
        return TablePolicy(self.probabilities(_states(), np.ones((N_STATES, N_ACTIONS), dtype=bool)))


@dataclass
class _Passes:
    """Timings and estimated values of one contender, a pass each."""

    timings: list[Timing] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)

    def run(self, fit: Fit, seed: int) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        values = fit(seed, N_UPDATES)
        self.timings.append(Timing(time.perf_counter() - wall, time.process_time() - cpu))
        self.values.append(values)

    def timing(self) -> Timing:
        return Timing(median(one.wall for one in self.timings), median(one.cpu for one in self.timings))

    def error(self, exact: FloatArray) -> float:
        """Root mean squared error over policies and passes."""
        return float(np.sqrt(np.square(np.asarray(self.values) - exact).mean()))


def _line(
    kind: str, fits: Mapping[str, Fit], log: LoggedEpisodes, shop: TabularMdp, tables: Sequence[TablePolicy]
) -> dict[str, Any]:
    exact = np.array([shop.exact_value(table, gamma=GAMMA) for table in tables])
    passes = {name: _Passes() for name in fits}
    for fit in fits.values():
        fit(0, WARM_UP)
    for seed in range(REPEATS):
        for name, fit in fits.items():
            passes[name].run(fit, seed)
    found = {name: one.timing() for name, one in passes.items()}
    line = {
        "bench": "train_fqe",
        "policies": f"{N_POLICIES} {kind}",
        "updates": N_UPDATES,
        "rounds": N_ROUNDS,
        "batch": BATCH_SIZE,
        "rows": log.n_transitions,
        "features": N_STATES,
        "actions": N_ACTIONS,
        "hidden": [HIDDEN, HIDDEN],
        "seconds": {name: round(one.wall, 2) for name, one in found.items()},
        "error": {name: round(one.error(exact), 4) for name, one in passes.items()},
        "spread_of_exact_values": round(float(exact.std()), 4),
    }
    if "d3rlpy" in found:
        stock = {name: ratios(found, name)["d3rlpy"] for name in ("separate", "shared")}
        line["d3rlpy_times_ours"] = stock
    return line | setting()


def _ours(
    log: LoggedEpisodes,
    shop: TabularMdp,
    policies: Sequence[Policy],
    tables: Sequence[TablePolicy],
    networks: Networks,
) -> Fit:
    tasks = [FqeTask(policy, log) for policy in policies]

    def fit(seed: int, n_updates: int) -> list[float]:
        settings = FqeSettings(
            hidden=(HIDDEN, HIDDEN),
            n_updates=n_updates,
            n_rounds=N_ROUNDS,
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE,
            seed=seed,
            device=DEVICE,
            networks=networks,
        )
        fitted = fit_fqe_together(tasks, discount=DiscountFunction(GAMMA), settings=settings)
        q = [one.q(_states(), shop.mask) for one in fitted]
        return [_value(shop, table, values) for table, values in zip(tables, q, strict=True)]

    return fit


def _stock(log: LoggedEpisodes, shop: TabularMdp, algorithms: Sequence[Any], tables: Sequence[TablePolicy]) -> Fit:
    data = MDPDataset(
        log.features,
        log.action,
        log.reward.astype(np.float32),
        log.terminal.astype(np.float32),
        log.timeout.astype(np.float32),
        action_size=N_ACTIONS,
    )

    def fit(seed: int, n_updates: int) -> list[float]:
        d3rlpy.seed(seed)
        found = []
        for algorithm, table in zip(algorithms, tables, strict=True):
            config = FQEConfig(
                learning_rate=LEARNING_RATE,
                encoder_factory=VectorEncoderFactory([HIDDEN, HIDDEN]),
                batch_size=BATCH_SIZE,
                gamma=GAMMA,
                target_update_interval=max(1, n_updates // N_ROUNDS),
            )
            fqe = DiscreteFQE(algo=algorithm, config=config, device=DEVICE)
            fqe.build_with_dataset(data)
            for _ in range(n_updates):
                fqe.update(data.sample_transition_batch(BATCH_SIZE))
            best = table.table.argmax(axis=1)
            values = np.zeros((N_STATES, N_ACTIONS))
            values[np.arange(N_STATES), best] = fqe.predict_value(_states(), best[:, None])
            found.append(_value(shop, table, values))
        return found

    return fit


def _network(seed: int) -> Any:
    """A d3rlpy algorithm whose untrained network prefers different actions in different states."""
    d3rlpy.seed(seed)
    algorithm = d3rlpy.algos.DQNConfig(encoder_factory=VectorEncoderFactory([HIDDEN, HIDDEN])).create(device=DEVICE)
    algorithm.create_impl((N_STATES,), N_ACTIONS)
    with torch.no_grad():
        for parameter in algorithm.impl.q_function[0].parameters():
            parameter.normal_()  # its own start is nearly constant over states
    return algorithm


def _value(shop: TabularMdp, policy: TablePolicy, q: FloatArray) -> float:
    return float(shop.start @ (policy.table * q).sum(axis=1))


def _states() -> FeatureArray:
    return np.eye(N_STATES, dtype=np.float32)
