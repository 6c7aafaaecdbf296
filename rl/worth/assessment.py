"""Everything that is asked of a log before anything is trained on it, from episodes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import structlog

from conf.specs.scenario import Scenario
from rl.data.discount_function import DiscountFunction
from rl.data.episode_selection import take_episodes
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.gate.alpha_spending import DAYS_PER_YEAR
from rl.ope.intervals.intervals import Resampling
from rl.ope.samples.weights import refusal_to_weight
from rl.worth.comparison import compare_rules, predict_rules
from rl.worth.crossfit import CrossfitPredictions, CrossfitSettings, crossfit
from rl.worth.findings import Answer, Comparison, FutureEffect, Movement, Response, Visibility
from rl.worth.mixtures import mixture_sample
from rl.worth.movement import SHARES, Floors, find_movement, spoken
from rl.worth.responses import find_future_effect, find_responses
from rl.worth.rules import greedy_rule
from rl.worth.verdict import judge_worth, nothing_to_assess, refuse_worth
from rl.worth.visibility import find_visibility, no_nights_help

# Eight arrays of rows times actions are held at once: a gigabyte of doubles.
MAX_CELLS = 16_000_000
MAX_ROWS = 200_000


@dataclass(frozen=True)
class WorthSettings:
    """How a log is assessed.

    Attributes:
        discount: what a later reward counts for, as the spec states it.
        steps: over which values run.
        floors: the least effective units that the gate asks for.
        alpha: one-sided level at which the gate settles when it looks every night.
        exploration: share of uniform choices of a served policy.
        level: of the intervals, two-sided.
        resampling: how shoppers are drawn for the bounds.
        dealing: how shoppers are dealt to folds.
    """

    discount: DiscountFunction
    steps: int | None
    floors: Floors
    alpha: float
    exploration: float
    level: float = 0.95
    resampling: Resampling = field(default_factory=Resampling)
    dealing: CrossfitSettings = field(default_factory=CrossfitSettings)

    @classmethod
    def from_scenario(cls, scenario: Scenario, *, seed: int = 0) -> WorthSettings:
        """Return the settings that the scenario's spec states."""
        return cls(
            discount=DiscountFunction.of(scenario.discount),
            steps=scenario.evaluation.steps,
            floors=Floors(scenario.gate.min_effective_sample_size, scenario.gate.min_effective_rewarded),
            alpha=scenario.gate.wrong_promotions_per_year / DAYS_PER_YEAR,
            exploration=scenario.policy.exploration_floor,
            level=scenario.evaluation.confidence,
            resampling=Resampling(n_draws=scenario.evaluation.n_bootstrap, seed=seed),
            dealing=CrossfitSettings(seed=seed),
        )


@dataclass(frozen=True)
class Assessment:
    """What was found; parts that the log can't say are None."""

    answer: Answer
    sentence: str
    reasons: tuple[str, ...]
    comparison: Comparison | None = None
    responses: tuple[Response, ...] = ()
    future_effect: FutureEffect | None = None
    movement: Movement | None = None
    visibility: Visibility | None = None
    visibility_refusal: str | None = None


