"""Features of delay `delivery`: what deliveries before a decision's business day had brought about the shopper.

Each feature is one function, and one entry in HISTORY_SCALARS or HISTORY_LISTS. They are aggregates over the rows of
`delivered_visits`: per shopper, as-of day and category, what the delivered history holds. A shopper without history
has one row of nulls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.scenario import Feature


def n_past_sessions_days() -> Column:
    """Return distinct business days with an event of the shopper."""
    return F.size(F.array_distinct(F.flatten(F.collect_list("event_dates")))).cast("bigint")


def days_since_last_visit() -> Column:
    """Return days back to the last of them, -1 where there is none."""
    days = F.datediff(F.col("as_of_date"), F.max("last_date"))
    return F.coalesce(days, F.lit(-1)).cast("bigint")


def n_past_clicks() -> Column:
    """Return click and view events."""
    return _total("n_clicks")


def n_past_purchases() -> Column:
    """Return purchase events."""
    return _total("n_purchases")


def favorite_categories(length: int) -> Column:
    """Return categories by number of engagement events, most first, ties by ascending id hash."""
    is_favorite = F.col("category").isNotNull() & (F.col("n_engagements") > 0)
    ranked = F.array_sort(F.collect_list(F.when(is_favorite, F.struct(-F.col("n_engagements"), F.col("category")))))
    return F.slice(F.transform(ranked, lambda row: row["category"]), 1, length)


HISTORY_SCALARS: dict[str, Callable[[], Column]] = {
    "n_past_sessions_days": n_past_sessions_days,
    "days_since_last_visit": days_since_last_visit,
    "n_past_clicks": n_past_clicks,
    "n_past_purchases": n_past_purchases,
}

HISTORY_LISTS: dict[str, Callable[[int], Column]] = {"favorite_categories": favorite_categories}


def history_features(
    events: DataFrame, as_of: DataFrame, features: Sequence[Feature], *, history_days: int
) -> DataFrame:
    """Return the features of every (user_id, as_of_date), one row each.

    Args:
        events: with the columns of `with_decisions`.
        as_of: distinct user_id and as_of_date.
        features: those of delay `delivery`, at least one.
        history_days: how many business days before the as-of date count.
    """
    visits = delivered_visits(events, as_of, history_days=history_days)
    columns = [
        HISTORY_LISTS[feature.name](feature.length) if feature.length else HISTORY_SCALARS[feature.name]()
        for feature in features
    ]
    named = [column.alias(feature.name) for column, feature in zip(columns, features, strict=True)]
    return visits.groupBy("user_id", "as_of_date").agg(*named)


def delivered_visits(events: DataFrame, as_of: DataFrame, *, history_days: int) -> DataFrame:
    """Return per shopper, as-of date and category: what had been delivered before that day, of the days before it."""
    # Both sides come from the same events: without a name of its own the shopper's column would mean either.
    daily = _daily_counts(events).withColumnRenamed("user_id", "visitor_id")
    was_delivered = F.col("delivery_date") < F.col("as_of_date")
    is_before = F.col("event_date") < F.col("as_of_date")
    is_recent = F.col("event_date") >= F.date_sub("as_of_date", history_days)
    is_own = F.col("user_id") == F.col("visitor_id")
    seen = as_of.join(daily, is_own & was_delivered & is_before & is_recent, how="left")
    return seen.groupBy("user_id", "as_of_date", "category").agg(
        F.collect_set("event_date").alias("event_dates"),
        F.max("event_date").alias("last_date"),
        F.sum("n_clicks").alias("n_clicks"),
        F.sum("n_purchases").alias("n_purchases"),
        F.sum("n_engagements").alias("n_engagements"),
    )


def _daily_counts(events: DataFrame) -> DataFrame:
    """Return counts per shopper, day, delivery and category: small enough to look up for every as-of date."""
    return events.groupBy("user_id", "event_date", "delivery_date", "category").agg(
        F.count_if(F.col("event_type").isin("click", "view")).alias("n_clicks"),
        F.count_if(F.col("event_type") == "purchase").alias("n_purchases"),
        F.count_if(F.col("is_engagement")).alias("n_engagements"),
    )


def _total(count: str) -> Column:
    return F.coalesce(F.sum(count), F.lit(0).cast("bigint"))
