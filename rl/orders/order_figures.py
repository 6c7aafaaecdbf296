"""Figures of a night of orders: what evaluation.json holds of ways to order, products and tomorrow's list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import numpy as np

from conf.specs.orders import LEARNERS, WASTED
from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.figures.orders import (
    CategoryCost,
    Censored,
    DeclaredRule,
    OrderFigures,
    OrderLine,
    PlanFigures,
    ProductDays,
    SharedLimitFigures,
    WayToOrder,
)
from rl.figures.values import Spread
from rl.ope.intervals.intervals import Interval
from rl.ope.intervals.two_way import Blocks
from rl.orders.order_basis import OrderBasis
from rl.orders.order_judging import TODAY, LedOrders, earned_interval, mean_interval
from rl.orders.order_night import OrderNight, OrderTruth
from rl.orders.order_replay import MILLIONTHS
from rl.orders.tomorrow import TomorrowOrders, no_orders_problem
from rl.orders.unlisted import N_NAMED

N_SHOWN_PRODUCTS = 4
"""Products drawn for being the largest, and as many for being changed most."""
N_SHOWN_LINES = 40
_N_NAMED = 5
_DAYS_PER_WEEK = 7
_WEEKLY = _DAYS_PER_WEEK / MILLIONTHS
TODAYS_METHOD = "logged orders"


def order_figures(night: OrderNight) -> OrderFigures:
    """Return what a night found of ways to order."""
    level = night.dataset.pipeline.scenario.evaluation.confidence
    led, selection = night.judged.led, night.selection
    tomorrow = night.tomorrow
    return OrderFigures(
        lead_days=night.dataset.history.lead_days,
        ways=tuple(_ways(led, _roles(night), level, night.truth)),
        validation=tuple(_ways(selection.led, {selection.best: "candidate"}, level, OrderTruth())),
        formula=selection.formula,
        learner=selection.learner,
        learner_lead=_spread(selection.lead),
        against_formula=_spread(night.judged.against_formula),
        level=level,
        categories=tuple(_categories(night, level)),
        censored=_censored(led, night.basis),
        products=tuple(_products(night)),
        day=None if tomorrow is None else tomorrow.day,
        lines=() if tomorrow is None else tuple(_lines(night, tomorrow)),
        n_lines=0 if tomorrow is None else len(tomorrow),
        n_ordered=0 if tomorrow is None else int(np.count_nonzero(tomorrow.order)),
        units_ordered=0 if tomorrow is None else int(tomorrow.order.sum()),
        n_unlisted=len(unlisted := night.dataset.history.unlisted.products),
        unlisted=unlisted[:N_NAMED],
        shared=_shared(night),
        plan=_plan(night),
        is_waste_charged=None if night.dataset.history.shelf is None else night.dataset.history.shelf.is_charged,
        order_days=str(night.dataset.history.order_days),
        days_covered=night.dataset.history.n_ahead,
        placed_elsewhere=_placed_elsewhere(led),
        no_list=""
        if tomorrow is not None
        else no_orders_problem(night.dataset.history.order_days, night.dataset.history.next_day),
        n_never=0 if tomorrow is None else len(tomorrow.never_ordered),
        never=() if tomorrow is None else tomorrow.never_ordered[:N_NAMED],
        n_coarse=0 if tomorrow is None else len(tomorrow.coarse_packs),
        coarse=() if tomorrow is None else tomorrow.coarse_packs[:N_NAMED],
        n_unworthy=0 if tomorrow is None else len(tomorrow.not_worth_a_pack),
        unworthy=() if tomorrow is None else tomorrow.not_worth_a_pack[:N_NAMED],
        n_untold_packs=len(untold := night.dataset.history.untold_packs),
        untold_packs=untold[:N_NAMED],
        n_losing=len(losing := _losing(night)),
        losing=losing[:N_NAMED],
        follows_errors=night.basis.forecaster.correction is not None if night.dataset.corrects_forecasts else None,
        declared_rule=None
        if night.declared is None
        else DeclaredRule(
            safety=night.declared.declared, best_safety=night.declared.best, gain=_spread(night.declared.gain)
        ),
        simulated_stock="" if (declared := night.dataset.history.declared) is None else declared.sentence,
    )


def _plan(night: OrderNight) -> PlanFigures | None:
    name = night.selection.plan
    if name is None:
        return None
    tables, products = night.selection.led.policies[name].plan, night.dataset.history.products
    others = products if tables is None else tuple(set(products) - set(tables.products))
    return PlanFigures(
        name=name,
        n_planned=len(products) - len(others),
        n_products=len(products),
        others=tuple(sorted(others)[:_N_NAMED]),
        lead=_spread(night.selection.plan_lead),
    )


def _placed_elsewhere(led: LedOrders) -> float:
    """Return the share of today's rule's orders that were placed on days on which the scenario places none."""
    placed = (led.draws[TODAY][0].flows["ordered"] > 0).sum(axis=0)
    return float(placed[led.span.gaps == 0].sum() / max(int(placed.sum()), 1))


def _losing(night: OrderNight) -> tuple[str, ...]:
    rows = night.dataset.money.is_losing & night.dataset.history.is_known.any(axis=1)
    return tuple(night.dataset.history.products[row] for row in np.flatnonzero(rows).tolist())


def _shared(night: OrderNight) -> SharedLimitFigures | None:
    orders, tomorrow = night.dataset.pipeline.scenario.orders, night.tomorrow
    if orders is None or orders.shared_limit is None:
        return None
    unit = MILLIONTHS if orders.shared_limit.of == "cost" else 1
    return SharedLimitFigures(
        of=orders.shared_limit.of,
        limit=orders.shared_limit.in_whole / unit,
        price=night.best.room_price * unit,
        taken=None if tomorrow is None else tomorrow.room_taken / unit,
        held_back=0 if tomorrow is None else int(tomorrow.held_back.sum()),
    )


def _roles(night: OrderNight) -> dict[str, str]:
    found = {TODAY: "today", night.selection.formula: "formula"}
    if night.before.compared is not None:
        found[night.before.compared.name] = "champion"
    return found | {night.selection.best: "candidate"}


def _ways(led: LedOrders, roles: Mapping[str, str], level: float, truth: OrderTruth) -> Iterator[WayToOrder]:
    for name in led.draws:
        policy = led.policies.get(name)
        method = TODAYS_METHOD if policy is None else policy.method
        sold, lost = led.flow(name, "sold").sum(), sum(float(draw.lost.sum()) for draw in led.draws[name])
        held = led.flow(name, "closing").mean(axis=0).sum() / led.n_days
        n_draws = len(led.draws[name])
        earned = None if truth.earned is None else truth.earned[name].value
        yield WayToOrder(
            name=name,
            method=method,
            role=roles.get(name, "today" if name == TODAY else "other"),
            is_learner=method in LEARNERS,
            earned=_earned(led, name, level),
            holding=sum(float(draw.holding.sum()) for draw in led.draws[name]) / n_draws / led.n_days * _WEEKLY,
            missed=sum(float(draw.missed.sum()) for draw in led.draws[name]) / n_draws / led.n_days * _WEEKLY,
            held=float(held),
            service=float(sold / (sold + lost)) if sold + lost else 1.0,
            stock_outs=sum(int(np.count_nonzero(draw.lost)) for draw in led.draws[name]) / n_draws / led.n_days,
            turnover=float(sold / n_draws / led.n_days / held) if held > 0 else None,
            truth=earned,
            **_room_told(led, name),
            **_waste_told(led, name),
        )


def _room_told(led: LedOrders, name: str) -> dict[str, float]:
    """Return how full a way to order makes the shared limit, and how often it goes beyond it; nothing without one."""
    room = led.span.history.room
    if room is None:
        return {}
    taken = [led.span.room_taken(draw) for draw in led.draws[name]]
    beyond = [led.span.beyond(draw) for draw in led.draws[name]]
    return {"fullest": float(np.max(taken)) / room.limit, "days_beyond": float(np.mean(beyond))}


def _waste_told(led: LedOrders, name: str) -> dict[str, float]:
    """Return what a way to order wastes per product and week, units and money; nothing where all products keep."""
    draws, shelf = led.draws[name], led.span.history.shelf
    if shelf is None:
        return {}
    found = {"wasted": led.flow(name, WASTED).mean(axis=0).sum() / led.n_days * _DAYS_PER_WEEK}
    if shelf.cost is not None:
        paid = sum(float(draw.waste.sum()) for draw in draws if draw.waste is not None)
        found["waste"] = paid / len(draws) / led.n_days * _WEEKLY
    return found


def _earned(led: LedOrders, name: str, level: float) -> Spread:
    try:
        return Spread.of(earned_interval(led, name, level=level))
    except EvaluationError:
        value = led.a_week(name)
        return Spread(value=value, lower=value, upper=value)


def _costs(led: LedOrders, name: str) -> FloatArray:
    """Return holding, ordering, charged waste and missed margin by draw, millionths.

    Shape `(n_draws, n_products, n_days)`.
    """
    span, money = led.span, led.span.money
    found = []
    for draw in led.draws[name]:
        ordered = draw.flows["ordered"]
        paid = money.order_line * (ordered > 0) + money.order_unit * ordered
        shelf = span.history.shelf
        if shelf is not None and shelf.is_charged and draw.waste is not None:
            paid = paid + draw.waste
        found.append(draw.holding + paid + draw.missed)
    return np.array(found, dtype=np.float64) * span.is_known


def _categories(night: OrderNight, level: float) -> Iterator[CategoryCost]:
    led, history = night.judged.led, night.dataset.history
    today, candidate = _costs(led, TODAY), _costs(led, night.selection.best)
    categories = np.array(history.category)
    found = []
    for category in sorted(set(history.category)):
        rows = categories == category
        known = led.span.is_known[rows]
        if not known.any():
            continue
        scale = _WEEKLY / int(known.sum())
        found.append(
            CategoryCost(
                category=category,
                n_products=int(known.any(axis=1).sum()),
                today=float(today[:, rows].mean(axis=0).sum()) * scale,
                candidate=float(candidate[:, rows].mean(axis=0).sum()) * scale,
                difference=_difference(candidate[:, rows] - today[:, rows], known, level, led.span.blocks),
            )
        )
    yield from sorted(found, key=lambda one: -abs(one.candidate - one.today) * one.n_products)


def _difference(values: FloatArray, known: np.ndarray, level: float, blocks: Blocks) -> Spread | None:
    try:
        found = mean_interval(values, known, level=level, blocks=blocks)
    except EvaluationError:
        return None
    return Spread(value=found.value * _WEEKLY, lower=found.lower * _WEEKLY, upper=found.upper * _WEEKLY)


def _censored(led: LedOrders, basis: OrderBasis) -> Censored:
    sold, span = int((led.span.sold * led.span.is_known).sum()), led.span
    # Demand is what was met and what was lost, whoever ordered.
    demand = np.array([float((draw.flows["sold"] + draw.lost).sum()) for draw in led.draws[TODAY]])
    added = demand / max(sold, 1) - 1
    return Censored(
        share=float(span.ran_out[span.is_known].mean()),
        added=float(added.mean()),
        added_lower=float(np.quantile(added, 0.025)),
        added_upper=float(np.quantile(added, 0.975)),
        draws=len(demand),
        tail=basis.dataset.demand_tail,
        declared=basis.declared_chance(span),
    )


def _products(night: OrderNight) -> Iterator[ProductDays]:
    led, history, name = night.judged.led, night.dataset.history, night.selection.best
    span = led.span
    sold = (span.sold * span.is_known).sum(axis=1)
    today, candidate = (led.draws[one][0].flows["opening"] for one in (TODAY, name))
    changed = np.abs(candidate - today).sum(axis=1) / np.maximum(today.sum(axis=1), 1)
    largest = [row for row in np.argsort(-sold, kind="stable").tolist() if sold[row]][:N_SHOWN_PRODUCTS]
    others = [row for row in np.argsort(-changed, kind="stable").tolist() if row not in largest and sold[row]]
    for why, rows in (("largest", largest), ("most changed", others[:N_SHOWN_PRODUCTS])):
        for row in rows:
            days = np.flatnonzero(span.is_known[row])
            kept = slice(int(days[0]), int(days[-1]) + 1)
            yield ProductDays(
                product=history.products[row],
                category=history.category[row],
                why=why,
                first_day=history.first_day + timedelta(days=int(span.days.start) + kept.start),
                sold=tuple(span.sold[row, kept].tolist()),
                forecast=tuple(round(one, 2) for one in span.forecasts[row, kept, 0].tolist()),
                ran_out=tuple(span.ran_out[row, kept].tolist()),
                stock_today=tuple(today[row, kept].tolist()),
                stock_candidate=tuple(candidate[row, kept].tolist()),
            )


def _lines(night: OrderNight, tomorrow: TomorrowOrders) -> Iterator[OrderLine]:
    history = night.dataset.history
    place = {name: row for row, name in enumerate(history.products)}
    recent = slice(-4 * _DAYS_PER_WEEK, None)
    known = np.maximum(history.is_known[:, recent].sum(axis=1), 1)
    usual = history.units["ordered"][:, recent].sum(axis=1) / known
    for row in np.argsort(-tomorrow.order, kind="stable").tolist()[:N_SHOWN_LINES]:
        yield OrderLine(
            product=tomorrow.products[row],
            category=tomorrow.category[row],
            order=int(tomorrow.order[row]),
            level=round(float(tomorrow.level[row]), 2),
            forecast=round(float(tomorrow.forecast[row]), 2),
            on_hand=int(tomorrow.on_hand[row]),
            on_the_way=int(tomorrow.on_the_way[row]),
            pack_size=int(tomorrow.pack_size[row]),
            usual=round(float(usual[place[tomorrow.products[row]]]), 2),
            reason=tomorrow.reason(row),
        )


def _spread(found: Interval | None) -> Spread | None:
    return None if found is None else Spread.of(found)
