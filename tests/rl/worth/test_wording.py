"""Figures of the worth-it page as people read them."""

from __future__ import annotations

import pytest

from rl.page.wording import UNKNOWN
from rl.worth.wording import nights, p_value, response_sentence
from tests.rl.worth.findings_factory import bounded, make_response


@pytest.mark.parametrize(("value", "text"), [(0.00001, "< 0.0001"), (0.034, "0.034"), (0.5, "0.5")])
def test_p_value_is_never_nothing(value: float, text: str) -> None:
    """A small one is bounded, not rounded to 0."""
    assert p_value(value) == text


def test_nights_come_with_their_interval() -> None:
    """`42 nights (29 to 64)`, a dash where unknown."""
    assert nights(bounded(42.2, 29, 64)) == "42 nights (29 to 64)"
    assert nights(bounded(None, None, None)) == UNKNOWN


def test_response_sentence_tells_moved_from_not_seen_to_move() -> None:
    """An effect that isn't seen isn't said to be absent."""
    assert response_sentence(make_response()).startswith("Moved:")
    assert response_sentence(make_response(is_moved=False)).startswith("Not seen to move:")
