"""Figures of gain against spend."""

from __future__ import annotations

from rl.night.figures.spend import LEAST_SHOPPERS, spend_figures
from rl.night.spend.gain_at_spend import GainAtSpend, WeeklyGain
from tests.rl.night.spend.test_gain_at_spend import found


def test_a_rule_that_hardly_anybody_followed_is_refused() -> None:
    """One shopper of great weight has a normal interval of its own, which says nothing."""
    rules = (
        WeeklyGain("reminder to anybody", 35, -1_858, 700, behind=1_960, behind_error=690, n_effective=1.52),
        WeeklyGain("letter to anybody", 950, 220, 40, behind=100, behind_error=40, n_effective=float(LEAST_SHOPPERS)),
        WeeklyGain("behavior", 950, 220, 40, behind=100, behind_error=40),
    )
    curve = GainAtSpend((1.0,), (0.3,), (WeeklyGain("at 100%", 900, 320, 50),), rules, 800, 1.96)
    figures = spend_figures(curve, weekly_budget=1_000, level=0.95)
    assert figures is not None
    assert [one.refusal for one in figures.rules] == [
        "too few to tell: effectively 1.5 shoppers did as it says, of 30 needed",
        None,
        None,
    ]


def test_what_rules_rest_on_is_known_but_for_the_log_s_own_policy() -> None:
    """Sending nobody anything is what the log mostly did, and weighted as any rule."""
    effective = {one.name: one.n_effective for one in found().rules}
    assert effective.pop("behavior") is None
    assert all(one is not None and one > LEAST_SHOPPERS for one in effective.values())


def test_a_step_to_the_next_budget_has_its_own_bounds() -> None:
    """In standard errors of the paired difference; the smallest budget has none."""
    points = (WeeklyGain("at 50%", 480, 200, 50), WeeklyGain("at 100%", 900, 320, 50, step=120, step_error=10))
    figures = spend_figures(GainAtSpend((0.5, 1.0), (0.4, 0.3), points, (), 800, 2.0), weekly_budget=1_000, level=0.95)
    assert figures is not None
    assert [(one.step, one.step_lower, one.step_upper) for one in figures.points] == [(None,) * 3, (120, 100, 140)]
