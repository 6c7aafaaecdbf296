"""What is reported of a model of shoppers' behaviour: the content of its JSON file, page and registry entry."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from conf.publication import write_atomically
from conf.specs.shopper_model import ShopperModel
from conf.specs.strict_yaml import StrictModel
from rl.errors import EvaluationError


class BoundedFigure(StrictModel):
    """A figure and the two ends of its interval."""

    value: float
    lower: float
    upper: float


class ReliabilityPoint(StrictModel):
    """Rows of like predictions: how many, what was predicted of them, and what came true."""

    n: int = Field(ge=1)
    predicted: float
    observed: float


class LearnerFigures(StrictModel):
    """What was seen of one learner or rule on the test days.

    loss: mean squared error; of probabilities the Brier score.
    skill: share of the constant's loss that is saved.
    log_loss: mean minus log likelihood; of amounts the Poisson deviance.
    auc: None where all outcomes are alike.
    slope, intercept: of the recalibration; None where predictions are all the same.
    correction_error: standard error of the slope that predictions were corrected by, as the calibration days' shoppers
    tell it, as a share of that slope: by so much the slope of what is predicted is off by chance, whatever the test
    days say. None of rules, and in figures of releases that didn't tell it.
    """

    name: str
    mean_predicted: float
    loss: BoundedFigure
    skill: BoundedFigure
    log_loss: BoundedFigure
    auc: BoundedFigure | None
    slope: BoundedFigure | None
    intercept: BoundedFigure | None
    reliability: tuple[ReliabilityPoint, ...]
    calibrated_by: Literal["isotonic", "two_parameters", "nothing"] = "nothing"
    correction_error: float | None = None


class PairedDifference(StrictModel):
    """How much better the registered learner is than another on the same rows; above 0 it is better.

    gain: of mean squared error.
    log_gain: of mean minus log likelihood.
    auc: None where all outcomes are alike.
    """

    other: str
    gain: BoundedFigure
    log_gain: BoundedFigure
    auc: BoundedFigure | None


class ExampleCounts(StrictModel):
    """How many rows and shoppers there were, and which days.

    n_censored: shoppers active at the log's end, whose horizon isn't over: they are in no split.
    n_calibration_rarer, n_test_rarer: shoppers with the rarer outcome, of spend those who spent anything; None in
    figures of releases that didn't count them.
    """

    n_fit: int
    n_calibration: int
    n_test: int
    n_fit_shoppers: int
    n_test_shoppers: int
    n_censored: int
    fit_days: tuple[date, ...]
    calibration_days: tuple[date, ...]
    test_days: tuple[date, ...]
    test_mean: float
    n_calibration_rarer: int | None = None
    n_test_rarer: int | None = None


class GateAnswer(StrictModel):
    """Whether the model may be promoted, and why not."""

    verdict: Literal["promote", "reject"]
    reasons: tuple[str, ...]
    champion: str = "none"


class ShopperModelFigures(StrictModel):
    """All of one fit.

    horizon: last date whose deliveries were read.
    known_until: first business day that the learner knew nothing of; it may score shoppers as of that day or later.
    refused: rules that couldn't be fitted, by name, and why.
    """

    model: ShopperModel
    source: str
    horizon: date
    known_until: date
    counts: ExampleCounts
    learner: str
    learners: tuple[LearnerFigures, ...]
    differences: tuple[PairedDifference, ...]
    refused: dict[str, str]
    gate: GateAnswer
    digest: str

    def of(self, name: str) -> LearnerFigures:
        """Return the figures of a learner or rule."""
        return next(one for one in self.learners if one.name == name)

    def write(self, path: Path) -> None:
        """Write the figures as JSON, durably and in one move."""
        write_atomically(path, self.model_dump_json(indent=1))


def read_shopper_figures(path: Path) -> ShopperModelFigures:
    """Return the figures of a fit.

    Raises:
        EvaluationError: the file is missing, or isn't what a fit writes.
    """
    try:
        return ShopperModelFigures.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValidationError, json.JSONDecodeError) as error:
        raise EvaluationError(
            f"{path}: no figures of a shopper model ({str(error).splitlines()[0]}); fit again"
        ) from error
