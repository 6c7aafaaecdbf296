"""The small tree: what it finds, how far it is believed, when it is refused."""

from __future__ import annotations

import numpy as np
import pytest

from conf.observation_features import id_hash
from rl.data.logged_episodes import IntArray
from rl.errors import UnsupportedEstimator
from rl.night.explanation.readable_features import ReadableColumn, readable_observations
from rl.night.explanation.surrogate import DEEPEST, Surrogate, surrogate_tree
from tests.rl.night.explanation.planted import CATEGORIES, planted_observations

NAMES = ("stay", "go")
IDS = {id_hash(name): name for name in CATEGORIES}


def grown(labels: IntArray, *, n: int = 3000, names: tuple[str, ...] = NAMES) -> Surrogate:
    observation = planted_observations(n)
    readable = readable_observations(observation, list(observation), IDS)
    return surrogate_tree(readable, labels, names, np.arange(n) // 3)


def deepest(tree: Surrogate, place: int = 0) -> int:
    node = tree.nodes[place]
    if node.low is None or node.high is None:
        return 0
    return 1 + max(deepest(tree, node.low), deepest(tree, node.high))


def test_the_tree_finds_a_planted_rule_in_readable_units() -> None:
    """A policy that goes after two purchases is told by that question alone, and agreed with on every decision."""
    tree = grown((planted_observations(3000)["n_past_purchases"] >= 2).astype(np.int64))
    assert tree.fidelity.value == 1.0
    root = tree.nodes[0]
    assert root.column == ReadableColumn("n_past_purchases", "number")
    assert root.threshold == 1.5
    assert [tree.nodes[place].label for place in (root.low, root.high) if place is not None] == ["stay", "go"]
    assert len(tree.nodes) == 3


def test_the_tree_asks_lists_by_the_names_they_hold() -> None:
    """A policy that looks at the latest category is told by that category's natural key."""
    latest = planted_observations(3000)["recent_engaged_categories"][:, 0]
    tree = grown((latest == id_hash("hats")).astype(np.int64))
    assert tree.nodes[0].column == ReadableColumn("recent_engaged_categories", "first", "hats")


def test_fidelity_stands_beside_the_majority_on_other_shoppers() -> None:
    """With a tenth of the labels turned over, the tree agrees on about .9, the majority on less; both are held out."""
    generator = np.random.default_rng(1)
    rule = planted_observations(3000)["n_past_purchases"] >= 2
    labels = np.where(generator.random(3000) < 0.1, ~rule, rule).astype(np.int64)
    tree = grown(labels)
    assert tree.n_grown + tree.n_held_out == 3000
    assert tree.fidelity.lower < 0.9 < tree.fidelity.upper  # a 95% interval at one fixed seed
    assert tree.majority.value < 0.6
    assert tree.advantage.lower > 0.2


def test_the_tree_asks_four_questions_at_most() -> None:
    """A sum of four counts would take dozens of questions: the tree stays small enough to read."""
    observation = planted_observations(3000)
    counts = ("session_step", "n_past_purchases", "n_session_clicks", "n_past_clicks")
    total = np.sum([observation[name] for name in counts], axis=0)
    assert deepest(grown((total > np.median(total)).astype(np.int64))) == DEEPEST


def test_a_tree_no_better_than_the_majority_is_refused() -> None:
    """Labels that nothing observed tells give a reason with both figures instead of a tree."""
    labels = (np.random.default_rng(0).random(3000) < 0.3).astype(np.int64)
    with pytest.raises(UnsupportedEstimator, match=r"agrees with the policy on .*% of held-out decisions"):
        grown(labels)


def test_a_policy_that_always_does_the_same_needs_no_tree() -> None:
    """One label only is said in words."""
    with pytest.raises(UnsupportedEstimator, match=r"always does the same here \(stay\)"):
        grown(np.zeros(3000, dtype=np.int64))


def test_few_decisions_grow_no_tree() -> None:
    """Too few to try it on others."""
    with pytest.raises(UnsupportedEstimator, match="300 decisions are too few"):
        grown(np.arange(300) % 2, n=300)


def test_questions_whose_answers_agree_are_left_out() -> None:
    """No node leads to two leaves that say the same."""
    observation = planted_observations(3000)
    labels = ((observation["n_past_purchases"] >= 2) & (observation["session_step"] >= 3)).astype(np.int64)
    tree = grown(labels)
    for node in tree.nodes:
        if node.low is not None and node.high is not None:
            low, high = tree.nodes[node.low], tree.nodes[node.high]
            assert low.column is not None or high.column is not None or low.label != high.label
