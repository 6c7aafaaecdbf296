"""What the kernel needs to know of a pipeline: its source's and its scenario's rules as plain numbers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import numpy as np

from conf.kernel.arrays import MICROS_PER_HOUR, MICROS_PER_MINUTE
from conf.kernel.attribution import AttributionRule
from conf.kernel.availability_in_force import AvailabilitySets, no_sets
from conf.kernel.calendar import calendar_of, date_of, day_number
from conf.kernel.clocks.session_step import SessionStep
from conf.kernel.clocks.shopper_week import DAYS_PER_WEEK, ShopperWeek
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel.decisions import DecisionRule, Quantities
from conf.kernel.earnings import PURCHASE, REFUND, ActionCosts, Term
from conf.kernel.orders_on_the_way import OrderRule
from conf.kernel.product_features import ProductRule
from conf.kernel.quarantine import MaskRule
from conf.kernel.sessions import SessionRule
from conf.kernel.told import AttributeRule
from conf.kernel.transitions import AsOf, Rules
from conf.kernel.window_features import Window
from conf.observation_features import NOTHING_OFFERED, attribute_of, id_hash
from conf.specs.problem import WEEKDAYS, Action
from conf.specs.reward import EventMetric, Reward, RewardTerm, millionths
from conf.specs.scenario import Pipeline, Scenario
from conf.specs.source import Source

# A session that starts on one business day closes at the latest this many days later: 24 hours long, and the gap.
_LONGEST_CLOSING_DAYS = 3


def rules_of(pipeline: Pipeline) -> Rules:
    """Return the rules of the pipeline."""
    source, scenario = pipeline.source, pipeline.scenario
    session = session_rule(source)
    return Rules(
        session=session,
        decision=DecisionRule(
            deciding_type(pipeline), scenario.action.key, pipeline.is_logged, _quantities(scenario.action)
        ),
        clock=clock_of(pipeline),
        lengths={feature.name: feature.length for feature in scenario.observation.features},
        history_days=scenario.observation.history_days,
        attribution=attribution_rule(scenario),
        reward=reward_terms(scenario),
        metrics=metric_terms(scenario),
        action_costs=_action_costs(scenario),
        mask=MaskRule(pipeline.settle_days) if scenario.action.mask == "availability" else None,
        attributes={
            feature.name: AttributeRule(
                id_hash(attribute_of(feature.name)), tuple(id_hash(value) for value in feature.values)
            )
            for feature in scenario.observation.features
            if feature.values is not None
        },
        windows={name: Window(*window) for name, window in scenario.observation.windows.items()},
        nothing=id_hash(NOTHING_OFFERED),
        products=_product_rule(scenario),
        stock_metrics=scenario.stock_metrics,
    )


def _quantities(action: Action) -> Quantities:
    keys = action.quantity_keys
    return Quantities(action.quantities or (), keys, tuple(id_hash(key) for key in keys))


def _product_rule(scenario: Scenario) -> ProductRule | None:
    ordering = scenario.ordering
    if ordering is None:
        return None
    has_receipts = ordering.receipts == "delivered"
    orders = OrderRule(
        ordering.lead_days,
        scenario.observation.history_days,
        has_receipts,
        overdue_days=ordering.expected_overdue_days,
        drops_rests=ordering.rests == "dropped",
    )
    return ProductRule(orders, scenario.observation.of_products)


def deciding_type(pipeline: Pipeline) -> str:
    """Return the type of the events that are decisions: a product's counts, or the mornings that stand for them."""
    return "stock" if pipeline.scenario.ordering is not None else pipeline.source.decisions.event_type


def clock_of(pipeline: Pipeline) -> SessionStep | ShopperWeek | SkuDay:
    """Return when the pipeline's decisions are taken, and what they follow one another in."""
    week, max_steps = pipeline.scenario.week, pipeline.scenario.episode.max_steps
    ordering = pipeline.scenario.ordering
    if ordering is not None:
        return SkuDay(
            days=ordering.days,
            weekday=WEEKDAYS.index(ordering.weekday),
            hour=ordering.hour,
            periods=ordering.periods,
            max_steps=max_steps,
            window_us=attribution_rule(pipeline.scenario).window_us,
            range_days=0 if ordering.is_counted else ordering.range_days,
        )
    if week is None:
        return SessionStep(session_rule(pipeline.source).gap_us, max_steps)
    return ShopperWeek(WEEKDAYS.index(week.weekday), week.hour, week.weeks, max_steps)


def reward_terms(scenario: Scenario) -> tuple[Term, ...]:
    """Return what events are worth to a decision: weights and terms alike."""
    reward = scenario.reward
    weights = [Term(event, "count", weight) for event, weight in reward.weight_millionths.items()]
    return (*weights, *(_term(reward, term) for term in reward.terms))


