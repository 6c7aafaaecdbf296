"""The buyer's page of a night of orders: one self-contained HTML file, tomorrow's orders first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rl.figures.night import NightFigures
from rl.figures.orders import OrderFigures, ProductDays, WayToOrder
from rl.page import wording
from rl.page.axis import Axis, axis_over
from rl.page.content import HistoryRow
from rl.page.environment import page_environment
from rl.page.order_sentences import (
    declared_rule_sentence,
    declared_sentences,
    forecast_sentence,
    learning_sentence,
    list_sentence,
    losing_sentence,
    plan_sentence,
    shared_sentence,
    way_name,
    winner_sentence,
)
from rl.page.sentences import guardrail_detail, notes_of

_FOLDER = Path(__file__).parent
_TONES = {"today": "behavior", "candidate": "candidate", "champion": "champion", "formula": "champion"}
_WIDTH, _HEIGHT = 600.0, 120.0


@dataclass(frozen=True)
class EarnedRow:
    """What a way to order earns, as places on the axis in percent; `truth` is that of a simulated shop."""

    way: WayToOrder
    name: str
    tone: str
    start: float
    width: float
    point: float
    truth: float | None


@dataclass(frozen=True)
class ProductChart:
    """A product's tested days as paths in a box of 600 by 120; `out` are the places of days that ran out."""

    product: ProductDays
    sold: str
    forecast: str
    stock_today: str
    stock_candidate: str
    out: tuple[float, ...]
    demand_top: str
    stock_top: str
    first: str
    last: str


def render_buyer_page(
    figures: NightFigures,
    orders: OrderFigures,
    *,
    model: str | None = None,
    version: int | None = None,
    run_id: str | None = None,
    history: tuple[HistoryRow, ...] = (),
) -> str:
    """Return the page as HTML; every text from the figures is escaped.

    Args:
        figures: of the night.
        orders: of them, what was found of ways to order.
        model: name of the registered model; None where the night isn't registered.
        version: its number; None likewise.
        run_id: of MLflow's run; None likewise.
        history: earlier versions.
    """
    ways = sorted(orders.ways, key=lambda one: -one.earned.value)
    axis = _axis(ways)
    context: dict[str, Any] = {
        "figures": figures,
        "night": figures.facts,
        "orders": orders,
        "css": Markup((_FOLDER / "review.css").read_text(encoding="utf-8")),
        "winner": winner_sentence(figures, orders),
        "learning": learning_sentence(figures, orders),
        "plan": plan_sentence(figures, orders),
        "forecasts": forecast_sentence(orders),
        "listed": list_sentence(orders),
        "shared": shared_sentence(figures, orders),
        "losing": losing_sentence(orders),
        "rule_at_best": declared_rule_sentence(figures, orders),
        "declared": declared_sentences(orders),
        "notes": notes_of(figures),
        "earned": [_row(one, axis) for one in ways],
        "ticks": axis.ticks(),
        "validation": sorted(orders.validation, key=lambda one: -one.earned.value),
        "rails": [(one, guardrail_detail(one)) for one in figures.guardrails],
        "charts": [product_chart(one) for one in orders.products],
        "model": model,
        "version": version,
        "run_id": run_id,
        "history": history,
    }
    return _environment().get_template("buyer.html.jinja").render(context).strip() + "\n"


def product_chart(product: ProductDays) -> ProductChart:
    """Return the paths of a product's demand, forecast and stock over its tested days."""
    demand = Axis(0.0, max(1.0, *product.sold, *product.forecast))
    stock = Axis(0.0, max(1.0, *product.stock_today, *product.stock_candidate))
    n = len(product.sold)
    return ProductChart(
        product=product,
        sold=_path(product.sold, demand),
        forecast=_path(product.forecast, demand),
        stock_today=_path(product.stock_today, stock),
        stock_candidate=_path(product.stock_candidate, stock),
        out=tuple(_place(day, n) for day, ran_out in enumerate(product.ran_out) if ran_out),
        demand_top=wording.number(demand.high),
        stock_top=wording.number(stock.high),
        first=wording.day(product.first_day),
        last=wording.day(product.first_day + timedelta(days=n - 1)),
    )


def _axis(ways: list[WayToOrder]) -> Axis:
    ends = [end for one in ways for end in (one.earned.lower, one.earned.upper)]
    return axis_over([*ends, *(one.truth for one in ways if one.truth is not None)])


def _row(way: WayToOrder, axis: Axis) -> EarnedRow:
    start, end = axis.percent(way.earned.lower), axis.percent(way.earned.upper)
    return EarnedRow(
        way=way,
        name=way_name(way),
        tone=_TONES.get(way.role, "behavior"),
        start=start,
        width=round(end - start, 2),
        point=axis.percent(way.earned.value),
        truth=None if way.truth is None else axis.percent(way.truth),
    )


def _path(values: tuple[float, ...] | tuple[int, ...], axis: Axis) -> str:
    points = [
        f"{_place(day, len(values)):g},{round(_HEIGHT * (1 - axis.percent(value) / 100), 1):g}"
        for day, value in enumerate(values)
    ]
    return " ".join(points)


def _place(day: int, n: int) -> float:
    return round(_WIDTH * (day + 0.5) / max(n, 1), 1)


def _environment() -> jinja2.Environment:
    filters = {name: getattr(wording, name) for name in ("count", "number", "signed", "signed_range", "share", "day")}
    return page_environment(_FOLDER, {**filters, "way_name": way_name})
