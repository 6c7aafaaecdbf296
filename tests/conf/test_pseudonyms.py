"""Pseudonyms: keyed, so that trying ids finds nothing."""

from __future__ import annotations

from conf.pseudonyms import is_opted_out, is_pseudonym, opted_out_name, pseudonym

KEY = b"a key for tests only"


def test_another_key_gives_another_name() -> None:
    """Who doesn't know the key can't find a name by trying ids."""
    assert pseudonym("ann", KEY) != pseudonym("ann", b"another key of tests")
    assert len(pseudonym("ann", KEY)) == 32


def test_a_pseudonym_is_known_by_its_look() -> None:
    assert is_pseudonym(pseudonym("ann", KEY))
    assert not any(map(is_pseudonym, ("ann", "", "a" * 31, "a" * 33, "A" * 32, "g" * 32)))


def test_names_of_who_opted_out_are_told_by_the_key_alone() -> None:
    """They look like all others, no two are equal, and nobody's own name is taken for one."""
    made_up = [opted_out_name(KEY) for _ in range(20)]
    assert len(set(made_up)) == 20
    assert all(is_pseudonym(one) and is_opted_out(one, KEY) for one in made_up)
    assert not any(is_opted_out(one, b"another key of tests") for one in made_up)
    assert not any(is_opted_out(one, KEY) for one in (pseudonym("ann", KEY), "", "ann", "a" * 16))
