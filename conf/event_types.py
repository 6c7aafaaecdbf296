"""The canonical event types and their rank in the total order (event_time, type rank, event_id)."""

from __future__ import annotations

from typing import Literal

EventType = Literal[
    "stock",
    "receipt",
    "order",
    "promotion",
    "consent",
    "impression",
    "view",
    "click",
    "favorite",
    "cart",
    "purchase",
    "refund",
]

# Within one instant, what the shop did stands before what the shopper did, and causes before effects.
EVENT_TYPE_RANK: dict[str, int] = {
    "stock": 0,
    "receipt": 1,
    "order": 2,
    "promotion": 3,
    "consent": 4,
    "impression": 5,
    "view": 6,
    "click": 7,
    "favorite": 8,
    "cart": 9,
    "purchase": 10,
    "refund": 11,
}

# Events that show a shopper's interest in an item (an impression is the shop's doing).
ENGAGEMENT_TYPES: tuple[str, ...] = ("view", "click", "favorite", "cart", "purchase")
