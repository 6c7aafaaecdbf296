"""Whether a source's lake holds ids of events, decisions and slates as keyed hashes, or as they were delivered.

A lake begins with keyed hashes. One that an earlier release filled keeps its ids, since links and orders compare them,
until `make migrate` marks it: then the next ingest makes all its deliveries anew. No reader mixes the two.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from conf.paths import Lake
from conf.publication import Pointer, read_pointers, write_atomically

_KEYED = {"ids/keyed": "yes"}
_DOMAIN = b"id\0"
_DIGITS = 32
_PLACE = re.compile(r"-[0-9]{2}\Z")


def keyed_id(given: str, key: bytes) -> str:
    """Return the keyed hash of an id: 128 bits, hex, and none that a shopper's pseudonym is.

    Two digits behind a last hyphen stay: they number the decisions of a slate, which are ordered by their ids.
    """
    place = _PLACE.search(given)
    stem = given[: place.start()] if place else given
    return hmac.digest(key, _DOMAIN + stem.encode("utf-8"), "sha256").hex()[:_DIGITS] + given[len(stem) :]


def has_keyed_ids(lake: Lake) -> bool:
    """Return whether what is ingested into the lake from now on has its ids hashed."""
    pointers = _event_pointers(lake)
    return lake.keyed_ids.exists() or not pointers or any(is_keyed(pointer) for pointer in pointers.values())


def id_inputs(lake: Lake) -> dict[str, str]:
    """Return what the form of the ids adds to the inputs of a delivery's tables; nothing where they stay as given."""
    return dict(_KEYED) if has_keyed_ids(lake) else {}


def mark_keyed(lake: Lake) -> None:
    """Let the next ingest make the lake's deliveries anew, with their ids hashed."""
    write_atomically(lake.keyed_ids, "")


def is_keyed(pointer: Pointer) -> bool:
    """Return whether a delivery's ids are hashed."""
    return _KEYED.items() <= pointer.manifest.inputs.items()


def mixed_ids(pointers: Sequence[Pointer]) -> list[str]:
    """Return the deliveries whose ids are as they were given, where others' are hashed; none where all are alike."""
    as_given = sorted(pointer.manifest.partition for pointer in pointers if not is_keyed(pointer))
    return as_given if len(as_given) < len(pointers) else []


def _event_pointers(lake: Lake) -> dict[str, Pointer]:
    return dict(read_pointers(lake.table("events")))
