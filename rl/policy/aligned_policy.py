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
        is_known = self._older_index >= 0
        if (other := self.vocabulary.other_index) is not None and not self.policy.is_other_chosen:
            mask = mask.copy()
            mask[:, other] &= ~np.delete(mask, other, axis=1).any(axis=1)
        outputs = self.policy.outputs(features)[:, self._older_index] / self.policy.output_scale
        known = self._considered(features, mask & is_known)
        known = np.where(known.any(axis=1, keepdims=True), known, mask)
        softmax = masked_softmax(np.where(is_known, outputs, 0.0), known, self.policy.temperature)
        return with_exploration(softmax, mask, self.policy.exploration_floor)

    def _considered(self, features: FeatureArray, known: BoolArray) -> BoolArray:
        """Return the known actions that the older policy considers, `(n, n_actions)`."""
        is_known = self._older_index >= 0
        older = np.zeros((len(known), self.policy.n_actions), dtype=bool)
        older[:, self._older_index[is_known]] = known[:, is_known]
        return known & self.policy.network.considered(features, older)[:, self._older_index]
