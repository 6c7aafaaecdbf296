"""The categories that count most at each asked moment, of counts that appear and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes, spread

_PAIRS_AT_ONCE = 4_000_000
"""How many pairs of a moment and a category are ranked at once: some hundred megabytes."""


@dataclass(frozen=True)
class _Spans:
    """Stretches of asked moments over which a category's count stays the same, each column `(n_spans,)`.

    They are ordered by the first moment; `first` and `end` are places among the asked moments.
    """

    first: IntArray
    end: IntArray
    category: IntArray
    count: IntArray

    def chosen(self, rows: BoolArray | IntArray | slice) -> _Spans:
        return _Spans(self.first[rows], self.end[rows], self.category[rows], self.count[rows])


def most_of(
    *, asked: IntArray, category: IntArray, appears: IntArray, goes: IntArray, counts: IntArray, length: int
) -> IntArray:
    """Return the categories with the greatest sums of counts at each asked moment, `(n_asked, length)`.

    The greatest comes first, ties by ascending category; 0 stands where there are no more. Moments are numbers in which
    units follow each other; a count holds at moments from `appears` to before `goes`.

    Args:
        asked: moments, ascending, each once.
        category: of each count, `(n,)`; none is 0.
        appears: its first moment.
        goes: the first moment at which it no longer holds, of the same unit.
        counts: above 0.
        length: how many categories.
    """
    favorites = np.zeros((len(asked), length), dtype=np.int64)
    for part in _parts(_spans(asked, category, appears, goes, counts)):
        moment, ranked = _ranked(part)
        first = np.flatnonzero(changes(moment))
        rank = np.arange(len(moment)) - np.repeat(first, np.diff(np.append(first, len(moment))))
        kept = rank < length
        favorites[moment[kept], rank[kept]] = ranked[kept]
    return favorites


def _spans(asked: IntArray, category: IntArray, appears: IntArray, goes: IntArray, counts: IntArray) -> _Spans:
    """Return where each category's count changes, as spans of the asked moments; those without a moment are left out.

    A category of one unit is followed by the same category of the next one: between them its count is 0.
    """
    names = np.concatenate([category, category])
    # Only the asked moments matter: a change between two of them is a change at the later one.
    places = np.searchsorted(asked, np.concatenate([appears, goes]))
    changed = np.concatenate([counts, -counts])
    order = np.lexsort((places, names))
    names, places, changed = names[order], places[order], changed[order]
    total = np.cumsum(changed)
    end = np.append(places[1:], 0)
    same = np.append(names[1:] == names[:-1], False) if len(names) else np.zeros(0, dtype=np.bool_)
    found = _Spans(places, end, names, total).chosen(same & (end > places) & (total > 0))
    return found.chosen(np.argsort(found.first, kind="stable"))


def _parts(spans: _Spans) -> Iterator[_Spans]:
    """Yield the spans in parts of which no asked moment is in two, each with a bounded number of pairs if it can be."""
    if not len(spans.first):
        return
    pairs = np.cumsum(spans.end - spans.first)
    # A part may end before a span that starts where every earlier one has ended.
    is_free = np.append(np.maximum.accumulate(spans.end)[:-1] <= spans.first[1:], True)
    free = np.flatnonzero(is_free) + 1
    bounds = free[changes(pairs[free - 1] // _PAIRS_AT_ONCE)]
    bounds = np.unique(np.append(bounds, len(pairs)))
    for first, end in zip(np.append(0, bounds[:-1]), bounds, strict=True):
        yield spans.chosen(slice(int(first), int(end)))


def _ranked(spans: _Spans) -> tuple[IntArray, IntArray]:
    """Return every asked moment with each of its categories, the one with the greatest count first."""
    lengths = spans.end - spans.first
    moment, category = spread(spans.first, lengths), np.repeat(spans.category, lengths)
    count = np.repeat(spans.count, lengths)
    order = np.lexsort((category, moment * (count.max() + 1) + (count.max() - count)))
    return moment[order], category[order]
