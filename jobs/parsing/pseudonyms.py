"""Shoppers' ids become keyed hashes in the workers, before anything is shuffled or written."""

from __future__ import annotations

from collections.abc import Callable

from jobs.parsing.field_reading import remembered
from jobs.parsing.keyed_hash import KeyedHash


def pseudonyms(key: bytes) -> Callable[[str], str]:
    """Return a function that gives a raw id's pseudonym under the key, remembered."""
    hashed = KeyedHash(key)
    return remembered(lambda user_id: hashed(user_id.encode("utf-8")))
