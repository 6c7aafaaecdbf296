"""What estimated propensities add to a night's doubt: reports, the gate's difference and guardrails, widened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.gate.corrected_gain import corrected_gain
from rl.gate.rules import GateEvidence, GuardrailEvidence
from rl.ope.contenders import Contender, evaluated_rows
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import Interval
from rl.ope.intervals.sums import difference
from rl.ope.policy_value import PolicyValueReport
from rl.ope.propensities.behavior_policy import PropensityRepeats
from rl.ope.propensities.cross_fit_variance import CrossFitVariance, cross_fit_variance, widened
from rl.ope.report import BEHAVIOR, PolicyEvaluation
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import weights_from_ratio


@dataclass(frozen=True)
class FitScatter:
    """A figure under every fit of the propensities.

    Attributes:
        by_repeat: under each repeat's cross-fitted propensities, `(n_repeats,)`.
        by_model: under each fold's model on all rows, `(n_repeats, n_folds)`.
    """

    by_repeat: FloatArray
    by_model: FloatArray

    def minus(self, other: FitScatter) -> FitScatter:
        """Return the difference under every fit, paired."""
        return FitScatter(self.by_repeat - other.by_repeat, self.by_model - other.by_model)

    def relative_to(self, other: FitScatter) -> FitScatter:
        """Return the relative increase over the other under every fit; not finite where the other is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return FitScatter(self.by_repeat / other.by_repeat - 1, self.by_model / other.by_model - 1)

    def variance(self, value: float) -> CrossFitVariance:
        """Return the variance that the fits' scatter adds to the figure.

        Raises:
            EvaluationError: it isn't known under one of the fits.
        """
        return cross_fit_variance(value, by_repeat=self.by_repeat, by_model=self.by_model)


Scatters = Mapping[tuple[str, str], FitScatter]
"""By policy and estimator."""


@dataclass(frozen=True)
class PropensityDoubt:
    """Every weighted estimate of a night under every fit of the propensities.

    Attributes:
        scatters: by outcome; the behavior policy, whose weights are 1, isn't among them.
    """

    scatters: Mapping[str, Scatters]

    def widened(self, evaluation: PolicyEvaluation) -> PolicyEvaluation:
        """Return the evaluation with its reports' intervals widened; a report whose scatter isn't known is refused."""
        scatters = self.scatters[evaluation.outcome]
        reports = [
            _widened_report(report, scatters.get((report.policy, report.estimator))) for report in evaluation.reports
        ]
        return replace(evaluation, reports=tuple(reports))

    def widened_evidence(self, evidence: GateEvidence, evaluation: PolicyEvaluation) -> GateEvidence:
        """Return the evidence with wider bounds of the difference and of the guardrails' increases.

        Args:
            evidence: gathered as if propensities were known.
            evaluation: of the reward, that it was gathered from; its confidence is the guardrails'.
        """
        confidence = evaluation.settings.confidence
        rails = tuple(self._guardrail(rail, evidence, confidence) for rail in evidence.guardrails)
        found = replace(evidence, guardrails=rails)
        if evidence.difference is None:
            return found
        try:
            candidate, baseline = self._pair("reward", evidence)
            variance = candidate.minus(baseline).variance(evidence.difference.value)
        except EvaluationError as error:
            return replace(found, difference=None, corrected_gain=None, refusal=str(error))
        interval = widened(evidence.difference, variance.extra_standard_error)
        sums = [evaluation.sums[name, evidence.estimator] for name in (evidence.candidate, evidence.baseline)]
        return replace(found, difference=interval, corrected_gain=corrected_gain(difference(*sums), interval))

    def _guardrail(self, rail: GuardrailEvidence, evidence: GateEvidence, confidence: float) -> GuardrailEvidence:
        value = rail.relative_increase
        if value is None or rail.bound is None:
            return rail
        try:
            candidate, baseline = self._pair(rail.metric, evidence)
            variance = candidate.relative_to(baseline).variance(value)
        except EvaluationError as error:
            return replace(rail, relative_increase=None, lower_bound=None, upper_bound=None, refusal=str(error))
        reach = float(ndtri((1 + confidence) / 2)) * variance.extra_standard_error
        return replace(
            rail,
            lower_bound=None if rail.lower_bound is None else value - math.hypot(value - rail.lower_bound, reach),
            upper_bound=None if rail.upper_bound is None else value + math.hypot(rail.upper_bound - value, reach),
        )

    def _pair(self, outcome: str, evidence: GateEvidence) -> tuple[FitScatter, FitScatter]:
        """Return candidate's and baseline's figures by the gate's estimator."""
        scatters = self.scatters[outcome]
        keys = [(name, evidence.estimator) for name in (evidence.candidate, evidence.baseline)]
        if missing := [name for name, _ in keys if (name, evidence.estimator) not in scatters]:
            raise EvaluationError(f"how much {' and '.join(missing)} hang on the estimated propensities can't be told")
        return scatters[keys[0]], scatters[keys[1]]


