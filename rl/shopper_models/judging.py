"""The figures of a fit on its test days, and whether the model may be promoted."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from conf.specs.shopper_model import ShopperModel
from rl.errors import TrainingError
from rl.shopper_models.calibration import recalibrate
from rl.shopper_models.comparison import (
    ShopperResamples,
    auc_figure,
    log_losses,
    ranked_rows,
    resamples_of,
    squared_errors,
)
from rl.shopper_models.daily_activity import FloatArray
from rl.shopper_models.figures import (
    BoundedFigure,
    GateAnswer,
    LearnerFigures,
    PairedDifference,
    ReliabilityPoint,
)
from rl.shopper_models.fitting import Fit
from rl.shopper_models.tree_ensemble import Outcome

_POINTS = 10


def predictions(fit: Fit) -> dict[str, FloatArray]:
    """Return what learners and rules predict of the test rows, by name, each `(n_test,)`."""
    return {name: one.predict(fit.test) for name, one in [*fit.learners.items(), *fit.rules.items()]}


def learner_figures(fit: Fit, model: ShopperModel) -> tuple[LearnerFigures, ...]:
    """Return the figures of every learner and rule, in the order in which they were fitted."""
    kind: Outcome = "amount" if model.target == "spend" else "probability"
    resamples, found = _resamples(fit, model), predictions(fit)
    of_constant = squared_errors(found["constant"], fit.test_outcome)
    return tuple(
        _figures(name, one, fit, kind=kind, resamples=resamples, of_constant=of_constant) for name, one in found.items()
    )


def paired_differences(fit: Fit, model: ShopperModel) -> tuple[PairedDifference, ...]:
    """Return how much better the model's first learner is than each other learner and rule."""
    kind: Outcome = "amount" if model.target == "spend" else "probability"
    resamples, found = _resamples(fit, model), predictions(fit)
    own = found.pop(model.learners[0])
    return tuple(
        paired_difference(name, own, other, fit.test_outcome, kind=kind, resamples=resamples)
        for name, other in found.items()
    )


def paired_difference(
    other: str,
    own: FloatArray,
    theirs: FloatArray,
    outcome: FloatArray,
    *,
    kind: Outcome,
    resamples: ShopperResamples,
) -> PairedDifference:
    """Return how much better the own predictions are than the other's on the same rows."""
    ranked, ranked_other = ranked_rows(own, outcome), ranked_rows(theirs, outcome)
    return PairedDifference(
        other=other,
        gain=resamples.mean(squared_errors(theirs, outcome) - squared_errors(own, outcome)),
        log_gain=resamples.mean(log_losses(theirs, outcome, kind) - log_losses(own, outcome, kind)),
        auc=None if ranked is None else auc_figure(ranked, resamples, ranked_other),
    )


def gate_answer(
    figures: LearnerFigures, constant: LearnerFigures, model: ShopperModel, *, over_champion: PairedDifference | None
) -> GateAnswer:
    """Return whether the learner is calibrated, better than the constant, and no worse than the champion."""
    gate, reasons = model.gate, []
    slope = figures.slope
    if slope is None:
        reasons.append("its predictions or the outcomes are all the same, so that it has no calibration slope")
    elif not gate.min_slope <= slope.value <= gate.max_slope:
        reasons.append(
            f"its calibration slope is {slope.value:.3g} ({slope.lower:.3g} to {slope.upper:.3g} by the shoppers "
            f"tested), not within {gate.min_slope:g} to {gate.max_slope:g}{_by_chance(figures, model.level)}"
        )
    if figures.skill.lower <= 0:
        reasons.append(f"it may be no better than the constant: its skill is at least {figures.skill.lower:.3g}")
    if over_champion is not None and over_champion.gain.lower < -gate.margin * constant.loss.value:
        reasons.append(
            f"it may be worse than the champion: its gain is at least {over_champion.gain.lower:.3g}, "
            f"and {-gate.margin * constant.loss.value:.3g} is the least that passes"
        )
    return GateAnswer(
        verdict="reject" if reasons else "promote",
        reasons=tuple(reasons),
        champion="none" if over_champion is None else over_champion.other,
    )


def correction_reach(error: float, level: float) -> float:
    """Return by how much a corrected slope is off by chance at the level, at most."""
    return float(ndtri((1 + level) / 2)) * error


def _by_chance(figures: LearnerFigures, level: float) -> str:
    """Return what the calibration days' chance does to a slope; nothing where it isn't known."""
    if figures.correction_error is None:
        return ""
    reach = correction_reach(figures.correction_error, level)
    return (
        f"; the correction of its predictions, from the calibration days' shoppers, is off by up to {reach:.2g} by "
        "chance, and less so with a longer log or more shoppers"
    )


def reliability(predicted: FloatArray, outcome: FloatArray) -> tuple[ReliabilityPoint, ...]:
    """Return tenths of the rows by their prediction; rows predicted alike stand together."""
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, _POINTS + 1)[1:-1]))
    group = np.searchsorted(edges, predicted, side="left")
    return tuple(
        ReliabilityPoint(
            n=int((group == one).sum()),
            predicted=float(predicted[group == one].mean()),
            observed=float(outcome[group == one].mean()),
        )
        for one in np.unique(group)
    )


def _resamples(fit: Fit, model: ShopperModel) -> ShopperResamples:
    return resamples_of(fit.test.shopper, n_resamples=model.n_resamples, level=model.level, seed=model.seed)


def _figures(
    name: str,
    predicted: FloatArray,
    fit: Fit,
    *,
    kind: Outcome,
    resamples: ShopperResamples,
    of_constant: FloatArray,
) -> LearnerFigures:
    outcome = fit.test_outcome
    losses, ranked = squared_errors(predicted, outcome), ranked_rows(predicted, outcome)
    slope, intercept = _line(predicted, fit, kind=kind, level=resamples.level)
    learner = next((one for key, one in fit.learners.items() if key == name), None)
    return LearnerFigures(
        name=name,
        mean_predicted=float(predicted.mean()),
        loss=resamples.mean(losses),
        skill=resamples.skill(losses, of_constant),
        log_loss=resamples.mean(log_losses(predicted, outcome, kind)),
        auc=None if ranked is None else auc_figure(ranked, resamples),
        slope=slope,
        intercept=intercept,
        reliability=reliability(predicted, outcome),
        calibrated_by="nothing" if learner is None else learner.calibrated_by,
        correction_error=next((one for key, one in fit.correction_errors.items() if key == name), None),
    )


def _line(
    predicted: FloatArray, fit: Fit, *, kind: Outcome, level: float
) -> tuple[BoundedFigure | None, BoundedFigure | None]:
    """Return calibration slope and intercept with normal intervals over shoppers; None where there is no line."""
    try:
        line = recalibrate(predicted, fit.test_outcome, kind=kind, shopper=fit.test.shopper)
    except TrainingError:
        return None, None
    if line.covariance is None:
        return None, None
    intercept_half, slope_half = ndtri((1 + level) / 2) * np.sqrt(np.diag(line.covariance))
    return (
        BoundedFigure(value=line.slope, lower=line.slope - slope_half, upper=line.slope + slope_half),
        BoundedFigure(
            value=line.intercept, lower=line.intercept - intercept_half, upper=line.intercept + intercept_half
        ),
    )
