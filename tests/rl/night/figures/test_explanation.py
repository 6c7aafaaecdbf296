"""Figures of segments and support, of findings made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rl.figures.values import Spread
from rl.night.figures.explanation import explanation_figures, segment_figures, support_figures
from rl.ope.intervals.intervals import Interval
from rl.ope.segments import SegmentReport, SegmentValue

GAIN = Interval(2.0, 1.0, 3.5, 0.9, "by hand", 0.5)


def segment(label: str, refusal: str | None = None) -> SegmentValue:
    gain = GAIN if refusal is None else None
    return SegmentValue("visits", label, 10, 8, 0.5, 6.0, 5.0, gain, gain, gain, refusal)


def explanation(**parts: Any) -> Any:
    """What a night's explanation found, with the parts that these figures are read from."""
    nothing = {"segments": None, "baseline": "behavior", "bands": (), "unseen": (), "weights": None}
    reasons = {"weights_refusal": "no weights", "explanation": None, "explanation_refusal": "no reasons"}
    return SimpleNamespace(**nothing | reasons | parts)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([segment("new"), segment("known")], None),
        ([segment("new", "too few"), segment("known", "too few")], "too few"),
        ([segment("new", "too few"), segment("known", "one arm")], None),
        ([], "the observations hold none of the features that segments are told by"),
    ],
)
def test_a_reason_that_all_segments_share_is_said_once(values: list[SegmentValue], reason: str | None) -> None:
    """Each row keeps its own; where the two differ, or one has figures, there is no common one."""
    found = segment_figures(explanation(segments=SegmentReport("dr", tuple(values), 0.95, 0.975, 2)))
    assert (found.baseline, found.estimator, found.confidence, found.level, found.n_shown) == (
        "behavior",
        "dr",
        0.95,
        0.975,
        2,
    )
    assert [(row.label, row.refusal) for row in found.rows] == [(one.label, one.refusal) for one in values]
    assert all((row.gain is None) == (row.refusal is not None) for row in found.rows)
    assert found.refusal == reason


def test_segments_of_a_shown_row_keep_bounds() -> None:
    """Value, lower and upper of each of the three."""
    (row,) = segment_figures(explanation(segments=SegmentReport("dr", (segment("new"),), 0.95, 0.95, 1))).rows
    assert row.candidate == row.baseline == row.gain == Spread(value=2.0, lower=1.0, upper=3.5)
    assert (row.dimension, row.n_episodes, row.n_units, row.share, row.effective_rewarded) == (
        "visits",
        10,
        8,
        0.5,
        5.0,
    )


def test_a_log_without_weights_says_why() -> None:
    """Segments, support and explanation each with the sentence of their own."""
    found = explanation()
    policy: Any = None
    assert segment_figures(found).refusal == "no weights"
    assert support_figures(found).weights_refusal == "no weights"
    assert explanation_figures(found, policy).refusal == "no reasons"


def test_support_shows_the_first_unseen_actions_and_counts_all() -> None:
    """Bands and the curve of weights as found."""
    unseen = tuple((f"item {n}", 0.01) for n in range(11))
    band = SimpleNamespace(least=1, most=None, n_actions=3, logged=0.25, policy=0.5)
    weights = SimpleNamespace(shoppers=np.array([0.0, 1.0]), held=np.array([0.0, 0.5]), n_units=7, n_for_half=2)
    found = support_figures(explanation(unseen=unseen, bands=(band,), weights=weights, weights_refusal=None))
    assert [one.action for one in found.unseen] == [f"item {n}" for n in range(8)]
    assert found.n_unseen == 11
    (shown,) = found.bands
    assert (shown.least, shown.most, shown.n_actions, shown.log, shown.candidate) == (1, None, 3, 0.25, 0.5)
    assert found.weights is not None
    assert (found.weights.held, found.weights.n_units, found.weights.n_for_half) == ((0.0, 0.5), 7, 2)
