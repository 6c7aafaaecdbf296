"""Features and the questions about them as people read them."""

from __future__ import annotations

import math
import re
from typing import Literal

from conf.observation_features import is_in_millionths

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
    "n_decisions_since_engagement": "decisions since the last engagement",
    "n_engaged_in_a_row": "last decisions engaged with in a row",
    "last_price_band": "price band last engaged with",
    "hour_of_day": "hour of the day",
    "day_of_week": "day of the week (1 Monday)",
    "n_past_sessions_days": "past days with a visit",
    "days_since_last_visit": "days since the last visit",
    "n_past_clicks": "past clicks",
    "n_past_purchases": "past purchases",
    "favorite_categories": "favorite categories",
}

WINDOWED_NAMES = {
    "n_visit_days": "days with a visit",
    "n_purchases": "purchases",
    "n_clicks": "clicks and views",
    "spend": "spent",
    "discounts": "discounts taken",
    "n_redeemed": "offers redeemed",
    "n_offers": "offers sent",
    "days_since_visit": "days since the last visit",
    "days_since_purchase": "days since the last purchase",
    "days_since_offer": "days since the last offer",
}
"""Of the features that look back a number of days, without it."""
MILLIONTHS = 1_000_000

Kind = Literal["number", "length", "first", "holds"]


def feature(name: str) -> str:
    """Return a feature's name in words.

    >>> feature("n_past_purchases"), feature("stock_on_hand"), feature("n_visit_days_28d")
    ('past purchases', 'stock on hand', 'days with a visit in 28 days')
    """
    windowed = re.fullmatch(r"(.+)_(\d+)d", name)
    if windowed is not None and (words := WINDOWED_NAMES.get(windowed[1])) is not None:
        return f"{words} in {windowed[2]} days"
    return FEATURE_NAMES.get(name, name.removeprefix("n_").replace("_", " "))


def condition(name: str, kind: Kind, *, entry: str, threshold: float, is_high: bool) -> str:
    """Return one side of a question, as a whole phrase.

    >>> condition("n_past_purchases", "number", entry="", threshold=1.5, is_high=True)
    'past purchases: 2 or more'
    >>> condition("favorite_categories", "holds", entry="hats", threshold=0.5, is_high=False)
    'favorite categories: without hats'
    >>> condition("spend_91d", "number", entry="", threshold=4_285_000.5, is_high=False)
    'spent in 91 days: 4.29 or less'
    """
    return f"{feature(name)}: {_side(kind, entry, threshold, is_high=is_high, is_money=is_in_millionths(name))}"


def _side(kind: Kind, entry: str, threshold: float, *, is_high: bool, is_money: bool) -> str:
    if kind == "first":
        return f"{entry} first" if is_high else f"{entry} not first"
    if kind == "holds":
        return f"with {entry}" if is_high else f"without {entry}"
    if is_money and threshold >= 0:
        amount = f"{math.floor(threshold) / MILLIONTHS:,.2f}"
        return f"above {amount}" if is_high else f"{amount} or less"
    most = math.floor(threshold)
    if kind == "length":
        most_words = "empty" if most == 0 else f"{most} at most"
        return f"{most + 1} or more" if is_high else most_words
    # -1 stands for none: the only value below 0.
    if most < 0:
        return "known" if is_high else "none"
    return f"{most + 1:,} or more" if is_high else f"{most:,} or less"
