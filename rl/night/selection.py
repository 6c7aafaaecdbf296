"""The choice of temperature and candidate, on validation episodes alone.

Test episodes are never looked at here: choosing and reporting on the same episodes would credit luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import structlog

from rl.data.logged_episodes import LoggedEpisodes, Policy
from rl.errors import EvaluationError
from rl.gate.close_call import SeedSpread
from rl.night.gate_ahead import GateAhead
from rl.night.single_decisions import NOTE, SingleDecisionGain, SingleDecisions
from rl.night.temperature_gains import temperature_gains
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import covariance, standard_error
from rl.ope.intervals.sums import difference
from rl.ope.overlap.differing_units import effective_differing_units
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, PolicyValueReport, evaluate_policies
from rl.policy import StochasticPolicy

# The direct method needs no propensity: what is left where the spec's estimator refuses.
FALLBACK_ESTIMATOR = "dm"

AtTemperature = Callable[[StochasticPolicy, float], StochasticPolicy]
"""Makes of a candidate's policy the one at a temperature; where there is a budget, at the price of money for it."""


@dataclass(frozen=True)
class Choice:
    """A candidate at one temperature, as seen on the validation episodes.

    Attributes:
        policy: at that temperature.
        report: of the deciding estimator.
        certainty: gain over the behavior policy in units of its standard error, paired; None where unknown.
        cautious_gain: that gain less one standard error; None where unknown.
        is_supported: the floors are met.
        gain: over the behavior policy, in the reward's unit; None where unknown.
        gain_to_ship: what the gate is to be expected to let through of it (`GateAhead`); None where the log has no
            chance of judging it, or nothing is known of its gain.
        single_decisions: its gain decision by decision; None where whole episodes promise a promotion, or where nothing
            tells it.
        is_likely_to_pass: the gate is more likely to promote it than not.
        error: standard error of the gain; None where unknown.
        floors: chance of meeting the gate's floors.
        shared_gain_to_ship: `gain_to_ship` by what all temperatures of the candidate say of each; None but for the
            selected candidate where it had several to choose from.
    """

    policy: StochasticPolicy
    report: PolicyValueReport
    certainty: float | None
    cautious_gain: float | None
    is_supported: bool
    gain_to_ship: float | None = None
    single_decisions: SingleDecisionGain | None = None
    gain: float | None = None
    is_likely_to_pass: bool = False
    error: float | None = None
    floors: float = 0.0
    shared_gain_to_ship: float | None = None

    @property
    def algorithm(self) -> str:
        """The candidate's name without its seed."""
        return self.policy.name.rpartition("-")[0]

    @property
    def rank(self) -> tuple[bool, bool, float, float]:
        """Key that sorts choices in ascending order of preference.

        Among policies that the log may judge, the one of which the gate is to be expected to ship most: the highest
        value would pick the policy furthest from the log, whose estimate is mostly noise, and the surest gain one that
        changes little. Among those it can't judge, the largest gain less its standard error: the one nearest to being
        judged would be the one most like the log, good or bad. Where none is likely to be promoted tonight, and
        something tells what single decisions bring, by that. Without weights (the direct method), the highest value.
        """
        if self.report.value is None:
            return (False, False, float("-inf"), 0.0)
        if self.certainty is None or self.cautious_gain is None:
            return (True, False, self.report.value, 0.0)
        if self.single_decisions is not None:
            return (True, False, self.single_decisions.cautious, 0.0)
        if self.gain_to_ship is None:
            return (True, False, self.cautious_gain, 0.0)
        return (True, True, self.gain_to_ship, self.certainty)


@dataclass(frozen=True)
class Selection:
    """What validation episodes decided.

    Attributes:
        best: the selected candidate at its temperature.
        by_candidate: each candidate at its best temperature, in the given order.
        reports: of every candidate at every temperature.
        estimator: that decided.
        note: why it isn't the spec's, or why none decided; empty where the spec's did.
        at_temperatures: the selected candidate at each temperature, by itself.
    """

    best: Choice
    by_candidate: tuple[Choice, ...]
    reports: tuple[PolicyValueReport, ...]
    estimator: str
    note: str = ""
    at_temperatures: tuple[Choice, ...] = ()

    @property
    def seeds(self) -> SeedSpread:
        """How far the seeds of the selected algorithm are apart, chance of the episodes included.

        Each is taken at the temperature that ranks first by itself, the selected one too.
        """
        ranked = {one.policy.name: one for one in self.by_candidate}
        if self.at_temperatures:
            first = max(self.at_temperatures, key=lambda one: one.rank)
            ranked[first.policy.name] = first
        own = [one for one in ranked.values() if one.algorithm == self.best.algorithm]
        return SeedSpread(
            gain=_spread([one.gain for one in own]),
            effective=_spread([_logarithm(one.report.effective_sample_size) for one in own]),
            rewarded=_spread([_logarithm(one.report.n_effective_rewarded) for one in own]),
        )


