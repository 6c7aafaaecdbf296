"""The chosen way to order against today's rule, the best formula and the champion, on test days: the gate's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit

from conf.specs.judging import Gate, Guardrail
from rl.data.logged_episodes import BoolArray, FloatArray
from rl.errors import EvaluationError
from rl.gate.evidence import gate_rules
from rl.gate.rules import REPLAY_RULES, GateEvidence, GuardrailEvidence, Verdict, judge
from rl.inventory.order_policy import OrderPolicy
from rl.ope.intervals.intervals import Interval
from rl.ope.intervals.tails import tail_report
from rl.ope.intervals.two_way import Blocks, paired_interval
from rl.orders.order_basis import OrderBasis
from rl.orders.order_replay import MILLIONTHS, OrderSpan, Replayed

N_DRAWS = 20
"""Draws of demand that ran out, each by laws fitted anew, that test days are judged on."""
TODAY = "behavior"
"""Name of today's rule, the logged orders, among the ways to order."""
PER = "product and week"
_DAYS_PER_WEEK = 7


@dataclass(frozen=True)
class LedOrders:
    """Ways to order, led through a span of days; each draw of demand is the same for all.

    Attributes:
        span: the days.
        draws: by name, one a draw.
        policies: by name; today's rule has none.
    """

    span: OrderSpan
    draws: Mapping[str, Sequence[Replayed]]
    policies: Mapping[str, OrderPolicy] = field(default_factory=dict)

    def earned(self, name: str) -> FloatArray:
        """Return what was earned by draw, millionths, `(n_draws, n_products, n_days)`."""
        return np.array([draw.earned for draw in self.draws[name]], dtype=np.float64)

    def flow(self, name: str, flow: str) -> FloatArray:
        """Return a flow of units by draw, `(n_draws, n_products, n_days)`."""
        return np.array([draw.flows[flow] for draw in self.draws[name]], dtype=np.float64)

    def a_week(self, name: str) -> float:
        """Return what was earned per product and week, in money."""
        return float(self.earned(name).mean(axis=0).sum()) * _DAYS_PER_WEEK / MILLIONTHS / self.n_days

    @property
    def n_days(self) -> int:
        """Known product-days."""
        return int(self.span.is_known.sum())


def led_orders(basis: OrderBasis, days: slice, policies: Mapping[str, OrderPolicy], *, n_draws: int) -> LedOrders:
    """Return today's rule and the policies, led through the days.

    Args:
        basis: of the night.
        days: columns of the history.
        policies: by name.
        n_draws: of demand.
    """
    span = basis.span(days)
    draws: dict[str, list[Replayed]] = {TODAY: [], **{name: [] for name in policies}}
    for demand in basis.doubted_demand(span, n_draws):
        draws[TODAY].append(span.led_as_logged(demand))
        for name, policy in policies.items():
            draws[name].append(span.led(policy, demand))
    return LedOrders(span, draws, policies)


