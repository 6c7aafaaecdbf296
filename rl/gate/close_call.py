"""Whether training again with another seed could turn a night's verdict: how far each finding is from its limit.

The same algorithm trained on the same log with another seed makes another policy, and selection may choose another
one; whatever the gate measures of it moves a little. A verdict that such a move would turn is a close call: it says as
much of a seed as of a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from rl.gate.rules import Check, Decision, GateEvidence, GateRules, GuardrailEvidence, Verdict, decision_of, rail_name

_GAIN_MOVE = 0.5
"""Standard deviation of the gain's lower bound over trainings, in standard errors of the gain: more than on one-step
nights, less than on three default shops (docs/evaluation.md, close calls); so with the moves below."""

_UNITS_MOVE = 0.2
"""Standard deviation over trainings of the logarithm of effective units, and of those that differ."""

_REWARDED_MOVE = 0.3
"""Likewise of effectively rewarded units, of which there are fewer."""

_STANDARD_ERRORS_IN_REACH = 1.96
"""Standard errors between a guardrail's estimate and its bound, at the usual level of .95."""

CLOSE_MOVES = 1.5
"""Moves from the limit below which a verdict is a close call."""


@dataclass(frozen=True)
class SeedSpread:
    """How far tonight's own seeds of the selected algorithm are apart on validation episodes: standard deviations.

    Each counts where it is more than seeds usually move; None where there is one seed, or a figure is unknown.

    Attributes:
        gain: in the reward's unit.
        effective: of the logarithm of effective units.
        rewarded: of the logarithm of effectively rewarded units.
    """

    gain: float | None = None
    effective: float | None = None
    rewarded: float | None = None


@dataclass(frozen=True)
class Closeness:
    """The least that would have to change for another verdict.

    Attributes:
        other: the verdict that it would then be.
        hinges_on: names of the checks that would have to turn, all of them.
        moves: how far the farthest of these is from its limit, in standard deviations over trainings.
    """

    other: Decision
    hinges_on: tuple[str, ...]
    moves: float

    @property
    def is_close(self) -> bool:
        """Whether another seed could well turn the verdict."""
        return self.moves < CLOSE_MOVES


def closeness(
    evidence: GateEvidence, rules: GateRules, verdict: Verdict, *, seeds: SeedSpread = SeedSpread()
) -> Closeness | None:
    """Return the nearest other verdict; None where no training could change it.

    Args:
        evidence: of the night.
        rules: that the verdict was given by.
        verdict: on that evidence, by those rules.
        seeds: how far tonight's own are apart.
    """
    moves = moves_to_limits(evidence, rules, seeds=seeds)
    found = list(_turns(verdict, moves))
    return min(found, key=lambda one: (one.moves, len(one.hinges_on)), default=None)


def _turns(verdict: Verdict, moves: Mapping[str, float]) -> Iterator[Closeness]:
    """Yield the sets of checks whose turning changes the verdict, few ones first, and none that holds another.

    A larger set is never nearer than one that it holds, and the decision hangs on little (`decision_of`): whether a
    check fails that makes it abstain, whether one fails that makes it reject. So what changes it is to pass all that
    fail of one kind, or of both, or of neither, and to fail one more check or none: some four for each check asked,
    where all sets of checks would be two to their number.
    """
    asked = [check for check in verdict.checks if check.name in moves and check.is_passed is not None]
    of_kind = [{one.name for one in asked if one.if_failed is kind and not one.is_passed} for kind in Decision]
    passed: list[set[str]] = [set(), *({one.name} for one in asked if one.is_passed)]
    passing = [set[str]().union(*kinds) for n in range(len(of_kind) + 1) for kinds in combinations(of_kind, n)]
    sets = {tuple(place for place, one in enumerate(asked) if one.name in a | b) for a in passing for b in passed}
    for places in sorted(sets - {()}, key=lambda one: (len(one), one)):
        turned = tuple(asked[place].name for place in places)
        other = decision_of(_turned(verdict.checks, turned))
        if other is not verdict.decision:
            yield Closeness(other, turned, max(moves[name] for name in turned))


def _turned(checks: Sequence[Check], names: tuple[str, ...]) -> tuple[Check, ...]:
    return tuple(replace(one, is_passed=not one.is_passed) if one.name in names else one for one in checks)


def moves_to_limits(evidence: GateEvidence, rules: GateRules, *, seeds: SeedSpread = SeedSpread()) -> dict[str, float]:
    """Return how far findings are from their limits, by check, in standard deviations over trainings; 0 or more.

    Findings that are no matter of the candidate, or unknown, are left out.
    """
    of_gain = _gain_moves(evidence, seeds.gain)
    units, rewarded = max(_UNITS_MOVE, seeds.effective or 0.0), max(_REWARDED_MOVE, seeds.rewarded or 0.0)
    floor = rules.min_effective_sample_size
    found = {
        "better_than_baseline": of_gain,
        "effective_sample_size": _floor_moves(evidence.effective_sample_size, floor, units),
        "effective_differing_units": _floor_moves(evidence.effective_differing, floor, units),
        "effective_rewarded_units": _floor_moves(evidence.effective_rewarded, rules.min_effective_rewarded, rewarded),
        "survives_hidden_reasons": _hidden_moves(evidence, rules, of_gain),
        **{rail_name(rail): _rail_moves(rail) for rail in evidence.guardrails},
    }
    return {name: abs(moves) for name, moves in found.items() if moves is not None and not math.isnan(moves)}


def _gain_moves(evidence: GateEvidence, spread: float | None) -> float | None:
    found = evidence.difference
    if found is None or not found.standard_error > 0:
        return None
    return found.lower / max(_GAIN_MOVE * found.standard_error, spread or 0.0)


def _floor_moves(observed: float | None, floor: float, move: float) -> float | None:
    """Return None also where nothing is effectively there: a policy that decides as the log does, whatever the seed."""
    if observed is None or not observed > 0 or not floor > 0:
        return None
    return math.log(observed / floor) / move


def _hidden_moves(evidence: GateEvidence, rules: GateRules, moves: float | None) -> float | None:
    """Return how far the bound under the reasons that it must survive is from 0, on a line through both known points.

    Without hidden reasons the bound is the gain's; under those that it just survives it is 0, and in between about
    linear in the logarithm of their strength.
    """
    survived = evidence.survived
    if (
        not evidence.propensities.is_estimated
        or moves is None
        or not moves > 0
        or survived is None
        or not survived > 1
        or rules.hidden_reasons <= 1
    ):
        return None
    return moves * (1 - math.log(rules.hidden_reasons) / math.log(survived))


def _rail_moves(rail: GuardrailEvidence) -> float | None:
    if rail.bound is None or rail.relative_increase is None:
        return None
    limit = rail.max_relative_increase if rail.max_relative_decrease is None else -rail.max_relative_decrease
    error = abs(rail.bound - rail.relative_increase) / _STANDARD_ERRORS_IN_REACH
    if limit is None or not 0 < error < math.inf:
        return None
    return (rail.bound - limit) / error / _GAIN_MOVE
