"""What every way to order earns on one night: fitted, chosen and judged by the functions that a night itself calls."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.spec_hash import full_spec_hash
from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import EvaluationError, TrainingError
from rl.figures.orders import WayToOrder
from rl.figures.values import Spread
from rl.inventory.order_policy import OrderPolicy
from rl.ope.intervals.intervals import Interval
from rl.orders.order_basis import OrderBasis
from rl.orders.order_figures import order_figures
from rl.orders.order_fitting import FittedOrders, fit_orders
from rl.orders.order_judging import N_DRAWS, TODAY, LedOrders, gained, led_orders
from rl.orders.order_list import told_room
from rl.orders.order_night import OrderNight, OrdersBefore, OrderTruth, order_night
from rl.orders.order_split import OrderDataset, prepare_orders
from rl.orders.order_truth import true_demand, true_earnings
from rl.registry.entry import NightKey
from rl.registry.looks import level_of_look
from tests.bench.inventory.night_home import NightHomes, last_date
from tests.bench.inventory.night_kinds import TriedNight

Row = dict[str, Any]


@dataclass(frozen=True)
class JudgedNight:
    """A night, with all of its ways to order led through the test days.

    Attributes:
        tried: which one.
        night: as `evaluate` finds it.
        fitted: candidates by name.
        cpu_seconds: that each took to fit, by name.
        led: today's rule and all candidates through the test days, on the demand that the night draws.
        truth: all of them through the same days on true demand.
    """

    tried: TriedNight
    night: OrderNight
    fitted: Mapping[str, FittedOrders]
    cpu_seconds: Mapping[str, float]
    led: LedOrders
    truth: LedOrders

    @property
    def level(self) -> float:
        """Of all intervals, the scenario's."""
        return self.night.dataset.pipeline.scenario.evaluation.confidence

    @property
    def about(self) -> Row:
        """What every row of the night begins with."""
        tried = self.tried
        return _about(tried) | ({"follows_errors": True} if tried.orders.corrects_forecasts else {})


def rows_of(tried: TriedNight, homes: NightHomes) -> Iterator[Row]:
    """Yield a night's rows: a line for each way to order, and one for the night.

    One whose forecasts follow their errors has the same without this before it, and what it brings behind it.
    """
    settings = homes.of(tried.shop, tried.pipeline)
    if not tried.orders.corrects_forecasts:
        yield from night_rows(judged_night(tried, settings))
        return
    plain_orders = tried.orders.model_copy(update={"corrects_forecasts": False})
    plain, corrected = (judged_night(one, settings) for one in (replace(tried, orders=plain_orders), tried))
    yield from night_rows(plain)
    yield from night_rows(corrected)
    yield from correction_rows(plain, corrected, home=settings.home)


def judged_night(tried: TriedNight, settings: Settings) -> JudgedNight:
    """Return the night of a home whose transitions are built, without a registry: there is no champion.

    Raises:
        NothingToLearn: too few days or products.
    """
    pipeline, last = tried.pipeline, last_date(tried.shop)
    dataset = prepare_orders(pipeline, Lake(settings.lake, pipeline.source.name), last)
    fitted, left_out, seconds = _fitted(dataset)
    policies = {name: one.policy for name, one in fitted.items()}
    night = order_night(dataset, policies, _before(dataset), home=settings.home, left_out=left_out)
    led = led_orders(night.basis, dataset.splits["test"], policies, n_draws=N_DRAWS)
    truth = _on_true_demand(led, dataset, settings.home)
    return JudgedNight(tried, night, fitted, seconds, led, truth)


def night_rows(judged: JudgedNight) -> Iterator[Row]:
    """Yield a line for each way to order, money per product and week, and the night's own."""
    on_truth = {way.name: way for way in _ways(judged.night, judged.truth)}
    for way in _ways(judged.night, judged.led):
        yield judged.about | _way(judged, way, on_truth[way.name])
    yield judged.about | _answer(judged)


def _ways(night: OrderNight, led: LedOrders) -> tuple[WayToOrder, ...]:
    """Return the night's figures of all ways that were led, instead of those alone that it judges."""
    return order_figures(replace(night, judged=replace(night.judged, led=led), truth=OrderTruth())).ways


def _fitted(dataset: OrderDataset) -> tuple[dict[str, FittedOrders], dict[str, str], dict[str, float]]:
    """Return the scenario's candidates, those whose fit failed with the reason, and the seconds of a processor."""
    basis, orders = OrderBasis.of(dataset), dataset.pipeline.scenario.orders
    fitted: dict[str, FittedOrders] = {}
    left_out: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for name, (candidate, seed) in ({} if orders is None else orders.seeded).items():
        started = time.process_time()
        try:
            fitted[name] = fit_orders(basis, candidate, name=name, seed=seed, n_threads=1)
        except TrainingError as error:
            left_out[name] = str(error)
        seconds[name] = round(time.process_time() - started, 1)
    return fitted, left_out, seconds


def _before(dataset: OrderDataset) -> OrdersBefore:
    """Return what an empty registry says."""
    pipeline, last = dataset.pipeline, dataset.history.last_day
    key = NightKey(
        pipeline.scenario.name, pipeline.source.name, last, dataset.digest, full_spec_hash(pipeline), code_hash="bench"
    )
    return OrdersBefore(key, None, level_of_look(pipeline.scenario.gate.wrong_promotions_per_year, last, ()))


def _true_demand(led: LedOrders, dataset: OrderDataset, home: Path) -> IntArray:
    return true_demand(home, dataset.pipeline.source.name, led.span)


def _on_true_demand(led: LedOrders, dataset: OrderDataset, home: Path) -> LedOrders:
    level = dataset.pipeline.scenario.evaluation.confidence
    return true_earnings(led, _true_demand(led, dataset, home), level=level)[0]


