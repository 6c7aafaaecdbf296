"""A gated recurrent unit's forward pass in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rl.policy.network import BoolArray, FeatureArray
from rl.policy.sequence_network import IntArray, SequenceNetwork
from rl.policy.token_layout import PADDING


@dataclass(frozen=True)
class GruNetwork(SequenceNetwork):
    """A network of gated recurrent units, one set for each list, read from the oldest entry to the latest.

    Padding changes nothing.

    Source: Cho et al. (2014), Learning Phrase Representations using RNN Encoder-Decoder; the variant of torch.
    """

    kind: ClassVar[str] = "gru"

    def read(self, dense: FeatureArray, tokens: list[IntArray], embedded: list[FeatureArray]) -> FeatureArray:  # noqa: ARG002
        """Return the last hidden states of all lists, side by side."""
        states = [
            self._last_state(i, entries, index != PADDING)
            for i, (index, entries) in enumerate(zip(tokens, embedded, strict=True))
        ]
        return np.concatenate(states, axis=1)

    def _last_state(self, place: int, entries: FeatureArray, is_entry: BoolArray) -> FeatureArray:
        depth = sum(name.startswith(f"reader.units.{place}.weight_ih") for name in self.tensors)
        width = self.part(f"units.{place}.weight_hh_l0").shape[1]
        states = [np.zeros((len(entries), width), dtype=np.float32) for _ in range(depth)]
        for back in range(entries.shape[1] - 1, -1, -1):
            below, keep = entries[:, back], is_entry[:, back, None]
            for level in range(depth):
                below = self._next_state(f"units.{place}", level, below, states[level])
                states[level] = np.where(keep, below, states[level])
        return states[-1]

    def _next_state(self, units: str, level: int, inputs: FeatureArray, state: FeatureArray) -> FeatureArray:
        from_input, from_state = (
            values @ self.part(f"{units}.weight_{name}_l{level}").T + self.part(f"{units}.bias_{name}_l{level}")
            for name, values in (("ih", inputs), ("hh", state))
        )
        reset_in, update_in, new_in = np.split(from_input, 3, axis=1)
        reset_state, update_state, new_state = np.split(from_state, 3, axis=1)
        update = _sigmoid(update_in + update_state)
        new = np.tanh(new_in + _sigmoid(reset_in + reset_state) * new_state)
        return np.asarray((1 - update) * new + update * state)


def _sigmoid(values: FeatureArray) -> FeatureArray:
    # By tanh: the exponential of a large number would overflow.
    half = np.float32(0.5)
    return np.asarray(half * np.tanh(half * values) + half)
