"""Chance that belongs to a shopper and a week: the same numbers whatever the batch, and whatever the policy does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray

# A counter of the generator gives four numbers; rows of a multiple of four begin at a counter of their own.
_NUMBERS_A_COUNTER = 4


@dataclass(frozen=True)
class Chance:
    """Streams of uniform numbers, each an endless table of rows.

    The generator counts: row r of a stream is found without drawing those before it.

    Source: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3 (Philox).

    Attributes:
        seeds: what the streams are derived from.
    """

    seeds: tuple[int, ...]

    def uniforms(self, stream: int, week: int, *, first: int, n_rows: int, n_draws: int) -> FloatArray:
        """Return uniform numbers in [0, 1) of some shoppers' rows, `(n_rows, n_draws)`.

        Args:
            stream: what the numbers decide.
            week: of the stream; other weeks have other tables.
            first: index of the first shopper.
            n_rows: number of shoppers.
            n_draws: numbers a shopper.
        """
        width = -(-n_draws // _NUMBERS_A_COUNTER) * _NUMBERS_A_COUNTER
        key = np.random.SeedSequence([*self.seeds, stream, week]).generate_state(2, np.uint64)
        generator = np.random.Philox(key=key)
        generator.advance(first * (width // _NUMBERS_A_COUNTER))
        return np.random.Generator(generator).random((n_rows, width))[:, :n_draws]
