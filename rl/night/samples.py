"""Candidate and baseline of a night on the same test episodes, as its report read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rl.ope.contenders import Contender, evaluated_rows
from rl.ope.estimators.weight_refits import PairedRefits, WeightRefits
from rl.ope.propensities.behavior_policy import PropensityRepeats
from rl.ope.report import BEHAVIOR, PolicyEvaluation
from rl.ope.samples.sample import EvaluationSample


@dataclass(frozen=True)
class NightSamples:
    """The selected candidate's sample and that of what it is compared with, made once and read by all.

    Attributes:
        candidate: its sample.
        baseline: the champion's, or the behavior policy's, whose weights are all 1.
        refits: of their weights under every fit of estimated propensities; None where none was estimated.
        contenders: the candidate and the champion with their episodes; None for the behavior policy.
    """

    candidate: EvaluationSample
    baseline: EvaluationSample
    refits: PairedRefits
    contenders: tuple[Contender, Contender | None]


def night_samples(
    evaluation: PolicyEvaluation, contenders: Sequence[Contender], repeats: PropensityRepeats | None
) -> NightSamples:
    """Return the samples that the night's report was made from; nothing is fitted or weighted again.

    Args:
        evaluation: of the reward, with its samples.
        contenders: the candidate, then the champion where the candidate is compared with it.
        repeats: of the test rows' estimated propensities; None where they were logged.
    """
    candidate, *others = contenders
    champion = others[0] if others else None
    refits = None if repeats is None else WeightRefits.of(repeats, evaluated_rows(candidate, evaluation))
    return NightSamples(
        candidate=evaluation.sample(candidate.name),
        baseline=evaluation.sample(BEHAVIOR if champion is None else champion.name),
        refits=(refits, None if champion is None else refits),
        contenders=(candidate, champion),
    )
