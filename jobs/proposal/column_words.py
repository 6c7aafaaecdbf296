"""Names that shops give to columns, in several European languages, by the field that such a column is."""

from __future__ import annotations

import re
import unicodedata

_KEY = re.compile(r"\[key=([^\]]+)\]")

# Units and remarks behind a name: `Betrag (EUR)`, `Preis [€]`, `Umsatz in EUR`, `price_usd`.
_REMARKS = re.compile(
    r"\s*\([^()]*\)|\s+\[[^\[\]=]*\]|\s+in\s+[a-z€$£]{1,4}$|\s*[€$£]+$|[\s_](eur|usd|gbp|chf|pln|sek|dkk|nok)$"
)
_CURRENCY = re.compile(r"(?:^|[\s_(\[])(eur|usd|gbp|chf|pln|sek|dkk|nok|czk|huf|ron|€|£)(?:[)\]\s_]|$)")
_SIGNS = {"€": "EUR", "£": "GBP"}
_BETWEEN = re.compile(r"[\s./'#°-]+")
_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "ł": "l"})
_PLAIN = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "ł": "l"})

# Behind an amount's name, and as the end of a path below it: what is counted is hundredths.
_MINOR = re.compile(
    r"[_\s]*(?:\b|(?<=_)|(?<=[a-z]))(?:in[_\s]?)?"
    r"(cents?|cent_?betrag|minor([_\s]?units?)?|pence|pennies|rappen|centimes?|centavos?|c[eé]ntimos?|grosz[ey]?)$"
)
_MONEY_PARTS = frozenset({"value", "gross", "net", "amount", "cents", "cent", "minor", "minor_units", "pence"})
_NO_PRICE = re.compile(r"discount|tax|shipping|refund|tip|fee|rabatt|remise|steuer|versand|coupon|voucher")
MONEY_WORDS = ("price", "cost", "discount")

# What stands behind or before a name and says that the column holds a number or key of it.
_NUMBER = r"(_?(id|nr|no|nummer|num(ero|ber)?|code|key|kod))?"
_KEY_OF = r"((id|code|cod|codice|codigo|n|no|nr|num|numero|ref|reference)_?(de_?|d_?|du_?|del_?|della_?)?)?"

