"""Figures of segments, support and explanation, from what a night's explanation found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conf.observation_features import is_in_millionths
from conf.specs.reward import MILLIONTHS
from rl.data.logged_episodes import IntArray
from rl.data.shopper_segments import Names, named
from rl.figures.evidence import (
    Contribution,
    DecisionExample,
    DepartureRow,
    DepartureSummary,
    ExplanationSummary,
    FeatureWeight,
    ImitationNode,
    ImitationTree,
    RemovalFigures,
    SegmentRow,
    Segments,
    Support,
    SupportBand,
    UnseenAction,
    WeightCurve,
)
from rl.figures.values import Spread
from rl.night.explanation.departures import Departures
from rl.night.explanation.explain import ExplainedLog, Explanation, Imitation
from rl.night.explanation.faithfulness import Removal
from rl.night.explanation.importance import FeatureImportance
from rl.night.explanation.night_explanation import NightExplanation
from rl.night.explanation.surrogate import TreeNode
from rl.ope.intervals.intervals import Interval
from rl.ope.segments import SegmentReport, SegmentValue
from rl.policy import StochasticPolicy

_SHOWN_UNSEEN = 8
_SHOWN_CONTRIBUTIONS = 6
_EXAMPLES = (0.9, 0.5, 0.1)
"""Quantiles of the margin at which decisions are shown."""


def segment_figures(found: NightExplanation) -> Segments:
    """Return the figures of values by segment."""
    report = found.segments
    if report is None:
        return Segments(refusal=found.weights_refusal)
    return Segments(
        rows=tuple(_segment_row(value) for value in report.values),
        baseline=found.baseline,
        estimator=report.estimator,
        confidence=report.confidence,
        level=report.level,
        n_shown=report.n_shown,
        refusal=_shared_refusal(report),
    )


def support_figures(found: NightExplanation) -> Support:
    """Return the figures on where the log has never been, or seldom."""
    weights = found.weights
    return Support(
        bands=tuple(
            SupportBand(
                least=band.least, most=band.most, n_actions=band.n_actions, log=band.logged, candidate=band.policy
            )
            for band in found.bands
        ),
        unseen=tuple(UnseenAction(action=name, candidate=share) for name, share in found.unseen[:_SHOWN_UNSEEN]),
        n_unseen=len(found.unseen),
        weights=None
        if weights is None
        else WeightCurve(
            shoppers=tuple(weights.shoppers.tolist()),
            held=tuple(weights.held.tolist()),
            n_units=weights.n_units,
            n_for_half=weights.n_for_half,
        ),
        weights_refusal=found.weights_refusal,
    )


def explanation_figures(found: NightExplanation, policy: StochasticPolicy) -> ExplanationSummary:
    """Return why the policy decides as it does."""
    explanation = found.explanation
    if explanation is None:
        return ExplanationSummary(refusal=found.explanation_refusal)
    return ExplanationSummary(
        n_decisions=explanation.attributions.preferences.n,
        level=explanation.removal.margin_named.level,
        largest_gap=explanation.attributions.largest_gap,
        features=tuple(_feature_weight(importance) for importance in explanation.importances),
        examples=_examples(explanation, found.log, policy),
        removal=_removal(explanation.removal),
        imitation=_imitation(explanation.imitation),
        departures=_departures(explanation.departures, explanation.departures_refusal),
    )


def _segment_row(value: SegmentValue) -> SegmentRow:
    return SegmentRow(
        dimension=value.dimension,
        label=value.label,
        n_episodes=value.n_episodes,
        n_units=value.n_units,
        share=value.share,
        effective_rewarded=value.effective_rewarded,
        candidate=_spread(value.candidate),
        baseline=_spread(value.baseline),
        gain=_spread(value.gain),
        refusal=value.refusal,
    )


def _shared_refusal(report: SegmentReport) -> str | None:
    """Return the reason where all segments share one, so that it is said once instead of in every row."""
    reasons = {value.refusal for value in report.values}
    if not report.values:
        return "the observations hold none of the features that segments are told by"
    return next(iter(reasons)) if len(reasons) == 1 else None


def _feature_weight(importance: FeatureImportance) -> FeatureWeight:
    return FeatureWeight(
        feature=importance.feature,
        mean_absolute=Spread(value=importance.mean_absolute, lower=importance.lower, upper=importance.upper),
        share=importance.share,
    )


def _removal(removal: Removal) -> RemovalFigures:
    return RemovalFigures(
        n_removed=removal.n_removed,
        margin_named=Spread.of(removal.margin_named),
        margin_random=Spread.of(removal.margin_random),
        moved_named=Spread.of(removal.moved_named),
        moved_random=Spread.of(removal.moved_random),
        is_faithful=removal.is_faithful,
    )


def _imitation(imitation: Imitation) -> ImitationTree:
    tree = imitation.tree
    if tree is None:
        return ImitationTree(speaks_of=imitation.kind, refusal=imitation.refusal)
    return ImitationTree(
        speaks_of=imitation.kind,
        nodes=tuple(_node(node) for node in tree.nodes),
        fidelity=Spread.of(tree.fidelity),
        majority=Spread.of(tree.majority),
        n_labels=tree.n_labels,
        n_grown=tree.n_grown,
        n_held_out=tree.n_held_out,
    )


def _node(node: TreeNode) -> ImitationNode:
    column = node.column
    if column is None:
        return ImitationNode(label=node.label, n=node.n, share=node.share)
    return ImitationNode(
        label=node.label,
        n=node.n,
        share=node.share,
        feature=column.feature,
        kind=column.kind,
        name=column.name,
        threshold=node.threshold,
        low=node.low,
        high=node.high,
    )


def _departures(departures: Departures | None, refusal: str | None) -> DepartureSummary:
    if departures is None:
        return DepartureSummary(refusal=refusal)
    return DepartureSummary(
        overall=Spread.of(departures.overall),
        rows=tuple(
            DepartureRow(
                dimension=row.dimension,
                label=row.label,
                n_decisions=row.n_decisions,
                n_shoppers=row.n_shoppers,
                distance=Spread.of(row.distance),
            )
            for row in departures.segments
        ),
        n_too_small=departures.n_too_small,
        level=departures.level,
    )


def _examples(explanation: Explanation, log: ExplainedLog, policy: StochasticPolicy) -> tuple[DecisionExample, ...]:
    """Return the decisions at three quantiles of the margin: neither picked by hand nor the most striking."""
    margin = explanation.attributions.preferences.margin
    order = np.argsort(margin, kind="stable")
    return tuple(
        _example(explanation, int(order[round(quantile * (len(order) - 1))]), quantile, log=log, policy=policy)
        for quantile in _EXAMPLES
    )


def _example(
    explanation: Explanation, place: int, quantile: float, *, log: ExplainedLog, policy: StochasticPolicy
) -> DecisionExample:
    attributions = explanation.attributions
    preferred, names = attributions.preferences, policy.vocabulary.names
    row = int(explanation.rows[preferred.rows[place]])
    values = attributions.values[place]
    largest = np.argsort(-np.abs(values), kind="stable")[:_SHOWN_CONTRIBUTIONS]
    observation = log.observed(np.array([row]))
    return DecisionExample(
        quantile=quantile,
        chosen=_with_category(names[preferred.chosen[place]], log.categories),
        runner_up=_with_category(names[preferred.runner_up[place]], log.categories),
        logged=_with_category(names[log.test.action[row]], log.categories),
        margin=float(preferred.margin[place]),
        start=float(attributions.baseline_margin[place]),
        contributions=tuple(
            Contribution(
                feature=attributions.features[index],
                observed=_in_words(
                    attributions.features[index], observation[attributions.features[index]][0], log.names
                ),
                log_odds=float(values[index]),
            )
            for index in largest
        ),
        others=float(values.sum() - values[largest].sum()),
    )


def _with_category(action: str, categories: Mapping[str, str]) -> str:
    return f"{action} ({categories[action]})" if action in categories else action


def _in_words(feature: str, value: IntArray, names: Names) -> str:
    """Return a feature's value in words: a number as it is, -1 as none, a list by its names, the latest first.

    Money, which is kept in millionths, is told in the currency.
    """
    if np.ndim(value) == 0:
        if value >= 0 and is_in_millionths(feature):
            return f"{int(value) / MILLIONTHS:,.2f}"
        return "none" if value < 0 else f"{int(value):,}"
    return ", ".join(named(int(id_), names) for id_ in value if id_) or "empty"


def _spread(interval: Interval | None) -> Spread | None:
    return None if interval is None else Spread.of(interval)
