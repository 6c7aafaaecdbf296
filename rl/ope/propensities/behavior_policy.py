"""The behavior policy, estimated where a log of decisions holds no propensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.ope.propensities.calibration import CalibrationReport, calibration_report
from rl.ope.propensities.choice import BehaviorChoice, BehaviorSettings, choose_behavior, clustered_error
from rl.ope.propensities.decisions import FittedBehavior, decisions_at, with_uniform_share
from rl.ope.propensities.models import behavior_model
from rl.ope.propensities.recalibration import (
    RECALIBRATIONS,
    Recalibration,
    RecalibrationKind,
    Unchanged,
    fit_recalibration,
)
from rl.ope.propensities.shopper_folds import partner_fold, shopper_folds
from rl.ope.samples.evaluation_probabilities import row_batches

__all__ = ["BehaviorSettings", "CrossfitBehavior", "EstimatedBehavior", "PropensityRepeats", "estimate_behavior"]


@dataclass(frozen=True)
class RecalibratedBehavior:
    """A fitted behavior policy, corrected, with a share of a uniform choice mixed in.

    Attributes:
        fitted: by a model.
        recalibration: learned from shoppers that the model didn't see.
        uniform_share: share of a uniform choice over available actions.
        version: name under which it would be logged.
    """

    fitted: FittedBehavior
    recalibration: Recalibration
    uniform_share: float
    version: str = "estimated-behavior"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the action probabilities, `(n, n_actions)`, 0 where the mask is False."""
        corrected = self.recalibration.apply(self.fitted.probabilities(features, mask), mask)
        return with_uniform_share(corrected, mask, self.uniform_share)


@dataclass(frozen=True)
class PropensityRepeats:
    """Propensities of the logged actions under every fit, to tell how much they hang on chance.

    Attributes:
        by_repeat: each row's by the model that saw no row of its shopper, one repeat a line, `(n_repeats, n)`.
        by_model: each row's by each fold's model, its own shoppers' rows included, `(n_repeats, n_folds, n)`.
    """

    by_repeat: FloatArray
    by_model: FloatArray

    def pooled(self) -> FloatArray:
        """Return propensities whose inverse is the mean of the repeats' inverses, `(n,)`: they give mean weights.

        Source: for the mean over repeats, Chernozhukov et al. (2018), definition 3.3.
        """
        return np.asarray(1.0 / (1.0 / self.by_repeat).mean(axis=0), dtype=np.float64)

    def filled(self, propensity: FloatArray) -> PropensityRepeats:
        """Return the propensities with the given ones, `(n,)`, in place of the estimates wherever they aren't NaN."""
        is_missing = np.isnan(propensity)
        return PropensityRepeats(
            np.where(is_missing, self.by_repeat, propensity), np.where(is_missing, self.by_model, propensity)
        )


@dataclass(frozen=True)
class EstimatedBehavior:
    """A log with estimated propensities.

    Attributes:
        episodes: the log, every propensity filled in by models that saw no row of the same shopper.
        propensity_source: always `estimated`; shown beside every value that rests on it.
        choice: the model chosen, and why.
        recalibration: kind of correction; none where no correction helped.
        calibration: of the first repeat's cross-fitted probabilities, corrected.
        calibration_before: of the same, as the model gave them.
        repeats: propensities under every fit.
        policy: fitted on all rows; for querying, not for weighting these rows.
    """

    episodes: LoggedEpisodes
    propensity_source: Literal["estimated"]
    choice: BehaviorChoice
    recalibration: RecalibrationKind
    calibration: CalibrationReport
    calibration_before: CalibrationReport
    repeats: PropensityRepeats
    policy: Policy


def estimate_behavior(episodes: LoggedEpisodes, settings: BehaviorSettings | None = None) -> EstimatedBehavior:
    """Return the log with cross-fitted propensities, and how well they are calibrated.

    Cross-fitting keeps a shopper's own choices from raising their own propensity. Don't trust the weights where the
    calibration is poor, or where the logging policy saw something that the features don't hold.

    Raises:
        UnsupportedEstimator: fewer units than folds.
    """
    chosen = settings or BehaviorSettings()
    choice = choose_behavior(episodes, shopper_folds(episodes, chosen.n_folds, chosen.seed), chosen)
    first, *anew = [
        FoldFits(episodes, chosen, model=choice.model, penalty=choice.penalty, repeat=repeat)
        for repeat in range(chosen.n_repeats)
    ]
    before = first.crossfit("none")
    kind = _best_recalibration(first, episodes)
    after = before if kind == "none" else first.crossfit(kind)
    repeats = _repeats([after, *(fits.crossfit(kind) for fits in anew)], episodes)
    report = calibration_report(before, episodes)
    return EstimatedBehavior(
        episodes=replace(episodes, propensity=repeats.pooled()),
        propensity_source="estimated",
        choice=choice,
        recalibration=kind,
        calibration=report if kind == "none" else calibration_report(after, episodes),
        calibration_before=report,
        repeats=repeats,
        policy=first.on_all_rows(),
    )


