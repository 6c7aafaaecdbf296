"""Names of columns that shop systems give are known, each as one field."""

from __future__ import annotations

import pytest

from jobs.proposal.column_words import FIELD_WORDS, field_rank, names_a_visit

NAMES = {
    "user_id": (
        "cid client.cid cust_no CUST_NO kdnr Kd.-Nr. kundennummer Kundennr visitor cookie KUNNR KUNAG customer.id "
        "customer_email _customer_user billing_email customerNumber orderCustomer.customerNumber buyer account_id "
        "fullVisitorId mcvisid idvisitor domain_userid distinct_id device_id _ga anonymousId loyalty_card_no "
        "no_client num_client ref_client visiteur adherent cod_cliente NumCliente visitante visitatore"
    ),
    "item_id": (
        "prod_ref PROD_REF artnr Art.-Nr. artikelnummer MATNR productSKU product_sku item_sku productNumber articleID "
        "pid product.handle variant_id variation_id barcode EAN ref_produit code_article id_producto cod_articulo "
        "referencia"
    ),
    "category_id": "WG warengruppe Warengrp MATKL product_type cat cat_id dept rubrique",
    "price": "row_total base_row_total NETPR NETWR amt pu _line_total",
    "quantity": "qty_ordered KWMENG anz product_qty nb_articles uds",
    "currency": "order_currency_code base_currency_code WAERS ccy",
    "order_id": "increment_id VBELN BELNR BonNr order_name Belegnummer order_ref",
}
OTHERS = (
    "name type status action event page url country lang language browser os device device_type device_category cart "
    "city channel shop store filiale referrer ref source medium title description bezeichnung "
    "created kanal art typ brand marke color size profile loyalty account_type card_type anon offer merchant_id n q v k"
)
VISITS = "SESS sess_id sessionid PHPSESSID ga_session_id session_ref visitnr Sitzungsnummer"


@pytest.mark.parametrize(("field", "name"), [(field, name) for field, some in NAMES.items() for name in some.split()])
def test_names_of_shop_systems_are_known_as_one_field(field: str, name: str) -> None:
    """Google Analytics, Adobe, Matomo, Magento, Shopify, Shopware, WooCommerce, SAP, and tills in four languages."""
    assert [one for one in FIELD_WORDS if field_rank(one, name) is not None] == [field]


@pytest.mark.parametrize("name", OTHERS.split())
def test_other_names_are_no_field(name: str) -> None:
    """A kind of device is no shopper, and a referrer no item."""
    assert [one for one in FIELD_WORDS if field_rank(one, name) is not None] == []


@pytest.mark.parametrize("name", VISITS.split())
def test_keys_of_visits_are_known(name: str) -> None:
    assert names_a_visit(name)
    assert field_rank("user_id", name) is None


@pytest.mark.parametrize("name", ["visitor", "cid", "visitor_id", "besucher"])
def test_keys_of_shoppers_are_no_visits(name: str) -> None:
    assert not names_a_visit(name)
