"""The gate: whether the night's candidate may be promoted, and why, in words a shop owner can follow.

The rule reads evidence only (`rl/gate/evidence.py` gathers it). It asks first whether the log can tell at all
(abstain), then whether the candidate is shown to be better and harmless (reject), and promotes what is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from rl.gate.split_losses import SplitLosses
from rl.ope.intervals.intervals import Interval
from rl.ope.intervals.tails import TailReport
from rl.ope.propensities.trust import LOGGED, PropensityTrust
from rl.ope.samples.ratio_balance import RatioBalance

_SHORTEST_LOG = 2.0
"""Days below which a log says nothing of how many shoppers a night brings."""
_A_YEAR = 365
_BRINGS_THEM = " of such a log would bring them."


class Decision(StrEnum):
    """What the gate can say."""

    PROMOTE = "promote"
    REJECT = "reject"
    ABSTAIN = "abstain"


@dataclass(frozen=True)
class GateRules:
    """What the spec demands.

    Attributes:
        alpha: probability of promoting, tonight, a candidate that is no better (`rl/gate/alpha_spending.py` sets it).
        min_effective_sample_size: floor on units behind the weighted decisions, and on those for which candidate and
            baseline decide differently.
        min_effective_rewarded: floor on units behind the weighted rewards.
        hidden_reasons: strength of hidden reasons that a gain must survive where propensities were estimated.
    """

    alpha: float
    min_effective_sample_size: float
    min_effective_rewarded: float
    hidden_reasons: float = 1.0


@dataclass(frozen=True)
class GuardrailEvidence:
    """A side metric of the candidate against the baseline's; shares of the baseline's, a fall is negative.

    Attributes:
        metric: the metric's name.
        max_relative_increase: share it may rise by; None where its fall is limited.
        max_relative_decrease: share it may fall by; None where its rise is limited.
        relative_increase: estimated share; None where unknown.
        lower_bound: of that share, one-sided; minus infinity where nothing limits the fall; None where unknown.
        upper_bound: likewise from above; infinite where the baseline may be nil.
        refusal: why it is unknown.
    """

    metric: str
    max_relative_increase: float | None = None
    max_relative_decrease: float | None = None
    relative_increase: float | None = None
    lower_bound: float | None = None
    upper_bound: float | None = None
    refusal: str | None = None

    @property
    def is_on_fall(self) -> bool:
        """Whether the metric's fall is limited, not its rise."""
        return self.max_relative_decrease is not None

    @property
    def bound(self) -> float | None:
        """The bound that is held against the limit: the lower one on a fall, else the upper one; None where unknown."""
        found = self.lower_bound if self.is_on_fall else self.upper_bound
        return None if self.refusal is not None or found is None or math.isnan(found) else found

    @property
    def is_kept(self) -> bool | None:
        """Whether even the bound stays within the limit; None where it is unknown."""
        if self.bound is None:
            return None
        if self.max_relative_decrease is not None:
            return self.bound >= -self.max_relative_decrease
        return self.max_relative_increase is not None and self.bound <= self.max_relative_increase


@dataclass(frozen=True)
class GateEvidence:
    """Everything the gate looks at.

    Attributes:
        candidate: the candidate's name.
        baseline: name shown: the champion's, or `behavior`.
        estimator: the one the gate may use.
        unit_of_value: currency or points, for the sentences.
        units: what the independent units are called in sentences, in the plural.
        is_logged: False where decisions were implied.
        difference: candidate minus baseline per episode, bounds one-sided at the night's level; None where refused.
        refusal: why there is no difference.
        effective_sample_size: the smaller one of candidate and baseline; None where unknown.
        effective_rewarded: likewise.
        guardrails: one for each named side metric.
        corrected_gain: the difference less what luck adds to it where it passes; None where it doesn't.
        tail: of the units' parts in the difference; None where there is none. It decides nothing.
        losses: of all splits, by which the difference's lower bound is lowered; None where they are unknown.
        losses_refusal: why they are unknown.
        survived: strength of the hidden reason that would undo the gain, infinite where none of any size would; None
            where no gain is shown, or its strength is unknown.
        effective_differing: units for which the two policies decide differently; None where unknown.
        balances: of the importance ratios, by policy; None for one whose decisions can't be weighted.
        propensities: how far they may be trusted.
        withheld: what about the log forbids any promotion, in sentences.
        n_days: from the first training episode to the last test episode; None where they have no time.
        per: what values are of, for the sentences.
    """

    candidate: str
    baseline: str
    estimator: str
    unit_of_value: str
    is_logged: bool
    difference: Interval | None
    refusal: str | None = None
    effective_sample_size: float | None = None
    effective_rewarded: float | None = None
    guardrails: tuple[GuardrailEvidence, ...] = ()
    corrected_gain: float | None = None
    tail: TailReport | None = None
    losses: SplitLosses | None = None
    losses_refusal: str | None = None
    survived: float | None = None
    effective_differing: float | None = None
    balances: Mapping[str, RatioBalance | None] = field(default_factory=dict)
    propensities: PropensityTrust = LOGGED
    withheld: tuple[str, ...] = ()
    units: str = "shoppers"
    n_days: float | None = None
    per: str = "episode"


