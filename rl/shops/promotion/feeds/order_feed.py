"""The till's export of orders: a line an article, refunds later, in German numbers and Latin-1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rl.shops.promotion.catalogue import CENT
from rl.shops.promotion.feeds.feed_lines import FeedLine, Record, decimal_comma, forms_of_ids, shopper_ids
from rl.shops.promotion.simulate import Simulation
from rl.shops.promotion.week_responses import NEVER, WeekResponses

ENCODING = "latin-1"
DELIMITER = ";"
CURRENCY = "EUR"
PURCHASE, REFUND = "K", "R"
COST_DECIMALS = 4
COLUMNS = (
    "Beleg",
    "Zeile",
    "Art",
    "Zeitpunkt",
    "Kunde",
    "Artikel",
    "Bezeichnung",
    "Warengruppe",
    "Menge",
    "Betrag",
    "Rabatt",
    "Wareneinsatz",
    "Währung",
)


@dataclass(frozen=True)
class OrderLine:
    """A line with the exact money that it tells of, millionths, and the decision whose week it belongs to.

    Attributes:
        line: as it will be written.
        week: of the purchase, for its refund too.
        row: place of the decision among the week's.
        is_refund: whether the money goes back.
        amount, cost, discount: of all pieces; a refund's cost is 0 where nothing can be sold again.
    """

    line: FeedLine
    week: int
    row: int
    is_refund: bool
    amount: int
    cost: int
    discount: int


def order_lines(simulation: Simulation, *, other_forms: float, rng: np.random.Generator) -> Iterator[OrderLine]:
    """Yield the lines of all orders and refunds, each week's orders first.

    Args:
        simulation: the shop's weeks.
        other_forms: share of ids that are written as 17850.0.
        rng: decides the forms.
    """
    for week in simulation.weeks:
        for place in range(len(week.orders)):
            rows = np.flatnonzero(week.order_time[:, place] != NEVER)
            ids = shopper_ids(simulation.population.number[week.row[rows]])
            forms = forms_of_ids(ids, other_forms, rng, is_text=True)
            for row, form in zip(rows.tolist(), forms, strict=True):
                yield from _order(simulation, week, row=row, place=place, shopper=str(form))


def _order(simulation: Simulation, week: WeekResponses, *, row: int, place: int, shopper: str) -> Iterator[OrderLine]:
    number = f"B{week.week:03d}{int(week.row[row]):06d}{place}"
    is_resold = bool(week.is_resold[row, place])
    refunded, basket = int(week.refund_time[row, place]), week.orders[place]
    for line in range(basket.item.shape[1]):
        if not basket.quantity[row, line]:
            continue
        amount, cost = int(basket.amount[row, line]), int(basket.cost[row, line])
        discount = int(basket.discount_cents[row, line]) * CENT
        record = _article(simulation, int(basket.item[row, line]), int(basket.quantity[row, line]))
        record |= {"Beleg": number, "Zeile": str(line + 1), "Kunde": shopper, "Währung": CURRENCY}
        paid = {"Betrag": decimal_comma(amount, 2), "Rabatt": decimal_comma(discount, 2)}
        goods = {"Wareneinsatz": decimal_comma(cost, COST_DECIMALS)}
        bought = _written(simulation, record | paid | goods, PURCHASE, int(week.order_time[row, place]))
        yield OrderLine(bought, week.week, row, False, amount, cost, discount)
        if refunded == NEVER:
            continue
        returned = {"Betrag": decimal_comma(-amount, 2), "Rabatt": "", "Menge": f"-{record['Menge']}"}
        goods = {"Wareneinsatz": decimal_comma(-cost, COST_DECIMALS) if is_resold else ""}
        given_back = _written(simulation, record | returned | goods, REFUND, refunded)
        yield OrderLine(given_back, week.week, row, True, amount, cost if is_resold else 0, 0)


def _article(simulation: Simulation, item: int, quantity: int) -> Record:
    catalogue = simulation.shop.catalogue
    return {
        "Artikel": catalogue.item_ids[item],
        "Bezeichnung": catalogue.names[item],
        "Warengruppe": catalogue.category_ids[catalogue.category[item]],
        "Menge": str(quantity),
    }


def _written(simulation: Simulation, record: Record, kind: str, time: int) -> FeedLine:
    calendar = simulation.shop.calendar
    there = np.array([time])
    local = np.datetime_as_string(calendar.local(there).astype("datetime64[us]"), unit="s").tolist()[0]
    day, clock = local.split("T")
    year, month, day_of_month = day.split("-")
    stamped = record | {"Art": kind, "Zeitpunkt": f"{day_of_month}.{month}.{year} {clock}"}
    ordered: Record = {name: stamped[name] for name in COLUMNS}
    return FeedLine("on_time", ordered, time, int(calendar.day(there)[0]))
