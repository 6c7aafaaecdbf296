"""A verdict is a close call where what another seed moves, and that alone, would turn it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from rl.gate import close_call
from rl.gate.close_call import CLOSE_MOVES, Closeness, SeedSpread, closeness, moves_to_limits
from rl.gate.rules import Check, Decision, GateRules, Verdict, decision_of, judge
from rl.ope.propensities.trust import ESTIMATED
from tests.rl.gate.test_rules import evidence, interval, refunds

RULES = GateRules(alpha=0.01, min_effective_sample_size=150, min_effective_rewarded=75, hidden_reasons=1.2)


def nearest(**overrides: Any) -> Closeness | None:
    """The nearest other verdict, of a candidate that is surely promoted unless a field says otherwise."""
    found = evidence(**{"difference": interval(9.0, 8.0), "guardrails": (), **overrides})
    return closeness(found, RULES, judge(found, RULES))


@pytest.mark.parametrize(("lower", "other"), [(0.02, Decision.REJECT), (-0.02, Decision.PROMOTE)])
def test_a_bound_beside_nothing_is_close(lower: float, other: Decision) -> None:
    """On either side."""
    found = nearest(difference=interval(1.0, lower))
    assert found is not None
    assert (found.other, found.hinges_on, found.is_close) == (other, ("better_than_baseline",), True)


@pytest.mark.parametrize("lower", [8.0, -8.0])
def test_a_bound_far_from_nothing_is_not_close(lower: float) -> None:
    """However large the gain itself is."""
    found = nearest(difference=interval(9.0, lower))
    assert found is not None
    assert found.moves > CLOSE_MOVES
    assert not found.is_close


def test_the_bound_counts_in_standard_errors() -> None:
    """The same bound of a gain that is known better is farther from its limit."""
    near, far = (nearest(difference=replace(interval(1.0, 0.1), standard_error=error)) for error in (0.4, 0.1))
    assert near is not None
    assert far is not None
    assert far.moves == pytest.approx(4 * near.moves)


@pytest.mark.parametrize(
    ("field", "check"),
    [
        ("effective_sample_size", "effective_sample_size"),
        ("effective_differing", "effective_differing_units"),
        ("effective_rewarded", "effective_rewarded_units"),
    ],
)
@pytest.mark.parametrize("share", [0.97, 1.03])
def test_a_floor_nearly_met_or_missed_is_close(field: str, check: str, share: float) -> None:
    """By its own floor."""
    floor = RULES.min_effective_rewarded if field == "effective_rewarded" else RULES.min_effective_sample_size
    found = nearest(**{field: share * floor})
    assert found is not None
    assert (found.hinges_on, found.is_close) == ((check,), True)
    assert found.other is (Decision.ABSTAIN if share > 1 else Decision.PROMOTE)


def test_one_finding_beside_its_limit_is_not_close_where_another_fails_for_sure() -> None:
    """A log far below the floor abstains, whatever becomes of the bound; both would have to turn."""
    found = nearest(effective_sample_size=20.0, difference=interval(1.0, 0.01))
    assert found is not None
    assert found.other is Decision.REJECT or "effective_sample_size" in found.hinges_on
    assert not found.is_close


def test_all_that_stands_in_the_way_has_to_turn() -> None:
    """Two floors just missed keep a candidate back together; the bound is far from nothing."""
    found = nearest(effective_sample_size=148.0, effective_rewarded=70.0)
    assert found is not None
    assert (found.other, found.is_close) == (Decision.PROMOTE, True)
    assert found.hinges_on == ("effective_sample_size", "effective_rewarded_units")


@pytest.mark.parametrize(("upper", "is_close"), [(0.49, True), (0.51, True), (0.2, False), (math.inf, False)])
def test_a_guardrail_beside_its_limit_is_close(upper: float, *, is_close: bool) -> None:
    """In standard errors of its own; a bound that isn't finite is no matter of a seed."""
    found = nearest(guardrails=(refunds(relative_increase=0.1, upper_bound=upper),))
    assert (found is not None and found.is_close) == is_close


def test_what_no_training_changes_turns_nothing() -> None:
    """Decisions that were implied stay implied, so the verdict has no other."""
    assert nearest(is_logged=False) is None


