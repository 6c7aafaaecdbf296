"""Differences on an axis through zero."""

from __future__ import annotations

from rl.page.effects import effects_of
from tests.rl.page.evidence_factory import spread


def test_effects_lie_on_one_axis_that_holds_zero() -> None:
    """Zero has a place though all differences be positive; order and gaps are kept."""
    found = effects_of([spread(1.0), None, spread(2.0)])
    assert found is not None
    first, missing, second = found.marks
    assert missing is None
    assert first is not None
    assert second is not None
    assert 0 < found.zero < first.start < first.point < second.point < 100


def test_effects_tell_differences_that_are_clear() -> None:
    """Clear is what lies on one side of zero with its whole interval."""
    found = effects_of([spread(0.3, 0.1), spread(0.3, 0.5), spread(-0.3, 0.1)])
    assert found is not None
    assert [mark is not None and mark.is_clear for mark in found.marks] == [True, False, True]


def test_an_interval_much_wider_than_the_others_is_cut() -> None:
    """One wild segment doesn't squeeze the rest: its ends are marked as cut, its point stays."""
    found = effects_of([spread(0.1), spread(0.2), spread(0.3), spread(0.2, 50.0)])
    assert found is not None
    wild, tame = found.marks[3], found.marks[0]
    assert wild is not None
    assert tame is not None
    assert wild.is_cut_low
    assert wild.is_cut_high
    assert tame.width > 5
    assert found.has_cut


def test_no_figures_have_no_effects() -> None:
    """Where nothing was estimated there is no plot."""
    assert effects_of([None, None]) is None
    assert effects_of([]) is None
