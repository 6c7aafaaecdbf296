"""Whether actions change what comes next: randomisation tests that need the propensity of the logged action alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.worth.crossfit import CrossfitPredictions
from rl.worth.findings import Bounded, FutureEffect, Response

FUTURE_NAME = "future return"


@dataclass(frozen=True)
class EffectScore:
    """Per-shopper sums behind one test.

    Attributes:
        agreement: predicted effect of the logged action times what happened beyond the observation's prediction,
            weighted to the usual choice, `(n_units,)`.
        scale: weighted square of the predicted effect, `(n_units,)`.
    """

    agreement: FloatArray
    scale: FloatArray

    @property
    def z(self) -> float:
        """The sum over its standard error, clustered by shopper; 0 where no effect was predicted at all.

        The square root of two is cross-fitting's price: without an effect, what was learned is the noise of the other
        folds, each pair of folds speaks twice, and the sum varies by up to twice what its shoppers' terms show.
        """
        spread = math.sqrt(2 * float(np.square(self.agreement).sum()))
        return float(self.agreement.sum()) / spread if spread > 0 else 0.0

    @property
    def p_value(self) -> float:
        """One-sided probability that chance alone would agree as well with the prediction."""
        return float(ndtr(-self.z))

    def slope(self, level: float) -> Bounded:
        """Return what happened per unit of predicted effect, with a normal interval over shoppers."""
        total = float(self.scale.sum())
        if total <= 0:
            return Bounded(value=0.0, lower=None, upper=None)
        value = float(self.agreement.sum()) / total
        error = math.sqrt(2 * float(np.square(self.agreement - value * self.scale).sum())) / total
        reach = float(ndtri((1 + level) / 2)) * error
        return Bounded(value=value, lower=value - reach, upper=value + reach)


def effect_score(episodes: LoggedEpisodes, predictions: CrossfitPredictions, name: str) -> EffectScore:
    """Return the sums of a test that actions don't change the named outcome, given the observation.

    Each row adds w f(s, a) h: f is the effect that models of other shoppers predict for the logged action, centered
    under the usual choice q; w = q(a|s) / propensity; h is what happened less the prediction from the observation. As
    the logger drew the action with its propensity whatever h was to be, E[w f | s] = 0, so without an effect the sum
    has mean zero however poor q, f and the predictions are: the logger's own randomisation is the null distribution.
    Rows of a shopper depend on each other, hence sums by shopper; with less than some fifty shoppers the normal law is
    rough. With estimated propensities the null is only as good as they are.

    Source: the residual-on-residual score of Robinson (1988) with known propensities, as a test of conditional mean
    independence (Shah and Peters 2020, section 3, where both regressions are estimated).
    """
    usual = predictions.usual[np.arange(episodes.n_transitions), episodes.action]
    weight = usual / episodes.propensity
    effect, happened = predictions.effects[name], predictions.residuals[name]
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    of_row = unit[episodes.episode]

    def by_unit(values: FloatArray) -> FloatArray:
        return np.bincount(of_row, weights=values, minlength=len(unit_ids)).astype(np.float64)

    return EffectScore(by_unit(weight * effect * happened), by_unit(weight * np.square(effect)))


def find_responses(
    episodes: LoggedEpisodes, predictions: CrossfitPredictions, *, level: float, alpha: float
) -> tuple[Response, ...]:
    """Return every outcome's response to actions except the future return's, with Bonferroni's correction."""
    scores: Mapping[str, EffectScore] = {
        name: effect_score(episodes, predictions, name) for name in predictions.effects if name != "future"
    }
    return tuple(_response(name, score, level, alpha / len(scores)) for name, score in scores.items())


def find_future_effect(
    episodes: LoggedEpisodes, predictions: CrossfitPredictions, *, level: float, alpha: float
) -> FutureEffect:
    """Return whether actions change the discounted return after them under today's policy, and by how much.

    Today's policy goes on after the decision, so an action that only sets up a better policy's next move counts for
    nothing here: the comparison of rules sees that, this doesn't.
    """
    score = effect_score(episodes, predictions, "future")
    response = _response(FUTURE_NAME, score, level, alpha)
    starts = episodes.offsets[:-1]
    mean_return = float(predictions.return_to_go[starts].mean())
    per_slope = math.sqrt(float(score.scale.sum()) / episodes.n_transitions) / abs(mean_return) if mean_return else 0.0
    size = Bounded(
        **{
            bound: None if (slope := getattr(response.explained, bound)) is None else max(0.0, slope) * per_slope
            for bound in ("value", "lower", "upper")
        }
    )
    return FutureEffect(response=response, size=size)


def _response(name: str, score: EffectScore, level: float, alpha: float) -> Response:
    return Response(name=name, explained=score.slope(level), p_value=score.p_value, is_moved=score.p_value < alpha)