def test_hidden_reasons_barely_survived_are_close() -> None:
    """As the bound under them is; those that it survives by far aren't."""
    near, far = (
        nearest(difference=interval(2.0, 1.0), propensities=ESTIMATED, survived=survived) for survived in (1.21, 9.0)
    )
    assert near is not None
    assert far is not None
    assert (near.hinges_on, near.is_close) == (("survives_hidden_reasons",), True)
    assert not far.is_close


def test_logged_propensities_leave_no_hidden_reasons_to_turn() -> None:
    """However little the gain would survive."""
    assert "survives_hidden_reasons" not in moves_to_limits(evidence(survived=1.21), RULES)


@pytest.mark.parametrize(
    ("overrides", "wide"),
    [
        ({"difference": interval(1.0, 0.2)}, SeedSpread(gain=0.5)),
        ({"effective_rewarded": 40.0}, SeedSpread(rewarded=0.6)),
        ({"effective_sample_size": 100.0}, SeedSpread(effective=0.4)),
    ],
)
def test_seeds_that_differ_much_make_more_verdicts_close(overrides: dict[str, Any], wide: SeedSpread) -> None:
    """Tonight's own count where they differ by more than seeds usually do: by less, they may by luck."""
    found = evidence(**{"difference": interval(9.0, 8.0), "guardrails": (), **overrides})
    verdict = judge(found, RULES)
    narrow = SeedSpread(gain=0.001, effective=0.001, rewarded=0.001)
    usual, far, near = (closeness(found, RULES, verdict, seeds=one) for one in (SeedSpread(), wide, narrow))
    assert usual is not None
    assert far is not None
    assert (usual.is_close, far.is_close) == (False, True)
    assert near == usual


def nearest_of_all_sets(checks: Sequence[Check], moves: Mapping[str, float]) -> Closeness | None:
    """The nearest other verdict, by turning every set of checks there is."""
    names = [one.name for one in checks if one.name in moves and one.is_passed is not None]
    found = []
    for n in range(1, len(names) + 1):
        for turned in combinations(names, n):
            after = [replace(one, is_passed=not one.is_passed) if one.name in turned else one for one in checks]
            if (other := decision_of(after)) is not decision_of(checks):
                found.append(Closeness(other, turned, max(moves[name] for name in turned)))
    return min(found, key=lambda one: (one.moves, len(one.hinges_on)), default=None)


def drawn_checks(rng: np.random.Generator) -> tuple[list[Check], dict[str, float]]:
    """Up to seven checks of either kind, passed, failed or unknown, most within reach, some as far as others."""
    n = int(rng.integers(1, 8))
    answers = [None if rng.random() < 0.1 else bool(rng.random() < 0.6) for _ in range(n)]
    kinds = [Decision.ABSTAIN if rng.random() < 0.6 else Decision.REJECT for _ in range(n)]
    checks = [Check(f"check {i}", answers[i], kinds[i], "") for i in range(n)]
    return checks, {one.name: float(rng.integers(0, 6)) / 2 for one in checks if rng.random() < 0.8}


def test_the_nearest_verdict_is_that_of_turning_every_set_of_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same one and by the same checks, ties included, over two thousand verdicts of all three kinds."""
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(2000):
        checks, moves = drawn_checks(rng)
        monkeypatch.setattr(close_call, "moves_to_limits", lambda *_, moves=moves, **__: moves)
        found = closeness(evidence(), RULES, Verdict(decision_of(checks), (), tuple(checks)))
        expected = nearest_of_all_sets(checks, moves)
        assert found == expected, (checks, moves)
        seen.add((decision_of(checks), None if expected is None else (expected.other, len(expected.hinges_on))))
    assert {decision for decision, _ in seen} == set(Decision)
    assert max(found[1] for _, found in seen if found is not None) >= 3


def test_forty_side_metrics_are_turned_as_soon_as_one() -> None:
    """All sets of them would be beyond counting, also where what was logged lets none of them matter."""
    rails = tuple(
        replace(refunds(relative_increase=0.1, upper_bound=0.2 + 0.005 * i), metric=f"rail {i}") for i in range(40)
    )
    found = nearest(guardrails=rails)
    assert found is not None
    assert found.hinges_on == ("guardrail_rail 39",)
    assert nearest(guardrails=rails, is_logged=False) is None