# As patterns, best first; the end of a path counts. Names are matched as they stand and with a plain alphabet.
FIELD_WORDS: dict[str, tuple[str, ...]] = {
    "user_id": (
        *("user_?pseudo_?id", "visitor_?id", "user_?id", "uid", "user", "customer_?id", "customer", "client_?id"),
        *(
            "shopper_?id",
            "shopper",
            "household_?(key|id)",
            f"member(ship)?{_NUMBER}",
            "anonymous_?id",
            "cookie_?id",
            "email",
            f"(kunden?|kaeufer|besucher|nutzer|debitor(en)?){_NUMBER}|kd_?(nr|nummer)",
            "id_?client",
            "customer_?(no|nr|number|key|code)",
            f"{_KEY_OF}(client|cliente|clienti|acheteur|utilisateur|usuario|comprador|utente|acquirente|klienta?)",
            f"(cliente?|klant(en)?|gebruiker|klient|kund|kunde|kupujacy){_NUMBER}",
        ),
        # Magento, WooCommerce, Shopify, Shopware and SAP (KUNNR, KUNAG), tills and loyalty cards.
        f"cust{_NUMBER}|(customer|cust|buyer)_?(ref|uuid|hash|key|e?mail|user)|_?customer_user(_id)?|kunnr|kunag|kunwe",
        f"(buyer|account|mitglied(s)?|kundenkarten?|membre|adherent|socio){_NUMBER}",
        "(profile|person|contact|subscriber)_?(id|nr|no|key|number)",
        "(sold|bill|ship)_?to(_?party)?|(billing|order)_?e?mail|loyalty_?(card_?)?(id|no|nr|number)|card_?(id|no|nr|number)",
        f"{_KEY_OF}(acheteuse|internaute|visiteur|membre|adherent|compte|visitante|socio|cuenta|visitatore|utilizador|besucher)",
        # Browsers come after people: GA, Adobe, Matomo, Snowplow, Mixpanel, Amplitude.
        "full_?visitor_?id|visitors?|visitor_?(hash|key|uuid)|(post_?)?(visid|visid_?high|mcvisid)|ecid|id_?visitor",
        "(domain|network)_?user_?id|user_?fingerprint|distinct_?id|amplitude_?id|anon(ymous)?_?(user_?)?id",
        "c_?id|_?ga(_?(client|user)?_?id)?|cookies?(_?(hash|key|uuid|value))?|browser_?id|device_?id|idfa|gaid|fingerprint",
    ),
    "item_id": (
        *("item_?id", "product_?id", "item", "(lineitem )?sku", "stock_?code", "article_?id", "asin", "movie_?id"),
        *("news_?id", "coupon_?upc", "lineitem name", f"(artikel|produkt){_NUMBER}", "produit"),
        *(
            "(product|item|article|material)_?(no|nr|number|key|code)",
            "ean",
            "gtin",
            "upc",
            "(art|material)_?(nr|nummer)",
        ),
        f"{_KEY_OF}(produit|article|producto|articulo|prodotto|articolo|produto|artigo|produktu|towaru?)",
        f"(vare|towar|indeks){_NUMBER}",
        # SAP (MATNR), Shopware, Magento, WooCommerce, GA's productSKU; variants last, since a product is known by more.
        f"prod(uct|ukt|uit)?_?(ref(erence|erenz)?|sku|handle|slug|key|num)|prod{_NUMBER}|matnr|_?product_?id|p_?id",
        "(artikel|article|item|art|produkt|waren)_?(ref(erence|erenz)?|kennung|kenn(zahl|nr)|order_?number|bestell_?(nr|nummer))",
        f"(ware|waren|sach|material|gtin|ean)_?(nr|nummer|code|13|8)|bar_?code|code_?barres?|strichcode|{_KEY_OF}sku",
        "(goods|ware|rows?|lines?|products|items|articles)_code",
        "(cod|codigo|ref|num|no)_?(articulo|articolo|artigo|producto|prodotto|produto|article|produit|prod|art)|referencia",
        "(product_?)?variant_?(id|sku|code)|_?variation_?id|(merchant|item|article)_?sku|reference|referenz",
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
        "(product|article)_?(category|group)",
        "(item|material|commodity)_?group",
        f"(waren|produkt|artikel|haupt(waren)?)_?(gruppen?|kategorie|bereich){_NUMBER}",
        f"(abteilung|sparte|rubrik|kategorie|kategori|kategoria|varegruppe){_NUMBER}",
        "(product|artikel)_?(groep|categorie)",
        f"{_KEY_OF}(categorie|rayon|famille|gamme|categoria|familia|seccion|reparto|famiglia|afdeling)",
        # SAP (MATKL), Shopify's product type, tills.
        "matkl|wgr?|waren_?gr(p)?|warengruppen?_?nr|product_?type|dept(_?(id|no|name))?|department_?(id|name)",
        "cat(egory)?_?(id|name|path|slug|code)?|rubrique|sous_?famille|subcategory(_?id)?|sub_?cat",
    ),
    "price": (
        "(lineitem |unit_?|item_?)?price",
        "each|per_(piece|item|unit)|(price|unit)_each|(a|st|stk|styck)_?pris",
        "preis",
        "prix",
        "sales_?value",
        "((line|item)_?)?amount",
        "line_?total",
        "revenue",
        "betrag",
        "montant",
        "(einzel|stueck|verkaufs|vk_?|artikel|brutto|netto|end)preis(_?(brutto|netto))?|preis_?(brutto|netto)|vk",
        "prix(_?de_?vente)?(_?unitaire)?(_?(ttc|ht))?|(precio|prezzo|preco)(_?(unitario|venta|vendita|venda))?",
        "(eenheids|stuks|verkoop)?prijs|cena(_?(jednostkowa|brutto|netto))?|(salgs)?pris|(sell(ing)?|retail|sale)_?price",
        "(gesamt|zeilen|positions|rechnungs|waren|brutto|netto|umsatz)_?(betrag|summe|preis|wert)(_?(brutto|netto))?",
        "betrag_?(brutto|netto)|umsatz(_?(brutto|netto))?|(line|item)_?(value|sum)|(total|net|gross)_?(price|amount)|sales",
        "montant_?(ttc|ht|total)|chiffre_?d_?affaires|importe?|importo|monto|fatturato|bedrag|omzet|kwota|belob|beloeb|belopp",
        "(amount_?|line_?|total_?)?paid(_?amount)?|bezahlt",
        # Magento's row totals, WooCommerce, SAP (NETPR a piece, NETWR a position), short forms of tills.
        "(base_?)?row_?total(_?incl_?tax)?|_?line_?(sub)?total|product_(net|gross)_revenue|netpr|netwr|kzwi1|amt|pu|pvp|vkp",
    ),
    "cost": (
        *("cost", "unit_?cost", "cost_?price", "ek", "einkaufspreis"),
        "ek_?preis|(stueck|selbst|waren|material)?kosten|wareneinsatz|purchase_?price|cogs",
        "cout(_?unitaire)?(_?d_?achat)?|prix_?(d_?achat|de_?revient)|coste|costo(_?unitario)?|custo",
        "(inkoop|kost)prijs|koszt|cena_?zakupu|inkopspris|kostpris",
        "(base_?)?cost_?(amount|eur)|ekp|wavwr|prix_?achat|pa|precio_?(de_?)?(coste|compra)|prezzo_?(di_?)?acquisto",
    ),
    "quantity": (
        *("(lineitem )?quantity", "qty", "pieces", "n_items", "menge", "anzahl", "quantite"),
        "(order|ordered|sold)_?(quantity|qty)|units?(_?sold)?|pcs",
        "stueck(zahl)?|stk|(bestell|verkaufs|absatz|liefer)menge|anzahl_?(stueck|artikel)|absatz",
        "qte|cantidad|quantita|quantidade|unidades|aantal|ilosc|antal",
        "qty_?(ordered|invoiced|shipped)|product_?qty|_?qty|kwmeng|fkimg|anz|mng|cant|uds|nb_?(articles|produits|pieces)|unites",
    ),
    "currency": (
        *("currency", "currency_?code", "waehrung", "devise"),
        "waehrungs(code|kuerzel|schluessel)|monnaie|moneda|divisa|valuta|moeda|waluta",
        "(order|base|presentment|_?order)_?currency(_?code)?|waers|waerk|waehr|whg|ccy|curr",
    ),
    "position": ("position", "rank", "slot", "item_?list_?index"),
    "propensity": ("propensity(_?score)?", "pscore"),
    "event_id": ("event_?id", "message_?id"),
    "slate_id": ("slate_?id", "basket_?id", "order_?(id|no|number)", "invoice_?(id|no|number)", "list_?id"),
    "decision_id": ("decision_?id", "impression_?id"),
    "order_id": (
        *("order_?(id|no|nr|number)", "invoice_?(id|no|nr|number)", "transaction_?(id|no)", "basket_?id"),
        *("receipt_?(id|no|number)", "order", "invoice", f"bestell(ung)?s?{_NUMBER}", "commande(_?id)?"),
        f"(auftrags?|rechnungs?|belegs?|bons?|kassenbon|vorgangs?){_NUMBER}|best_?(nr|nummer)",
        f"{_KEY_OF}(commande|facture|ticket|pedido|factura|ordine|fattura|scontrino|encomenda|zamowienia)",
        f"(order|bestel(ling)?|factuur|bon|ordre|faktura|zamowienie|paragon){_NUMBER}",
        # Magento (increment_id), SAP (VBELN, BELNR), tills.
        f"increment_?id|vbeln|aubel|belnr|order_?(name|ref|key|reference)|(beleg|bon|ticket|trans(action|aktion(s)?)?){_NUMBER}",
    ),
    "discount": (
        "(line|item|lineitem)[_ ]?discount",
        "discount(_?amount)?",
        "rabatt",
        "remise",
        "(retail|coupon)_?disc(ount)?",
        "(preis)?nachlass|rabatt_?(betrag|wert)|gutschein_?(betrag|wert)|reduction|descuento|sconto|desconto|korting|rabat",
    ),
}

