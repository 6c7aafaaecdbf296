"""Pseudonyms: keyed, so that trying ids finds nothing."""

from __future__ import annotations

from conf.pseudonyms import is_pseudonym, pseudonym

KEY = b"a key for tests only"


def test_another_key_gives_another_name() -> None:
    """Who doesn't know the key can't find a name by trying ids."""
    assert pseudonym("ann", KEY) != pseudonym("ann", b"another key of tests")
    assert len(pseudonym("ann", KEY)) == 32


def test_a_pseudonym_is_known_by_its_look() -> None:
    assert is_pseudonym(pseudonym("ann", KEY))
    assert not any(map(is_pseudonym, ("ann", "", "a" * 31, "a" * 33, "A" * 32, "g" * 32)))
