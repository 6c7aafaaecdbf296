"""Nights of the gate on one-step logs, by the code that judges real nights; every figure a rule may ask for is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from conf.specs.judging import Gate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.gate.evidence import gate_evidence, gate_rules, with_losses
from rl.gate.rules import Decision, judge
from rl.gate.split_contributions import PolicyOnSplits, split_contributions
from rl.gate.split_losses import split_losses
from rl.night.doubts.confounding import confounding_sensitivity
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Resampling, standard_error
from rl.ope.intervals.sums import difference
from rl.ope.propensities.known import know_propensities
from rl.ope.propensities.trust import ESTIMATED
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from tests.bench.gate.one_step_shop import N_ACTIONS, N_VISITS, OneStepShop
from tests.rl.ope.tabular_mdp import TablePolicy

CANDIDATE = "candidate"
TRAIN, VALIDATION = 2.4, 0.6
"""Lengths of the other splits beside the test split's, as the default scenario divides a log."""

WEIGHT_CHECKS = ("weights_average_one", "propensities_are_plausible")
_SETTINGS = EvaluationSettings(
    discount=DiscountFunction(1.0),
    steps=1,
    estimators=("dr",),
    resampling=Resampling(n_draws=200),
    fqe=FqeSettings(method="linear"),
)


@dataclass(frozen=True)
class Kind:
    """Nights of one kind.

    Attributes:
        name: of its line.
        shop: that makes the logs.
        gain: true gain of a fixed candidate, as a share; None where it is learned.
        n_learned: policies learned from resamples of the training split, of which validation episodes choose one.
    """

    name: str
    shop: OneStepShop
    gain: float | None = None
    n_learned: int = 0


@dataclass(frozen=True)
class OneStepNight:
    """What one night's gate looked at, and what it said.

    Attributes:
        true_gain: of the candidate, as a share of the behavior policy's value.
        value: estimated gain, in points.
        own_lower: its lower bound by the test split alone.
        lower: by the losses of all splits, too.
        tail_index: of the shoppers' parts; None where too few differ.
        effective_sample_size: smaller of the two.
        effective_rewarded: smaller of the two.
        effective_differing: for whom they decide differently.
        weights_pass: ratios average 1, and the propensities are plausible.
        survived: strength of the hidden reason that would undo the gain; 1 where none is shown.
        decision: the gate's.
    """

    true_gain: float
    value: float
    own_lower: float
    lower: float
    tail_index: float | None
    effective_sample_size: float
    effective_rewarded: float
    effective_differing: float
    weights_pass: bool
    survived: float
    decision: Decision

    def passes(self, rule: Literal["bound", "losses"], *, units: float = 0, rewarded: float = 0) -> bool:
        """Return whether the bound of a rule is above 0 and its floors are met."""
        bound = self.own_lower if rule == "bound" else self.lower
        return (
            bound > 0
            and self.weights_pass
            and min(self.effective_sample_size, self.effective_differing) >= units
            and self.effective_rewarded >= rewarded
        )

    def passed_before(self, *, units: float, rewarded: float) -> bool:
        """Return whether the rule passes it that limited the tail index to .8 and knew the test split alone."""
        return self.passes("bound", units=units, rewarded=rewarded) and (self.tail_index or 0.0) <= 0.8