def _about(tried: TriedNight) -> Row:
    about = {"bench": "inventory", "method": "night", "night": tried.kind, "shop": tried.shop_name}
    return about | ({"note": tried.note} if tried.note else {})


def _way(judged: JudgedNight, way: WayToOrder, on_truth: WayToOrder) -> Row:
    """Return a way to order in figures; leads are over the best formula by the validation days."""
    told = {
        "way": way.name,
        "role": way.role,
        "earned": _spread(way.earned),
        "true": _spread(on_truth.earned),
        "met": round(way.service, 4),
        "met_true": round(on_truth.service, 4),
        "held": round(way.held, 2),
        "kept": round(float(judged.truth.draws[way.name][0].position.sum(axis=0).mean())),
        "lead_on": _leads(judged, way.name),
    }
    more = {name: getattr(way, name) for name in ("days_beyond", "fullest", "wasted", "waste")}
    told |= {name: round(value, 3) for name, value in more.items() if value is not None}
    if (fitted := judged.fitted.get(way.name)) is not None:
        policy = fitted.policy
        told |= {"safety": policy.safety, "batch": policy.batch, "cpu_seconds": judged.cpu_seconds[way.name]}
        if fitted.planned is not None and fitted.planned.tables is not None:
            told["n_planned"] = len(fitted.planned.tables.products)
    return told


def _leads(judged: JudgedNight, name: str) -> Row:
    """Return what a way earns more than the best formula, between its bounds, by the days that say so."""
    formula, truth = judged.night.selection.formula, judged.truth
    if name == formula:
        return {}
    on = {"validation": judged.night.selection.led, "test": judged.led, "true": truth}
    return {days: _lead(led, name, formula, judged.level) for days, led in on.items()}


def _lead(led: LedOrders, name: str, other: str, level: float) -> list[float] | None:
    """Return a difference and its bounds; None where there are too few products or weeks for them."""
    try:
        return _told(gained(led, name, other, level=level))
    except EvaluationError:
        return None


def _told(found: Interval) -> list[float]:
    return _spread(Spread.of(found))


def _spread(found: Spread) -> list[float]:
    return [round(float(value), 2) for value in (found.value, found.lower, found.upper)]


def _answer(judged: JudgedNight) -> Row:
    """Return what the night chose and what the gate said, and what both rest on."""
    night, span = judged.night, judged.led.span
    best, truth, at_gate = night.selection.best, judged.truth, night.judged.evidence.difference
    return {
        "chosen": best,
        "formula": night.selection.formula,
        "verdict": night.judged.verdict.decision.value,
        "left_out": sorted(night.left_out),
        "gain": _lead(judged.led, best, TODAY, judged.level),
        "gain_at_gate": None if at_gate is None else _told(at_gate),
        "gain_true": _lead(truth, best, TODAY, judged.level),
        "ran_out": round(float(span.ran_out[span.is_known].mean()), 3),
        "n_test_days": span.shape[1],
        "is_corrected": night.basis.forecaster.correction is not None,
        **_listed(night),
    }


def _listed(night: OrderNight) -> Row:
    """Return how full tomorrow's list makes the shared limit, and the units that it holds back; nothing without one."""
    tomorrow = night.tomorrow
    if tomorrow is None or tomorrow.room is None:
        return {}
    return told_room(tomorrow) | {"held_back": int(tomorrow.held_back.sum())}


def correction_rows(plain: JudgedNight, corrected: JudgedNight, *, home: Path) -> Iterator[Row]:
    """Yield what each way earns more on true demand by corrected forecasts, and how much less these miss."""
    about = _about(corrected.tried)
    yield about | _missed_less(plain, corrected, home)
    basis, suffix = corrected.night.basis, ", corrected"
    both: dict[str, OrderPolicy] = dict(plain.led.policies)
    both |= {f"{name}{suffix}": policy for name, policy in corrected.led.policies.items()}
    led = LedOrders(basis.span(basis.dataset.splits["test"]), {}, both)
    found = _on_true_demand(led, basis.dataset, home)
    for name in corrected.led.policies:
        if name in plain.led.policies:
            yield about | {"way": name, "by_correction": _lead(found, f"{name}{suffix}", name, corrected.level)}


def _missed_less(plain: JudgedNight, corrected: JudgedNight, home: Path) -> Row:
    """Return by which percentage forecasts of true demand err less, of a day and of all that an order lasts for.

    Squared errors on test days, each against the usual one of its size: that of a negative binomial law with the
    shop's own extra variance around the plain forecast.
    """
    span, extra = plain.led.span, plain.tried.shop.extra_variance
    demand = _true_demand(plain.led, plain.night.dataset, home)
    forecasts = [one.led.span.forecasts for one in (plain, corrected)]
    found: Row = {"is_corrected": corrected.night.basis.forecaster.correction is not None}
    for what, n_days in (("missed_less_of_a_day", 1), ("missed_less_of_an_order", forecasts[0].shape[2])):
        asked, is_told = _sums(demand, n_days), _sums(span.is_known.astype(np.int64), n_days) == n_days
        usual: FloatArray = forecasts[0][:, : asked.shape[1], :n_days].sum(axis=2)
        size = (usual + extra * usual**2 + 0.1)[is_told]
        errors = [
            float((((asked - one[:, : asked.shape[1], :n_days].sum(axis=2)) ** 2)[is_told] / size).mean())
            for one in forecasts
        ]
        found[what] = round(100 * (1 - errors[1] / errors[0]), 1)
    return found


def _sums(values: IntArray, n_days: int) -> IntArray:
    """Return sums over so many days from each day on that has them, `(n_products, n_days_left)`."""
    return np.lib.stride_tricks.sliding_window_view(values, n_days, axis=1).sum(axis=2)
