"""Nights of the gate on one-step logs, by the code that judges real nights; every figure a rule may ask for is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from conf.specs.judging import Gate
from rl.data.discount_function import DiscountFunction
from rl.gate.evidence import gate_evidence, gate_rules, with_losses
from rl.gate.rules import Decision, judge
from rl.gate.split_contributions import PolicyOnSplits, split_contributions
from rl.gate.split_losses import split_losses
from rl.night.doubts.confounding import confounding_sensitivity
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Resampling
from rl.ope.propensities.known import know_propensities
from rl.ope.propensities.trust import ESTIMATED
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from tests.bench.gate.one_step_shop import OneStepShop

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


def one_step_settings(seed: int) -> EvaluationSettings:
    """Return how one-step logs are evaluated: DR by linear FQE, 200 draws of that seed."""
    return replace(_SETTINGS, resampling=Resampling(n_draws=200, seed=seed))


def one_step_night(kind: Kind, seed: int, *, gate: Gate, alpha: float) -> OneStepNight:
    """The night on logs of that seed.

    Raises:
        ValueError: the candidate is a learned one (`fast_night`), or the gate refuses the log.
    """
    if kind.gain is None:
        raise ValueError(f"{kind.name}: learned candidates are for fast_night")
    shop, n = kind.shop, kind.shop.n
    train = know_propensities(shop.log(int(TRAIN * n), 10 * seed + 1, is_test=False), is_logged=True).episodes
    validation = know_propensities(shop.log(int(VALIDATION * n), 10 * seed + 2, is_test=False), is_logged=True).episodes
    known = know_propensities(shop.log(n, 10 * seed + 3, is_test=True), is_logged=True)
    if shop.hidden > 1:
        known = replace(known, trust=ESTIMATED)
    policy = shop.candidate(kind.gain)
    settings = one_step_settings(seed)
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
