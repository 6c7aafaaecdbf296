"""What other estimators say of a night's gain: second opinions beside the gate's, which decide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rl.errors import EvaluationError, UnsupportedEstimator
from rl.night.evaluation import NightEvaluation
from rl.night.samples import NightSamples
from rl.ope.contenders import Contender
from rl.ope.density_ratios.fitting import with_density_ratios
from rl.ope.estimators.registry import estimator
from rl.ope.estimators.weight_refits import PairedRefits, extra_errors
from rl.ope.intervals.intervals import Interval, widest_intervals
from rl.ope.intervals.sums import difference
from rl.ope.policy_value import PolicyValueReport
from rl.ope.propensities.cross_fit_variance import widened
from rl.ope.report import IMPLIED, EvaluationSettings
from rl.ope.samples.sample import EvaluationSample

Pair = tuple[EvaluationSample, EvaluationSample]
"""Candidate's and baseline's sample of the same episodes."""


@dataclass(frozen=True)
class SecondOpinion:
    """One estimator on the test episodes.

    Attributes:
        estimator: its name.
        is_gate: it is the gate's own, to compare with at the same level.
        reports: of candidate and baseline, value and interval, or the reason why there are none.
        gain: candidate minus baseline, paired; None where refused.
        refusal: why there is no figure; None where there is one.
    """

    estimator: str
    is_gate: bool
    reports: tuple[PolicyValueReport, ...]
    gain: Interval | None = None
    refusal: str | None = None


def gate_opinion(night: NightEvaluation) -> SecondOpinion:
    """Return the gate's own estimator at the reports' level, for others to be compared with."""
    samples = night.samples
    return opinion_of(night.evidence.estimator, (samples.candidate, samples.baseline), night, samples.refits)


def state_opinions(night: NightEvaluation, names: Sequence[str]) -> tuple[SecondOpinion, ...]:
    """Return opinions of estimators that weight by state, or why there are none.

    Q-functions are the night's; ratios of occupancy are cross-fitted here. Estimated propensities widen the intervals
    as they do the gate's, with the ratios held: what they do to the fit of the ratios is left out.

    Args:
        night: its evaluation.
        names: estimators', as in the registry.
    """
    if not names or not night.evidence.is_logged:
        return tuple(refused_opinion(name, IMPLIED, night) for name in names)
    try:
        pair = _weighted_by_state(night.samples, night.evaluation.settings)
    except UnsupportedEstimator as error:
        return tuple(refused_opinion(name, str(error), night) for name in names)
    return tuple(opinion_of(name, pair, night, night.samples.refits) for name in names)


def opinion_of(name: str, pair: Pair, night: NightEvaluation, refits: PairedRefits) -> SecondOpinion:
    """Return one estimator's opinion, or its refusal.

    Args:
        name: the estimator's, as in the registry.
        pair: candidate and baseline.
        night: its evaluation.
        refits: of weights under every fit of estimated propensities.
    """
    if not night.evidence.is_logged:
        return refused_opinion(name, IMPLIED, night)
    try:
        *values, gain = _intervals(name, pair, night.evaluation.settings, refits)
    except EvaluationError as error:
        return refused_opinion(name, str(error), night)
    policies = (night.evidence.candidate, night.evidence.baseline)
    reports = tuple(
        _report(night, policy, name, interval, added)
        for policy, (interval, added) in zip(policies, values, strict=True)
    )
    return SecondOpinion(name, name == night.evidence.estimator, reports, gain[0])


def refused_opinion(name: str, refusal: str, night: NightEvaluation) -> SecondOpinion:
    """Return an opinion that holds the refusal alone."""
    policies = (night.evidence.candidate, night.evidence.baseline)
    reports = tuple(replace(_blank_report(night, policy, name), refusal=refusal) for policy in policies)
    return SecondOpinion(name, name == night.evidence.estimator, reports, refusal=refusal)


def _intervals(
    name: str, pair: Pair, settings: EvaluationSettings, refits: PairedRefits
) -> list[tuple[Interval, float | None]]:
    """Return the intervals of candidate, baseline and gain, and what estimated propensities added to each error."""
    candidate, baseline = (estimator(name).estimate(sample)[0] for sample in pair)
    found = widest_intervals(
        [candidate, baseline, difference(candidate, baseline)],
        level=settings.confidence,
        resampling=settings.resampling,
    )
    if refits == (None, None):
        return [(interval, None) for interval in found]
    extra = extra_errors(pair, refits, name)
    added = (extra.candidate, extra.baseline, extra.gain)
    return [(widened(interval, error), error) for interval, error in zip(found, added, strict=True)]


def _report(
    night: NightEvaluation, policy: str, name: str, interval: Interval, added: float | None
) -> PolicyValueReport:
    return replace(
        _blank_report(night, policy, name),
        value=interval.value,
        lower=interval.lower,
        upper=interval.upper,
        standard_error=interval.standard_error,
        interval_method=interval.method,
        behavior_standard_error=added,
        refusal=None,
    )


def _blank_report(night: NightEvaluation, policy: str, name: str) -> PolicyValueReport:
    """Return the report on that policy without its value: the same episodes, weights and overlap."""
    entry = estimator(name)
    return replace(
        night.evaluation.report(policy, night.evidence.estimator),
        estimator=name,
        value=None,
        lower=None,
        upper=None,
        standard_error=None,
        interval_method=None,
        is_bootstrapped_at_cut=entry.needs_values,
        is_prediction=False,
        chosen_level=None,
        behavior_standard_error=None,
    )


def _weighted_by_state(samples: NightSamples, settings: EvaluationSettings) -> Pair:
    """Return the samples with ratios of occupancy; the behavior policy's ratios to itself are 1 already.

    Raises:
        UnsupportedEstimator: there can be none.
    """
    candidate, champion = samples.contenders
    return (
        _with_ratios(samples.candidate, candidate, settings),
        samples.baseline if champion is None else _with_ratios(samples.baseline, champion, settings),
    )


def _with_ratios(sample: EvaluationSample, contender: Contender, settings: EvaluationSettings) -> EvaluationSample:
    return with_density_ratios(
        sample, contender.policy, contender.test, discount=settings.discount, steps=settings.steps
    )
