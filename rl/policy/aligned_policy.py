"""A policy that knows an older vocabulary, asked about the actions of a newer one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rl.policy.action_probabilities import masked_softmax, refuse_empty, with_exploration
from rl.policy.stochastic_policy import StochasticPolicy
from rl.policy.vocabulary import Vocabulary

FloatArray = npt.NDArray[np.float64]
FeatureArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AlignedPolicy:
    """Probabilities of an older policy over a newer vocabulary, mapped by id.

    An action unknown to the older policy gets its fallback, the exploration floor's share; where it knows none of the
    available actions, all get the same. Features must come from the older policy's own encoder.
    """

    policy: StochasticPolicy
    vocabulary: Vocabulary

    @property
    def version(self) -> str:
        return self.policy.version

    @cached_property
    def _older_index(self) -> IntArray:
        return self.vocabulary.index_in(self.policy.vocabulary)

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return probabilities over the newer vocabulary, `(n, n_actions)`; 0 where the mask is False."""
        refuse_empty(mask, "available action")
        mask = self.policy.rules.left_of(mask, self.vocabulary.names, self.policy.encoder, features)
        refuse_empty(mask, "action that the shop's rules leave")
        is_known = self._older_index >= 0
        if (other := self.vocabulary.other_index) is not None and not self.policy.is_other_chosen:
            mask = mask.copy()
            mask[:, other] &= ~np.delete(mask, other, axis=1).any(axis=1)
        mask = self._within_caps(features, mask)
        outputs = self.policy.outputs(features)[:, self._older_index] / self.policy.output_scale
        known = self._considered(features, mask & is_known)
        known = np.where(known.any(axis=1, keepdims=True), known, mask)
        softmax = masked_softmax(np.where(is_known, outputs, 0.0), known, self.policy.temperature)
        return with_exploration(softmax, mask, self.policy.exploration_floor)

    def _considered(self, features: FeatureArray, known: BoolArray) -> BoolArray:
        """Return the known actions that the older policy considers, `(n, n_actions)`."""
        older = self._in_older(known)
        considered = self.policy.network.considered(features, older)
        if self.policy.prices is not None:
            considered = considered | self.policy.prices.cheapest(older)
        return known & considered[:, self._older_index]

    def _within_caps(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the mask less what the older policy's caps forbid; what it doesn't know is forbidden with it."""
        prices = self.policy.prices
        if prices is None or not prices.caps:
            return mask
        is_known = self._older_index >= 0
        older = self._in_older(mask & is_known)
        left = prices.allowed(self.policy.encoder, features, older)
        is_capped = (left != older).any(axis=1, keepdims=True)
        return np.asarray(np.where(is_capped, mask & is_known & left[:, self._older_index], mask))

    def _in_older(self, known: BoolArray) -> BoolArray:
        """Return a mask of known actions over the older vocabulary, `(n, n_older_actions)`."""
        is_known = self._older_index >= 0
        older = np.zeros((len(known), self.policy.n_actions), dtype=bool)
        older[:, self._older_index[is_known]] = known[:, is_known]
        return older