@dataclass(frozen=True)
class Check:
    """One question of the gate.

    Attributes:
        name: short and stable, for machines.
        is_passed: None where it couldn't be asked.
        if_failed: the decision it leads to.
        sentence: what was found, against what was required.
        reads_rewards: the answer may hang on what was earned, not on weights alone.
    """

    name: str
    is_passed: bool | None
    if_failed: Decision
    sentence: str
    reads_rewards: bool = False


@dataclass(frozen=True)
class Verdict:
    """The gate's answer.

    Attributes:
        decision: promote, reject or abstain.
        reasons: sentences, the deciding ones only, most important first.
        checks: every question with its finding.
    """

    decision: Decision
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def spends_level(self) -> bool:
        """Whether tonight's look counts against the year's allowance of wrong promotions.

        It doesn't where the gate had to abstain whatever was earned. Abstaining for what was earned (few rewarded
        shoppers) is no excuse: a log that passes such a check may for that reason look better than it is.
        """
        return all(check.is_passed for check in self.checks if not check.reads_rewards)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "decision": self.decision.value,
            "spends_level": self.spends_level,
            "reasons": list(self.reasons),
            "checks": [{**asdict(check), "if_failed": check.if_failed.value} for check in self.checks],
        }


def judge(evidence: GateEvidence, rules: GateRules, asked: Mapping[str, Rule] | None = None) -> Verdict:
    """Return the verdict on the evidence.

    Abstains before it rejects: where the log can't tell, a lower bound says nothing about the candidate.

    Args:
        evidence: of the night.
        rules: what the spec demands.
        asked: the questions; None for RULES.
    """
    checks = tuple(_checks(evidence, rules, RULES if asked is None else asked))
    decision = decision_of(checks)
    failed = [check.sentence for check in checks if check.is_passed is False and check.if_failed is decision]
    if failed:
        return Verdict(decision, _with_longest_wait(failed), checks)
    if decision is Decision.ABSTAIN:
        return Verdict(decision, tuple(check.sentence for check in checks if check.is_passed is None), checks)
    passed = tuple(check.sentence for check in checks if check.is_passed and check.if_failed is Decision.REJECT)
    return Verdict(decision, passed, checks)


def decision_of(checks: Iterable[Check]) -> Decision:
    """Return what the checks come to: abstain before reject, and abstain too where one that counts is unknown."""
    found = tuple(checks)
    failed = {check.if_failed for check in found if check.is_passed is False}
    for decision in (Decision.ABSTAIN, Decision.REJECT):
        if decision in failed:
            return decision
    return Decision.ABSTAIN if any(check.is_passed is None for check in found) else Decision.PROMOTE


def _with_longest_wait(reasons: list[str]) -> tuple[str, ...]:
    """Return the reasons; after several that each say how many nights it takes, which of them counts."""
    waits = [place for place, reason in enumerate(reasons) if reason.endswith(_BRINGS_THEM)]
    if len(waits) < 2:
        return tuple(reasons)
    return (
        *reasons[: waits[-1] + 1],
        "Each of these floors must be reached: the longest wait counts.",
        *reasons[waits[-1] + 1 :],
    )


def _checks(evidence: GateEvidence, rules: GateRules, asked: Mapping[str, Rule]) -> Iterable[Check]:
    for rule in asked.values():
        found = rule(evidence, rules)
        yield from (found,) if isinstance(found, Check) else found


