"""The exact features an observation can hold: name, type, meaning, and the delay after which an event counts.

Every feature at a decision at time t uses only events before it in the total order (event_time, type rank, event_id).
Delay `none`: events of the same session, as they happen. Delay `delivery`: events whose delivery date is before the
business date of t, and whose business date is within `history_days` before it: what last night's delivery had brought.
A `shopper_*` feature is the shopper's attribute of that name: what held at t, of what deliveries before the business
date of t had told. A feature of WINDOWED_FEATURES looks back the days that its name ends with, in place of
`history_days`. Categories are the events' own, or with `item_categories` those of their items, as told likewise.
A feature of PRODUCT_FEATURES is of a product, and for decisions of products alone.
"The shown item" of a decision is its action's item; where decisions are implied, the decided event's own item.
Ids in features are `id_hash` of the natural key; lists are most recent first and at most `length` long.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FeatureDefinition:
    """One feature: `kind` scalar is a 64-bit integer, kind list an array of id hashes."""

    kind: Literal["scalar", "list"]
    delay: Literal["none", "delivery"]
    id_space: Literal["item", "category", ""]
    meaning: str


OBSERVATION_FEATURES: dict[str, FeatureDefinition] = {
    "recent_shown_items": FeatureDefinition(
        "list", "none", "item", "items of the session's earlier decisions, most recent first"
    ),
    "recent_shown_categories": FeatureDefinition("list", "none", "category", "their categories"),
    "recent_engaged_items": FeatureDefinition(
        "list",
        "none",
        "item",
        "items of the session's earlier engagement events (view, click, favorite, cart, purchase)",
    ),
    "recent_engaged_categories": FeatureDefinition("list", "none", "category", "their categories"),
    "session_step": FeatureDefinition("scalar", "none", "", "decisions earlier in the session"),
    "n_session_clicks": FeatureDefinition("scalar", "none", "", "click and view events earlier in the session"),
    "n_session_carts": FeatureDefinition("scalar", "none", "", "cart and favorite events earlier in the session"),
    "n_session_purchases": FeatureDefinition("scalar", "none", "", "purchase events earlier in the session"),
    "seconds_since_session_start": FeatureDefinition(
        "scalar", "none", "", "whole seconds since the session's first event, 0 at it"
    ),
    "seconds_since_previous_event": FeatureDefinition(
        "scalar", "none", "", "whole seconds since the session's previous event, -1 where there is none"
    ),
    "n_decisions_since_engagement": FeatureDefinition(
        "scalar",
        "none",
        "",
        "decisions earlier in the session after its last engagement event (view, click, favorite, cart, purchase), all "
        "of them where there is none",
    ),
    "n_engaged_in_a_row": FeatureDefinition(
        "scalar",
        "none",
        "",
        "last decisions of the session, each with an engagement event before the next one; 0 where none followed the "
        "last one",
    ),
    "last_price_band": FeatureDefinition(
        "scalar",
        "none",
        "",
        "binary digits of the price in millionths of the session's last engaged event with a price, -1 without one",
    ),
    "hour_of_day": FeatureDefinition("scalar", "none", "", "hour of the business day, 0 to 23"),
    "day_of_week": FeatureDefinition("scalar", "none", "", "1 Monday to 7 Sunday, of the business day"),
    "n_past_sessions_days": FeatureDefinition(
        "scalar", "delivery", "", "distinct business days with an event of the shopper in the delivered history"
    ),
    "days_since_last_visit": FeatureDefinition(
        "scalar", "delivery", "", "days back to the last of them, -1 where there is none"
    ),
    "n_past_clicks": FeatureDefinition("scalar", "delivery", "", "click and view events in the delivered history"),
    "n_past_purchases": FeatureDefinition("scalar", "delivery", "", "purchase events in the delivered history"),
    "favorite_categories": FeatureDefinition(
        "list",
        "delivery",
        "category",
        "categories by number of engagement events in the delivered history, most first, ties by ascending id hash",
    ),
}


WINDOWED_FEATURES: dict[str, str] = {
    "n_visit_days": "distinct business days with an engagement event of the shopper",
    "n_purchases": "purchase events",
    "n_clicks": "click and view events",
    "spend": "what purchases came to, in millionths of the currency",
    "discounts": "what was taken off purchases, in millionths of the currency",
    "n_redeemed": "purchases with a discount",
    "n_offers": "decisions that chose another action than `none`",
    "days_since_visit": "days back to the last business day with an engagement event, -1 where there is none",
    "days_since_purchase": "days back to the last purchase, -1 where there is none",
    "days_since_offer": "days back to the last decision that chose another action than `none`, -1 where there is none",
}
"""Meaning of the features that look back a number of business days of their own: `spend_28d` is `spend` over 28."""

_MONEY = re.compile(r"(?:spend|discounts)_\d+d|price_in_\d+d")


def is_in_millionths(name: str) -> bool:
    """Return whether a feature is money, in millionths of the currency.

    >>> is_in_millionths("spend_91d"), is_in_millionths("price_in_0d"), is_in_millionths("last_price_band")
    (True, True, False)
    """
    return _MONEY.fullmatch(name) is not None


PRODUCT_FEATURES: dict[str, FeatureDefinition] = {
    "units_on_hand": FeatureDefinition(
        "scalar",
        "none",
        "",
        "units in stock as counted; at an end that no count follows, the last count, more what came in since, less "
        "what was sold",
    ),
    "units_on_order": FeatureDefinition(
        "scalar",
        "delivery",
        "",
        "units that were ordered within `history_days` and are on their way: until `ordering.overdue_days` after the "
        "promised day at the latest",
    ),
    "units_due_in_{n}d": FeatureDefinition(
        "scalar",
        "delivery",
        "",
        "of these, those promised for the business day so many days ahead; for 0 days with all that are overdue",
    ),
    "units_overdue": FeatureDefinition(
        "scalar", "delivery", "", "of these, those promised for a business day before, which haven't come"
    ),
    "units_sold_{n}d": FeatureDefinition("scalar", "delivery", "", "units sold on so many business days before"),
    "units_sold_day_{n}": FeatureDefinition(
        "scalar", "delivery", "", "units sold on the business day so many days before"
    ),
    "last_lead_days": FeatureDefinition(
        "scalar",
        "delivery",
        "",
        "days from the latest order with a receipt to the last one; -1 where there is none",
    ),
    "price_in_{n}d": FeatureDefinition(
        "scalar",
        "delivery",
        "",
        "price of a piece so many times 24 hours ahead, as the products table has told it, millionths; -1 without one",
    ),
    "is_reduced_in_{n}d": FeatureDefinition(
        "scalar",
        "delivery",
        "",
        "1 where higher prices than that held for two of the eight weeks before it, or longer, as the products table "
        "has told, 0 where they didn't: six weeks after it fell it is the usual price; -1 without one",
    ),
    "product_category": FeatureDefinition(
        "list", "delivery", "category", "the product's category, as the products table had told"
    ),
    "day_of_year": FeatureDefinition("scalar", "none", "", "1 to 366, of the business day"),
}
"""Features of products, for the clock `sku_day`; a number stands for `{n}`: `units_sold_7d`, `units_due_in_0d`."""

_PRODUCT_FORMS = {
    name: re.compile(re.escape(name).replace(re.escape("{n}"), "(0|[1-9][0-9]{0,2})")) for name in PRODUCT_FEATURES
}
_FROM_ONE = ("units_sold_{n}d", "units_sold_day_{n}")

PERIODS: dict[str, int] = {"hour_of_day": 24, "day_of_week": 7, "day_of_year": 366}
"""Features that go round, and after how many: hour 23 is next to hour 0."""

OF_PRODUCTS_TOO: tuple[str, ...] = ("day_of_week", "n_purchases", "spend", "discounts", "n_redeemed")
"""Further features, windows by their name, that mean something of a product."""

NOTHING_OFFERED = "none"
"""Natural key of the action that offers nothing."""

_WINDOWED = re.compile(rf"({'|'.join(WINDOWED_FEATURES)})_([1-9][0-9]{{0,2}})d")

SHOPPER_PREFIX = "shopper_"
"""Begins the name of every feature that is an attribute of the shopper."""

_ATTRIBUTE = FeatureDefinition(
    "scalar",
    "delivery",
    "",
    "the shopper's attribute of that name: the place of its value among the feature's `values`, from 1; 0 for another "
    "value, -1 where nothing is known",
)


def feature_named(name: str) -> FeatureDefinition | None:
    """Return the feature of that name, any attribute of a shopper or window among them; None where there is none."""
    if attribute_of(name):
        return _ATTRIBUTE
    if window := window_of(name):
        meaning = f"{WINDOWED_FEATURES[window[0]]}, over {window[1]} days of the delivered history"
        return FeatureDefinition("scalar", "delivery", "", meaning)
    if product := product_feature(name):
        return PRODUCT_FEATURES[product[0]]
    return OBSERVATION_FEATURES.get(name)


def is_count(name: str) -> bool:
    """Return whether the feature is a number of which more is more: no list, attribute, hour or day that goes round."""
    found = feature_named(name)
    return found is not None and found.kind == "scalar" and not attribute_of(name) and name not in PERIODS


def window_of(feature: str) -> tuple[str, int] | None:
    """Return what a feature with a window of its own looks for, and over how many days; None for any other feature."""
    found = _WINDOWED.fullmatch(feature)
    return (found[1], int(found[2])) if found else None


def product_feature(feature: str) -> tuple[str, int] | None:
    """Return which of PRODUCT_FEATURES a feature is, and its number, 0 without one; None for any other feature.

    >>> product_feature("units_sold_7d"), product_feature("units_on_hand"), product_feature("units_sold_0d")
    (('units_sold_{n}d', 7), ('units_on_hand', 0), None)
    """
    for name, form in _PRODUCT_FORMS.items():
        if found := form.fullmatch(feature):
            number = int(found[1]) if form.groups else 0
            return None if name in _FROM_ONE and not number else (name, number)
    return None


def attribute_of(feature: str) -> str:
    """Return the shopper's attribute that a feature is; empty for any other feature."""
    return feature.removeprefix(SHOPPER_PREFIX) if feature.startswith(SHOPPER_PREFIX) else ""


def id_hash(natural_key: str) -> int:
    """Return the 64-bit id of a natural key: first 8 bytes of its UTF-8 SHA-256, big-endian, signed; never 0.

    0 marks padding in lists, so the one key in 2**64 that hashes to 0 becomes 1.
    """
    digest = hashlib.sha256(natural_key.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big", signed=True) or 1
