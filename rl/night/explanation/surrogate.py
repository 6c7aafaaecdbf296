"""A small tree that imitates the policy in readable units, shown only where it imitates it better than no tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.errors import UnsupportedEstimator
from rl.night.explanation.readable_features import ReadableColumn, ReadableObservations
from rl.night.explanation.shopper_means import mean_over_shoppers
from rl.ope.intervals.intervals import Interval

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

DEEPEST = 4
_SMALLEST_LEAF_SHARE = 0.01
_FEWEST_DECISIONS = 200


@dataclass(frozen=True)
class TreeNode:
    """A question (rows whose column is at or under the threshold go to `low`) or, without one, an answer.

    Attributes:
        label: what the tree says here.
        n: decisions that reach it, of those it was grown on.
        share: of them for which the policy does what `label` says.
        column: asked about; None at a leaf.
        threshold: in the column's unit; rows at or under it go to `low`.
        low: index of the next node; None at a leaf.
        high: likewise.
    """

    label: str
    n: int
    share: float
    column: ReadableColumn | None = None
    threshold: float | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Surrogate:
    """The tree and how far to believe it.

    Attributes:
        nodes: the root first.
        fidelity: share of held-out decisions for which tree and policy agree; its interval rests on shoppers.
        majority: the same for always saying what the policy does most.
        advantage: the first less the second, paired.
        n_labels: different things that the policy does.
        n_grown: decisions the tree was grown on.
        n_held_out: decisions it was tried on.
    """

    nodes: tuple[TreeNode, ...]
    fidelity: Interval
    majority: Interval
    advantage: Interval
    n_labels: int
    n_grown: int
    n_held_out: int


def surrogate_tree(
    observations: ReadableObservations,
    labels: IntArray,
    names: tuple[str, ...],
    unit: IntArray,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Surrogate:
    """Grow a tree of at most four questions to an answer on half of the shoppers, try it on the others, return it.

    It imitates; it doesn't say why. Availability is none of its columns: where the policy's first choice was out of
    stock, the tree can't know.

    Args:
        observations: readable columns of the decisions.
        labels: what the policy does at each, index into `names`, `(n,)`.
        names: in words, by label.
        unit: shopper of each decision, `(n,)`.
        level: of the intervals, two-sided.
        seed: of the division of shoppers.

    Raises:
        UnsupportedEstimator: the tree isn't better than always saying the same, too few decisions, or one label only.
    """
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415  (takes a second to import; not every night grows a tree)

    is_grown = _half_of_shoppers(unit, seed)
    n_grown, n_held_out = int(is_grown.sum()), int((~is_grown).sum())
    if min(n_grown, n_held_out) < _FEWEST_DECISIONS:
        raise UnsupportedEstimator(f"{len(labels)} decisions are too few to grow a tree and try it on others")
    if len(np.unique(labels)) < 2:
        raise UnsupportedEstimator(f"the policy always does the same here ({names[labels[0]]})")
    leaf = max(10, round(_SMALLEST_LEAF_SHARE * n_grown))
    tree = DecisionTreeClassifier(max_depth=DEEPEST, min_samples_leaf=leaf, random_state=seed)
    tree.fit(observations.values[is_grown], labels[is_grown])
    held_out, shoppers = labels[~is_grown], unit[~is_grown]
    is_right = (tree.predict(observations.values[~is_grown]) == held_out).astype(np.float64)
    is_majority = (held_out == np.bincount(labels[is_grown]).argmax()).astype(np.float64)
    fidelity, majority, advantage = (
        mean_over_shoppers(values, shoppers, level=level) for values in (is_right, is_majority, is_right - is_majority)
    )
    if not advantage.lower > 0:
        raise UnsupportedEstimator(
            f"a tree of {DEEPEST} questions agrees with the policy on {fidelity.value:.1%} of held-out decisions, and "
            f"always saying the same does on {majority.value:.1%}: the tree would explain nothing"
        )
    nodes = _nodes(tree, observations.columns, names)
    return Surrogate(nodes, fidelity, majority, advantage, len(np.unique(labels)), n_grown, n_held_out)


def _half_of_shoppers(unit: IntArray, seed: int) -> BoolArray:
    """Return True for the decisions of half of the shoppers: one shopper's decisions are never on both sides."""
    unit_ids, place = np.unique(unit, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(unit_ids)) % 2 == 0
    return np.asarray(dealt[place], dtype=bool)


def _nodes(
    tree: DecisionTreeClassifier, columns: tuple[ReadableColumn, ...], names: tuple[str, ...]
) -> tuple[TreeNode, ...]:
    """Return the grown tree as nodes, without questions whose answers make no difference."""
    grown = tree.tree_
    nodes: list[TreeNode | None] = []

    def label_of(index: int) -> str:
        return names[int(tree.classes_[int(grown.value[index][0].argmax())])]

    def labels_under(index: int) -> set[str]:
        if grown.children_left[index] < 0:
            return {label_of(index)}
        return labels_under(grown.children_left[index]) | labels_under(grown.children_right[index])

    def add(index: int) -> int:
        place = len(nodes)
        nodes.append(None)
        shares = grown.value[index][0] / grown.value[index][0].sum()
        n = int(grown.n_node_samples[index])
        if len(labels_under(index)) == 1:
            nodes[place] = TreeNode(label_of(index), n, float(shares.max()))
            return place
        low, high = add(int(grown.children_left[index])), add(int(grown.children_right[index]))
        nodes[place] = TreeNode(
            label_of(index),
            n,
            float(shares.max()),
            column=columns[int(grown.feature[index])],
            threshold=float(grown.threshold[index]),
            low=low,
            high=high,
        )
        return place

    add(0)
    return tuple(node for node in nodes if node is not None)
