"""A stream becomes transitions: the one place where the parts are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from conf.kernel.arrays import MICROS_PER_SECOND, BoolArray, IntArray, changes
from conf.kernel.attribution import ATTRIBUTED, RECOUNT, Attributed, AttributionRule, attribute, links, touches_of
from conf.kernel.availability_in_force import AvailabilitySets, set_in_force
from conf.kernel.calendar import Calendar
from conf.kernel.clocks.session_step import SessionStep
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel.daily_counts import DailyCounts, daily_counts
from conf.kernel.decisions import DecisionRows, DecisionRule
from conf.kernel.earnings import ActionCosts, Term, action_costs, sums_by, worth
from conf.kernel.episode_ends import has_settled
from conf.kernel.history_features import HISTORY_LISTS, HISTORY_SCALARS, history_features
from conf.kernel.mornings import TakenBack, asked_for, taken_back
from conf.kernel.points import CLOSING, NO_DECISION, TERMINAL, TIMEOUT, Points
from conf.kernel.product_features import ProductFacts, ProductRule, nothing_told, product_features
from conf.kernel.quarantine import UNKNOWN_SET, MaskRule, Quarantine, quarantine
from conf.kernel.refunds import follow_purchases
from conf.kernel.session_features import session_features
from conf.kernel.sessions import SessionRule, Sessions
from conf.kernel.stock_flows import stock_flows
from conf.kernel.stream import NO_ID, Stream
from conf.kernel.told import AttributeRule, Attributes, attribute_features
from conf.kernel.window_features import Window, window_features


@dataclass(frozen=True)
class Rules:
    """What a pipeline's source and scenario say of a stream.

    Attributes:
        session: what ends a session.
        decision: what counts as a decision.
        clock: when observations are taken.
        lengths: the observation's features in their order; how long a list is, None for scalars.
        attributes: how attributes of the unit become features, by the feature's name.
        history_days: how many business days features of delay `delivery` look back.
        attribution: which decision an event belongs to.
        reward: what events are worth to their decisions, millionths.
        metrics: what each side metric sums, by name: events, or millionths of money.
        action_costs: what a decision costs, taken off its reward; None nothing.
        mask: which sets a decision may name; None where actions aren't masked.
        windows: what features with windows of their own look for, by the feature's name.
        nothing: id hash of the action that offers nothing, which isn't counted among offers.
        products: what features of products are made of; None where decisions aren't of products.
        stock_metrics: which of a product's flows each further side metric is, by name.
    """

    session: SessionRule
    decision: DecisionRule
    clock: SessionStep | ShopperWeek | SkuDay
    lengths: Mapping[str, int | None]
    history_days: int
    attribution: AttributionRule
    reward: tuple[Term, ...]
    metrics: Mapping[str, Term]
    action_costs: ActionCosts | None = None
    mask: MaskRule | None = None
    attributes: Mapping[str, AttributeRule] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)
    nothing: int = NO_ID
    products: ProductRule | None = None
    stock_metrics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AsOf:
    """What is asked for, and what is known.

    Attributes:
        calendar: of the business zone.
        span: business days on which the episodes' sessions start, `(n_days,)`.
        watermark_us: until when (exclusive, UTC microseconds) the deliveries are complete.
        horizon_end_us: when the horizon's business day ends.
        sets: availability sets; `no_sets()` where the source has none.
    """

    calendar: Calendar
    span: IntArray
    watermark_us: int
    horizon_end_us: int
    sets: AvailabilitySets


@dataclass(frozen=True)
class StreamTransitions:
    """Transitions in the stream's order, each column `(n,)`, and what they were made of.

    Attributes:
        row: the decision's row in the stream.
        session: its session.
        part: which episode of its session it belongs to, from 0.
        step: its place in the episode, from 0.
        point: the decision among the points; the next one is the next decision, or the closing.
        features: of all points by name, `(n_points,)` or `(n_points, length)`.
        action: id hash of what was chosen.
        reward: what it earned, less what it cost, millionths.
        cost: what it cost, millionths.
        metrics: attributed events or their money, by the metric's name.
        terminal: nothing follows.
        timeout: cut by the horizon or a bound.
        reward_settled: the attribution window had closed by the horizon.
        elapsed_seconds: to the next decision, or to the closing.
        next_availability: code of the set available at the next decision or at the closing, 0 none.
        sessions: of the stream, or what the clock has for them.
        decisions: of the stream.
        points: at which observations were taken.
        attributed: what became of the stream's counted events, whether the decision's episode is set aside or not.
        worth: what each of them is worth to its decision, or to a residual, millionths.
        quarantine: which decisions of the asked sessions have no transition.
    """

    row: IntArray
    session: IntArray
    part: IntArray
    step: IntArray
    point: IntArray
    features: dict[str, IntArray]
    action: IntArray
    reward: IntArray
    cost: IntArray
    metrics: dict[str, IntArray]
    terminal: BoolArray
    timeout: BoolArray
    reward_settled: BoolArray
    elapsed_seconds: IntArray
    next_availability: IntArray
    sessions: Sessions
    decisions: DecisionRows
    points: Points
    attributed: Attributed
    worth: IntArray
    quarantine: Quarantine

    @property
    def observation(self) -> dict[str, IntArray]:
        """Features at the decisions by name, `(n,)` or `(n, length)`: a copy."""
        return {name: values[self.point] for name, values in self.features.items()}

    @property
    def next_observation(self) -> dict[str, IntArray]:
        """Features at the next decisions or as of the closings by name, `(n,)` or `(n, length)`: a copy."""
        return {name: values[self.point + 1] for name, values in self.features.items()}


def transitions(
    stream: Stream,
    rules: Rules,
    as_of: AsOf,
    attributes: Attributes | None = None,
    facts: ProductFacts | None = None,
) -> StreamTransitions:
    """Return the transitions of the sessions that start in the span; no row depends on which others are asked for.

    Args:
        stream: events of units.
        rules: of the pipeline.
        as_of: what is asked for, and what is known.
        attributes: what was told of the units; None where nothing was.
        facts: what was told of them as products; None where nothing was.
    """
    in_sessions = rules.clock.visits(stream, rules.session, as_of.calendar)
    decided = rules.clock.decide(stream, rules.decision, as_of.calendar)
    points = rules.clock.points(
        stream,
        in_sessions,
        decided,
        calendar=as_of.calendar,
        span=as_of.span,
        watermark_us=as_of.watermark_us,
    )
    features = observations(stream, decided, points, rules, attributes=attributes, facts=facts)
    gone = None
    if decided.period is not None:
        gone = taken_back(stream, decided, look_back_days=rules.attribution.look_back_days)
    attributed = attributed_events(stream, decided, rules.attribution, gone)
    asked = np.flatnonzero(points.is_decision)
    session = in_sessions.number[decided.rows[points.decision[asked]]]
    aside = quarantine(
        stream,
        decided,
        points,
        in_sessions.day[session],
        mask=rules.mask,
        sets=as_of.sets,
        calendar=as_of.calendar,
        missed=rules.clock.missed(stream, decided, calendar=as_of.calendar, watermark_us=as_of.watermark_us),
    )
    kept = ~aside.is_set_aside
    here, session, part = asked[kept], session[kept], _part(points.episode[asked], session)[kept]
    there, chosen = here + 1, points.decision[here]
    row = decided.rows[chosen]
    worths = worth(stream, attributed.row, rules.reward)
    cost = action_costs(stream, decided.rows, decided.action[decided.rows], rules.action_costs)
    is_earned = attributed.outcome == ATTRIBUTED
    decision = attributed.decision[is_earned]

    def earned(values: IntArray) -> IntArray:
        return sums_by(values[is_earned], decision, len(decided))[chosen]

    return StreamTransitions(
        row=row,
        session=session,
        part=part,
        step=points.step[here],
        point=here,
        features=features,
        action=decided.action[row],
        reward=earned(worths) - cost[chosen],
        cost=cost[chosen],
        metrics={name: earned(worth(stream, attributed.row, [term])) for name, term in rules.metrics.items()}
        | _of_stock(stream, decided, rules, chosen, gone),
        terminal=points.end[here] == TERMINAL,
        timeout=points.end[here] == TIMEOUT,
        reward_settled=has_settled(
            points.time_us[here], window_us=rules.attribution.window_us, horizon_end_us=as_of.horizon_end_us
        ),
        elapsed_seconds=(points.time_us[there] - points.time_us[here]) // MICROS_PER_SECOND,
        next_availability=_next_availability(stream, points, row, there, as_of.sets, aside),
        sessions=in_sessions,
        decisions=decided,
        points=points,
        attributed=attributed,
        worth=worths,
        quarantine=aside,
    )


def attributed_events(
    stream: Stream, decided: DecisionRows, rule: AttributionRule, gone: TakenBack | None = None
) -> Attributed:
    """Return the counted events, each with its decision or the reason why it has none; `gone`: what was taken back."""
    link = links(stream, decided, rule)
    touches = touches_of(stream, decided, link, rule)
    found = attribute(stream, touches, link, rule)
    found = follow_purchases(stream, touches, found, rule) if rule.follows_purchases else found
    if rule.follows_purchases and gone is not None:
        # What made a purchase none takes its money back, too, whatever number it has.
        is_gone = gone.refund[found.row]
        own = np.where(is_gone, gone.decision[found.row], found.decision)
        found = Attributed(found.row, own, np.where(is_gone, ATTRIBUTED, found.outcome))
    if not rule.sets_recounts_aside:
        return found
    is_recount = decided.is_repeated[found.row]
    outcome = np.where(is_recount, RECOUNT, found.outcome)
    return Attributed(found.row, np.where(is_recount, NO_DECISION, found.decision), outcome)


def observations(
    stream: Stream,
    decided: DecisionRows,
    points: Points,
    rules: Rules,
    daily: DailyCounts | None = None,
    attributes: Attributes | None = None,
    facts: ProductFacts | None = None,
) -> dict[str, IntArray]:
    """Return the features at the points by name, in the order of the rules.

    Args:
        stream: the events of the running episodes.
        decided: of the stream.
        points: of the stream.
        rules: that name the features.
        daily: what history is made of; None where the stream holds the earlier days too.
        attributes: what was told of the units; None where nothing was.
        facts: what was told of them as products; None where nothing was.
    """
    of_products = {} if rules.products is None else rules.products.features
    of_history = {name: length for name, length in rules.lengths.items() if name in HISTORY_SCALARS | HISTORY_LISTS}
    others = {*of_history, *rules.attributes, *rules.windows, *of_products}
    of_session = {name: length for name, length in rules.lengths.items() if name not in others}
    found = session_features(stream, decided, points, of_session)
    found |= attribute_features(attributes, points, rules.attributes)
    if of_history:
        daily = daily_counts(stream) if daily is None else daily
        found |= history_features(daily, points.unit, points.as_of_day, of_history, history_days=rules.history_days)
    if rules.windows:
        found |= window_features(stream, decided, rules.windows, points.unit, points.as_of_day, nothing=rules.nothing)
    if rules.products is not None:
        told = nothing_told() if facts is None else facts
        found |= product_features(stream, decided, points, rules.products, told, rules.lengths)
    return {name: found[name] for name in rules.lengths}


def _of_stock(
    stream: Stream, decided: DecisionRows, rules: Rules, chosen: IntArray, gone: TakenBack | None
) -> dict[str, IntArray]:
    """Return what became of the stock after the chosen decisions, by the metric's name."""
    if not rules.stock_metrics:
        return {}
    if gone is not None:
        return dict.fromkeys(rules.stock_metrics, asked_for(stream, gone, len(decided))[chosen])
    flows = stock_flows(stream, decided.is_decision, rules.attribution.window_us)
    return {name: getattr(flows, flow)[chosen] for name, flow in rules.stock_metrics.items()}


def _part(episode: IntArray, session: IntArray) -> IntArray:
    """Return which episode of its session each row is in: episodes are numbered on over all sessions."""
    is_first = changes(session)
    part: IntArray = episode - episode[is_first][np.cumsum(is_first) - 1]
    return part


def _next_availability(
    stream: Stream, points: Points, row: IntArray, there: IntArray, sets: AvailabilitySets, aside: Quarantine
) -> IntArray:
    """Return the next decision's set; where it has no known one, the set in force, or else the decision's own."""
    next_row = np.minimum(points.row_end[there], len(stream) - 1)
    in_force = set_in_force(sets, points.time_us[there])
    at_closing = np.where(in_force != NO_ID, in_force, stream.availability[row])
    # Behind an episode's last step that was cut, the next decision belongs to another episode, which may be set aside.
    nameless = points.kind == CLOSING
    nameless[points.is_decision] = aside.reason == UNKNOWN_SET
    return np.where(nameless[there], at_closing, stream.availability[next_row])
