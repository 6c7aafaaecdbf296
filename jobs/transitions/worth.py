"""What events are worth, in Spark's SQL.

The kernel says the same in whole numbers of its own; a ledger compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.kernel.earnings import REFUND, Term
from jobs.events.item_facts import COSTED_TYPES
from jobs.parsing.exact_numbers import LARGEST_MONEY

# Wide enough for any money of one event, and for a factor: their product keeps all its decimals.
_MONEY, _FACTOR = "decimal(17,0)", "decimal(15,6)"


def worth_of_events(terms: Sequence[Term]) -> Column:
    """Return what an event is worth in millionths, a whole decimal: the sum over the terms, each rounded once."""
    is_refund = F.col("event_type") == REFUND
    worth = F.lit(0).cast("decimal(38,0)")
    for term in terms:
        is_named = F.col("event_type") == term.event
        if term.value == "count":
            worth += F.when(is_named, F.lit(term.factor)).otherwise(0).cast("decimal(38,0)")
            continue
        if term.value == "units":
            units = F.col("quantity").cast("decimal(19,0)") * F.lit(term.factor).cast("decimal(19,0)")
            told = F.when(is_named & (F.abs(units) < LARGEST_MONEY), units)
            worth += F.coalesce(told, F.lit(0)).cast("decimal(38,0)")
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


def with_item_costs(events: DataFrame, items: DataFrame) -> DataFrame:
    """Return the events, purchases and refunds without a cost with that of their items, as told by the event's day.

    Args:
        events: with event_date.
        items: the earliest delivery of each row, with delivery_date.
    """
    said = F.struct("valid_from", "delivery_date", F.col("cost").alias("piece"))
    told = items.where("cost IS NOT NULL").groupBy("item_id").agg(F.array_sort(F.collect_list(said)).alias("_told"))
    held = F.filter(
        "_told",
        lambda one: (one["valid_from"] <= F.col("event_time")) & (one["delivery_date"] <= F.col("event_date")),
    )
    piece = F.try_element_at(held, F.lit(-1))["piece"].cast("decimal(19,0)")
    cost = piece * F.col("quantity").cast("decimal(19,0)")
    is_asked = F.col("event_type").isin(*COSTED_TYPES) & (F.abs(cost) < LARGEST_MONEY)
    joined = events.join(told, "item_id", how="left")
    filled = F.coalesce(F.col("cost"), F.when(is_asked, cost.cast("bigint")))
    return joined.withColumn("cost", filled).drop("_told")
