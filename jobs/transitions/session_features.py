"""Features of delay `none`: what a session had seen before a decision, or before its closing.

Each feature is one function, and one entry in SESSION_SCALARS or SESSION_LISTS. They are Columns over rows of the
stream that `decision_points.py` makes: the session's events in the total order, and behind them its closing.
A feature sees rows before the current one only, through the window `_earlier`, and the current row's time.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, WindowSpec
from pyspark.sql import functions as F

from jobs.transitions.total_order import earlier, in_total_order, whole_seconds


def session_step() -> Column:
    """Return decisions earlier in the session."""
    return _count_earlier(F.col("is_decision"))


def n_session_clicks() -> Column:
    """Return click and view events earlier in the session."""
    return _count_earlier(F.col("event_type").isin("click", "view"))


def n_session_carts() -> Column:
    """Return cart and favorite events earlier in the session."""
    return _count_earlier(F.col("event_type").isin("cart", "favorite"))


def n_session_purchases() -> Column:
    """Return purchase events earlier in the session."""
    return _count_earlier(F.col("event_type") == "purchase")


def seconds_since_session_start() -> Column:
    """Return whole seconds since the session's first event, 0 at it."""
    first = F.first("event_time").over(_earlier())
    return F.coalesce(whole_seconds(first, F.col("event_time")), F.lit(0).cast("bigint"))


def seconds_since_previous_event() -> Column:
    """Return whole seconds since the session's previous event, -1 where there is none."""
    previous = F.lag("event_time").over(in_total_order("session_id"))
    return F.coalesce(whole_seconds(previous, F.col("event_time")), F.lit(-1).cast("bigint"))


def last_price_band() -> Column:
    """Return binary digits of the session's last engaged price in millionths, -1 where there is none.

    A price of 0 has one digit.
    """
    price = F.when(F.col("is_engagement"), F.col("price"))
    last = F.last(price, ignorenulls=True).over(_earlier())
    return F.coalesce(F.length(F.bin(last)).cast("bigint"), F.lit(-1).cast("bigint"))


def hour_of_day() -> Column:
    """Return hour of the business day, 0 to 23."""
    return F.hour("local_time").cast("bigint")


def day_of_week() -> Column:
    """Return 1 Monday to 7 Sunday, of the business day."""
    return (F.weekday("local_time") + 1).cast("bigint")


def recent_shown_items(length: int) -> Column:
    """Return items of the session's earlier decisions, most recent first."""
    return _recent(F.col("shown_item"), length)


def recent_shown_categories(length: int) -> Column:
    """Categories of the session's earlier decisions, most recent first; a decision without one is passed over."""
    return _recent(F.col("shown_category"), length)


def recent_engaged_items(length: int) -> Column:
    """Return items of the session's earlier engagement events, most recent first."""
    return _recent(F.when(F.col("is_engagement"), F.col("item")), length)


def recent_engaged_categories(length: int) -> Column:
    """Return categories of the session's earlier engagement events; an event without one is passed over."""
    return _recent(F.when(F.col("is_engagement"), F.col("category")), length)


SESSION_SCALARS: dict[str, Callable[[], Column]] = {
    "session_step": session_step,
    "n_session_clicks": n_session_clicks,
    "n_session_carts": n_session_carts,
    "n_session_purchases": n_session_purchases,
    "seconds_since_session_start": seconds_since_session_start,
    "seconds_since_previous_event": seconds_since_previous_event,
    "last_price_band": last_price_band,
    "hour_of_day": hour_of_day,
    "day_of_week": day_of_week,
}

SESSION_LISTS: dict[str, Callable[[int], Column]] = {
    "recent_shown_items": recent_shown_items,
    "recent_shown_categories": recent_shown_categories,
    "recent_engaged_items": recent_engaged_items,
    "recent_engaged_categories": recent_engaged_categories,
}


def _earlier() -> WindowSpec:
    return earlier("session_id")


def _count_earlier(condition: Column) -> Column:
    return F.count(F.when(condition, F.lit(1))).over(_earlier())


def _recent(value: Column, length: int) -> Column:
    """Return the last `length` values before the row, most recent first; nulls are passed over.

    The list grows with the session: sessions are bounded in hours and by the bot rule. A frame of a fixed number of
    rows would miss values that stand behind many rows without one.
    """
    return F.slice(F.reverse(F.collect_list(value).over(_earlier())), 1, length)
