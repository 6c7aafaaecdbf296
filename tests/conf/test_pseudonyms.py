"""Pseudonyms: keyed, so that trying ids finds nothing."""

from __future__ import annotations

from conf.pseudonyms import pseudonym

KEY = b"a key for tests only"


def test_another_key_gives_another_name() -> None:
    """Who doesn't know the key can't find a name by trying ids."""
    assert pseudonym("ann", KEY) != pseudonym("ann", b"another key of tests")
    assert len(pseudonym("ann", KEY)) == 32
