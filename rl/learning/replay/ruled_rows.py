"""What a shop's rules leave of logged rows to learn from: the same masks that the policy will be asked under.

A row whose logged action the rules take away teaches nothing that could be served, and is left out. Other rows
bootstrap from what the rules leave at their next observation, and are compared with what they leave at their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import structlog

from rl.data.dataset import Dataset
from rl.data.logged_episodes import BoolArray, IntArray, LoggedEpisodes
from rl.data.shop_rules import rules_of_scenario
from rl.errors import TrainingError
from rl.policy.action_rules import ActionRules
from rl.policy.observation_encoder import ObservationEncoder


@dataclass(frozen=True)
class Ruling:
    """Rules, and what reads them off encoded observations.

    Attributes:
        rules: of the shop.
        keys: natural keys of the actions in index order, `(other)` last where there is one.
        encoder: of the observations.
    """

    rules: ActionRules
    keys: tuple[str, ...]
    encoder: ObservationEncoder

    @classmethod
    def of(cls, dataset: Dataset) -> Ruling:
        """Return the rules that the dataset's scenario states."""
        return cls(rules_of_scenario(dataset.pipeline.scenario), dataset.vocabulary.names, dataset.encoder)

    @property
    def is_needed(self) -> bool:
        """Whether any rule can be read off observations."""
        return bool(self.rules.blocked or self.rules.eligibility)


@dataclass(frozen=True)
class RuledRows:
    """Rows that are left to learn from.

    Attributes:
        rows: of the episodes, ascending, `(n_left,)`.
        availability: the distinct sets that the rules leave, `(n_sets, n_actions)`.
        mask_index: set at the decision of each row that is left, `(n_left,)`.
        next_mask_index: the same at its next observation, `(n_left,)`.
    """

    rows: IntArray
    availability: BoolArray
    mask_index: IntArray
    next_mask_index: IntArray


def ruled_rows(episodes: LoggedEpisodes, ruling: Ruling) -> RuledRows:
    """Return what the rules leave of the rows, and under which sets.

    Raises:
        TrainingError: they leave nothing to choose at a next observation that something follows.
        PolicyError: eligibility is by a feature that is no count of the encoder.
    """
    n = episodes.n_transitions
    set_index = np.concatenate([episodes.mask_index, episodes.next_mask_index])
    patterns = np.concatenate([_pattern(ruling, episodes.features), _pattern(ruling, episodes.next_features)])
    # One observation of each kind stands for all of them: a set, and which rules hold.
    # The spec takes at most 40 rules, so that sets and rules have room in one number.
    kinds = (set_index << len(ruling.rules.eligibility)) | patterns
    _, first, index = np.unique(kinds, return_index=True, return_inverse=True)
    examples = np.where(
        (first < n)[:, None], episodes.features[np.minimum(first, n - 1)], episodes.next_features[first - n]
    )
    before = episodes.availability[set_index[first]]
    sets = ruling.rules.left_of(before, ruling.keys, ruling.encoder, examples)
    now, following = index[:n], index[n:]
    rows = np.flatnonzero(sets[now, episodes.action])
    if n_left_out := n - len(rows):
        structlog.get_logger().info("left out by the shop's rules", n_transitions=n_left_out, of=n)
    emptied = before.any(axis=1) & ~sets.any(axis=1)
    _refuse_nothing_left(emptied[following[rows]] & ~episodes.terminal[rows])
    return RuledRows(rows, sets, now[rows].astype(np.int64), following[rows].astype(np.int64))


def _pattern(ruling: Ruling, features: np.ndarray) -> IntArray:
    """Return which rules of eligibility hold at each observation, as bits, `(n,)`."""
    found = np.zeros(len(features), dtype=np.int64)
    for place, rule in enumerate(ruling.rules.eligibility):
        found |= rule.holds_encoded(ruling.encoder, features).astype(np.int64) << place
    return found


def _refuse_nothing_left(is_emptied: BoolArray) -> None:
    if n := int(is_emptied.sum()):
        raise TrainingError(
            f"the shop's rules leave nothing to choose at {n} of {len(is_emptied)} next observations, whose available "
            "actions they take away, all of them; take a rule back (rules, in the scenario's file), or let the shop "
            "offer something else there"
        )
