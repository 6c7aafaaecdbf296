"""What a policy looks at on the whole: the mean size of each feature's attributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.night.explanation.attribution import Attributions
from rl.night.explanation.shopper_means import mean_over_shoppers


@dataclass(frozen=True)
class FeatureImportance:
    """How much one feature moves the margins.

    Attributes:
        feature: the feature's name.
        mean_absolute: mean size of its attributions, in logarithms of odds.
        lower: lower bound.
        upper: upper bound.
        share: part of the sum over all features.
    """

    feature: str
    mean_absolute: float
    lower: float
    upper: float
    share: float


def feature_importances(attributions: Attributions, unit: IntArray, *, level: float) -> tuple[FeatureImportance, ...]:
    """Return the features by falling mean absolute attribution, with intervals over shoppers.

    The interval says how much the mean would vary with other shoppers; it doesn't say whether attribution is the right
    question. Two features of the same content share what either could have explained alone.

    Args:
        attributions: of a sample of decisions.
        unit: shopper of each attributed decision, `(m,)`.
        level: of the intervals, two-sided.
    """
    sizes: FloatArray = np.abs(attributions.values)
    total = float(sizes.mean(axis=0).sum()) if len(sizes) else 0.0
    found = []
    for place, feature in enumerate(attributions.features):
        mean = mean_over_shoppers(sizes[:, place], unit, level=level)
        share = mean.value / total if total > 0 else 0.0
        found.append(FeatureImportance(feature, mean.value, max(0.0, mean.lower), mean.upper, share))
    return tuple(sorted(found, key=lambda importance: -importance.mean_absolute))
