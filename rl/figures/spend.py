"""What a policy gains at each weekly spend, in figures."""

from __future__ import annotations

from conf.specs.strict_yaml import StrictModel


class SpendPoint(StrictModel):
    """The candidate at a budget: all money a week, all shoppers together; the gain is over sending nobody anything.

    share: of today's budget. price: what a unit of committed money has to bring. spend: expected, by the log.
    step: gain less that at the next smaller budget, paired by shopper, with its bounds; None at the smallest one, and
    in evaluations of releases that didn't pair them.
    """

    share: float
    budget: float
    price: float
    spend: float
    gain: float
    lower: float
    upper: float
    step: float | None = None
    step_lower: float | None = None
    step_upper: float | None = None


class SpendRule(StrictModel):
    """A simple rule at today's budget, or the log's policy; `ahead`: the candidate's gain less its own, paired.

    refusal: why the log can't tell what it gains, whose figures mean nothing then; None where it can.
    """

    name: str
    spend: float
    gain: float
    lower: float
    upper: float
    ahead: float
    ahead_lower: float
    ahead_upper: float
    refusal: str | None = None


class SpendFigures(StrictModel):
    """The curve of gain against spend; with a refusal, no points.

    Attributes:
        weekly_budget: today's.
        level: of all intervals.
        n_shoppers: a week, on test weeks.
        points: of the candidate, by budget.
        rules: beside it.
        refusal: why there is no curve; None where there is one.
    """

    weekly_budget: float
    level: float
    n_shoppers: float = 0.0
    points: tuple[SpendPoint, ...] = ()
    rules: tuple[SpendRule, ...] = ()
    refusal: str | None = None
