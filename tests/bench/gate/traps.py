"""Logs on which weights, floors and intervals look sound, and which can't tell what the candidate earns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from conf.specs.judging import Gate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.gate.evidence import gate_evidence, gate_rules, with_losses
from rl.gate.rules import Verdict, judge
from rl.gate.split_contributions import PolicyOnSplits, split_contributions
from rl.gate.split_losses import split_losses
from rl.ope.intervals.intervals import Resampling
from rl.ope.propensities.known import know_propensities
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from tests.rl.ope.one_step_logs import one_step_log
from tests.rl.ope.tabular_mdp import TablePolicy

CANDIDATE = "candidate"
SELDOM = 0.02
WEIGHT_CHECKS = ("weights_average_one", "propensities_are_plausible", "effective_differing_units")

Reward = Callable[[np.random.Generator, IntArray, IntArray], FloatArray]
Draw = tuple[IntArray, IntArray, FloatArray]


@dataclass(frozen=True)
class Trap:
    """One-step logs of one shopper each, of two kinds of visit.

    Attributes:
        name: of its lines.
        estimators: by which the gate is tried.
        table: the candidate's, `(2, n_actions)`; it is worth no more than the log's policy.
        draw: kinds of visit, actions and what the log says of their probabilities, of so many shoppers.
        reward: of visits and actions.
    """

    name: str
    estimators: tuple[str, ...]
    table: FloatArray
    draw: Callable[[np.random.Generator, int], Draw]
    reward: Reward

    def log(self, n: int, seed: int) -> LoggedEpisodes:
        """That many shoppers; every action is available everywhere."""
        rng = np.random.default_rng(seed)
        visit, action, propensity = self.draw(rng, n)
        return one_step_log(visit, action, self.reward(rng, visit, action), propensity, np.ones_like(self.table, bool))


def verdicts(trap: Trap, *, gate: Gate, alpha: float, n: int, seed: int) -> Mapping[str, Verdict]:
    """What the gate says of the candidate by each estimator, on a log of so many test shoppers."""
    train, test = trap.log(2 * n, seed), trap.log(n, seed + 1)
    settings = EvaluationSettings(
        discount=DiscountFunction(1.0),
        steps=1,
        estimators=trap.estimators,
        resampling=Resampling(n_draws=300, seed=seed),
        fqe=FqeSettings(method="linear"),
    )
    known = know_propensities(test, is_logged=True)
    policy = TablePolicy(trap.table)
    found = evaluate_policies({CANDIDATE: policy}, train=train, test=known.episodes, settings=settings)
    on_splits = PolicyOnSplits(CANDIDATE, policy, (train,), known.episodes)

    def verdict(estimator: str) -> Verdict:
        evidence = gate_evidence(
            found,
            {},
            candidate=CANDIDATE,
            baseline=BEHAVIOR,
            estimator=estimator,
            gate=gate,
            alpha=alpha,
            unit_of_value="points",
            propensities=known.trust,
        )
        losses = split_losses(split_contributions([on_splits], settings=settings, estimator=estimator))
        return judge(with_losses(evidence, losses, found, alpha=alpha), gate_rules(gate, alpha=alpha))

    return {name: verdict(name) for name in trap.estimators}


def is_kept_back_by_weights_alone(verdict: Verdict) -> bool:
    """Without the checks of balance, propensities and differing shoppers, the gate would have promoted."""
    return all(check.is_passed for check in verdict.checks if check.name not in WEIGHT_CHECKS)


def traps() -> tuple[Trap, ...]:
    """All of them."""
    return (_never_logged(), _logged_elsewhere(), _partly_deterministic(), _wrong_propensities(), _differs_seldom())


def _noisy(mean: FloatArray) -> Reward:
    return lambda rng, visit, action: mean[visit, action] + 0.1 * rng.normal(size=len(action))


def _bought_at(rate: FloatArray) -> Reward:
    return lambda rng, visit, action: np.asarray(rng.random(len(action)) < rate[visit, action], dtype=np.float64)


def _by(behavior: FloatArray, stated: FloatArray | None = None) -> Callable[[np.random.Generator, int], Draw]:
    """Visits of both kinds alike, actions of the behavior policy; its probabilities as it states them."""

    def draw(rng: np.random.Generator, n: int) -> Draw:
        visit = rng.integers(0, 2, n)
        action = (rng.random(n)[:, None] > behavior.cumsum(axis=1)[visit]).sum(axis=1)
        return visit, action, (behavior if stated is None else stated)[visit, action]

    return draw


def _never_logged() -> Trap:
    """Costs everywhere, the most by an action that the log never takes: a model that knows no better says 0."""
    return Trap(
        "an action never logged",
        ("dr", "wpdis"),
        np.array([[0.3, 0.2, 0.5], [0.2, 0.2, 0.6]]),
        _by(np.array([[0.3, 0.7, 0.0], [0.2, 0.8, 0.0]])),
        _noisy(np.array([[-1.0, -2.0, -4.0]] * 2)),
    )


def _logged_elsewhere() -> Trap:
    """An action that is good on visits of the first kind, and taken on those of the second, where it earns nothing."""
    return Trap(
        "an action logged in other situations",
        ("dr", "wpdis"),
        np.array([[0.4, 0.2, 0.4], [0.1, 0.1, 0.8]]),
        _by(np.array([[0.4, 0.2, 0.4], [0.5, 0.5, 0.0]])),
        _noisy(np.array([[1.0, 1.0, 3.0], [1.0, 1.0, 0.0]])),
    )


def _partly_deterministic() -> Trap:
    """Two visits in a hundred explore; the others' actions are certain, and the candidate leaves half of them."""

    def draw(rng: np.random.Generator, n: int) -> Draw:
        explores = rng.random(n) < SELDOM
        action = np.where(explores, rng.integers(0, 2, n), 0)
        return rng.integers(0, 2, n), action, np.where(explores, 0.5, 1.0)

    return Trap(
        "actions certain on most visits",
        ("dr", "pdis", "wpdis"),
        np.full((2, 2), 0.5),
        draw,
        _noisy(np.array([[-1.0, -1.5]] * 2)),
    )


def _wrong_propensities() -> Trap:
    """The rarer action is said to be three times as rare as it is."""
    true, stated = np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([[0.97, 0.03], [0.97, 0.03]])
    return Trap(
        "wrong propensities",
        ("dr", "pdis", "wpdis"),
        np.array([[0.2, 0.8], [0.2, 0.8]]),
        _by(true, stated),
        _bought_at(np.array([[0.5, 0.4], [0.5, 0.4]])),
    )


def _differs_seldom() -> Trap:
    """Of equal value: it differs on two visits in a hundred, where its action mostly earns 1 and seldom costs 49."""

    def draw(rng: np.random.Generator, n: int) -> Draw:
        return (rng.random(n) < SELDOM).astype(np.int64), rng.integers(0, 2, n), np.full(n, 0.5)

    def reward(rng: np.random.Generator, visit: IntArray, action: IntArray) -> FloatArray:
        lot = np.where(rng.random(len(visit)) < SELDOM, -(1 - SELDOM) / SELDOM, 1.0)
        usual = np.asarray(rng.random(len(visit)) < 0.4, dtype=np.float64)
        return usual + np.where((visit == 1) & (action == 1), lot, 0.0)

    table = np.array([[0.5, 0.5], [0.0, 1.0]])
    return Trap("differs on 2% of visits, rare losses", ("dr", "wpdis"), table, draw, reward)