def propensity_doubt(
    evaluations: Sequence[PolicyEvaluation], contenders: Sequence[Contender], repeats: PropensityRepeats
) -> PropensityDoubt:
    """Return the night's weighted estimates, computed again under every fit of the propensities.

    Weights alone change: Q-functions, fitted on the training split, know no propensities.

    Args:
        evaluations: values of the reward and of side metrics.
        contenders: the policies evaluated, on the same test rows.
        repeats: of the test rows' propensities.
    """
    return PropensityDoubt(
        {evaluation.outcome: _scatters(evaluation, contenders, repeats) for evaluation in evaluations}
    )


def _scatters(
    evaluation: PolicyEvaluation, contenders: Sequence[Contender], repeats: PropensityRepeats
) -> dict[tuple[str, str], FitScatter]:
    found: dict[tuple[str, str], FitScatter] = {}
    for report in evaluation.reports:
        if report.policy == BEHAVIOR and report.value is not None:
            found[BEHAVIOR, report.estimator] = _constant(report.value, repeats)
    for contender in contenders:
        reports = [one for one in evaluation.reports if one.policy == contender.name and one.value is not None]
        weighted = [one.estimator for one in reports if ESTIMATORS[one.estimator].needs_weights]
        if weighted:
            found |= _contender_scatters(contender, evaluation, weighted, repeats)
    return found


def _contender_scatters(
    contender: Contender, evaluation: PolicyEvaluation, estimators: Sequence[str], repeats: PropensityRepeats
) -> dict[tuple[str, str], FitScatter]:
    sample = evaluation.sample(contender.name)
    if sample.weights is None:
        raise EvaluationError(f"{contender.name}: {sample.refusal}")
    rows = evaluated_rows(contender, evaluation)
    probability = sample.weights.ratio * contender.test.propensity[rows]
    n_repeats, n_folds, _ = repeats.by_model.shape
    fits = np.concatenate([repeats.by_repeat, *repeats.by_model])[:, rows]
    values = np.array([_values(sample, probability / propensity, estimators) for propensity in fits])
    return {
        (contender.name, name): FitScatter(column[:n_repeats], column[n_repeats:].reshape(n_repeats, n_folds))
        for name, column in zip(estimators, values.T, strict=True)
    }


def _values(sample: EvaluationSample, ratio: FloatArray, estimators: Sequence[str]) -> list[float]:
    """Return each estimator's value under other importance ratios; NaN where it refuses them."""
    try:
        clip = None if sample.weights is None else sample.weights.clip
        reweighted = replace(sample, weights=weights_from_ratio(ratio, sample.offsets, clip=clip))
    except UnsupportedEstimator:
        return [math.nan] * len(estimators)
    return [_value(reweighted, name) for name in estimators]


def _value(sample: EvaluationSample, estimator: str) -> float:
    try:
        return ESTIMATORS[estimator].estimate(sample)[0].value()
    except UnsupportedEstimator:
        return math.nan


def _constant(value: float, repeats: PropensityRepeats) -> FitScatter:
    n_repeats, n_folds, _ = repeats.by_model.shape
    return FitScatter(np.full(n_repeats, value), np.full((n_repeats, n_folds), value))


def _widened_report(report: PolicyValueReport, scatter: FitScatter | None) -> PolicyValueReport:
    if scatter is None or report.policy == BEHAVIOR or report.value is None:
        return report
    try:
        extra = scatter.variance(report.value).extra_standard_error
    except EvaluationError as error:
        return replace(report, value=None, lower=None, upper=None, standard_error=None, refusal=str(error))
    found = widened(_interval(report), extra)
    return replace(
        report,
        lower=found.lower,
        upper=found.upper,
        standard_error=found.standard_error,
        interval_method=found.method,
        behavior_standard_error=extra,
    )


def _interval(report: PolicyValueReport) -> Interval:
    if report.value is None or report.lower is None or report.upper is None or report.standard_error is None:
        raise EvaluationError(f"the report of {report.estimator} on {report.policy} has a value without its interval")
    return Interval(
        report.value, report.lower, report.upper, report.level, report.interval_method or "", report.standard_error
    )
