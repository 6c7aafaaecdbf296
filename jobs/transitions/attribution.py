"""Where the reward goes that no shopper's decision can have earned, and what events are worth: in Spark's SQL.

The kernel says the same in whole numbers of its own; a ledger compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.kernel.earnings import REFUND, Term
from conf.kernel_rules import attribution_rule, reward_terms
from conf.specs.scenario import Pipeline, Scenario
from jobs.parsing.exact_numbers import LARGEST_MONEY

# Wide enough for any money of one event, and for a factor: their product keeps all its decimals.
_MONEY, _FACTOR = "decimal(17,0)", "decimal(15,6)"


def look_back_days(scenario: Scenario) -> int:
    """Return how many business days before an event can decide where it goes; a day's history reaches as far.

    Bounded, so that a partition needs a bounded number of days: a decision beyond them counts as not there.
    """
    return attribution_rule(scenario).reach_days


def unattributable(events: DataFrame, pipeline: Pipeline) -> list[tuple[date, str, date | None, int]]:
    """Return what the shop's own events are worth: no shopper's decision can have led to them.

    By business day and residual; as `tallies.outcomes` tells those of shoppers.
    """
    rule = attribution_rule(pipeline.scenario)
    own = events.where((F.col("user_id") == "") & F.col("event_type").isin(*rule.counted))
    worth = F.sum(worth_of_events(reward_terms(pipeline.scenario))).alias("worth")
    grouped = own.groupBy("event_date", _residual(pipeline).alias("outcome")).agg(worth)
    return [(row["event_date"], row["outcome"], None, int(row["worth"])) for row in grouped.collect()]


def worth_of_events(terms: Sequence[Term]) -> Column:
    """Return what an event is worth in millionths, a whole decimal: the sum over the terms, each rounded once."""
    is_refund = F.col("event_type") == REFUND
    worth = F.lit(0).cast("decimal(38,0)")
    for term in terms:
        is_named = F.col("event_type") == term.event
        if term.value == "count":
            worth += F.when(is_named, F.lit(term.factor)).otherwise(0).cast("decimal(38,0)")
            continue
        earned = F.when(is_named, _scaled(_money(term.value), term.factor))
        if term.is_refunded:
            earned = earned.when(is_refund, -_scaled(_taken_back(term.value), term.factor))
        worth += F.coalesce(earned, F.lit(0)).cast("decimal(38,0)")
    return worth


def _scaled(money: Column, factor: int) -> Column:
    return F.round(money.cast(_MONEY) * F.lit(Decimal(factor).scaleb(-6)).cast(_FACTOR), 0)


def _money(value: str) -> Column:
    if value == "margin":
        return _amount() - F.col("cost")
    return _amount() if value == "revenue" else F.col(value)


def _taken_back(value: str) -> Column:
    """Return what a refund takes back: a margin is lost whole where no cost of what came back is known."""
    if value == "margin":
        return F.abs(_amount()) - F.coalesce(F.abs("cost"), F.lit(0))
    return F.abs(_money(value))


def _amount() -> Column:
    product = F.col("price").cast("decimal(19,0)") * F.col("quantity").cast("decimal(19,0)")
    return F.coalesce(F.col("amount"), F.when(F.abs(product) < LARGEST_MONEY, product.cast("bigint")))


def _residual(pipeline: Pipeline) -> Column:
    rule = attribution_rule(pipeline.scenario)
    names_decision = F.lit(rule.link == "decision_id") & F.col("decision_id").isNotNull()
    residual = F.when(names_decision, "unknown_decision").otherwise("no_earlier_decision")
    if not rule.follows_purchases:
        return residual
    return F.when(F.col("event_type") == REFUND, "refund_without_purchase").otherwise(residual)
