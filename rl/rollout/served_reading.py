"""What was served, read from published transitions: whose decision it was, what it earned, and on which day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from conf.specs.scenario import MILLIONTHS
from rl.data.transitions_reading import PublishedTransitions
from rl.rollout.served_values import ServedRows, day_number


@dataclass(frozen=True)
class Versions:
    """Whose decisions are told apart, by what the log names them.

    Attributes:
        new: policy version of what is rolled out.
        replaced: of what it replaces; None where the shop decided by itself, under whatever name.
        fallback: of the uniform choice that stands in for either.
    """

    new: str
    replaced: str | None
    fallback: str


def read_served(
    published: PublishedTransitions, first: date, last: date, versions: Versions, is_held_out: Callable[[str], bool]
) -> ServedRows:
    """Return the decisions of episodes that started from `first` to `last`, without those of shoppers held out.

    Raises:
        DatasetError: unreadable files.
    """
    days = sorted(day for day in published.pointers if first <= day <= last)
    tables = [published.table([day]) for day in days]
    names: dict[str, int] = {}
    parts = [_Part.of(table, day, names, versions) for day, table in zip(days, tables, strict=True)]
    shoppers = list(names)
    stays = np.array([not is_held_out(name) for name in shoppers], dtype=np.bool_)
    number = np.cumsum(stays) - 1
    shopper = _joined([part.shopper for part in parts], np.int64)
    kept = stays[shopper] if len(shopper) else np.zeros(0, dtype=np.bool_)
    return ServedRows(
        shopper=number[shopper[kept]].astype(np.int64),
        names=tuple(name for name, is_kept in zip(shoppers, stays, strict=True) if is_kept),
        day=_joined([part.day for part in parts], np.int64)[kept],
        reward=_joined([part.reward for part in parts], np.float64)[kept],
        is_settled=_joined([part.is_settled for part in parts], np.bool_)[kept],
        is_new_version=_joined([part.is_new for part in parts], np.bool_)[kept],
        is_replaced_version=_joined([part.is_replaced for part in parts], np.bool_)[kept],
        is_fallback=_joined([part.is_fallback for part in parts], np.bool_)[kept],
    )


@dataclass(frozen=True)
class _Part:
    shopper: np.ndarray
    day: np.ndarray
    reward: np.ndarray
    is_settled: np.ndarray
    is_new: np.ndarray
    is_replaced: np.ndarray
    is_fallback: np.ndarray

    @classmethod
    def of(cls, table: pa.Table, day: date, names: dict[str, int], versions: Versions) -> _Part:
        """Return a day's rows; shoppers who weren't numbered before get the next numbers."""
        users = table.column("user_id").to_pylist()
        shopper = np.array([names.setdefault(user, len(names)) for user in users], dtype=np.int64)
        by = np.array(table.column("policy_version").fill_null("").to_pylist(), dtype=object)
        is_new = np.asarray(by == versions.new, dtype=np.bool_)
        is_fallback = np.asarray(by == versions.fallback, dtype=np.bool_)
        if versions.replaced is None:
            is_replaced = ~is_new & ~is_fallback
        else:
            is_replaced = np.asarray(by == versions.replaced, dtype=np.bool_)
        return cls(
            shopper=shopper,
            day=np.full(len(users), day_number(day), dtype=np.int64),
            reward=table.column("reward").to_numpy().astype(np.float64) / MILLIONTHS,
            is_settled=np.asarray(table.column("reward_settled").to_pylist(), dtype=np.bool_),
            is_new=is_new,
            is_replaced=is_replaced,
            is_fallback=is_fallback,
        )


def _joined(parts: list[np.ndarray], kind: type[np.generic]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
