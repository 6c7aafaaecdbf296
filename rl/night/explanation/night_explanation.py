"""What a reviewer asks beyond the verdict: on whose behalf, why, and where the log has never been."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from conf.observation_features import id_hash
from conf.paths import Lake
from rl.data.dataset import Dataset
from rl.data.logged_episodes import LoggedEpisodes
from rl.data.shopper_segments import segments_of
from rl.data.transitions_reading import read_item_categories
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.night.action_shares import ActionShares
from rl.night.evaluation import NightEvaluation
from rl.night.explanation.explain import ExplainedLog, Explanation, explain_policy
from rl.night.support_summary import Band, WeightShares, support_bands, unseen_actions, weight_shares
from rl.ope.report import IMPLIED
from rl.ope.segments import SegmentFloors, SegmentReport, segment_values
from rl.policy import StochasticPolicy

# A segment promotes nothing, so less has to stand behind its figures than behind the gate's.
_SEGMENT_SHARE_OF_FLOORS = 0.25


@dataclass(frozen=True)
class NightExplanation:
    """Each part, or the sentence that says why it is missing.

    Attributes:
        log: what was explained on.
        explanation: of the selected policy; None where refused.
        explanation_refusal: why there is no explanation.
        segments: values by segment; None where the log can't be weighted.
        baseline: name of what segments compare with, as in the gate's evidence.
        bands: of actions by how often the log took them.
        unseen: actions it never took, with the policy's shares.
        weights: by shopper; None likewise.
        weights_refusal: why the log can't be weighted.
    """

    log: ExplainedLog
    explanation: Explanation | None
    explanation_refusal: str | None
    segments: SegmentReport | None
    baseline: str
    bands: tuple[Band, ...]
    unseen: tuple[tuple[str, float], ...]
    weights: WeightShares | None
    weights_refusal: str | None


def explain_night(
    dataset: Dataset,
    lake: Lake,
    policy: StochasticPolicy,
    *,
    night: NightEvaluation,
    train: LoggedEpisodes,
    shares: ActionShares,
) -> NightExplanation:
    """Return the explanation of the selected policy on the test episodes; takes seconds, on samples of decisions.

    Args:
        dataset: prepared for this night's date, scenario and source.
        lake: holds the items' categories.
        policy: the selected candidate.
        night: its evaluation.
        train: training split as the policy's encoder sees it.
        shares: of actions on the test episodes.
    """
    started = time.perf_counter()
    log = _explained_log(dataset, lake, night, train)
    test = night.propensities.episodes
    explanation, explanation_refusal = _explanation(policy, log, is_logged=dataset.pipeline.is_logged)
    segments, weights, refusal = _weighted(dataset, log, night)
    structlog.get_logger().info("explained", policy=policy.name, seconds=round(time.perf_counter() - started, 1))
    return NightExplanation(
        log=log,
        explanation=explanation,
        explanation_refusal=explanation_refusal,
        segments=segments,
        baseline=night.evidence.baseline,
        bands=support_bands(shares, train, test),
        unseen=unseen_actions(shares, dataset.vocabulary.names, train, test),
        weights=weights,
        weights_refusal=refusal,
    )


def _explained_log(dataset: Dataset, lake: Lake, night: NightEvaluation, train: LoggedEpisodes) -> ExplainedLog:
    categories = read_item_categories(lake, max(dataset.published.manifests), versions=dataset.versions.items)
    names = {
        **{id_hash(category): category for category in categories.values()},
        **{id_hash(item): item for item in categories},
        **dataset.published.transitions.action_keys,
    }
    return ExplainedLog(
        train=train,
        test=night.propensities.episodes,
        observation=dataset.transitions("test").observation,
        names=names,
        categories=categories,
    )


def _explanation(
    policy: StochasticPolicy, log: ExplainedLog, *, is_logged: bool
) -> tuple[Explanation | None, str | None]:
    try:
        return explain_policy(policy, log, is_logged=is_logged), None
    except EvaluationError as error:
        return None, str(error)


def _weighted(
    dataset: Dataset, log: ExplainedLog, night: NightEvaluation
) -> tuple[SegmentReport | None, WeightShares | None, str | None]:
    """Return segments and weights, or why the log can't be weighted."""
    if not dataset.pipeline.is_logged:
        return None, None, IMPLIED
    samples, gate = night.samples, dataset.pipeline.scenario.gate
    settings = night.evaluation.settings
    try:
        shares = weight_shares(samples.candidate)
    except UnsupportedEstimator as error:
        return None, None, str(error)
    firsts = {name: values[log.test.offsets[:-1]] for name, values in log.observation.items()}
    report = segment_values(
        samples.candidate,
        samples.baseline,
        segments_of(firsts, log.names, of_episodes=True),
        estimator_name=night.evidence.estimator,
        floors=SegmentFloors(
            _SEGMENT_SHARE_OF_FLOORS * gate.min_effective_sample_size,
            _SEGMENT_SHARE_OF_FLOORS * gate.min_effective_rewarded,
        ),
        confidence=settings.confidence,
        resampling=settings.resampling,
        refits=samples.refits,
    )
    return report, shares, None
