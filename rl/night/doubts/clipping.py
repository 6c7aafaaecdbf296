"""What a night's gain becomes when importance weights are limited: how much of it rests on a few large ones."""

from __future__ import annotations

from rl.gate.rules import GateEvidence
from rl.ope.estimators.registry import estimator
from rl.ope.overlap.clip_sensitivity import ClippedEstimate, clip_sensitivity
from rl.ope.report import PolicyEvaluation


def night_clip_sensitivity(
    evidence: GateEvidence, evaluation: PolicyEvaluation, *, level: float = 0.95
) -> tuple[ClippedEstimate, ...]:
    """Return the gain over the baseline at several limits on the candidate's weights, the unlimited one last.

    The baseline stays as the gate saw it. Empty where there is no gain, or the gate's estimator has no weights. The
    intervals leave out what estimating the propensities adds.

    Args:
        evidence: that the gate read.
        evaluation: of the reward, with its samples.
        level: of the intervals, two-sided.
    """
    entry = estimator(evidence.estimator)
    baseline = evaluation.sums.get((evidence.baseline, evidence.estimator))
    if not evidence.is_logged or evidence.difference is None or baseline is None or not entry.needs_weights:
        return ()
    return clip_sensitivity(evaluation.sample(evidence.candidate), entry.sums_of_whole, baseline=baseline, level=level)
