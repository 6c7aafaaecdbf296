"""Places on the forest plot."""

from __future__ import annotations

from rl.page.content import PolicyReport
from rl.page.forest import forest_of
from tests.rl.page.content_factory import estimate, implied_policies, logged_policies


def test_forest_cuts_intervals_that_would_squeeze_the_others() -> None:
    """An interval of ±40 beside intervals of ±0.1 ends in arrows, and the others keep most of the axis."""
    forest = forest_of(logged_policies())
    assert forest is not None
    marks = {mark.estimate.estimator: mark for mark in forest.groups[1].marks}
    assert marks["tis"].is_cut_low
    assert marks["tis"].is_cut_high
    assert not marks["dr"].is_cut_high
    assert marks["dr"].width > 10


def test_forest_holds_the_true_values() -> None:
    """True values lie on the axis beside their policy's estimates, and the log's own mean is the reference."""
    forest = forest_of(logged_policies(is_simulated=True))
    assert forest is not None
    places = [group.truth_percent for group in forest.groups]
    assert places[0] is not None
    assert places[1] is not None
    assert places[0] < places[1]
    assert forest.reference == forest.groups[0].marks[0].point


def test_forest_keeps_refusals_out_of_the_plot() -> None:
    """An estimator that refused has no mark, but is kept with its reason."""
    forest = forest_of(implied_policies())
    assert forest is not None
    assert [mark.estimate.estimator for mark in forest.groups[1].marks] == ["dm"]
    assert len(forest.groups[1].refused) == 4


def test_forest_is_none_without_a_value() -> None:
    """Where everything was refused there is nothing to draw."""
    policy = PolicyReport(role="candidate", name="x", estimates=(estimate("dr", None, refusal="no"),), level=0.95)
    assert forest_of((policy,)) is None
