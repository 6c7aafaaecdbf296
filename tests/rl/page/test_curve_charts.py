"""Learning curves as points."""

from __future__ import annotations

from rl.learning.curves import Curve
from rl.page.curve_charts import charts_of
from tests.rl.page.content_factory import curves


def test_charts_group_candidates_by_algorithm_and_metric() -> None:
    """Two seeds of one algorithm share a chart for each metric, a line for each split."""
    charts = charts_of(curves())
    assert [(chart.algorithm, chart.metric, len(chart.lines)) for chart in charts] == [
        ("discrete_cql", "loss", 2),
        ("discrete_cql", "td_loss", 2),
        ("discrete_cql", "td_error", 2),
    ]
    assert [(line.candidate, line.split, line.dash) for line in charts[2].lines] == [
        ("discrete_cql-1", "validation", 0),
        ("discrete_cql-2", "validation", 1),
    ]


def test_charts_keep_algorithms_apart() -> None:
    """Losses of two algorithms mean different things and never share an axis."""
    both = [
        Curve(candidate=name, split="train", metric="loss", updates=(0, 1), values=(1.0, 2.0))
        for name in ("a-1", "b-1")
    ]
    assert [chart.algorithm for chart in charts_of(tuple(both))] == ["a", "b"]


def test_charts_leave_out_gaps_and_single_points() -> None:
    """A value that isn't known leaves a gap; a curve of one point is no curve."""
    gap = Curve(candidate="a", split="train", metric="loss", updates=(0, 1, 2), values=(1.0, None, 3.0))
    single = Curve(candidate="a", split="train", metric="other", updates=(0,), values=(1.0,))
    (chart,) = charts_of((gap, single))
    assert len(chart.lines[0].points.split()) == 2


def test_charts_thin_long_curves_and_keep_the_last_point() -> None:
    """A curve of 10,000 points is drawn with at most 151, ending where it ended."""
    updates = tuple(range(10_000))
    curve = Curve(candidate="a", split="train", metric="loss", updates=updates, values=tuple(float(u) for u in updates))
    (chart,) = charts_of((curve,))
    points = chart.lines[0].points.split()
    assert len(points) <= 151
    assert points[-1].startswith("100,")
    assert chart.lines[0].last == 9_999
