"""Words by which shops call events and columns."""

from __future__ import annotations

import re

# The first group of words that stands in a value decides; what means nothing about an item comes first.
_EVENT_WORDS = (
    (
        "ignore",
        r"remove|checkout|shipping|payment|session|scroll|engage|search|login|sign|logout|coupon|promotion|visit",
    ),
    ("impression", r"impression|list[ _]?view|view[ _]?(item[ _]?)?list|exposure|shown|gezeigt|anzeige"),
    ("refund", r"refund|return|cancel|retoure|storno|rembours"),
    ("favorite", r"fav|wish|like|bookmark"),
    ("cart", r"cart|basket|product added|warenkorb|panier"),
    ("purchase", r"purchase|buy|bought|order|transaction|sale|kauf|bestell|achat|commande"),
    ("click", r"click|klick|select[ _]?item|tap"),
    ("view", r"^pv$|view|detail|visit|read|play|watch|angesehen|ansicht|vue"),
)
_KEY = re.compile(r"\[key=([^\]]+)\]")
_SKIPPED = re.compile(
    r"^(page|screen|identify|group|alias|page[ _]?view|cart viewed|view[ _]?cart|view[ _]?promotion)$"
)

# Column names by field, as patterns, best first; the end of a path counts.
FIELD_WORDS: dict[str, tuple[str, ...]] = {
    "user_id": (
        *("user_?pseudo_?id", "visitor_?id", "user_?id", "uid", "user", "customer_?id", "customer", "client_?id"),
        *(
            "shopper_?id",
            "shopper",
            "household_?(key|id)",
            "member_?id",
            "anonymous_?id",
            "cookie_?id",
            "email",
            "(kunden?|käufer|kaeufer|besucher|nutzer)(_?(id|nr|nummer))?",
            "id_?client",
        ),
    ),
    "item_id": (
        *("item_?id", "product_?id", "item", "(lineitem )?sku", "stock_?code", "article_?id", "asin", "movie_?id"),
        *("news_?id", "coupon_?upc", "lineitem name", "artikel(_?(id|nr|nummer))?", "produit"),
    ),
    "category_id": (
        "category_?id",
        "item_?category",
        "category",
        "department",
        "category_?code",
        "campaign",
        "kategorie",
        "categorie",
    ),
    "price": (
        "(lineitem |unit_?|item_?)?price",
        "preis",
        "prix",
        "sales_?value",
        "((line|item)_?)?amount",
        "line_?total",
        "revenue",
        "betrag",
        "montant",
    ),
    "cost": ("cost", "unit_?cost", "cost_?price", "ek", "einkaufspreis"),
    "quantity": ("(lineitem )?quantity", "qty", "pieces", "n_items", "menge", "anzahl", "quantite"),
    "currency": ("currency", "currency_?code", "waehrung", "währung", "devise"),
    "position": ("position", "rank", "slot", "item_?list_?index"),
    "propensity": ("propensity(_?score)?", "pscore"),
    "event_id": ("event_?id", "message_?id"),
    "slate_id": ("slate_?id", "basket_?id", "order_?(id|no|number)", "invoice_?(id|no|number)", "list_?id"),
    "decision_id": ("decision_?id", "impression_?id"),
    "order_id": (
        *("order_?(id|no|nr|number)", "invoice_?(id|no|nr|number)", "transaction_?(id|no)", "basket_?id"),
        *("receipt_?(id|no|number)", "order", "invoice", "bestell(ung)?_?(id|nr|nummer)?", "commande(_?id)?"),
    ),
    "discount": (
        "(line|item|lineitem)[_ ]?discount",
        "discount(_?amount)?",
        "rabatt",
        "remise",
        "(retail|coupon)_?disc(ount)?",
    ),
}

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


def field_rank(field: str, column: str) -> int | None:
    """Return how well a column's name fits a field, 0 for best; None where it doesn't.

    >>> field_rank("user_id", "visitorid"), field_rank("price", "items[].price"), field_rank("price", "item")
    (1, 0, None)
    >>> field_rank("user_id", "visitor.id"), field_rank("item_id", "order.products[].id"), field_rank("item_id", "id")
    (1, 1, None)
    """
    key = _KEY.search(column)
    names = [(key.group(1) if key else column.rpartition(".")[2]).lower()]
    if names == ["id"] and "." in column:
        owner = column.split(".")[-2].lower().removesuffix("[]")
        names += [f"{owner}_id", f"{owner.removesuffix('s')}_id"]
    words = enumerate(FIELD_WORDS[field])
    return next((place for place, one in words if any(re.fullmatch(one, name) for name in names)), None)


def names_validity(column: str) -> bool:
    """Return whether a column's name says from when a row holds.

    >>> names_validity("gültig ab"), names_validity("valid_from"), names_validity("created_at")
    (True, True, False)
    """
    return re.search(r"valid|since|effective|gültig|gueltig|\bab\b|seit", column.lower()) is not None
