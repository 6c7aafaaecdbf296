"""A fitted model as two plain files: what it is as JSON, and its numbers as NumPy arrays without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from conf.specs.shopper_model import ShopperModel
from conf.specs.strict_yaml import StrictModel
from rl.errors import PolicyError
from rl.shopper_models.bg_nbd import BgNbd
from rl.shopper_models.blend import BlendedModel
from rl.shopper_models.calibration import Calibrator, IsotonicCurve, Recalibration
from rl.shopper_models.fitting import CalibratedLearner
from rl.shopper_models.linear_model import LinearModel
from rl.shopper_models.rules import BgNbdRule
from rl.shopper_models.tree_ensemble import Outcome, TreeEnsemble

MODEL_FILE, ARRAYS_FILE = "shopper_model_spec.json", "shopper_model_arrays.npz"

_TREES = ("roots", "feature", "threshold", "left", "right", "missing_left", "value")
_LINEAR = ("weights", "center", "spread")


class _Description(StrictModel):
    """What stands in the JSON file."""

    model: ShopperModel
    source: str
    known_until: date
    feature_names: tuple[str, ...]
    kind: Outcome
    learner: str
    calibrator: str


@dataclass(frozen=True)
class StoredModel:
    """What scores shoppers: the registered learner, and what it may be asked.

    Attributes:
        model: the spec it was fitted by.
        source: whose shoppers it learned from.
        known_until: first business day that it knew nothing of; it may score as of that day or later.
        feature_names: of the columns that it takes, in their order.
        learner: with its calibration.
    """

    model: ShopperModel
    source: str
    known_until: date
    feature_names: tuple[str, ...]
    learner: CalibratedLearner

    @property
    def digest(self) -> str:
        """Hash of all that decides what it predicts: other code that learns the same is the same model."""
        state = sha256(self._description.model_dump_json(exclude={"model": {"is_nightly"}}).encode("utf-8"))
        for name, values in sorted(self._arrays.items()):
            state.update(name.encode("utf-8") + np.ascontiguousarray(values).tobytes())
        return state.hexdigest()[:32]

    def write(self, folder: Path) -> None:
        """Write both files to the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_text(self._description.model_dump_json(indent=1), encoding="utf-8")
        np.savez(folder / ARRAYS_FILE, allow_pickle=False, **self._arrays)

    @property
    def _arrays(self) -> dict[str, Any]:
        return {**_learner_arrays(self.learner.learner), **_calibrator_arrays(self.learner.calibrator)}

    @property
    def _description(self) -> _Description:
        learner = self.learner.learner
        return _Description(
            model=self.model,
            source=self.source,
            known_until=self.known_until,
            feature_names=self.feature_names,
            kind=self.learner.kind,
            learner="blend" if isinstance(learner, BlendedModel) else _name_of(learner),
            calibrator=self.learner.calibrated_by,
        )


def read_stored_model(folder: Path) -> StoredModel:
    """Return the model that the folder holds.

    Raises:
        PolicyError: files are missing, or aren't what `write` writes.
    """
    try:
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        description = _Description.model_validate(content)
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        learner = CalibratedLearner(description.kind, _learner(description, arrays), _calibrator(description, arrays))
    except (OSError, ValueError, KeyError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise PolicyError(f"{folder}: no model of shoppers ({reason}); fit and register it again") from error
    return StoredModel(
        model=description.model,
        source=description.source,
        known_until=description.known_until,
        feature_names=description.feature_names,
        learner=learner,
    )


def _name_of(learner: TreeEnsemble | LinearModel) -> str:
    return "trees" if isinstance(learner, TreeEnsemble) else "linear"


def _learner_arrays(learner: TreeEnsemble | LinearModel | BlendedModel) -> dict[str, Any]:
    if isinstance(learner, BlendedModel):
        rule = learner.bg_nbd
        law = (rule.model.r, rule.model.alpha, rule.model.a, rule.model.b)
        law_and_means = np.array([*law, rule.mean_without, rule.mean_spend, rule.spend_weight])
        return {**_learner_arrays(learner.trees), "bg_nbd": law_and_means}
    if isinstance(learner, TreeEnsemble):
        return {"start": np.float64(learner.baseline), **{name: getattr(learner, name) for name in _TREES}}
    return {"start": np.float64(learner.intercept), **{name: getattr(learner, name) for name in _LINEAR}}


def _calibrator_arrays(calibrator: Calibrator) -> dict[str, Any]:
    if isinstance(calibrator, IsotonicCurve):
        return {"curve_at": calibrator.at, "curve_means": calibrator.means}
    return {"line": np.array([calibrator.intercept, calibrator.slope])}


def _learner(description: _Description, arrays: Mapping[str, Any]) -> TreeEnsemble | LinearModel | BlendedModel:
    start = float(arrays["start"])
    if description.learner == "linear":
        return LinearModel(kind=description.kind, intercept=start, **{name: arrays[name] for name in _LINEAR})
    trees = TreeEnsemble(kind=description.kind, baseline=start, **{name: arrays[name] for name in _TREES})
    if description.learner == "trees":
        return trees
    r, alpha, a, b, *means = (float(one) for one in arrays["bg_nbd"])
    model = description.model
    return BlendedModel(
        description.kind, trees, BgNbdRule(model.target, model.horizon_days, BgNbd(r, alpha, a, b), *means)
    )


def _calibrator(description: _Description, arrays: Mapping[str, Any]) -> Calibrator:
    if description.calibrator == "isotonic":
        return IsotonicCurve(arrays["curve_at"], arrays["curve_means"])
    intercept, slope = (float(one) for one in arrays["line"])
    return Recalibration(intercept, slope)
