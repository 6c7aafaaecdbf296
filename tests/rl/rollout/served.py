"""Served rows, made up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rl.rollout.comparison import IntArray
from rl.rollout.served_values import ServedRows


def made_rows(n_shoppers: int, visits: Sequence[tuple[int, IntArray]]) -> ServedRows:
    """Visits by day and shoppers' numbers, all decided by the replaced version."""
    shopper = np.concatenate([who for _, who in visits]) if visits else np.zeros(0, dtype=np.int64)
    day = np.repeat([day for day, _ in visits], [len(who) for _, who in visits]).astype(np.int64)
    everything = np.ones(len(shopper), dtype=np.bool_)
    return ServedRows(
        shopper=shopper,
        names=tuple(map(str, range(n_shoppers))),
        day=day,
        reward=np.ones(len(shopper)),
        is_settled=everything,
        is_new_version=~everything,
        is_replaced_version=everything,
        is_fallback=~everything,
    )