def metric_terms(scenario: Scenario) -> dict[str, Term]:
    """Return what each side metric of events sums: their number, their pieces, or money in millionths."""
    found = {}
    for name, metric in scenario.metrics.items():
        if not isinstance(metric, EventMetric):
            found[name] = Term(metric, "count", 1)
        elif not metric.is_of_stock:
            found[name] = _term(scenario.reward, metric) if metric.is_money else Term(metric.event, "units", 1)
    return found


def _term(reward: Reward, term: RewardTerm | EventMetric) -> Term:
    """Return the term; a margin by a declared rate is that share of the revenue."""
    is_share = term.value == "margin" and reward.margin_rate is not None
    factor = millionths(reward.factor(term))
    value = term.value if isinstance(term, RewardTerm) else term.sum_of
    return Term(term.event, "revenue" if is_share else value, factor)


def _action_costs(scenario: Scenario) -> ActionCosts | None:
    cost = scenario.reward.action_cost
    if cost is None:
        return None
    declared = {id_hash(action): millionths(each) for action, each in (cost.declared or {}).items()}
    return ActionCosts(cost.logged, declared, millionths(cost.otherwise or 0))


def session_rule(source: Source) -> SessionRule:
    """Return what ends a session of the source."""
    return SessionRule(source.session.gap_minutes * MICROS_PER_MINUTE, source.session.max_hours * MICROS_PER_HOUR)


def attribution_rule(scenario: Scenario) -> AttributionRule:
    """Return which decision an event of the scenario belongs to.

    A decision is looked for as far back as history reaches, or the window, or what decides a session.
    """
    attribution = scenario.reward.attribution
    window_days = -(-attribution.window_hours // 24)
    terms = [*reward_terms(scenario), *metric_terms(scenario).values()]
    follows_purchases = any(term.is_refunded for term in terms)
    refunds = {PURCHASE, REFUND} if follows_purchases else set()
    return AttributionRule(
        link=attribution.link,
        key=scenario.action.key,
        window_us=attribution.window_hours * MICROS_PER_HOUR,
        look_back_days=max(scenario.observation.history_days, window_days + 1, 2),
        counted=tuple(sorted({term.event for term in terms} | refunds)),
        follows_purchases=follows_purchases,
        sets_recounts_aside=scenario.ordering is not None,
    )


def partition_date(pipeline: Pipeline, day: date) -> date:
    """Return the transitions date that answers for a business day's events: itself, or the first day of its weeks."""
    days = np.array([day_number(day)], dtype=np.int64)
    return date_of(int(clock_of(pipeline).partition_days(days)[0]))


def starting_dates(pipeline: Pipeline, days: Collection[date]) -> list[date]:
    """Return the dates, ascending, on which episodes may start that hold events of the business days."""
    numbers = np.array([day_number(day) for day in days], dtype=np.int64)
    return [date_of(number) for number in clock_of(pipeline).starting_days(numbers).tolist()]


def longest_closing_days(pipeline: Pipeline) -> int:
    """Return how many days after its start an episode closes at the latest."""
    week, ordering = pipeline.scenario.week, pipeline.scenario.ordering
    if ordering is not None:
        return ordering.days * (ordering.periods + 1) + _LONGEST_CLOSING_DAYS
    return _LONGEST_CLOSING_DAYS if week is None else DAYS_PER_WEEK * week.weeks + _LONGEST_CLOSING_DAYS


def as_of(
    source: Source,
    *,
    dates: Collection[date],
    horizon: date,
    sets: AvailabilitySets | None = None,
    longest_days: int = _LONGEST_CLOSING_DAYS,
    look_back_days: int = 0,
) -> AsOf:
    """Return what is known at the horizon of episodes that start on the dates.

    Args:
        source: whose zone, and how late deliveries are.
        dates: on which the episodes start.
        horizon: up to which deliveries are known.
        sets: availability sets; None where the source has none.
        longest_days: how many days after its start an episode closes at the latest.
        look_back_days: how many days before an episode's start the clocks have to be known.
    """
    span = np.array(sorted(day_number(day) for day in dates), dtype=np.int64)
    last = day_number(horizon)
    first = min([int(span[0]) if len(span) else last, last]) - look_back_days
    latest = max([int(span[-1]) if len(span) else last, last]) + longest_days
    calendar = calendar_of(source.zone, first, latest)
    complete, end = day_number(horizon - timedelta(days=source.lateness_days - 1)), last + 1
    watermark_us, horizon_end_us = calendar.start_of_day(np.array([complete, end], dtype=np.int64)).tolist()
    return AsOf(calendar, span, watermark_us, horizon_end_us, no_sets() if sets is None else sets)