_VISIT = re.compile(
    r"(.+_)?(s_?id|sess(ion)?|visita?|visite|sitzung|besuch|sesion|sessione|sessao|sessie|bezoek|sesja|wizyta)s?"
    r"(s?_?(id|key|hash|uuid|token|nr|no|num|number|ref|code|kennung|nummer))?|(php|jsession|ga_?session)_?(sess)?_?id"
)
_OF_A_PIECE = re.compile(
    r"\beach\b|_each$|per_(piece|item|unit)|price|preis|prix|precio|prezzo|preco|prijs|cena|pris$|^(vk|vkp|pu|pvp|netpr)$"
)
_OF_ALL = re.compile(r"gesamt|total|zeilen|positions|rechnungs|umsatz|waren(preis|wert)")


def field_rank(field: str, column: str) -> int | None:
    """Return how well a column's name fits a field, 0 for best; None where it doesn't.

    >>> field_rank("user_id", "visitorid"), field_rank("price", "items[].price"), field_rank("price", "item")
    (1, 0, None)
    >>> field_rank("user_id", "visitor.id"), field_rank("item_id", "order.products[].id"), field_rank("item_id", "id")
    (1, 1, None)
    >>> field_rank("item_id", "PROD_REF") == field_rank("item_id", "prodref"), field_rank("user_id", "device")
    (True, None)
    >>> field_rank("price", "Betrag (EUR)"), field_rank("category_id", "Catégorie"), field_rank("item_id", "Art")
    (7, 7, None)
    >>> field_rank("price", "unitPriceCents"), field_rank("price", "lines[].price.amount"), field_rank("item_id", "ct")
    (0, 0, None)
    """
    if field == "price" and _NO_PRICE.search(column.lower().rpartition(".")[0].rpartition(".")[2]):
        return None
    names = [*_names(column), *(_names_of_money(column) if field in MONEY_WORDS else ())]
    words = enumerate(FIELD_WORDS[field])
    return next((place for place, one in words if any(re.fullmatch(one, name) for name in names)), None)