def one_step_night(kind: Kind, seed: int, *, gate: Gate, alpha: float) -> OneStepNight:
    """The night on logs of that seed."""
    shop, n = kind.shop, kind.shop.n
    train = know_propensities(shop.log(int(TRAIN * n), 10 * seed + 1, is_test=False), is_logged=True).episodes
    validation = know_propensities(shop.log(int(VALIDATION * n), 10 * seed + 2, is_test=False), is_logged=True).episodes
    known = know_propensities(shop.log(n, 10 * seed + 3, is_test=True), is_logged=True)
    if shop.hidden > 1:
        known = replace(known, trust=ESTIMATED)
    policy = _learned(kind, train, validation, gate=gate, seed=seed) if kind.gain is None else shop.candidate(kind.gain)
    settings = replace(_SETTINGS, resampling=Resampling(n_draws=200, seed=seed))
    found = evaluate_policies(
        {CANDIDATE: policy}, train=train, test=known.episodes, settings=settings, keeps_samples=True
    )
    plain = gate_evidence(
        found,
        {},
        candidate=CANDIDATE,
        baseline=BEHAVIOR,
        estimator="dr",
        gate=gate,
        alpha=alpha,
        unit_of_value="points",
        propensities=known.trust,
    )
    on_splits = PolicyOnSplits(CANDIDATE, policy, (train, validation), known.episodes)
    losses = split_losses(split_contributions([on_splits], settings=settings, estimator="dr"))
    evidence = with_losses(plain, losses, found, alpha=alpha)
    hidden = confounding_sensitivity(evidence, found, [Contender(CANDIDATE, policy, train, known.episodes)])
    evidence = replace(evidence, survived=None if hidden is None else hidden.survived)
    verdict = judge(evidence, gate_rules(gate, alpha=alpha))
    if plain.difference is None or evidence.difference is None:
        raise ValueError(f"{kind.name}, night {seed}: {evidence.refusal}")
    return OneStepNight(
        true_gain=shop.gain(policy),
        value=plain.difference.value,
        own_lower=plain.difference.lower,
        lower=evidence.difference.lower,
        tail_index=None if plain.tail is None else plain.tail.tail_index,
        effective_sample_size=evidence.effective_sample_size or 0.0,
        effective_rewarded=evidence.effective_rewarded or 0.0,
        effective_differing=evidence.effective_differing or 0.0,
        weights_pass=all(check.is_passed for check in verdict.checks if check.name in WEIGHT_CHECKS),
        survived=evidence.survived or 1.0,
        decision=verdict.decision,
    )


def _learned(kind: Kind, train: LoggedEpisodes, validation: LoggedEpisodes, *, gate: Gate, seed: int) -> TablePolicy:
    """The policy of the surest gain on validation visits, of several learned from resamples of the training visits."""
    rng = np.random.default_rng(1_000_000 + seed)
    learned = {f"learned {number}": _from_means(train, rng) for number in range(kind.n_learned)}
    found = evaluate_policies(
        learned,
        train=train,
        test=validation,
        settings=_SETTINGS,
        stand_ins=dict.fromkeys(learned, next(iter(learned.values()))),
    )
    return max(learned.items(), key=lambda item: _rank(found, item[0], gate))[1]


def _rank(found: PolicyEvaluation, name: str, gate: Gate) -> tuple[bool, float]:
    """As `rl/night/selection.py` ranks: the surest gain among those the log can judge."""
    report, paired = found.report(name, "dr"), difference(found.sums[name, "dr"], found.sums[BEHAVIOR, "dr"])
    gain, error = paired.value(), standard_error(paired)
    is_supported = (report.effective_sample_size or 0.0) >= VALIDATION * gate.min_effective_sample_size and (
        report.n_effective_rewarded or 0.0
    ) >= VALIDATION * gate.min_effective_rewarded
    return (True, gain / error) if is_supported and error > 0 else (False, gain - error)


def _from_means(train: LoggedEpisodes, rng: np.random.Generator) -> TablePolicy:
    """A softmax of mean rewards by kind of visit and action, over a resample of the shoppers, with a floor of .1."""
    weight = rng.poisson(1.0, train.n_transitions).astype(np.float64)
    cell = train.mask_index * N_ACTIONS + train.action
    counts = np.bincount(cell, weights=weight, minlength=N_VISITS * N_ACTIONS)
    sums = np.bincount(cell, weights=weight * train.reward, minlength=N_VISITS * N_ACTIONS)
    means = (sums / np.maximum(counts, 1.0)).reshape(N_VISITS, N_ACTIONS)
    scores: FloatArray = np.exp((means - means.max(axis=1, keepdims=True)) / (0.3 * means.std() + 1e-9))
    table = 0.9 * scores / scores.sum(axis=1, keepdims=True) + 0.1 / N_ACTIONS
    return TablePolicy(table, "learned")
