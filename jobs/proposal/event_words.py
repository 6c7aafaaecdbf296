"""Words by which shops call events."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher

# The first group of words that stands in a value decides; what means nothing about an item comes first.
_EVENT_WORDS = (
    (
        "ignore",
        r"remove|(cart|basket) (out|off|minus|less)$"
        r"|checkout|shipping|payment|session|scroll|engage|search|login|sign|logout|coupon|promotion|visit",
    ),
    (
        "impression",
        r"impression|list[ _]?view|view[ _]?(item[ _]?)?list|exposure|shown|\bseen\b|viewable|in view"
        r"|gezeigt|anzeige|einblendung|eingeblendet",
    ),
    (
        "refund",
        r"refund|return|cancel|chargeback|credit[ _]?note"
        r"|retour|storn|gutschrift|erstatt|widerruf|rue?ck(gabe|send|zahl|nahme|lauf|buch)"
        r"|rembours|annul|\bavoir\b|devol|reembols|anulac|\babono\b|rimbors|\bres[oi]\b|restitu"
        r"|teru(g|k)(betal|gave|geb|gest|stort)|creditering|zwrot|zwroc|anulow|\bkorekta|estorn|ressarc"
        r"|\bretur|aterbetal|aterkop|tilbagebetal|tilbakebetal|refusjon|kredit(nota|ering)|vratka|dobropis",
    ),
    ("favorite", r"fav|wish|like|bookmark"),
    (
        "cart",
        r"cart|basket|product added|warenkorb|einkaufswagen|panier|carrito|carrello|carrinho|winkelwagen|koszyk"
        r"|varukorg|indkobskurv|handlekurv",
    ),
    (
        "purchase",
        r"purchase|buy(?!er)|bought|order|transaction|sale|kauf(?!er)|bestell|achat|achet(?!eur)|commande|\bventes?\b|vendu|compra(?!dor)|pedido"
        r"|\bventas?\b|encomenda|\bvendas?\b|acquist|ordin[ei]|vendit|aankoop|gekocht|verkoop|zakup|sprzeda|zamowien"
        r"|\bkop(t|ta)?\b|\bkob(t)?\b|\bkjopt?\b|\bsalg\b",
    ),
    ("click", r"click|klick|select[ _]?item|tap"),
    (
        "view",
        r"^pv$|^(product|item|artikel|produkt|pdp)( ?(page|seite))?$|view|detail|visit|read|play|watch"
        r"|angesehen|ansicht|vue|visto|visualiz|bekeken|obejrz|wyswietl",
    ),
)
_SKIPPED = re.compile(
    r"^(page|screen|identify|group|alias|page[ _]?view|cart viewed|view[ _]?cart|view[ _]?promotion)$"
)

_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "ø": "o", "æ": "ae", "_": " ", "-": " "})

# Flags by column name: each is a further event of a line that is a decision.
FLAG_WORDS: dict[str, tuple[str, ...]] = {
    "click": ("click", "clicked", "is_?click", "visit"),
    "purchase": ("conversion", "converted", "purchase", "bought", "buy"),
}


def event_type_of(value: str) -> str | None:
    """Return the event type that a word seems to mean, `ignore` for one that says nothing of an item, None if unknown.

    >>> event_type_of("addtocart"), event_type_of("view_item_list"), event_type_of("page_view"), event_type_of("x")
    ('cart', 'impression', 'ignore', None)
    >>> event_type_of("product"), event_type_of("product_page"), event_type_of("production")
    ('view', 'view', None)
    >>> [event_type_of(one) for one in ("Rückgabe", "Remboursement", "DEVOLUCIÓN", "Reso", "teruggave", "Zwrot towaru")]
    ['refund', 'refund', 'refund', 'refund', 'refund', 'refund']
    """
    word = _plain(value)
    if _SKIPPED.search(word):
        return "ignore"
    return next((kind for kind, words in _EVENT_WORDS if re.search(words, word)), None)


# Words as shops write them: what a mistyped word resembles.
_USUAL_WORDS = (
    *("impression", "view", "click", "cart", "add to cart", "addtocart", "basket", "purchase", "order", "transaction"),
    *("refund", "return", "favorite", "wishlist", "page view", "checkout", "search", "login", "scroll"),
)
_LEAST_LETTERS, _LEAST_ALIKE, _MOST_DIFFERENCE = 4, 0.85, 2


def meant_word(value: str, known: Iterable[str]) -> str | None:
    """Return the known word that an unknown one seems to be mistyped from; None where it resembles none.

    >>> [meant_word(one, ["purchase", "view"]) for one in ("purchse", "veiw", "purchase2", "zoom", "production")]
    ['purchase', 'view', 'purchase', None, None]
    """
    word = _plain(value)
    found = [(alike, one) for one in [*known, *_USUAL_WORDS] if (alike := _alikeness(word, _plain(one))) is not None]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _alikeness(word: str, other: str) -> float | None:
    """Return how alike two words are, at most 1; None where one is hardly the other mistyped."""
    if min(len(word), len(other)) < _LEAST_LETTERS or abs(len(word) - len(other)) > _MOST_DIFFERENCE:
        return None
    if sorted(word) == sorted(other):
        return 1.0
    ratio = SequenceMatcher(None, word, other, autojunk=False).ratio()
    return ratio if ratio >= _LEAST_ALIKE else None


def _plain(value: str) -> str:
    """Return the word in small letters without accents, as `ruckgabe` for `Rückgabe`."""
    apart = unicodedata.normalize("NFKD", value.lower().translate(_LETTERS))
    return "".join(one for one in apart if not unicodedata.combining(one))
