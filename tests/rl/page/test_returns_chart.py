"""Step curves of returns, and the sentence on the worst."""

from __future__ import annotations

import pytest

from rl.figures.values import Spread
from rl.page.returns_chart import returns_context
from tests.rl.page.returns_factory import returns, returns_of


def test_curves_rise_at_each_return_and_stay_until_the_next() -> None:
    """Points 0, 2 and 4 with shares .2, .6 and 1: a step at each, drawn from the upper edge down."""
    candidate = returns_of("candidate", cdf=(0.2, 0.6, 1.0))
    chart = returns_context(returns(policies=(candidate, returns_of("behavior"))))["returns_chart"]
    assert [curve.role for curve in chart.curves] == ["behavior", "candidate"]
    assert chart.curves[1].line == "0,100 0,80 50,80 50,40 100,40 100,0 100,0"
    assert chart.beyond == 0


def test_the_axis_ends_where_nearly_all_episodes_are_told() -> None:
    """The last return of all is left out once 95% of either policy's episodes earn less, and that is said."""
    both = tuple(returns_of(role, cdf=(0.5, 0.992, 1.0)) for role in ("candidate", "behavior"))
    chart = returns_context(returns(policies=both))["returns_chart"]
    assert [tick.label for tick in chart.x_ticks][-1] == "2.0"
    assert chart.beyond == pytest.approx(0.008)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        ((0.2, 0.1, 0.3), "would earn more than under the behavior policy, too: +0.200 (0.100 to 0.300)"),
        ((-0.2, -0.3, -0.1), "would earn less than under the behavior policy"),
        ((0.1, -0.1, 0.3), "can't be told: +0.100"),
        ((0.0, 0.0, 0.0), "earn the same as under the behavior policy: 0.500 on average"),
    ],
)
def test_the_sentence_says_what_becomes_of_the_worst(gain: tuple[float, float, float], expected: str) -> None:
    """More, less, the same, or not to be told: as the paired bounds lie to 0."""
    value, lower, upper = gain
    page = returns(worst_gain=Spread(value=value, lower=lower, upper=upper))
    assert expected in returns_context(page)["returns_sentence"]


def test_the_sentence_gives_the_reason_where_the_worst_are_too_few() -> None:
    """No figure, but why, and a dash in the table."""
    hidden = tuple(returns_of(role, worst=None) for role in ("candidate", "behavior"))
    found = returns_context(returns(policies=hidden, worst_gain=None, worst_refusal="6 shoppers stand behind them"))
    assert found["returns_sentence"].endswith("can't be told: 6 shoppers stand behind them.")
    assert found["returns_rows"][0][1] == (("\u2013", ""), ("\u2013", ""))


def test_without_returns_there_is_nothing_to_draw() -> None:
    """A refusal and an older evaluation have no chart."""
    assert returns_context(None)["returns_chart"] is None
    assert returns_context(returns(policies=(), refusal="why"))["returns_chart"] is None
