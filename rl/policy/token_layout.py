"""Which columns of an encoded observation hold ids, as rows of embedding tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

IntArray = npt.NDArray[np.int64]

# The first two rows of every table; the ids of its space follow in order.
PADDING, UNKNOWN, N_RESERVED = 0, 1, 2
# Whole numbers up to this are exact in the `float32` of encoded observations.
LARGEST_TOKEN = 2**24


@dataclass(frozen=True)
class TokenList:
    """Neighboring columns with a list of ids, most recent first, padded at the end.

    Attributes:
        table: place among the layout's tables.
        start: first column.
        length: number of columns.
    """

    table: int
    start: int
    length: int


@dataclass(frozen=True)
class TokenLayout:
    """Dense columns first, then lists of tokens.

    Attributes:
        n_dense: number of columns that are numbers.
        lists: the token columns.
        table_sizes: rows of each table, those reserved among them.
        action_table: table whose rows, from `N_RESERVED` on, are the actions in the order of their index (and
            `UNKNOWN` is `(other)`); None where actions are no ids of a list.
        has_other: the last action is `(other)`.
    """

    n_dense: int
    lists: tuple[TokenList, ...]
    table_sizes: tuple[int, ...]
    action_table: int | None = None
    has_other: bool = False

    def __post_init__(self) -> None:
        if (largest := max(self.table_sizes, default=0)) > LARGEST_TOKEN:
            raise PolicyError(f"{largest} rows of an embedding table, expected at most {LARGEST_TOKEN}: exact float32")

    @property
    def n_columns(self) -> int:
        """Width of an encoded observation."""
        return self.n_dense + sum(found.length for found in self.lists)

    def latest(self, length: int) -> tuple[TokenList, ...]:
        """Return the token lists, each cut to its latest entries."""
        return tuple(replace(found, length=min(found.length, length)) for found in self.lists)

    def action_rows(self, n_actions: int) -> IntArray:
        """Return the row of each action in the action table, `(n_actions,)`.

        Raises:
            PolicyError: actions are no ids of a list, or the table is too small.
        """
        if self.action_table is None:
            raise PolicyError("actions are no ids of a list feature; set is_output_tied: false, or add such a list")
        rows = np.arange(n_actions, dtype=np.int64) + N_RESERVED
        if self.has_other:
            rows[-1] = UNKNOWN
        if rows.max() >= self.table_sizes[self.action_table]:
            raise PolicyError(f"{n_actions} actions for a table of {self.table_sizes[self.action_table]} rows")
        return rows
