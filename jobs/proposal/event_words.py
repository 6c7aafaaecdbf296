"""Words by which shops call events."""

from __future__ import annotations

import re

# The first group of words that stands in a value decides; what means nothing about an item comes first.
_EVENT_WORDS = (
    (
        "ignore",
        r"remove|checkout|shipping|payment|session|scroll|engage|search|login|sign|logout|coupon|promotion|visit",
    ),
    (
        "impression",
        r"impression|list[ _]?view|view[ _]?(item[ _]?)?list|exposure|shown|gezeigt|anzeige|einblendung|eingeblendet",
    ),
    ("refund", r"refund|return|cancel|retour|storno|rembours|gutschrift|erstatt|devol|rimbors|zwrot"),
    ("favorite", r"fav|wish|like|bookmark"),
    ("cart", r"cart|basket|product added|warenkorb|einkaufswagen|panier|carrito|carrello|winkelwagen|koszyk"),
    (
        "purchase",
        r"purchase|buy|bought|order|transaction|sale|kauf|bestell|achat|commande|compra|acquist|aankoop|zakup",
    ),
    ("click", r"click|klick|select[ _]?item|tap"),
    ("view", r"^pv$|view|detail|visit|read|play|watch|angesehen|ansicht|vue|visto|visualiz|bekeken"),
)
_SKIPPED = re.compile(
    r"^(page|screen|identify|group|alias|page[ _]?view|cart viewed|view[ _]?cart|view[ _]?promotion)$"
)

# Flags by column name: each is a further event of a line that is a decision.
FLAG_WORDS: dict[str, tuple[str, ...]] = {
    "click": ("click", "clicked", "is_?click", "visit"),
    "purchase": ("conversion", "converted", "purchase", "bought", "buy"),
}


def event_type_of(value: str) -> str | None:
    """Return the event type that a word seems to mean, `ignore` for one that says nothing of an item, None if unknown.

    >>> event_type_of("addtocart"), event_type_of("view_item_list"), event_type_of("page_view"), event_type_of("x")
    ('cart', 'impression', 'ignore', None)
    """
    word = value.lower()
    if _SKIPPED.search(word):
        return "ignore"
    return next((kind for kind, words in _EVENT_WORDS if re.search(words, word)), None)
