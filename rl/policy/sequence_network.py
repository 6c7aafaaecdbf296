"""Networks that read lists of ids, served: what a GRU and a transformer have in common, in NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.network import BoolArray, FeatureArray, Tensors
from rl.policy.token_layout import PADDING, TokenList

IntArray = npt.NDArray[np.int64]

# Rows computed at once: a transformer's hidden states are many times as wide as an observation.
_ROWS = 2048


@dataclass(frozen=True)
class SequenceNetwork(ABC):
    """A network that embeds lists of ids, reads them in order and joins them with the dense columns in linear layers.

    Attributes:
        tensors: `lists` (a row of table, first column, length for each list), `n_columns` and `n_dense` (one number
            each), `table.<i>`, `reader.<name>`, `layers.<i>.weight` and `.bias`, `head.weight` and `.bias`; where
            outputs are products with embeddings, `tied.table`, `tied.rows` (of each action) and `tied.bias`.
    """

    kind: ClassVar[str]

    tensors: dict[str, npt.NDArray[Any]]

    @property
    def n_inputs(self) -> int:
        return int(self.tensors["n_columns"][0])

    @property
    def n_outputs(self) -> int:
        last = "tied.bias" if self.is_tied else "head.bias"
        return int(self.tensors[last].shape[0])

    @property
    def is_tied(self) -> bool:
        """Whether outputs are products with the actions' embeddings."""
        return "tied.rows" in self.tensors

    def forward(self, features: FeatureArray) -> FeatureArray:
        """Return the outputs before any mask, `(n, n_outputs)`.

        Raises:
            PolicyError: the features have another width, or hold tokens that no table has.
        """
        if features.ndim != 2 or features.shape[1] != self.n_inputs:
            raise PolicyError(f"features of shape {features.shape}, expected (n, {self.n_inputs})")
        parts = [self._outputs(features[start : start + _ROWS]) for start in range(0, len(features), _ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), dtype=np.float32)

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:  # noqa: ARG002  (the protocol's)
        """Return all actions where the mask is True."""
        return mask

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return `tensors`, contiguous."""
        return {name: np.ascontiguousarray(array) for name, array in sorted(self.tensors.items())}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Self:
        """Return the network whose arrays `to_tensors` named.

        Raises:
            PolicyError: arrays are missing or don't fit together.
        """
        try:
            network = cls(dict(tensors))
            network.forward(np.zeros((1, network.n_inputs), dtype=np.float32))
        except (KeyError, ValueError, IndexError) as error:
            raise PolicyError(f"network arrays {sorted(tensors)} make no {cls.kind} network: {error}") from error
        return network

    @property
    def n_dense(self) -> int:
        """Number of columns that are numbers."""
        return int(self.tensors["n_dense"][0])

    @property
    def lists(self) -> list[TokenList]:
        """The lists that are read."""
        return [TokenList(*(int(number) for number in row)) for row in self.tensors["lists"]]

    @abstractmethod
    def read(self, dense: FeatureArray, tokens: list[IntArray], embedded: list[FeatureArray]) -> FeatureArray:
        """Return what the reader makes of the lists, `(n, width)`.

        Args:
            dense: `(n, n_dense)`.
            tokens: of each list, most recent first, `(n, length)`.
            embedded: their embeddings, `(n, length, embedding_size)`.
        """

    def part(self, name: str) -> FeatureArray:
        """Return an array of the reader."""
        return self.tensors[f"reader.{name}"]

    def _outputs(self, features: FeatureArray) -> FeatureArray:
        dense = features[:, : self.n_dense].astype(np.float32, copy=False)
        tokens = [self._tokens(features, found) for found in self.lists]
        embedded = [
            self.tensors[f"table.{found.table}"][index] for found, index in zip(self.lists, tokens, strict=True)
        ]
        hidden = np.concatenate([dense, self.read(dense, tokens, embedded)], axis=1)
        n_layers = sum(name.startswith("layers.") for name in self.tensors) // 2
        for i in range(n_layers):
            hidden = np.maximum(self._linear(hidden, f"layers.{i}"), np.float32(0))
        outputs = self._linear(hidden, "head")
        return outputs @ self._action_embeddings.T + self.tensors["tied.bias"] if self.is_tied else outputs

    @cached_property
    def _action_embeddings(self) -> FeatureArray:
        table = self.tensors[f"table.{int(self.tensors['tied.table'][0])}"]
        return np.asarray(table[self.tensors["tied.rows"]])

    def _tokens(self, features: FeatureArray, found: TokenList) -> IntArray:
        tokens = features[:, found.start : found.start + found.length].astype(np.int64)
        n_rows = len(self.tensors[f"table.{found.table}"])
        if tokens.size and (tokens.min() < PADDING or tokens.max() >= n_rows):
            wrong = f"{tokens.min()} to {tokens.max()}"
            raise PolicyError(f"tokens {wrong} from column {found.start} on, expected 0 to {n_rows - 1}")
        return tokens

    def _linear(self, inputs: FeatureArray, name: str) -> FeatureArray:
        return np.asarray(inputs @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"])