def _decisions_check(evidence: GateEvidence, _rules: GateRules) -> Check:
    sentence = (
        "The log records the shop's decisions."
        if evidence.is_logged
        else "The log does not record what was shown to shoppers: decisions are implied from what they looked at, so "
        "no figure here can show what another policy would earn."
    )
    return Check("decisions_are_logged", evidence.is_logged, Decision.ABSTAIN, sentence)


def _log_check(evidence: GateEvidence, _rules: GateRules) -> Check:
    sentence = " ".join(evidence.withheld) or "Nothing about the log forbids a promotion."
    return Check("log_is_usable", not evidence.withheld, Decision.ABSTAIN, sentence)


def _estimator_check(evidence: GateEvidence, _rules: GateRules) -> Check:
    name = "estimator_applies"
    if evidence.estimator == "dm":
        sentence = (
            "The only estimate is a model's prediction (direct method); its interval doesn't include how wrong the "
            "model may be."
        )
        return Check(name, False, Decision.ABSTAIN, sentence)
    refusal = evidence.refusal
    if refusal is None and (evidence.difference is None or not _is_finite(evidence.difference)):
        refusal = "no finite difference came out of it"
    if refusal is not None:
        return Check(name, False, Decision.ABSTAIN, f"The estimator {evidence.estimator} can't be used: {refusal}.")
    return Check(name, True, Decision.ABSTAIN, f"The estimator {evidence.estimator} applies to this log.")


def _propensities_check(evidence: GateEvidence, _rules: GateRules) -> Check:
    problem = evidence.propensities.problem
    sentence = f"The logged probabilities can't be right: {problem}." if problem else "The probabilities are plausible."
    return Check("propensities_are_plausible", problem is None, Decision.ABSTAIN, sentence)


def _balance_check(evidence: GateEvidence, _rules: GateRules) -> Check:
    """Return whether importance ratios average one: how much of what the policies would do the log can have done."""
    name, tolerance = "weights_average_one", evidence.propensities.ratio_tolerance
    if not evidence.balances or None in evidence.balances.values():
        return Check(name, None, Decision.ABSTAIN, "Whether the log covers the policy's decisions is unknown.")
    off = {policy: found for policy, found in evidence.balances.items() if found and not found.is_kept(tolerance)}
    if not off:
        return Check(name, True, Decision.ABSTAIN, "The log covers what the policy would do.")
    return Check(name, False, Decision.ABSTAIN, " ".join(_imbalance(policy, found) for policy, found in off.items()))


def _imbalance(policy: str, found: RatioBalance) -> str:
    figures = f"its importance ratios average {found.mean:.3f} (standard error {found.standard_error:.3f}), expected: 1"
    if found.mean < 1:
        return (
            f"About {1 - found.mean:.0%} of what {policy} would do in the logged situations the log can't have done: "
            f"{figures}. Where the shop never shows those actions, explore them or keep the policy from them; where it "
            "does, its logged probabilities are too large: check how they are computed."
        )
    return f"The logged probabilities are too small for what {policy} would do: {figures}. Check how they are computed."


def _sample_size_check(evidence: GateEvidence, rules: GateRules) -> Check:
    words = f"{evidence.units} whose logged decisions resemble what the policy would do"
    floor = rules.min_effective_sample_size
    return _floor_check("effective_sample_size", evidence.effective_sample_size, floor, words, evidence.n_days)


def _replayed_check(evidence: GateEvidence, rules: GateRules) -> Check:
    words = f"{evidence.units} that both were led through"
    floor = rules.min_effective_sample_size
    return _floor_check("effective_sample_size", evidence.effective_sample_size, floor, words, evidence.n_days)


def _rewarded_check(evidence: GateEvidence, rules: GateRules) -> Check:
    words = f"rewarded {evidence.units} behind the estimate"
    name, floor = "effective_rewarded_units", rules.min_effective_rewarded
    return _floor_check(name, evidence.effective_rewarded, floor, words, evidence.n_days, reads_rewards=True)


def _differing_check(evidence: GateEvidence, rules: GateRules) -> Check:
    """Return whether enough units differ; passed where none does, since the policies are then worth the same."""
    name, observed = "effective_differing_units", evidence.effective_differing
    words = f"{evidence.units} whose decisions candidate and baseline make differently"
    if observed == 0.0:
        sentence = f"Candidate and baseline decide alike for all logged {evidence.units}."
        return Check(name, True, Decision.ABSTAIN, sentence)
    return _floor_check(name, observed, rules.min_effective_sample_size, words, evidence.n_days)


