"""Nights of the gate on logs of a shop whose truth is known, by the code that judges real nights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from conf.specs.judging import Gate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes
from rl.gate.alpha_spending import night_level
from rl.gate.evidence import gate_evidence, gate_rules, with_losses
from rl.gate.rules import Decision, GateEvidence, Verdict, judge
from rl.gate.split_contributions import PolicyOnSplits, split_contributions
from rl.gate.split_losses import split_losses
from rl.ope.estimators.doubly_robust import dr
from rl.ope.intervals.intervals import Interval, Resampling, cautious_bounds
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.q_function import QFunction, action_values
from rl.ope.samples.sample import evaluation_sample
from tests.bench.gate.shop import GAMMA, STEPS, behavior, gate_shop
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ

GATE = Gate(wrong_promotions_per_year=4, min_effective_sample_size=150, min_effective_rewarded=75)
FIRST_NIGHT_LEVEL = night_level(GATE.wrong_promotions_per_year, date(2026, 1, 1)).level
SHOPPERS_PER_SESSION = 0.7
CANDIDATE = "candidate"
LINEAR = FqeSettings(method="linear")


@dataclass(frozen=True)
class JudgedNight:
    """What the gate said of one candidate on one log.

    Attributes:
        decision: the gate's.
        value: estimated gain.
        standard_error: of it.
        corrected: gain corrected for the promotion; None where it wasn't promoted.
        oracle_promotes: what the gate would say of a doubly robust estimate with the true Q-functions.
        free_oracle_promotes: the same without any floor: its lower bound alone is above 0.
        spends_level: the look counts against the year's allowance.
    """

    decision: Decision
    value: float
    standard_error: float
    corrected: float | None
    oracle_promotes: bool
    free_oracle_promotes: bool
    spends_level: bool


def split(n_episodes: int, seed: int) -> LoggedEpisodes:
    """Sessions under the behavior policy."""
    n_shoppers = max(2, int(SHOPPERS_PER_SESSION * n_episodes))
    return gate_shop().log(behavior(), n_episodes=n_episodes, seed=seed, max_steps=STEPS, n_units=n_shoppers)


def judged_night(
    policy: TablePolicy, *, train: LoggedEpisodes, test: LoggedEpisodes, alpha: float, seed: int
) -> JudgedNight:
    """The gate's verdict on the candidate at that level, and the oracle's."""
    evidence, verdict = judged(policy, train=train, test=test, alpha=alpha, seed=seed)
    found, is_promoted = evidence.difference, verdict.decision is Decision.PROMOTE
    oracle_passes = _oracle_interval(policy, test, alpha=alpha, seed=seed).lower > 0
    return JudgedNight(
        decision=verdict.decision,
        value=found.value if found else float("nan"),
        standard_error=found.standard_error if found else float("nan"),
        corrected=evidence.corrected_gain if is_promoted else None,
        oracle_promotes=_floors_are_met(verdict) and oracle_passes,
        free_oracle_promotes=oracle_passes,
        spends_level=verdict.spends_level,
    )


def judged(
    policy: TablePolicy,
    *,
    train: LoggedEpisodes,
    test: LoggedEpisodes,
    alpha: float,
    seed: int,
    seen: Sequence[LoggedEpisodes] = (),
    fqe: FqeSettings = LINEAR,
) -> tuple[GateEvidence, Verdict]:
    """The gate's verdict on the candidate at that level, with its evidence; `seen` counts among the losses alone."""
    evaluation = evaluate(policy, train=train, test=test, seed=seed, fqe=fqe)
    evidence = gate_evidence(
        evaluation,
        {},
        candidate=CANDIDATE,
        baseline=BEHAVIOR,
        estimator="dr",
        gate=GATE,
        alpha=alpha,
        unit_of_value="points",
    )
    on_splits = PolicyOnSplits(CANDIDATE, policy, (train, *seen), test)
    losses = split_losses(split_contributions([on_splits], settings=evaluation.settings, estimator="dr"))
    evidence = with_losses(evidence, losses, evaluation, alpha=alpha)
    return evidence, judge(evidence, gate_rules(GATE, alpha=alpha))


def evaluate(
    policy: TablePolicy, *, train: LoggedEpisodes, test: LoggedEpisodes, seed: int, fqe: FqeSettings = LINEAR
) -> PolicyEvaluation:
    """The candidate's and the behavior policy's doubly robust values, with Q-functions fitted on `train`."""
    settings = EvaluationSettings(
        discount=DiscountFunction(GAMMA),
        steps=STEPS,
        estimators=("dr",),
        resampling=Resampling(n_draws=200, seed=seed),
        fqe=fqe,
    )
    return evaluate_policies({CANDIDATE: policy}, train=train, test=test, settings=settings)


def _floors_are_met(verdict: Verdict) -> bool:
    """The floors read weights and rewards alone, so they are the same for the oracle."""
    return all(check.is_passed for check in verdict.checks if check.if_failed is Decision.ABSTAIN)


@dataclass(frozen=True)
class _StateValue:
    """The behavior policy's true state value as the Q of its only action."""

    table: FloatArray

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return np.where(mask, (features @ self.table)[:, None], 0.0)


@cache
def _behavior_q() -> _StateValue:
    q = gate_shop().exact_q(behavior(), gamma=GAMMA, steps=STEPS)
    return _StateValue((behavior().table * q).sum(axis=1))


def _oracle_interval(policy: TablePolicy, test: LoggedEpisodes, *, alpha: float, seed: int) -> Interval:
    true_q = TableQ(gate_shop().exact_q(policy, gamma=GAMMA, steps=STEPS))
    candidate = _dr(policy, test, test, true_q)
    baseline = _dr(None, test, as_one_action(test), _behavior_q())
    return cautious_bounds(difference(candidate, baseline), alpha=alpha, resampling=Resampling(seed=seed))


def _dr(policy: TablePolicy | None, test: LoggedEpisodes, valued: LoggedEpisodes, q_function: QFunction) -> RatioSums:
    values = action_values(q_function, policy or OnlyAction(), valued)
    return dr(evaluation_sample(policy, test, discount=DiscountFunction(GAMMA), steps=STEPS, values=values))
