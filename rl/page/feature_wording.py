"""Features and the questions about them as people read them."""

from __future__ import annotations

import math
from typing import Literal

FEATURE_NAMES = {
    "recent_shown_items": "items shown lately",
    "recent_shown_categories": "categories shown lately",
    "recent_engaged_items": "items engaged with lately",
    "recent_engaged_categories": "categories engaged with lately",
    "session_step": "decisions earlier in the session",
    "n_session_clicks": "clicks this session",
    "n_session_carts": "carts this session",
    "n_session_purchases": "purchases this session",
    "seconds_since_session_start": "seconds since the session began",
    "seconds_since_previous_event": "seconds since the last event",
    "last_price_band": "price band last engaged with",
    "hour_of_day": "hour of the day",
    "day_of_week": "day of the week (1 Monday)",
    "n_past_sessions_days": "past days with a visit",
    "days_since_last_visit": "days since the last visit",
    "n_past_clicks": "past clicks",
    "n_past_purchases": "past purchases",
    "favorite_categories": "favorite categories",
}

Kind = Literal["number", "length", "first", "holds"]


def feature(name: str) -> str:
    """Return a feature's name in words.

    >>> feature("n_past_purchases"), feature("stock_on_hand")
    ('past purchases', 'stock on hand')
    """
    return FEATURE_NAMES.get(name, name.removeprefix("n_").replace("_", " "))


def condition(name: str, kind: Kind, *, entry: str, threshold: float, is_high: bool) -> str:
    """Return one side of a question, as a whole phrase.

    >>> condition("n_past_purchases", "number", entry="", threshold=1.5, is_high=True)
    'past purchases: 2 or more'
    >>> condition("favorite_categories", "holds", entry="hats", threshold=0.5, is_high=False)
    'favorite categories: without hats'
    """
    return f"{feature(name)}: {_side(kind, entry, threshold, is_high=is_high)}"


def _side(kind: Kind, entry: str, threshold: float, *, is_high: bool) -> str:
    if kind == "first":
        return f"{entry} first" if is_high else f"{entry} not first"
    if kind == "holds":
        return f"with {entry}" if is_high else f"without {entry}"
    most = math.floor(threshold)
    if kind == "length":
        most_words = "empty" if most == 0 else f"{most} at most"
        return f"{most + 1} or more" if is_high else most_words
    # -1 stands for none: the only value below 0.
    if most < 0:
        return "known" if is_high else "none"
    return f"{most + 1:,} or more" if is_high else f"{most:,} or less"