class CrossfitBehavior:
    """Probabilities at each row by the model that saw no row of its shopper."""

    def __init__(self, models: Sequence[Policy], fold: IntArray) -> None:
        self._models = models
        self._fold = fold

    @property
    def fold(self) -> IntArray:
        return self._fold

    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        """Return the probabilities of all actions at the given rows, `(len(rows), n_actions)`."""
        features, mask, fold = episodes.features[rows], episodes.mask(rows), self._fold[rows]
        probabilities = np.empty(mask.shape)
        for k, model in enumerate(self._models):
            if (of_fold := fold == k).any():
                probabilities[of_fold] = model.probabilities(features[of_fold], mask[of_fold])
        return probabilities

    def logged_by_model(self, episodes: LoggedEpisodes) -> FloatArray:
        """Return the probability of the logged action at each row under each fold's model, `(n_folds, n)`."""
        found = np.empty((len(self._models), episodes.n_transitions))
        for rows in row_batches(episodes.n_transitions, episodes.n_actions):
            features, mask, action = episodes.features[rows], episodes.mask(rows), episodes.action[rows]
            for k, model in enumerate(self._models):
                found[k, rows] = model.probabilities(features, mask)[np.arange(len(action)), action]
        return found


class FoldFits:
    """The chosen model fitted on all folds but one, for each of a repeat; for a correction, on all but two."""

    def __init__(
        self, episodes: LoggedEpisodes, settings: BehaviorSettings, *, model: str, penalty: float, repeat: int
    ) -> None:
        self._episodes, self._settings = episodes, settings
        self._model, self._penalty = behavior_model(model), penalty
        self._seed = settings.seed + repeat
        self.fold = shopper_folds(episodes, settings.n_folds, self._seed)
        self._fits: dict[frozenset[int], FittedBehavior] = {}

    def crossfit(self, kind: RecalibrationKind) -> CrossfitBehavior:
        """Return each fold's model, corrected by what its partner fold's shoppers did.

        The correction of a fold comes from a model without that fold and without its partner, judged on the partner:
        so neither model nor correction has seen the fold's own shoppers.
        """
        share = self._settings.uniform_share
        models = [
            RecalibratedBehavior(self._fit(frozenset({k})), self._recalibration(kind, k), share)
            for k in range(self._settings.n_folds)
        ]
        return CrossfitBehavior(models, self.fold)

    def on_all_rows(self) -> RecalibratedBehavior:
        """Return the model fitted on all rows, uncorrected."""
        return RecalibratedBehavior(self._fit(frozenset()), Unchanged(), self._settings.uniform_share)

    def _recalibration(self, kind: RecalibrationKind, fold: int) -> Recalibration:
        if kind == "none":
            return Unchanged()
        partner = partner_fold(fold, self._settings.n_folds)
        held_out = decisions_at(
            self._episodes,
            np.flatnonzero(self.fold == partner),
            max_rows=self._settings.max_choice_rows,
            seed=self._seed,
        )
        fitted = self._fit(frozenset({fold, partner}))
        probabilities = fitted.probabilities(held_out.features, held_out.mask)
        return fit_recalibration(kind, probabilities, held_out.mask, held_out.action)

    def _fit(self, without: frozenset[int]) -> FittedBehavior:
        """Return the model fitted on the rows of all folds but the given ones, once."""
        if without not in self._fits:
            rows = np.flatnonzero(~np.isin(self.fold, list(without)))
            decisions = decisions_at(self._episodes, rows, max_rows=self._settings.max_rows, seed=self._seed)
            self._fits[without] = self._model.fit(decisions, penalty=self._penalty, seed=self._seed)
        return self._fits[without]


def _best_recalibration(fits: FoldFits, episodes: LoggedEpisodes) -> RecalibrationKind:
    """Return the simplest correction within one standard error of the smallest cross-fitted log loss."""
    unit = episodes.unit[episodes.episode]
    losses = {kind: -np.log(_logged(fits.crossfit(kind), episodes)) for kind in RECALIBRATIONS}
    best = min(losses.values(), key=lambda found: float(found.mean()))
    within = (
        kind for kind in RECALIBRATIONS if (losses[kind] - best).mean() <= clustered_error(losses[kind] - best, unit)
    )
    return next(within)


def _logged(crossfit: CrossfitBehavior, episodes: LoggedEpisodes) -> FloatArray:
    """Return the cross-fitted probability of the logged action at each row, `(n,)`."""
    taken = np.empty(episodes.n_transitions)
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        probabilities = crossfit.row_probabilities(episodes, rows)
        taken[rows] = probabilities[np.arange(len(probabilities)), episodes.action[rows]]
    return taken


def _repeats(crossfits: Sequence[CrossfitBehavior], episodes: LoggedEpisodes) -> PropensityRepeats:
    by_model = np.stack([crossfit.logged_by_model(episodes) for crossfit in crossfits])
    index = np.arange(episodes.n_transitions)
    own = [found[crossfit.fold, index] for found, crossfit in zip(by_model, crossfits, strict=True)]
    return PropensityRepeats(np.stack(own), by_model)
