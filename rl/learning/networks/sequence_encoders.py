"""d3rlpy encoders over recent item ids: embeddings read in order, joined with the dense features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.models.encoders import EncoderFactory
from d3rlpy.models.torch import Encoder, VectorEncoder
from torch import nn

from conf.specs.encoder import EncoderSpec
from rl.errors import TrainingError
from rl.learning.networks.masked_networks import Observations
from rl.learning.networks.sequence_readers import GruReader, TransformerReader
from rl.learning.updates.forward_scope import SharedForward
from rl.policy.token_layout import PADDING, TokenLayout

# Embeddings begin small: products with them are the first values.
_FIRST_SPREAD = 0.05


class SequenceEncoder(SharedForward, Encoder):  # type: ignore[misc]  # d3rlpy ships no types
    """Features in, the last hidden layer out; `tables` are what ids are looked up in.

    Attributes:
        layout: of the features.
        lists: those that are read, at most the spec's history of each.
        spec: kind and sizes.
    """

    def __init__(self, layout: TokenLayout, spec: EncoderSpec, hidden_units: Sequence[int]) -> None:
        super().__init__()
        self.layout, self.spec, self.lists = layout, spec, layout.latest(spec.history_length)
        tables = [nn.Embedding(n_rows, spec.embedding_size, padding_idx=PADDING) for n_rows in layout.table_sizes]
        for table in tables:
            nn.init.normal_(table.weight, std=_FIRST_SPREAD)
            table.weight.data[PADDING] = 0
        self.tables = nn.ModuleList(tables)
        self.reader, width = _reader(spec, layout.n_dense, [found.length for found in self.lists])
        self.layers = VectorEncoder(
            (layout.n_dense + width,), hidden_units=list(hidden_units), activation=nn.ReLU(inplace=True)
        )

    def forward(self, x: Observations) -> torch.Tensor:
        features = x[0]
        dense = features[:, : self.layout.n_dense]
        tokens = [features[:, found.start : found.start + found.length].long() for found in self.lists]
        embedded = [self.tables[found.table](index) for found, index in zip(self.lists, tokens, strict=True)]
        hidden: torch.Tensor = self.layers(torch.cat([dense, self.reader(dense, tokens, embedded)], dim=1))
        return hidden


def _reader(spec: EncoderSpec, n_dense: int, lengths: list[int]) -> tuple[nn.Module, int]:
    """Return the module that reads lists, and the width of its output."""
    sizes: dict[str, Any] = {
        "lengths": lengths,
        "embedding_size": spec.embedding_size,
        "width": spec.width,
        "depth": spec.depth,
    }
    if spec.kind == "gru":
        return GruReader(**sizes), spec.width * len(lengths)
    return TransformerReader(**sizes, n_dense=n_dense, n_heads=spec.n_heads), spec.width


@dataclass()
class SequenceEncoderFactory(EncoderFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """Makes `SequenceEncoder`s, once it has been told which columns are tokens.

    Attributes:
        spec: kind and sizes.
        hidden_units: width of each layer after reading.
        layout: known with the data; `bind_layout` sets it.
    """

    spec: EncoderSpec = field(default_factory=EncoderSpec)
    hidden_units: tuple[int, ...] = (128, 128)
    layout: TokenLayout | None = None

    def create(self, observation_shape: Sequence[Sequence[int]]) -> SequenceEncoder:
        if self.layout is None or not self.layout.lists:
            raise TrainingError(
                f"a {self.spec.kind} encoder needs token columns, and the observations have none; "
                "run prepare again with a list feature in the scenario"
            )
        if self.layout.n_columns != observation_shape[0][0]:
            raise TrainingError(f"{observation_shape[0][0]} features, the layout has {self.layout.n_columns}")
        return SequenceEncoder(self.layout, self.spec, self.hidden_units)

    def create_with_action(self, *_: Any, **__: Any) -> Any:
        raise TrainingError(f"a {self.spec.kind} encoder reads no continuous action; expected the dense one")

    @staticmethod
    def get_type() -> str:
        return "sequence"


def bind_layout(config: Any, layout: TokenLayout | None) -> None:
    """Tell the configuration's factories which columns are tokens."""
    if layout is None:
        return
    for name in vars(config):
        factory = getattr(config, name)
        if hasattr(factory, "layout"):
            factory.layout = layout
