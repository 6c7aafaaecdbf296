"""Some of the ids that lines name, by keyed hashes of what spellings share: whether two places spell them alike.

Both places keep the ids with the smallest hashes, which are the same ids wherever they stand: a few thousand of each
tell how millions meet, and no id leaves the workers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b, sha256
from heapq import nsmallest

from conf.specs.source import Source
from jobs.landing.id_spellings import ALIKE_CURE, core_of, masked, numbered_anew_told
from jobs.parsing.field_reading import remembered

MOST = 2_000
"""Ids that are kept of one place in one delivery."""

LISTS = ("consent", "shoppers")
"""Tables that list shoppers."""

_ABOVE_ALL = "g"  # no hexadecimal digit
_KEPT_DIGITS = 16

SpelledIds = Mapping[tuple[str, str], str]
"""How ids are spelled, masked, by the hash of what spellings share and the pseudonym; the smallest of each place."""


class SpelledNames:
    """Gives ids' pseudonyms, and keeps how some of them are spelled."""

    def __init__(self, names: Callable[[str], str], key: bytes) -> None:
        own = sha256(b"spelling\0" + key).digest()
        self._names = names
        self._rank = remembered(lambda spelled: blake2b(core_of(spelled).encode(), key=own, digest_size=8).hexdigest())
        self._place: object = None
        self._kept: dict[tuple[str, str], str] = {}
        self._new: dict[tuple[str, str], str] = {}
        self._limit = _ABOVE_ALL

    def begin(self, place: object) -> None:
        """Forget what was kept of another place or delivery, where it was one."""
        if place != self._place:
            self._place, self._limit = place, _ABOVE_ALL
            self._kept, self._new = {}, {}

    def __call__(self, spelled: str) -> str:
        """Return the id's pseudonym."""
        name, rank = self._names(spelled), self._rank(spelled)
        if rank <= self._limit and (found := (rank, name[:_KEPT_DIGITS])) not in self._kept:
            self._kept[found] = self._new[found] = masked(spelled)
            if len(self._kept) > 2 * MOST:
                self._kept = _smallest(self._kept)
                self._limit = max(self._kept)[0]
        return name

    def taken(self) -> SpelledIds:
        """Return what was kept since this was asked last."""
        found, self._new = self._new, {}
        return _smallest(found)


def sum_of_spelled(some: Iterable[SpelledIds]) -> SpelledIds:
    """Return the same of all parts of one place."""
    found: SpelledIds = {}
    for one in some:
        found = _smallest({**found, **one})
    return found


def written(some: SpelledIds) -> str:
    """Return the ids as text, for `read`."""
    return json.dumps([[*key, spelled] for key, spelled in some.items()])


def read(text: str) -> SpelledIds:
    """Return the ids that `written` wrote."""
    return {(rank, name): spelled for rank, name, spelled in json.loads(text)}


def strangers_told(table: str, listed: SpelledIds, shoppers: SpelledIds) -> str | None:
    """Return what a person is told of shoppers that a table lists under another spelling alone; None where it is none.

    Args:
        table: its name.
        listed: ids of the table's accepted lines in one delivery.
        shoppers: that the delivery's events name.
    """
    limit = min(_limit(listed), _limit(shoppers))
    of_table, of_events = _by_rank(listed, limit), _by_rank(shoppers, limit)
    met = sorted(of_table.keys() & of_events.keys())
    apart = [(of_table[one], of_events[one]) for one in met if _is_apart(of_table[one], of_events[one])]
    if not apart:
        return None
    there, here = (min(spelled.values()) for spelled in apart[0])
    sampled = "" if limit == _ABOVE_ALL else " that were compared"
    return (
        f"{table}: {len(apart)} of {len(met)} shoppers of this delivery{sampled} whom it lists are spelled otherwise "
        f"there (such as {there} against {here}): what it says of them reaches nobody; {ALIKE_CURE}"
    )


def _is_apart(listed: Mapping[str, str], shoppers: Mapping[str, str]) -> bool:
    """Return whether spellings of one id are listed that no shopper has, and a shopper's isn't listed."""
    return bool(listed.keys() - shoppers.keys()) and bool(shoppers.keys() - listed.keys())


def numbered_anew_in(source: Source, n_files: int) -> str | None:
    """Return what to say where a feed's shoppers are the numbers of lines, in several files; None where they aren't.

    Args:
        source: narrowed to the feed.
        n_files: of the feed.
    """
    number = None if source.csv is None else source.csv.line_number
    user = source.events.user_id
    if number is None or n_files < 2 or (number,) not in user.alternatives:
        return None
    return numbered_anew_told(number, n_files)


def _smallest(some: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    if len(some) <= MOST:
        return dict(some)
    return {key: some[key] for key in nsmallest(MOST, some)}


def _limit(some: SpelledIds) -> str:
    """Return up to which hash all ids of a place are among those kept."""
    return max(some)[0] if len(some) >= MOST else _ABOVE_ALL


def _by_rank(some: SpelledIds, limit: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for (rank, name), spelled in some.items():
        if rank <= limit:
            found.setdefault(rank, {})[name] = spelled
    return found
