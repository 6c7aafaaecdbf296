"""Segments that a person can act on are told; those of a digest are counted."""

from __future__ import annotations

import pytest

from rl.data.shopper_segments import named
from rl.page.readable_labels import left_out_sentence, readable
from tests.rl.page.evidence_factory import segment


@pytest.mark.parametrize("label", ["favors shoes", "favors category-12", "favors 4756105", "night (0 to 5 h)"])
def test_names_and_a_shop_s_own_numbers_are_told(label: str) -> None:
    """A number of the shop can be looked up; a digest can't."""
    rows = (segment(label, None),)
    assert readable(rows) == rows


@pytest.mark.parametrize("label", [f"favors {named(255, {})}", "favors 9f86d081884c7d65", f"favors {'0a' * 32}"])
def test_a_digest_is_left_out(label: str) -> None:
    assert readable((segment("no past purchase", None), segment(label, None))) == (segment("no past purchase", None),)


def test_what_is_left_out_is_counted_with_a_reason() -> None:
    assert left_out_sentence(0) == ""
    assert left_out_sentence(1).startswith("1 segment is left out: the log knows its name as a digest alone")
    assert left_out_sentence(3).startswith("3 segments are left out: the log knows their names")
