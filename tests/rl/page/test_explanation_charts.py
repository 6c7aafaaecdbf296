"""Reasons as bars and as a nested tree."""

from __future__ import annotations

import pytest

from rl.page.explanation_charts import branches_of, departure_bars, example_charts, feature_bars, removal_bars
from tests.rl.page.evidence_factory import example, explanation, tree


def test_bars_are_in_proportion_and_leave_room_for_their_numbers() -> None:
    """Widths are proportional to the figures, and no interval reaches the end of the line."""
    bars = feature_bars(explanation().features)
    assert bars[0].width / bars[1].width == pytest.approx(0.8 / 0.5, rel=1e-3)
    assert all(bar.low <= bar.width <= bar.high <= 78 for bar in bars)


def test_departures_say_how_much_they_rest_on() -> None:
    """Each bar carries its counts of decisions and shoppers."""
    departures = explanation().departures
    assert departures is not None
    assert departure_bars(departures.rows)[0].note == "900 decisions, 200 shoppers"


def test_an_example_holds_everything_that_makes_the_margin() -> None:
    """The bars of a decision, the others and the start among them, sum to its margin."""
    (chart,) = example_charts((example(),))
    assert sum(bar.value for bar in chart.bars) == pytest.approx(example().margin)


def test_bars_against_the_choice_reach_to_the_left() -> None:
    """A positive part starts in the middle, a negative one ends there."""
    (chart,) = example_charts((example(),))
    for_it, against = chart.bars[:2]
    assert (for_it.start, for_it.is_for) == (50.0, True)
    assert against.start + against.width == pytest.approx(50.0)
    assert not against.is_for


def test_removal_compares_named_with_random_on_one_scale() -> None:
    """Both bars of a measure share a scale: twelve times the fall is twelve times the bar."""
    removal = explanation().removal
    assert removal is not None
    (_, (named, drawn)), _ = removal_bars(removal)
    assert named.width / drawn.width == pytest.approx(12, rel=0.01)


def test_the_tree_nests_conditions_in_words() -> None:
    """Each branch is led to by its own condition; only leaves answer."""
    root = branches_of(tree())
    assert root is not None
    low, high = root.branches
    assert (low.condition, low.answer, low.n) == ("past purchases: 1 or less", "category-1", 600)
    assert (high.condition, high.answer) == ("past purchases: 2 or more", "")
    assert [leaf.condition for leaf in high.branches] == [
        "favorite categories: without category-2",
        "favorite categories: with category-2",
    ]


def test_no_nodes_are_no_tree() -> None:
    """A refused tree has nothing to nest."""
    assert branches_of(tree(nodes=())) is None
