"""What a shop's rules leave to choose from, worked out by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rl.policy.action_rules import ActionRules, Cap, Eligibility, Pin

KEYS = ("a", "b", "c", "d")
TWO = {"n_past_purchases": np.array([0, 3])}


def left(rules: ActionRules, position: int = 0, n_today: np.ndarray | None = None) -> list[str]:
    """The keys that are left at each of two observations, as words."""
    allowed = rules.allowed(KEYS, TWO, position=position, n_today=n_today)
    return ["".join(key for key, is_left in zip(KEYS, row, strict=True) if is_left) for row in allowed]


def test_without_rules_everything_is_left() -> None:
    assert left(ActionRules()) == ["abcd", "abcd"]


def test_blocked_actions_are_never_left() -> None:
    assert left(ActionRules(blocked=frozenset("bx"))) == ["acd", "acd"]


def test_only_eligible_shoppers_get_what_is_theirs() -> None:
    """Bounds count themselves; all rules must hold."""
    buyers = Eligibility(frozenset("ab"), "n_past_purchases", at_least=3)
    newcomers = Eligibility(frozenset("bc"), "n_past_purchases", at_most=0)
    assert left(ActionRules(eligibility=(buyers,))) == ["cd", "abcd"]
    assert left(ActionRules(eligibility=(buyers, newcomers))) == ["cd", "ad"]


def test_a_cap_counts_its_actions_together() -> None:
    """What a shopper got on the day so far decides; at the cap all of its actions are gone."""
    rules = ActionRules(caps=(Cap(frozenset("ab"), 2), Cap(frozenset("c"), 1)))
    assert left(rules) == ["abcd", "abcd"]
    assert left(rules, n_today=np.array([[1, 1], [2, 0]])) == ["abd", "cd"]


def test_a_pinned_action_is_alone_at_its_positions_where_it_is_left() -> None:
    """Of two the first counts; one that another rule takes away pins nothing."""
    rules = ActionRules(pins=(Pin("b", frozenset({0, 2})), Pin("c", frozenset({0, 1}))))
    assert [left(rules, position)[0] for position in range(4)] == ["b", "c", "b", "abcd"]
    gone = ActionRules(blocked=frozenset("b"), pins=rules.pins)
    assert [left(gone, position)[0] for position in range(3)] == ["c", "c", "acd"]


@given(st.sets(st.sampled_from("abcdx")), st.integers(0, 3), st.integers(0, 4), st.integers(1, 3))
def test_rules_only_take_away(blocked: set[str], position: int, n_got: int, cap: int) -> None:
    """Whatever the rules are, a blocked action stays away, and no rule brings back what another took."""
    rules = ActionRules(
        blocked=frozenset(blocked),
        pins=(Pin("a", frozenset({0, 1})),),
        caps=(Cap(frozenset("ac"), cap),),
    )
    for words in left(rules, position, np.full((2, 1), n_got)):
        assert not set(words) & blocked
        assert n_got < cap or not set(words) & set("ac")