def names_a_visit(column: str) -> bool:
    """Return whether a column's name says that it is the key of a visit, which is over before the shopper comes again.

    >>> names_a_visit("sid"), names_a_visit("user_session"), names_a_visit("sessionId"), names_a_visit("session.id")
    (True, True, True, True)
    >>> names_a_visit("visitor"), names_a_visit("session.user"), names_a_visit("residence")
    (False, False, False)
    """
    return any(_VISIT.fullmatch(name) for name in _names(column))


def is_of_a_piece(column: str) -> bool:
    """Return whether a column's name says the price of one piece, rather than the sum of all.

    >>> is_of_a_piece("Preis"), is_of_a_piece("unit_price"), is_of_a_piece("Gesamtpreis"), is_of_a_piece("amount")
    (True, True, False, False)
    """
    return any(_OF_A_PIECE.search(name) for name in _names(column)) and not any(map(_OF_ALL.search, _names(column)))


def is_in_minor_units(column: str) -> bool:
    """Return whether a column's name says that it counts hundredths of the currency.

    >>> is_in_minor_units("priceCents"), is_in_minor_units("order.total.cents"), is_in_minor_units("percent")
    (True, True, False)
    """
    name = column.rpartition(".")[2].lower()
    return name in ("cents", "cent", "minor", "minor_units", "pence") or any(
        any(re.fullmatch(word, bare) for field in MONEY_WORDS for word in FIELD_WORDS[field])
        for bare in _without_minor_units(name)
    )


def currency_in(column: str) -> str | None:
    """Return the currency that a column's name says its amounts are in; None where it says none.

    >>> currency_in("Betrag (EUR)"), currency_in("amount_usd"), currency_in("Total [€]"), currency_in("Dollars")
    ('EUR', 'USD', 'EUR', None)
    """
    found = _CURRENCY.search(column.lower())
    return None if found is None else _SIGNS.get(found.group(1), found.group(1).upper())


def names_validity(column: str) -> bool:
    """Return whether a column's name says from when a row holds.

    >>> names_validity("gültig ab"), names_validity("valid_from"), names_validity("created_at")
    (True, True, False)
    """
    return re.search(r"valid|since|effective|gültig|gueltig|\bab\b|seit", column.lower()) is not None


def _names(column: str) -> list[str]:
    """Return what a column may be called: the end of its path, and its name in a plain alphabet without units."""
    key = _KEY.search(column)
    names = [(key.group(1) if key else column.rpartition(".")[2]).lower()]
    if names[0] in ("id", "code") and "." in column:
        owner = column.split(".")[-2].lower().removesuffix("[]")
        names += [f"{owner}_{names[0]}", f"{owner.removesuffix('s')}_{names[0]}"]
    if "[]" not in column and key is None:
        bare = _REMARKS.sub("", column.lower().strip())
        names += [_BETWEEN.sub("_", one).strip("_") for one in (bare.translate(_LETTERS), _without_accents(bare))]
    return list(dict.fromkeys(names))


def _names_of_money(column: str) -> list[str]:
    """Return what an amount may be called besides: its name without the unit, or the object that it is a part of."""
    parts = column.lower().split(".")
    owner = parts[-2].removesuffix("[]") if len(parts) > 1 and parts[-1] in _MONEY_PARTS else ""
    return [*_without_minor_units(parts[-1]), *([owner] if owner else [])]


def _without_minor_units(name: str) -> list[str]:
    bare = _MINOR.sub("", name)
    return [bare.strip("_ ")] if bare not in ("", name) else []


def _without_accents(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name.translate(_PLAIN))
    return "".join(one for one in apart if not unicodedata.combining(one))
