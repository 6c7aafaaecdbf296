"""Fit on early as-of days, calibrate on later ones, test on the last, beside the rules that need no learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from conf.kernel.arrays import IntArray
from conf.specs.shopper_model import Learner, ShopperModel
from rl.errors import NothingToLearn
from rl.shopper_models.blend import BlendedModel
from rl.shopper_models.calibration import Calibrator, IsotonicCurve, fit_calibrator, slope_error
from rl.shopper_models.daily_activity import DailyActivity, FloatArray
from rl.shopper_models.examples import Examples, as_of_days, examples_at, n_censored, outcomes
from rl.shopper_models.figures import ExampleCounts
from rl.shopper_models.linear_model import LinearModel, fit_linear
from rl.shopper_models.rules import BgNbdRule, Rule, fit_bg_nbd_rule, fit_constant, fit_rfm
from rl.shopper_models.running_sessions import RunningSessions
from rl.shopper_models.session_examples import session_examples
from rl.shopper_models.tree_ensemble import Outcome, TreeEnsemble, fit_trees

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class CalibratedLearner:
    """A learner with the correction of its predictions."""

    kind: Outcome
    learner: TreeEnsemble | LinearModel | BlendedModel
    calibrator: Calibrator

    @property
    def calibrated_by(self) -> Literal["isotonic", "two_parameters"]:
        """Name of the correction."""
        return "isotonic" if isinstance(self.calibrator, IsotonicCurve) else "two_parameters"

    def predict(self, examples: Examples) -> FloatArray:
        """Return the corrected predictions, `(n,)`."""
        return self.calibrator.apply(raw_predictions(self.learner, examples), self.kind)


@dataclass(frozen=True)
class SplitDays:
    """As-of days by what they are for, each ascending; no horizon reaches into the days of the next part."""

    fit: IntArray
    calibration: IntArray
    test: IntArray


@dataclass(frozen=True)
class Fit:
    """What was fitted, and the test rows that it is judged on.

    Attributes:
        learners: calibrated, by name.
        rules: by name.
        refused: rules that couldn't be fitted, by name, and why.
        test: examples of the test days.
        test_outcome: what followed, `(n_test,)`.
        counts: rows, shoppers and days.
        correction_errors: by learner, the standard error of the slope that corrected it, as a share of the slope; None
            without a line.
        known_until: first business day that the learners knew nothing of, days since the epoch.
    """

    learners: Mapping[Learner, CalibratedLearner]
    rules: Mapping[str, Rule]
    refused: Mapping[str, str]
    test: Examples
    test_outcome: FloatArray
    counts: ExampleCounts
    correction_errors: Mapping[Learner, float | None]
    known_until: int


def split_days(days: IntArray, model: ShopperModel) -> SplitDays:
    """Return the as-of days, divided in time; those whose horizon reaches into the next part are left out.

    Raises:
        NothingToLearn: a part has no day left.
    """
    n_fit = max(1, round(model.split.fit_share * len(days)))
    n_calibration = max(1, round(model.split.calibration_share * len(days)))
    fit, calibration, test = np.split(days, [n_fit, n_fit + n_calibration])
    if len(test):
        calibration = calibration[calibration + model.horizon_days <= test[0]]
    if len(calibration):
        fit = fit[fit + model.horizon_days <= calibration[0]]
    parts = {"fitting": fit, "calibrating": calibration, "testing": test}
    if empty := [name for name, part in parts.items() if not len(part)]:
        raise NothingToLearn(
            f"{len(days)} as-of days, {model.step_days} apart, leave none for {' and '.join(empty)}, since no horizon "
            f"of {model.horizon_days} days may reach into the next part; raise n_as_of_days, or wait for more days"
        )
    return SplitDays(fit, calibration, test)


def fit_shopper_model(activity: DailyActivity, model: ShopperModel, running: RunningSessions | None = None) -> Fit:
    """Return the model's learners and rules; nothing of the test days is used.

    Args:
        activity: of shoppers.
        model: what is learned, and how.
        running: sessions of the as-of days, for a model of sessions; None for one of shoppers.

    Raises:
        NothingToLearn: too few days, or all outcomes of the fit or calibration days are alike.
    """
    days = split_days(as_of_days(activity, model), model)
    fit, fit_outcome = labeled_examples(activity, model, days.fit, running)
    calibration, calibration_outcome = labeled_examples(activity, model, days.calibration, running)
    test, test_outcome = labeled_examples(activity, model, days.test, running)
    for name, outcome in (("fit", fit_outcome), ("calibration", calibration_outcome)):
        if not len(outcome) or np.ptp(outcome) == 0:
            raise NothingToLearn(f"{len(outcome)} rows of the {name} days have outcomes that are all alike")
    kind: Outcome = "amount" if model.target == "spend" else "probability"
    rules: dict[str, Rule] = {"constant": fit_constant(fit_outcome), "rfm": fit_rfm(fit, fit_outcome)}
    bg_nbd = (
        "it knows days, and a session lies within one or two"
        if model.is_of_sessions
        else fit_bg_nbd_rule(fit, fit_outcome, target=model.target, horizon_days=model.horizon_days)
    )
    learners: dict[Learner, CalibratedLearner] = {}
    correction_errors: dict[Learner, float | None] = {}
    for name in model.learners:
        learner = _fit_learner(name, fit, fit_outcome, kind=kind, seed=model.seed, bg_nbd=bg_nbd)
        raw = raw_predictions(learner, calibration)
        calibrator = fit_calibrator(raw, calibration_outcome, kind=kind, isotonic_above=model.isotonic_above)
        learners[name] = CalibratedLearner(kind, learner, calibrator)
        correction_errors[name] = slope_error(raw, calibration_outcome, calibration.shopper, kind=kind)
    refused = {"bg_nbd": bg_nbd} if isinstance(bg_nbd, str) else {}
    if not isinstance(bg_nbd, str):
        rules["bg_nbd"] = bg_nbd
    counts = ExampleCounts(
        n_fit=len(fit),
        n_calibration=len(calibration),
        n_test=len(test),
        n_fit_shoppers=len(np.unique(fit.shopper)),
        n_test_shoppers=len(np.unique(test.shopper)),
        n_censored=n_censored(activity, model) if running is None else running.n_starting_after(int(days.test[-1])),
        fit_days=_dates(days.fit),
        calibration_days=_dates(days.calibration),
        test_days=_dates(days.test),
        test_mean=float(test_outcome.mean()) if len(test_outcome) else 0.0,
        n_calibration_rarer=_n_rarer(calibration, calibration_outcome),
        n_test_rarer=_n_rarer(test, test_outcome),
    )
    known_until = int(days.calibration[-1]) + model.horizon_days
    return Fit(learners, rules, refused, test, test_outcome, counts, correction_errors, known_until)


def labeled_examples(
    activity: DailyActivity, model: ShopperModel, days: IntArray, running: RunningSessions | None
) -> tuple[Examples, FloatArray]:
    """Return the rows of as-of days and what followed: of shoppers, or of the steps of their sessions.

    Raises:
        NothingToLearn: a model of sessions without any, or a row whose horizon isn't over.
    """
    if model.is_of_sessions:
        if running is None:
            raise NothingToLearn(f"{model.name} is of running sessions, and none were read")
        return session_examples(activity, running, model, days)
    examples = examples_at(activity, model, days)
    return examples, outcomes(activity, examples, model)


def raw_predictions(learner: TreeEnsemble | LinearModel | BlendedModel, examples: Examples) -> FloatArray:
    """Return what a learner says before its correction, `(n,)`."""
    if isinstance(learner, BlendedModel):
        return learner.predict(examples)
    return learner.predict(examples.features)


def _fit_learner(
    name: Learner, examples: Examples, outcome: FloatArray, *, kind: Outcome, seed: int, bg_nbd: BgNbdRule | str
) -> TreeEnsemble | LinearModel | BlendedModel:
    if name == "logistic":
        return fit_linear(examples.features, outcome, kind=kind)
    trees = fit_trees(examples.features, outcome, examples.shopper, kind=kind, seed=seed)
    if name == "trees":
        return trees
    if isinstance(bg_nbd, str):
        raise NothingToLearn(f"the blend lacks a part: {bg_nbd}; name other learners")
    return BlendedModel(kind, trees, bg_nbd)


def _n_rarer(examples: Examples, outcome: FloatArray) -> int:
    """Return how many shoppers had the rarer outcome on any of the days."""
    is_some = outcome > 0
    return min(len(np.unique(examples.shopper[one])) for one in (is_some, ~is_some))


def _dates(days: IntArray) -> tuple[date, ...]:
    return tuple(EPOCH + timedelta(days=int(day)) for day in days)
