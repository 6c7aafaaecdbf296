"""Known days of products without a gap: what a replay leads a policy through in one go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray


@dataclass(frozen=True)
class Stretches:
    """Known days of products without a gap, one stretch a row.

    Attributes:
        product: row of the history, `(n_stretches,)`.
        first: column of the span, `(n_stretches,)`.
        length: days, `(n_stretches,)`.
    """

    product: IntArray
    first: IntArray
    length: IntArray

    @classmethod
    def of(cls, is_known: BoolArray) -> Stretches:
        """Return the stretches of `(n_products, n_days)`, by product and time."""
        edges = np.diff(np.pad(is_known.astype(np.int64), ((0, 0), (1, 1))), axis=1)
        product, first = np.nonzero(edges == 1)
        _, end = np.nonzero(edges == -1)
        return cls(product, first, end - first)

    def __len__(self) -> int:
        return len(self.product)

    def taken(self, values: np.ndarray) -> np.ndarray:
        """Return values of products and days as stretches, 0 behind their end, `(n_stretches, longest, ...)`."""
        longest = int(self.length.max())
        places = self.first[:, None] + np.arange(longest)[None, :]
        inside = np.arange(longest)[None, :] < self.length[:, None]
        found = values[self.product[:, None], np.where(inside, places, 0)]
        found[~inside] = 0
        return found

    def placed(self, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Return values of stretches as products and days, 0 where none is, `(n_products, n_days)`."""
        found = np.zeros(shape, dtype=values.dtype)
        inside = np.arange(values.shape[1])[None, :] < self.length[:, None]
        rows, columns = np.nonzero(inside)
        found[self.product[rows], self.first[rows] + columns] = values[rows, columns]
        return found

    def active(self, n_days: int) -> BoolArray:
        """Return on which days of the span each stretch is, `(n_stretches, n_days)`."""
        days = np.arange(n_days)[None, :]
        return np.asarray((days >= self.first[:, None]) & (days < (self.first + self.length)[:, None]))

    def placed_by_day(self, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Return values of stretches, each on its own day of the span, as products and days, 0 where none is."""
        found = np.zeros(shape, dtype=values.dtype)
        rows, days = np.nonzero(self.active(shape[1]))
        found[self.product[rows], days] = values[rows, days]
        return found
