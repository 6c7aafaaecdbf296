"""Words among event types that the source doesn't know: each may be a return, or an order by another name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

WORD = "word/"
"""How a profile's counts of such words begin."""

# More different words than that are no event types: another column was mapped, whose values nobody should be told.
MOST_WORDS = 20
_SHOWN = 10


def count_words(lines: pa.Table) -> dict[str, int]:
    """Return how many rejected lines have each event type that the source doesn't know, under a profile's names.

    Args:
        lines: reason and shape of one feed's lines, among others.
    """
    is_unknown = pc.fill_null(pc.equal(lines["reason"], "unknown_event_type"), False)
    counts = pc.value_counts(lines["shape"].filter(is_unknown)).to_pylist()
    return {f"{WORD}{one['values']}": one["counts"] for one in counts if one["values"] is not None}


def words_of(profile: Mapping[str, int]) -> Counter[str]:
    """Return the unknown words that a feed's profile counts; none of a feed of which no event type is known."""
    found = Counter({name.removeprefix(WORD): n for name, n in profile.items() if name.startswith(WORD)})
    return found if profile.get("n_accepted") and len(found) <= MOST_WORDS else Counter()


def words_told(words: Counter[str]) -> str:
    """Return what a person is told of event types that the source doesn't know.

    >>> words_told(Counter({"Rückgabe": 41, "zoom": 1}))
    'event types that the source does not know: Rückgabe (41 lines), zoom (1 line); map each to a type, or ignore it'
    """
    cure = "map each to a type, or ignore it"
    if len(words) > MOST_WORDS:
        return f"more than {MOST_WORDS} event types that the source does not know: is it the right column? {cure}"
    shown = ", ".join(f"{word} ({n} line{'s' if n != 1 else ''})" for word, n in words.most_common(_SHOWN))
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"event types that the source does not know: {shown}{more}; {cure}"
