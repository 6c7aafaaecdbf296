"""Torch modules that read lists of embedded ids; `rl/policy` has their twins in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import relu, scaled_dot_product_attention

from rl.policy.token_layout import PADDING

Kind = Literal["gru", "transformer"]


class GruReader(nn.Module):
    """Units for each list, fed from the oldest entry to the latest."""

    def __init__(self, *, lengths: Sequence[int], embedding_size: int, width: int, depth: int) -> None:
        super().__init__()
        self.units = nn.ModuleList(nn.GRU(embedding_size, width, num_layers=depth, batch_first=True) for _ in lengths)

    def forward(self, dense: torch.Tensor, tokens: list[torch.Tensor], embedded: list[torch.Tensor]) -> torch.Tensor:  # noqa: ARG002
        """Return the last hidden states of all lists side by side, `(n, n_lists * width)`; zeros for an empty list."""
        return torch.cat([_last_state(*found) for found in zip(self.units, tokens, embedded, strict=True)], dim=1)


def _last_state(units: nn.Module, tokens: torch.Tensor, embedded: torch.Tensor) -> torch.Tensor:
    # Turned round within each row, entries come before padding, which then can't touch what is read at the last of
    # them. Packing the rows would need their lengths on the processor: a GPU would be waited for.
    length = (tokens != PADDING).sum(dim=1, keepdim=True)
    place = torch.arange(tokens.shape[1], device=tokens.device)
    turned = (length - 1 - place).clamp(min=0)[:, :, None].expand(-1, -1, embedded.shape[2])
    states, _ = units(embedded.gather(1, turned))
    last = (length - 1).clamp(min=0)[:, :, None].expand(-1, -1, states.shape[2])
    found: torch.Tensor = states.gather(1, last)[:, 0]
    return found * (length > 0)


class _Block(nn.Module):
    """Attention and rectified layers, each after a normalisation, each added to what came in."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self._n_heads = n_heads
        self.before_attention, self.before_layers = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, hidden: torch.Tensor, is_entry: torch.Tensor) -> torch.Tensor:
        n, length, width = hidden.shape
        mixed = self.mixed(self.before_attention(hidden)).view(n, length, 3, self._n_heads, width // self._n_heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(query, key, value, attn_mask=is_entry[:, None, None])
        hidden = hidden + self.out(attended.transpose(1, 2).reshape(n, length, width))
        changed: torch.Tensor = hidden + self.down(relu(self.up(self.before_layers(hidden))))
        return changed


class TransformerReader(nn.Module):
    """The dense columns are one more entry, which attends to all lists and is read at the end."""

    def __init__(
        self, *, lengths: Sequence[int], n_dense: int, embedding_size: int, width: int, depth: int, n_heads: int
    ) -> None:
        super().__init__()
        self.state_in, self.entry_in = nn.Linear(n_dense, width), nn.Linear(embedding_size, width)
        self.positions = nn.Parameter(torch.randn(sum(lengths), width) * 0.02)
        self.blocks = nn.ModuleList(_Block(width, n_heads) for _ in range(depth))
        self.last = nn.LayerNorm(width)
        self.register_buffer("n_heads", torch.tensor([n_heads]))

    def forward(self, dense: torch.Tensor, tokens: list[torch.Tensor], embedded: list[torch.Tensor]) -> torch.Tensor:
        """Return the state entry as the last layer leaves it, `(n, width)`."""
        entries = self.entry_in(torch.cat(embedded, dim=1)) + self.positions
        hidden = torch.cat([self.state_in(dense)[:, None], entries], dim=1)
        listed = torch.cat(tokens, dim=1) != PADDING
        is_entry = torch.cat([torch.ones_like(listed[:, :1]), listed], dim=1)
        for block in self.blocks:
            hidden = block(hidden, is_entry)
        read: torch.Tensor = self.last(hidden[:, 0])
        return read
