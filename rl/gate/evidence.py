"""What the gate looks at, gathered from the evaluations of a night."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from conf.specs.judging import Gate, Guardrail
from rl.errors import EvaluationError
from rl.gate.corrected_gain import corrected_gain
from rl.gate.rules import GateEvidence, GateRules, GuardrailEvidence
from rl.gate.split_losses import SplitLosses, lowered
from rl.ope.intervals.intervals import (
    Interval,
    cautious_bounds,
    reaching_intervals,
    relative_increase,
    standard_error,
)
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.intervals.tails import TailReport, tail_report
from rl.ope.overlap.differing_units import effective_differing_units
from rl.ope.propensities.cross_fit_variance import widened
from rl.ope.propensities.trust import LOGGED, PropensityTrust
from rl.ope.report import PolicyEvaluation
from rl.ope.samples.ratio_balance import RatioBalance


def gate_rules(gate: Gate, *, alpha: float) -> GateRules:
    """Return the rules of a spec for a night's level."""
    return GateRules(
        alpha=alpha,
        min_effective_sample_size=gate.min_effective_sample_size,
        min_effective_rewarded=gate.min_effective_rewarded,
        hidden_reasons=gate.hidden_reasons,
    )


def gate_evidence(  # noqa: PLR0913 -- one argument per thing that the gate must be told
    evaluation: PolicyEvaluation,
    metric_evaluations: Mapping[str, PolicyEvaluation],
    *,
    candidate: str,
    baseline: str,
    estimator: str,
    gate: Gate,
    alpha: float,
    unit_of_value: str,
    propensities: PropensityTrust = LOGGED,
    units: str = "shoppers",
) -> GateEvidence:
    """Return the evidence on a candidate against a baseline evaluated on the same episodes.

    Args:
        evaluation: all policies' values of the reward (not of side metrics).
        metric_evaluations: of the side metrics that guardrails name, by metric.
        candidate: name in the evaluations.
        baseline: name in the evaluations: the champion, or `report.BEHAVIOR`.
        estimator: the one the gate may use.
        gate: the spec's section on the gate.
        alpha: the night's one-sided level.
        unit_of_value: currency or points.
        propensities: how far they may be trusted.
        units: what the independent units are called in sentences, in the plural.
    """
    found = _difference(evaluation, candidate, baseline, estimator, alpha)
    compared = (candidate, baseline)
    return GateEvidence(
        candidate=candidate,
        baseline=baseline,
        estimator=estimator,
        unit_of_value=unit_of_value,
        is_logged=evaluation.is_logged,
        difference=found.interval,
        refusal=found.refusal,
        corrected_gain=found.corrected,
        tail=found.tail,
        effective_sample_size=_smallest(evaluation, compared, estimator, "effective_sample_size"),
        effective_rewarded=_smallest(evaluation, compared, estimator, "n_effective_rewarded"),
        effective_differing=_differing(evaluation, compared),
        balances={policy: _balance(evaluation, policy, estimator) for policy in compared},
        propensities=propensities,
        units=units,
        guardrails=tuple(
            _guardrail(metric_evaluations.get(rail.metric), rail, candidate, baseline, estimator)
            for rail in gate.guardrails
        ),
    )


def with_losses(
    evidence: GateEvidence, losses: SplitLosses | str, evaluation: PolicyEvaluation, *, alpha: float
) -> GateEvidence:
    """Return the evidence with the difference's lower bound lowered by the losses of all splits.

    Args:
        evidence: from the test split, its bounds widened already where propensities were estimated.
        losses: of all splits, or why they are unknown.
        evaluation: of the reward, that the evidence was gathered from.
        alpha: the night's one-sided level.
    """
    if isinstance(losses, str):
        return replace(evidence, losses_refusal=losses)
    found = replace(evidence, losses=losses)
    if evidence.difference is None:
        return found
    paired, extra = _paired(evidence, evaluation), extra_standard_error(evidence, evaluation)
    interval = lowered(evidence.difference, losses, alpha=alpha, extra_standard_error=extra)
    return replace(found, difference=interval, corrected_gain=corrected_gain(paired, interval))