def _floor_check(
    name: str, observed: float | None, floor: float, words: str, n_days: float | None, *, reads_rewards: bool = False
) -> Check:
    if observed is None:
        return Check(name, None, Decision.ABSTAIN, f"The number of {words} is unknown.", reads_rewards)
    is_passed = observed >= floor
    comparison = "enough" if is_passed else "too few to tell"
    sentence = f"There are effectively {observed:,.0f} {words}: {comparison} (at least {floor:,.0f} are required)."
    if not is_passed:
        sentence += nights_to_floor(observed, floor, n_days)
    return Check(name, is_passed, Decision.ABSTAIN, sentence, reads_rewards)


def nights_to_floor(observed: float, floor: float, n_days: float | None) -> str:
    """Return in a sentence how many more nights of such a log reach the floor; empty where its length says nothing.

    Splits are shares of the whole log, so what is effectively there grows as the log does.

    Args:
        observed: effective units of the test split.
        floor: effective units required, more than those observed.
        n_days: days from the first training to the last test episode; None where the log has no length.
    """
    if n_days is None or n_days < _SHORTEST_LOG or not observed > 0:
        return ""
    more = math.ceil(n_days * (floor / observed - 1))
    if more > _A_YEAR:
        return " A year more of such a log would not bring them."
    return f" About {more:,} more {'night' if more == 1 else 'nights'}{_BRINGS_THEM}"


def _losses_check(evidence: GateEvidence, _rules: GateRules) -> Check:
    """Return whether losses of all splits are in the bound: the test split alone may lack the few that cost most."""
    name = "losses_of_all_splits_are_known"
    if evidence.difference is None or evidence.losses is not None:
        sentence = f"What {evidence.units} lost in all splits is counted in the bound."
        return Check(name, True, Decision.ABSTAIN, sentence, reads_rewards=True)
    sentence = (
        "What the candidate would have lost in the training and validation episodes is unknown"
        f"{': ' + evidence.losses_refusal if evidence.losses_refusal else ''}. The test episodes alone may lack the "
        f"few {evidence.units} that cost most."
    )
    return Check(name, None, Decision.ABSTAIN, sentence, reads_rewards=True)


def _hidden_check(evidence: GateEvidence, rules: GateRules) -> Check:
    """Return whether the gain survives the hidden reasons that estimated propensities may miss."""
    name, required, found = "survives_hidden_reasons", rules.hidden_reasons, evidence.difference
    if not evidence.propensities.is_estimated or required <= 1:
        sentence = (
            "The shop logged its probabilities, so no hidden reason is behind its choices."
            if not evidence.propensities.is_estimated
            else "The spec says that no hidden reason is behind the logged choices."
        )
        return Check(name, True, Decision.ABSTAIN, sentence, reads_rewards=True)
    if found is None or not found.lower > 0:
        sentence = "There is no gain that a hidden reason could undo."
        return Check(name, True, Decision.ABSTAIN, sentence, reads_rewards=True)
    if evidence.survived is None:
        sentence = "Whether a hidden reason behind the logged choices could undo the gain is unknown."
        return Check(name, None, Decision.ABSTAIN, sentence, reads_rewards=True)
    is_passed = evidence.survived >= required
    sentence = (
        f"The gain survives hidden reasons behind the logged choices of {required:g} times the odds."
        if is_passed
        else "The log holds no probabilities, so reasons that it doesn't hold may be behind its choices. One that "
        f"makes a choice {evidence.survived:.2f} times as likely (in odds) would undo the gain; the gain must survive "
        f"{required:g}."
    )
    return Check(name, is_passed, Decision.ABSTAIN, sentence, reads_rewards=True)


def _known_guardrail_checks(evidence: GateEvidence, _rules: GateRules) -> tuple[Check, ...]:
    return tuple(_known_guardrail_check(rail) for rail in evidence.guardrails)


def _known_guardrail_check(rail: GuardrailEvidence) -> Check:
    is_known = rail.bound is not None
    sentence = (
        f"The effect on {rail.metric} can be estimated."
        if is_known
        else f"The effect on {rail.metric} can't be estimated: {rail.refusal or 'no bound came out'}."
    )
    return Check(f"{rail_name(rail)}_is_known", is_known, Decision.ABSTAIN, sentence, reads_rewards=True)