def mean_interval(
    values: FloatArray, is_known: BoolArray, *, level: float, blocks: Blocks = "products_and_weeks"
) -> Interval:
    """Return the mean per known product-day between its bounds, over products and weeks, and over draws of demand.

    To the variance between products and weeks comes that between draws, which is what isn't known of demand.

    Args:
        values: `(n_draws, n_products, n_days)`, 0 where a day isn't known.
        is_known: `(n_products, n_days)`.
        level: two-sided.
        blocks: what is independent; weeks alone, where a shared limit ties the products.

    Raises:
        EvaluationError: too few products or weeks.

    Source: Rubin, Multiple Imputation for Nonresponse in Surveys (1987), equation 3.1.5, for the sum of both.
    """
    n_known, n_draws = int(is_known.sum()), len(values)
    mean = values.mean(axis=0)
    value = float(mean.sum()) / n_known
    spread = paired_interval(mean - value * is_known, np.zeros_like(mean), level=level, blocks=blocks)
    within = spread.standard_error * is_known.size / n_known
    own = values.sum(axis=(1, 2)) / n_known
    between = float(own.var(ddof=1)) * (1 + 1 / n_draws) if n_draws > 1 else 0.0
    n_products, n_weeks = is_known.shape[0], max(is_known.shape[1] // _DAYS_PER_WEEK, 1)
    error = float(np.sqrt(within**2 + between))
    n_blocks = n_weeks if blocks == "weeks" else min(n_products, n_weeks)
    reach = float(stdtrit(n_blocks - 1, (1 + level) / 2)) * error
    method = f"{blocks.replace('_', ' ')}, and draws of demand"
    return Interval(value, value - reach, value + reach, level, method, error)


def gained(led: LedOrders, name: str, baseline: str, *, level: float) -> Interval:
    """Return what a way to order earns more than another per product and week, in money, two-sided bounds.

    Raises:
        EvaluationError: too few products or weeks.
    """
    found = mean_interval(
        led.earned(name) - led.earned(baseline), led.span.is_known, level=level, blocks=led.span.blocks
    )
    return _scaled(found, _DAYS_PER_WEEK / MILLIONTHS)


def earned_interval(led: LedOrders, name: str, *, level: float) -> Interval:
    """Return what a way to order earns per product and week, in money.

    Raises:
        EvaluationError: too few products or weeks.
    """
    return _scaled(
        mean_interval(led.earned(name), led.span.is_known, level=level, blocks=led.span.blocks),
        _DAYS_PER_WEEK / MILLIONTHS,
    )


def relative_change(led: LedOrders, flow: str, name: str, baseline: str, *, level: float) -> Interval:
    """Return by which share of the baseline's a flow of units changes.

    Raises:
        EvaluationError: the baseline has none of it, or too few products or weeks.
    """
    candidate, before = led.flow(name, flow), led.flow(baseline, flow)
    usual = float(before.mean(axis=0).sum()) / led.n_days
    if usual <= 0:
        raise EvaluationError(f"{baseline} has no {flow}, so no share of it can be told")
    change = float(candidate.mean(axis=0).sum()) / led.n_days / usual - 1
    found = mean_interval(
        (candidate - (1 + change) * before) / usual, led.span.is_known, level=level, blocks=led.span.blocks
    )
    reach = found.upper - found.value
    return Interval(change, change - reach, change + reach, level, found.method, found.standard_error)


@dataclass(frozen=True)
class JudgedOrders:
    """What the test days say.

    Attributes:
        led: all that were led through them.
        evidence: that the gate read.
        verdict: its answer.
        against_formula: what the candidate earns more than the best formula, at the level of reports; None where it is
            that formula itself, or nothing can be told.
        reported_gain: over the baseline, at the level of reports; None where nothing can be told.
    """

    led: LedOrders
    evidence: GateEvidence
    verdict: Verdict
    against_formula: Interval | None
    reported_gain: Interval | None = None


def judge_orders(  # noqa: PLR0913 -- one argument per thing that the gate must be told
    led: LedOrders,
    *,
    candidate: str,
    baseline: str,
    formula: str,
    gate: Gate,
    flows: Mapping[str, str],
    alpha: float,
    confidence: float,
    unit_of_value: str,
    shown_baseline: str,
) -> JudgedOrders:
    """Return the gate's answer on the candidate.

    Args:
        led: today's rule, the candidate, the formula, and the champion where there is one, through the test days.
        candidate: name of the chosen one.
        baseline: what it must beat: today's rule or the champion.
        formula: name of the best formula by validation days.
        gate: the spec's section.
        flows: which flow of a replay each side metric is, by name.
        alpha: the night's one-sided level.
        confidence: of intervals that are shown, and of guardrails.
        unit_of_value: currency.
        shown_baseline: what sentences call the baseline.
    """
    difference, reported, refusal = None, None, None
    try:
        difference = gained(led, candidate, baseline, level=1 - 2 * alpha)
        reported = gained(led, candidate, baseline, level=confidence)
    except EvaluationError as error:
        refusal = str(error)
    weeks = _by_week(led.earned(candidate).mean(axis=0) - led.earned(baseline).mean(axis=0))
    sold, known = _by_week(led.flow(baseline, "sold").mean(axis=0)), _by_week(led.span.is_known.astype(np.float64))
    ordered = _by_week(np.abs(led.flow(candidate, "ordered") - led.flow(baseline, "ordered")).mean(axis=0))
    evidence = GateEvidence(
        candidate=candidate,
        baseline=shown_baseline,
        estimator="replay",
        unit_of_value=unit_of_value,
        is_logged=True,
        difference=difference,
        refusal=refusal,
        effective_sample_size=float(np.count_nonzero(known)),
        effective_rewarded=float(np.count_nonzero(sold)),
        effective_differing=float(np.count_nonzero(ordered)),
        tail=tail_report(weeks[known > 0]),
        guardrails=tuple(
            _guardrail(led, rail, flows, candidate, baseline, level=confidence) for rail in gate.guardrails
        ),
        units="weeks of products",
        per=PER,
    )
    verdict = judge(evidence, gate_rules(gate, alpha=alpha), REPLAY_RULES)
    return JudgedOrders(led, evidence, verdict, _against_formula(led, candidate, formula, confidence), reported)


def _against_formula(led: LedOrders, candidate: str, formula: str, level: float) -> Interval | None:
    if candidate == formula:
        return None
    try:
        return gained(led, candidate, formula, level=level)
    except EvaluationError:
        return None


def _guardrail(
    led: LedOrders, rail: Guardrail, flows: Mapping[str, str], candidate: str, baseline: str, *, level: float
) -> GuardrailEvidence:
    limits = (rail.max_relative_increase, rail.max_relative_decrease)
    flow = flows.get(rail.metric, "")
    if flow not in led.draws[candidate][0].flows:
        return GuardrailEvidence(rail.metric, *limits, refusal="a replay doesn't tell it")
    try:
        found = relative_change(led, flow, candidate, baseline, level=level)
    except EvaluationError as error:
        return GuardrailEvidence(rail.metric, *limits, refusal=str(error))
    return GuardrailEvidence(
        rail.metric, *limits, relative_increase=found.value, lower_bound=found.lower, upper_bound=found.upper
    )


def _by_week(values: FloatArray) -> FloatArray:
    """Return sums by product and week; days that don't fill a week join the last, `(n_products, n_weeks)`."""
    n_weeks = max(values.shape[1] // _DAYS_PER_WEEK, 1)
    return np.add.reduceat(values, np.arange(n_weeks) * _DAYS_PER_WEEK, axis=1)


def _scaled(found: Interval, factor: float) -> Interval:
    return Interval(
        found.value * factor,
        found.lower * factor,
        found.upper * factor,
        found.level,
        found.method,
        found.standard_error * factor,
    )