def assess(
    episodes: LoggedEpisodes,
    settings: WorthSettings,
    *,
    nights: float,
    is_logged: bool = True,
    is_estimated: bool = False,
    next_features: Mapping[str, int] | None = None,
) -> Assessment:
    """Return the answer for this log, with everything it rests on.

    Args:
        episodes: the log; propensities as logged or estimated.
        settings: how values are estimated or models fitted.
        nights: that the log covers.
        is_logged: False where decisions are implied: then nothing is weighted, whatever stands in `propensity`.
        is_estimated: propensities were estimated.
        next_features: columns of the features whose response to actions is tested, by name.
    """
    if (nothing := nothing_to_assess(episodes)) is not None:
        return Assessment(nothing.answer, nothing.sentence, nothing.reasons, visibility_refusal=nothing.sentence)
    refusal = (
        "its decisions are implied, not logged: nobody chose them, so no probability exists"
        if not is_logged
        else refusal_to_weight(episodes.propensity)
    )
    try:
        predictions = crossfit(episodes, settings.discount, next_features=next_features, settings=settings.dealing)
    except EvaluationError as error:
        verdict = refuse_worth(str(error), None)
        return Assessment(verdict.answer, verdict.sentence, verdict.reasons, visibility_refusal=str(error))
    structlog.get_logger().info("cross-fitted", n_decisions=episodes.n_transitions, n_actions=episodes.n_actions)
    if refusal is not None:
        return _predicted(episodes, predictions, settings, refusal)
    try:
        return _estimated(episodes, predictions, settings, nights=nights, is_estimated=is_estimated)
    except UnsupportedEstimator as error:
        return _predicted(episodes, predictions, settings, str(error))


def sampled_shoppers(episodes: LoggedEpisodes, seed: int) -> tuple[LoggedEpisodes, float]:
    """Return as many shoppers, drawn at random, as fit in memory, and the share of decisions kept."""
    limit = min(MAX_ROWS, MAX_CELLS // episodes.n_actions)
    if episodes.n_transitions <= limit:
        return episodes, 1.0
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    rows_of_unit = np.bincount(unit, weights=episodes.lengths)
    order = np.random.default_rng(seed).permutation(len(unit_ids))
    n_kept = int(np.searchsorted(np.cumsum(rows_of_unit[order]), limit, side="right"))
    is_kept = np.zeros(len(unit_ids), dtype=bool)
    is_kept[order[: max(1, n_kept)]] = True
    kept = take_episodes(episodes, is_kept[unit])
    return kept, kept.n_transitions / episodes.n_transitions


def _estimated(
    episodes: LoggedEpisodes,
    predictions: CrossfitPredictions,
    settings: WorthSettings,
    *,
    nights: float,
    is_estimated: bool,
) -> Assessment:
    level, alpha = settings.level, (1 - settings.level) / 2
    judged = compare_rules(
        episodes,
        predictions,
        discount=settings.discount,
        steps=settings.steps,
        floors=settings.floors,
        level=level,
        resampling=settings.resampling,
    )
    future = find_future_effect(episodes, predictions, level=level, alpha=alpha)
    verdict = judge_worth(judged.comparison, future, is_enough=judged.is_enough, is_estimated=is_estimated)
    greedy = greedy_rule(predictions, episodes, exploration=settings.exploration)
    curve = tuple(
        spoken(
            share,
            mixture_sample(greedy, share, episodes, predictions, discount=settings.discount, steps=settings.steps),
        )
        for share in SHARES
    )
    return Assessment(
        answer=verdict.answer,
        sentence=verdict.sentence,
        reasons=verdict.reasons,
        comparison=judged.comparison,
        responses=find_responses(episodes, predictions, level=level, alpha=alpha),
        future_effect=future,
        movement=find_movement(
            greedy, episodes, curve, floors=settings.floors, level=level, resampling=settings.resampling
        ),
        visibility=find_visibility(
            judged.one_step,
            judged.comparison.share_handed,
            episodes,
            predictions,
            discount=settings.discount,
            alpha=settings.alpha,
            nights=nights,
            level=level,
            resampling=settings.resampling,
        ),
    )


def _predicted(
    episodes: LoggedEpisodes, predictions: CrossfitPredictions, settings: WorthSettings, refusal: str
) -> Assessment:
    prediction = predict_rules(
        episodes,
        predictions,
        discount=settings.discount,
        steps=settings.steps,
        level=settings.level,
        resampling=settings.resampling,
    )
    verdict = refuse_worth(refusal, prediction)
    return Assessment(
        answer=verdict.answer,
        sentence=verdict.sentence,
        reasons=verdict.reasons,
        comparison=prediction,
        visibility_refusal=no_nights_help(refusal),
    )
