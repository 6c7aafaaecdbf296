"""What a small tree can say about a policy: its action, the action's category, or whether it departs from the usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray, LoggedEpisodes

MOST_ACTIONS = 8
MOST_CATEGORIES = 12

TargetKind = Literal["action", "category", "departure"]


@dataclass(frozen=True)
class SurrogateTarget:
    """What the tree is to say of each decision.

    Attributes:
        kind: the `action` that the policy prefers, its `category`, or whether it is a `departure` from the log's most
            likely action.
        names: in words, by label.
        labels: index into `names`, `(n,)`.
    """

    kind: TargetKind
    names: tuple[str, ...]
    labels: IntArray


def surrogate_target(
    preferred: IntArray, usual: IntArray, action_names: Sequence[str], categories: Mapping[str, str]
) -> SurrogateTarget:
    """Return the most telling target whose labels a tree of four questions (sixteen answers) can all give.

    Args:
        preferred: first choice of the policy at each decision, `(n,)`.
        usual: the log's most likely action there, `(n,)`.
        action_names: natural keys by index.
        categories: category by natural key of the action; may be empty or lack some.
    """
    keys = [action_names[action] for action in preferred]
    if len(set(keys)) <= MOST_ACTIONS:
        return _target("action", keys)
    if all(key in categories for key in set(keys)) and len({categories[key] for key in set(keys)}) <= MOST_CATEGORIES:
        return _target("category", [categories[key] for key in keys])
    return SurrogateTarget("departure", ("as the log does most", "departs"), (preferred != usual).astype(np.int64))


def usual_actions(train: LoggedEpisodes, choosable: BoolArray) -> IntArray:
    """Return the available action that training took most often where it was available, for each decision, `(n,)`.

    Args:
        train: tells how often each action was taken where it was available.
        choosable: available actions of each decision, `(n, n_actions)`.
    """
    taken = np.bincount(train.action, minlength=train.n_actions)
    available = np.bincount(train.mask_index, minlength=len(train.availability)) @ train.availability
    rate = taken / np.maximum(available, 1)
    return np.asarray(np.where(choosable, rate, -1.0).argmax(axis=1), dtype=np.int64)


def _target(kind: TargetKind, said: Sequence[str]) -> SurrogateTarget:
    names, labels = np.unique(np.array(said), return_inverse=True)
    return SurrogateTarget(kind, tuple(str(name) for name in names), labels.astype(np.int64))
