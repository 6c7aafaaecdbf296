"""A transformer's forward pass in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rl.policy.network import BoolArray, FeatureArray
from rl.policy.sequence_network import IntArray, SequenceNetwork
from rl.policy.token_layout import PADDING

# Of torch's layer normalisation.
_EPSILON = np.float32(1e-5)


@dataclass(frozen=True)
class TransformerNetwork(SequenceNetwork):
    """A transformer network in which the dense columns are one more entry, which attends to all lists and is read last.

    Padding is not attended to. Layers normalise before attention and before the rectified layers.

    Source: Vaswani et al. (2017), Attention Is All You Need; Xiong et al. (2020), On Layer Normalization in the
    Transformer Architecture.
    """

    kind: ClassVar[str] = "transformer"

    def read(self, dense: FeatureArray, tokens: list[IntArray], embedded: list[FeatureArray]) -> FeatureArray:
        """Return the state entry as the last layer leaves it."""
        entries = self._apply("entry_in", np.concatenate(embedded, axis=1)) + self.part("positions")
        hidden = np.concatenate([self._apply("state_in", dense)[:, None], entries], axis=1)
        listed = [index != PADDING for index in tokens]
        is_entry = np.concatenate([np.ones((len(dense), 1), dtype=bool), *listed], axis=1)
        depth = sum(name.endswith(".mixed.weight") for name in self.tensors)
        for level in range(depth):
            block = f"blocks.{level}"
            hidden = hidden + self._attended(block, self._normalised(f"{block}.before_attention", hidden), is_entry)
            inner = self._apply(f"{block}.up", self._normalised(f"{block}.before_layers", hidden))
            hidden = hidden + self._apply(f"{block}.down", np.maximum(inner, np.float32(0)))
        return self._normalised("last", hidden[:, 0])

    def _attended(self, block: str, hidden: FeatureArray, is_entry: BoolArray) -> FeatureArray:
        n, length, width = hidden.shape
        n_heads = int(self.part("n_heads")[0])
        mixed = self._apply(f"{block}.mixed", hidden).reshape(n, length, 3, n_heads, width // n_heads)
        query, key, value = mixed.transpose(2, 0, 3, 1, 4)
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // n_heads))
        scores = np.where(is_entry[:, None, None], scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attended = (weights / weights.sum(axis=-1, keepdims=True)) @ value
        return self._apply(f"{block}.out", attended.transpose(0, 2, 1, 3).reshape(n, length, width))

    def _normalised(self, name: str, hidden: FeatureArray) -> FeatureArray:
        centered = hidden - hidden.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centered**2).mean(axis=-1, keepdims=True) + _EPSILON)
        return np.asarray(centered / spread * self.part(f"{name}.weight") + self.part(f"{name}.bias"))

    def _apply(self, name: str, inputs: FeatureArray) -> FeatureArray:
        return np.asarray(inputs @ self.part(f"{name}.weight").T + self.part(f"{name}.bias"))
