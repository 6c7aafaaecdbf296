"""Bands of actions and the curve of weights."""

from __future__ import annotations

from rl.page.support_charts import band_bars, weight_points
from tests.rl.page.evidence_factory import support


def test_bands_show_what_the_log_never_did_first() -> None:
    """The band of unseen actions comes first, empty or not; other empty bands are left out."""
    bars = band_bars(support().bands)
    assert [bar.label for bar in bars] == ["never in the log", "1,000 times or more"]
    assert bars[0].note == "2 actions"
    assert 0 < bars[0].candidate_width < bars[1].candidate_width < bars[1].log_width == 78


def test_the_curve_of_weights_starts_at_nothing_and_ends_at_all() -> None:
    """Nobody holds nothing, everybody holds everything, y counting down as SVG does."""
    weights = support().weights
    assert weights is not None
    assert weight_points(weights).split() == ["0.00,100.00", "10.00,60.00", "50.00,20.00", "100.00,0.00"]