def _spread(found: Sequence[float | None]) -> float | None:
    """Return the standard deviation of what is known; None of fewer than two."""
    known = [one for one in found if one is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def _logarithm(units: float | None) -> float | None:
    return math.log(units) if units is not None and units > 0 else None


def select_candidate(  # noqa: PLR0913 -- one call says all that is chosen from, by and on
    candidates: Mapping[str, StochasticPolicy],
    *,
    train: LoggedEpisodes,
    validation: LoggedEpisodes,
    settings: EvaluationSettings,
    estimator: str,
    temperatures: Sequence[float],
    ahead: GateAhead,
    is_logged: bool,
    at_temperature: AtTemperature = StochasticPolicy.with_temperature,
    imitators: Collection[str] = (),
    single_decisions: SingleDecisions | None = None,
) -> Selection:
    """Return the candidate that ranks first on the validation episodes, at the temperature that may ship most.

    Candidates are ranked each at its own best temperature. Between the temperatures of the one that ranks first, all of
    them decide together (`temperature_gains`), where the gate may let something of it through.

    Args:
        candidates: by name, in the order of the spec; ties go to the first.
        train: Q-functions are fitted here.
        validation: values are estimated here.
        settings: how values are estimated or models fitted.
        estimator: the spec's; where it gives no value for anyone, the direct method decides, and where that gives none
            either, the first candidate is taken: the gate, on a log no richer, will abstain.
        temperatures: those that the spec lets be tried.
        ahead: what the gate will ask on test episodes.
        is_logged: False where decisions are implied.
        at_temperature: how a policy is made of a candidate's; where there is a budget, at its price of money.
        imitators: candidates that are shown beside the others and selected only where there are no others.
        single_decisions: judges decision by decision where whole episodes promise no promotion; None: nothing does.

    Raises:
        EvaluationError: no candidates.
    """
    if not candidates or not temperatures:
        raise EvaluationError("there is no candidate to choose from; train one first")
    warmed = {
        f"{name} at {temperature:g}": at_temperature(policy, temperature)
        for name, policy in candidates.items()
        for temperature in temperatures
    }
    estimators = tuple(dict.fromkeys((estimator, FALLBACK_ESTIMATOR)))
    evaluation = evaluate_policies(
        warmed,
        train=train,
        test=validation,
        settings=replace(settings, estimators=estimators),
        is_logged=is_logged,
        stand_ins=_stand_ins(candidates, warmed, temperatures) if is_logged else None,
    )
    used, note = _usable_estimator(evaluation, list(warmed), estimator)
    choices = [judged_choice(evaluation, name, policy, used, ahead) for name, policy in warmed.items()]
    if single_decisions is not None and _promises_none(choices):
        gains = single_decisions.gains(warmed)
        choices = [replace(one, single_decisions=gains[name]) for name, one in zip(warmed, choices, strict=True)]
        note = NOTE
    by_candidate = tuple(
        max((choice for choice in choices if choice.policy.name == policy.name), key=lambda choice: choice.rank)
        for policy in candidates.values()
    )
    selectable = [choice for choice in by_candidate if choice.policy.name not in imitators] or by_candidate
    first = max(selectable, key=lambda choice: choice.rank)
    best = _at_shared_temperature(first, dict(zip(warmed, choices, strict=True)), evaluation, used, ahead)
    by_candidate = tuple(best if one is first else one for one in by_candidate)
    structlog.get_logger().info(
        "selected", candidate=best.policy.name, temperature=best.policy.temperature, value=best.report.value
    )
    reports = tuple(report for report in evaluation.reports if report.policy in warmed)
    own = tuple(choice for choice in choices if choice.policy.name == first.policy.name)
    return Selection(best, by_candidate, reports, used, note, own)


def _at_shared_temperature(
    best: Choice, choices: Mapping[str, Choice], evaluation: PolicyEvaluation, estimator: str, ahead: GateAhead
) -> Choice:
    """Return the candidate at the temperature of which most may be shipped, by what all of its temperatures say."""
    own = {
        name: one
        for name, one in choices.items()
        if one.policy.name == best.policy.name and one.gain_to_ship is not None
    }
    predicted = [evaluation.advantages[name] for name in own if name in evaluation.advantages]
    if len(own) < 2 or len(predicted) < len(own) or best.gain_to_ship is None or best.single_decisions is not None:
        return best
    baseline = evaluation.sums[BEHAVIOR, estimator]
    found = temperature_gains(
        np.array([one.gain for one in own.values()]),
        covariance([difference(evaluation.sums[name, estimator], baseline) for name in own]),
        np.array(predicted),
    )
    shared = [
        one.floors * ahead.gain_to_ship(float(gain), float(error), estimate_error=one.error)
        for one, gain, error in zip(own.values(), found.gain, found.error, strict=True)
    ]
    told = [replace(one, shared_gain_to_ship=gain) for one, gain in zip(own.values(), shared, strict=True)]
    return max(told, key=lambda one: (one.shared_gain_to_ship or 0.0, one.rank))


def _promises_none(choices: Sequence[Choice]) -> bool:
    """Return whether the log could weigh every policy, and none of them is likely to be promoted."""
    return all(one.cautious_gain is not None and not one.is_likely_to_pass for one in choices)


def _stand_ins(
    candidates: Mapping[str, StochasticPolicy], warmed: Mapping[str, StochasticPolicy], temperatures: Sequence[float]
) -> dict[str, Policy]:
    """Return one Q-function for each candidate, at its middle temperature, that serves all its temperatures.

    It steadies the doubly robust estimate at each, and biases none. The direct method alone would be biased by it.
    """
    middle = temperatures[len(temperatures) // 2]
    return {
        f"{name} at {temperature:g}": warmed[f"{name} at {middle:g}"]
        for name in candidates
        for temperature in temperatures
    }


def judged_choice(
    evaluation: PolicyEvaluation, name: str, policy: StochasticPolicy, estimator: str, ahead: GateAhead
) -> Choice:
    """Rank one policy: its report, its gain in standard errors, its floors, and what the gate may ship of it."""
    report = evaluation.report(name, estimator)
    if not ESTIMATORS[estimator].needs_weights or (name, estimator) not in evaluation.sums:
        return Choice(policy, report, certainty=None, cautious_gain=None, is_supported=False)
    paired = difference(evaluation.sums[name, estimator], evaluation.sums[BEHAVIOR, estimator])
    gain, error = paired.value(), standard_error(paired)
    differing = _differing(evaluation, name)
    chance = ahead.chance_of_floors(report.effective_sample_size, report.n_effective_rewarded, differing)
    return Choice(
        policy,
        report,
        certainty=gain / error if error > 0 else 0.0,
        cautious_gain=gain - error,
        is_supported=min(report.effective_sample_size or 0.0, differing or 0.0) >= ahead.effective_sample_size
        and (report.n_effective_rewarded or 0.0) >= ahead.effective_rewarded,
        gain_to_ship=chance * ahead.gain_to_ship(gain, error) if ahead.is_within_reach(chance) else None,
        gain=gain,
        is_likely_to_pass=ahead.is_likely_to_pass(gain, error, floors=chance),
        error=error,
        floors=chance,
    )


def _differing(evaluation: PolicyEvaluation, name: str) -> float | None:
    """Return the units for which the policy decides differently from the log; None where it can't be weighted."""
    found = [evaluation.weights[one] for one in (name, BEHAVIOR) if one in evaluation.weights]
    return effective_differing_units(*found) if len(found) == 2 else None


def _usable_estimator(evaluation: PolicyEvaluation, names: Sequence[str], estimator: str) -> tuple[str, str]:
    """Return the first of the spec's estimator and the fallback that values any policy, and a note about it."""
    by_spec, by_fallback = ([evaluation.report(name, one) for name in names] for one in (estimator, FALLBACK_ESTIMATOR))
    if any(report.value is not None for report in by_spec):
        return estimator, ""
    if any(report.value is not None for report in by_fallback):
        return FALLBACK_ESTIMATOR, f"chosen by {FALLBACK_ESTIMATOR} instead of {estimator}: {by_spec[0].refusal}"
    reason = by_fallback[0].refusal
    return FALLBACK_ESTIMATOR, f"the first of the spec, as none could be valued on validation episodes: {reason}"
