"""Figures of values, gains and guardrails, from a night's evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from rl.figures.night import Notes, UncomparedChampion
from rl.figures.values import Gain, GuardrailFigures, LevelSpread, PlayedSpend, PlayedValue, ValueFigures
from rl.figures.verdict import Allowance, VerdictFigures
from rl.gate.alpha_spending import NightLevel
from rl.gate.evidence import reported_gain
from rl.gate.rules import Decision, GuardrailEvidence
from rl.night.evaluation import NightEvaluation
from rl.night.truth import TrueValues
from rl.ope.intervals.intervals import Interval
from rl.ope.policy_value import PolicyValueReport
from rl.ope.report import BEHAVIOR
from rl.shops.true_value import EpisodeValue


def value_figures(reports: Iterable[PolicyValueReport]) -> tuple[ValueFigures, ...]:
    """Return the reports as figures; a number that isn't finite becomes None."""
    return tuple(ValueFigures.model_validate(report.to_json()) for report in reports)


def verdict_figures(night: NightEvaluation) -> VerdictFigures:
    """Return the gate's answer with what a reader must know of the log before it."""
    told = tuple(one.text for one in night.headlines if not one.forbids_promotion)
    near = night.closeness
    closeness = None if near is None else {**asdict(near), "other": near.other.value, "is_close": near.is_close}
    return VerdictFigures.model_validate({**night.verdict.to_json(), "headlines": told, "closeness": closeness})


def allowance_of(level: NightLevel) -> Allowance:
    """Return what tonight's look might spend of the year's allowance, and what that rests on."""
    return Allowance(
        level=level.level, per_year=level.per_year, n_looks=level.n_looks, spent=level.spent, since=level.since
    )


def gain_of(night: NightEvaluation) -> Gain | None:
    """Return the gain that the verdict rests on; None where nothing can be weighted."""
    found, evidence = night.evidence.difference, night.evidence
    if found is None or not evidence.is_logged or not math.isfinite(found.value):
        return None
    is_promoted = night.verdict.decision is Decision.PROMOTE
    reported = reported_gain(evidence, night.evaluation)
    return Gain(
        baseline=evidence.baseline,
        estimator=evidence.estimator,
        value=found.value,
        lower=finite(found.lower),
        upper=finite(found.upper),
        level=1 - night.level.level,
        corrected=evidence.corrected_gain if is_promoted else None,
        baseline_value=finite(night.evaluation.report(evidence.baseline, evidence.estimator).value),
        interval=None if reported is None else level_spread(reported),
    )


def over_control_of(night: NightEvaluation) -> Gain | None:
    """Return the gain over the shop's own rule; the luck of having passed is the gate's gain's."""
    found, gain = night.over_control, gain_of(night)
    if found is None or gain is None or gain.value is None:
        return None
    luck = None if gain.corrected is None else gain.value - gain.corrected
    return Gain(
        baseline=found.baseline,
        estimator=gain.estimator,
        value=found.interval.value,
        lower=finite(found.interval.lower),
        upper=finite(found.interval.upper),
        level=gain.level,
        corrected=None if luck is None else found.interval.value - luck,
        baseline_value=finite(found.control_value),
    )


def level_spread(found: Interval) -> LevelSpread | None:
    """Return the interval as figures; None where a bound isn't finite."""
    if not all(math.isfinite(one) for one in (found.value, found.lower, found.upper)):
        return None
    return LevelSpread(value=found.value, lower=found.lower, upper=found.upper, level=found.level)


def guardrail_figures(night: NightEvaluation) -> tuple[GuardrailFigures, ...]:
    """Return the side metrics against what they may rise or fall by."""
    return tuple(_guardrail(rail) for rail in night.evidence.guardrails)


def notes_of(night: NightEvaluation) -> Notes:
    """Return what a reader must know beside the verdict."""
    champion = night.champion
    return Notes(
        uncompared_champion=None
        if champion is None or champion.policy is not None
        else UncomparedChampion(name=champion.name, problem=champion.problem),
        unknown_actions=night.unknown_actions or None,
    )


def truth_of(truth: TrueValues) -> Mapping[str, PlayedValue]:
    """Return the true values by policy, as far as they are known."""
    behavior = {} if truth.behavior is None else {BEHAVIOR: truth.behavior}
    return {name: _played(value) for name, value in {**behavior, **truth.policies}.items()}


def finite(value: float | None) -> float | None:
    """Return the number; None where it isn't finite, since JSON has no other."""
    return value if value is not None and math.isfinite(value) else None


def _guardrail(rail: GuardrailEvidence) -> GuardrailFigures:
    return GuardrailFigures(
        metric=rail.metric,
        max_relative_increase=rail.max_relative_increase,
        max_relative_decrease=rail.max_relative_decrease,
        relative_increase=finite(rail.relative_increase),
        lower=finite(rail.lower_bound),
        upper=finite(rail.upper_bound),
        is_bounded=rail.bound is None or math.isfinite(rail.bound),
        is_kept=rail.is_kept,
        refusal=rail.refusal,
    )


def _played(played: EpisodeValue) -> PlayedValue:
    return PlayedValue(
        value=played.value,
        standard_error=played.standard_error,
        n_episodes=played.n_episodes,
        spent=None if played.spent is None else PlayedSpend.model_validate(asdict(played.spent)),
    )
