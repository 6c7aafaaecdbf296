"""What a model says of every known shopper as of a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from conf.kernel.arrays import BoolArray, IntArray
from conf.kernel.calendar import day_number
from rl.errors import EvaluationError
from rl.shopper_models.daily_activity import MILLIONTHS, DailyActivity
from rl.shopper_models.examples import examples_at
from rl.shopper_models.fitting import raw_predictions
from rl.shopper_models.stored_model import StoredModel


@dataclass(frozen=True)
class ShopperScores:
    """Scores in the order of shoppers' ids, each column `(n_shoppers,)`.

    Attributes:
        user_id: pseudonyms, ascending.
        is_scored: False of shoppers who came too long ago: the model was neither fitted nor judged on their like.
        score: what the learner says, millionths; 0 where not scored.
        calibrated: the corrected score, millionths; 0 where not scored.
    """

    user_id: npt.NDArray[np.object_]
    is_scored: BoolArray
    score: IntArray
    calibrated: IntArray

    def __len__(self) -> int:
        return len(self.user_id)


def score_shoppers(activity: DailyActivity, stored: StoredModel, as_of: date) -> ShopperScores:
    """Return a row for every shopper who visited within the model's history, as known before the day.

    Raises:
        EvaluationError: the model knows of that day or a later one, or takes other features.
    """
    if stored.known_until > as_of:
        raise EvaluationError(
            f"{stored.model.name} learned from days up to {stored.known_until}, so it can't score shoppers as of "
            f"{as_of}: it would know their future; score a later date, or name an earlier fit's --version"
        )
    day = day_number(as_of)
    known = activity.known_at(day)
    examples = examples_at(known, stored.model, np.array([day], dtype=np.int64))
    if examples.feature_names != stored.feature_names:
        raise EvaluationError(
            f"{stored.model.name} takes features {', '.join(stored.feature_names)}, and this release makes "
            f"{', '.join(examples.feature_names)}; fit it again"
        )
    everybody = np.unique(known.shopper[known.day >= day - stored.model.history_days])
    place = np.searchsorted(everybody, examples.shopper)
    columns = {name: np.zeros(len(everybody), dtype=np.int64) for name in ("score", "calibrated")}
    is_scored = np.zeros(len(everybody), dtype=np.bool_)
    is_scored[place] = True
    if len(examples):
        raw = raw_predictions(stored.learner.learner, examples)
        columns["score"][place] = np.rint(raw * MILLIONTHS)
        columns["calibrated"][place] = np.rint(stored.learner.calibrator.apply(raw, stored.learner.kind) * MILLIONTHS)
    names = np.array(known.shoppers, dtype=np.object_)
    return ShopperScores(user_id=names[everybody], is_scored=is_scored, **columns)