def _difference_check(evidence: GateEvidence, rules: GateRules) -> Check:
    name, found = "better_than_baseline", evidence.difference
    if found is None or not _is_finite(found):
        return Check(name, None, Decision.REJECT, "Whether the candidate earns more is unknown.", reads_rewards=True)
    is_passed = found.lower > 0
    gain = f"{found.value:+.4g} {evidence.unit_of_value} per {evidence.per} against {evidence.baseline}"
    sentence = (
        f"The candidate earns more: {gain}, and at least {found.lower:+.4g} but for a risk of {rules.alpha:.2%}."
        if is_passed
        else f"The candidate is not shown to earn more: {gain}, but it may be as low as {found.lower:+.4g} (risk of a "
        f"wrong promotion limited to {rules.alpha:.2%} a night)."
    )
    return Check(name, is_passed, Decision.REJECT, sentence, reads_rewards=True)


def _guardrail_checks(evidence: GateEvidence, _rules: GateRules) -> tuple[Check, ...]:
    return tuple(_guardrail_check(rail, evidence.per) for rail in evidence.guardrails)


def _guardrail_check(rail: GuardrailEvidence, per: str) -> Check:
    name = rail_name(rail)
    if rail.bound is None:
        unknown = f"Whether {rail.metric} stay within bounds is unknown."
        return Check(name, None, Decision.REJECT, unknown, reads_rewards=True)
    change = "an unknown share" if rail.relative_increase is None else _signed_share(rail.relative_increase)
    bound, limit = _signed_share(rail.bound), _signed_share(rail.max_relative_increase or 0.0)
    if rail.max_relative_decrease is not None:
        limit = _signed_share(-rail.max_relative_decrease)
    found = f"Per {per}, {rail.metric} change by {change}"
    movement, reach = ("fall", "at worst") if rail.is_on_fall else ("rise", "at most")
    if (rail.bound > 0) if rail.is_on_fall else (rail.bound < 0):
        reach = f"{'up' if rail.is_on_fall else 'down'} even {reach}"  # the bound lies on the harmless side
    sentence = (
        f"{found}, {reach} {bound}; a {movement} of up to {limit.lstrip('+-')} is allowed."
        if rail.is_kept
        else f"{found} and may {'fall' if rail.is_on_fall else 'rise'} by {bound.lstrip('-')}; the limit is {limit}."
    )
    return Check(name, rail.is_kept, Decision.REJECT, sentence, reads_rewards=True)


def _signed_share(share: float) -> str:
    """Return the share in percent with three digits, so that a bound just beyond its limit doesn't look like it."""
    return "any amount" if math.isinf(share) else f"{100 * share:+.3g}%"


def rail_name(rail: GuardrailEvidence) -> str:
    """Return the name of the check on a side metric."""
    return f"guardrail_{rail.metric}_fall" if rail.is_on_fall else f"guardrail_{rail.metric}"


def _is_finite(interval: Interval) -> bool:
    return math.isfinite(interval.value) and math.isfinite(interval.lower)


Rule = Callable[[GateEvidence, GateRules], Check | tuple[Check, ...]]

RULES: dict[str, Rule] = {
    "decisions": _decisions_check,
    "log": _log_check,
    "estimator": _estimator_check,
    "propensities": _propensities_check,
    "balance": _balance_check,
    "sample size": _sample_size_check,
    "differing": _differing_check,
    "rewarded": _rewarded_check,
    "losses": _losses_check,
    "hidden reasons": _hidden_check,
    "known guardrails": _known_guardrail_checks,
    "difference": _difference_check,
    "guardrails": _guardrail_checks,
}
"""What the gate asks, in this order: a verdict's reasons stand in it. A new rule is a function and an entry here."""

REPLAY_RULES: dict[str, Rule] = {
    "log": _log_check,
    "estimator": _estimator_check,
    "sample size": _replayed_check,
    "differing": _differing_check,
    "rewarded": _rewarded_check,
    "known guardrails": _known_guardrail_checks,
    "difference": _difference_check,
    "guardrails": _guardrail_checks,
}
"""The same of policies that were led through logged demand: nothing is weighted, so nothing is asked of weights."""