def reported_gain(evidence: GateEvidence, evaluation: PolicyEvaluation) -> Interval | None:
    """Return the gain as values are reported: between two-sided bounds at the reports' confidence.

    The gate's own bounds are at the night's level, mostly far beyond it, and lowered by the losses of all splits: how
    often those hold the truth says nothing of intervals at that confidence.

    Args:
        evidence: that the gate read.
        evaluation: of the reward, that it was gathered from.
    """
    if evidence.difference is None:
        return None
    paired, settings = _paired(evidence, evaluation), evaluation.settings
    (found,) = reaching_intervals([paired], level=settings.confidence, resampling=settings.resampling)
    return widened(found, extra_standard_error(evidence, evaluation))


def _paired(evidence: GateEvidence, evaluation: PolicyEvaluation) -> RatioSums:
    names = (evidence.candidate, evidence.baseline)
    return difference(*(evaluation.sums[name, evidence.estimator] for name in names))


def extra_standard_error(evidence: GateEvidence, evaluation: PolicyEvaluation) -> float:
    """Return what estimated propensities have added to the error of the difference; 0 where they were logged.

    Args:
        evidence: that the gate read, with a difference.
        evaluation: of the reward, that it was gathered from.
    """
    if evidence.difference is None:
        return 0.0
    error = standard_error(_paired(evidence, evaluation))
    return math.sqrt(max(evidence.difference.standard_error**2 - error**2, 0.0))


@dataclass(frozen=True)
class _Difference:
    """Candidate minus baseline, or why there is none."""

    interval: Interval | None = None
    refusal: str | None = None
    corrected: float | None = None
    tail: TailReport | None = None


def _difference(
    evaluation: PolicyEvaluation, candidate: str, baseline: str, estimator: str, alpha: float
) -> _Difference:
    refusal = evaluation.report(candidate, estimator).refusal
    if refusal is not None:
        return _Difference(refusal=refusal)
    try:
        paired = difference(evaluation.sums[candidate, estimator], _baseline_sums(evaluation, baseline, estimator))
        interval = cautious_bounds(paired, alpha=alpha, resampling=evaluation.settings.resampling)
        return _Difference(interval, None, corrected_gain(paired, interval), tail_report(paired.influence()))
    except EvaluationError as error:
        return _Difference(refusal=str(error))


def _baseline_sums(evaluation: PolicyEvaluation, baseline: str, estimator: str) -> RatioSums:
    if (baseline, estimator) not in evaluation.sums:
        raise EvaluationError(f"{baseline} can't be valued: {evaluation.report(baseline, estimator).refusal}")
    return evaluation.sums[baseline, estimator]


def _smallest(evaluation: PolicyEvaluation, policies: tuple[str, ...], estimator: str, field: str) -> float | None:
    """Return the smallest figure among the policies compared; None where one of them has none."""
    figures = [getattr(evaluation.report(policy, estimator), field) for policy in policies]
    return None if any(figure is None for figure in figures) else min(figures)


def _differing(evaluation: PolicyEvaluation, compared: tuple[str, ...]) -> float | None:
    """Return the number of units for which the two policies decide differently; None where one can't be weighted."""
    found = [evaluation.weights[policy] for policy in compared if policy in evaluation.weights]
    return effective_differing_units(*found) if len(found) == 2 else None


def _balance(evaluation: PolicyEvaluation, policy: str, estimator: str) -> RatioBalance | None:
    report = evaluation.report(policy, estimator)
    if report.mean_ratio is None or report.mean_ratio_error is None:
        return None
    return RatioBalance(report.mean_ratio, report.mean_ratio_error)


def _guardrail(
    evaluation: PolicyEvaluation | None, rail: Guardrail, candidate: str, baseline: str, estimator: str
) -> GuardrailEvidence:
    """Return the evidence on one side metric, bounded at the confidence of the spec's intervals.

    Not at the night's level: that one limits how often an equal candidate is promoted, and would leave rare metrics
    such as refunds unbounded on any log of ordinary size.
    """
    refused = GuardrailEvidence(rail.metric, rail.max_relative_increase, rail.max_relative_decrease)
    if evaluation is None:
        return replace(refused, refusal="it was not evaluated")
    if (reason := evaluation.report(candidate, estimator).refusal) is not None:
        return replace(refused, refusal=reason)
    try:
        increase = relative_increase(
            evaluation.sums[candidate, estimator],
            _baseline_sums(evaluation, baseline, estimator),
            alpha=(1 - evaluation.settings.confidence) / 2,
            resampling=evaluation.settings.resampling,
        )
    except EvaluationError as error:
        return replace(refused, refusal=str(error))
    return replace(refused, relative_increase=increase.value, lower_bound=increase.lower, upper_bound=increase.upper)
