"""Features and conditions in words."""

from __future__ import annotations

import pytest

from conf.observation_features import OBSERVATION_FEATURES
from rl.page.feature_wording import FEATURE_NAMES, Kind, condition, feature


def test_every_declared_feature_has_a_name_of_its_own() -> None:
    """No declared feature is left to its code name, and no two share a name."""
    assert set(FEATURE_NAMES) == set(OBSERVATION_FEATURES)
    assert len(set(FEATURE_NAMES.values())) == len(FEATURE_NAMES)


def test_an_unknown_feature_is_its_code_in_words() -> None:
    """A feature that nobody named still reads as words."""
    assert feature("n_open_orders") == "open orders"


@pytest.mark.parametrize(
    ("kind", "threshold", "low", "high"),
    [
        ("number", 1.5, "1 or less", "2 or more"),
        ("number", -0.5, "none", "known"),
        ("length", 0.5, "empty", "1 or more"),
        ("length", 2.5, "2 at most", "3 or more"),
        ("first", 0.5, "hats not first", "hats first"),
        ("holds", 0.5, "without hats", "with hats"),
    ],
)
def test_conditions_say_both_sides(kind: Kind, threshold: float, low: str, high: str) -> None:
    """The two sides of a question exclude each other, in its own units."""
    for words, is_high in ((low, False), (high, True)):
        assert condition("x", kind, entry="hats", threshold=threshold, is_high=is_high) == f"x: {words}"
