"""Propensities for evaluation: as logged, or estimated where logged decisions lack them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rl.logged_episodes import LoggedEpisodes
from rl.ope.behavior_policy import BehaviorSettings, estimate_behavior
from rl.ope.calibration import CalibrationReport, check_logged_propensities

# Enough for a masked logistic model with some hundred features; more rows cost time and change little.
_SETTINGS = BehaviorSettings(max_rows=20_000)


@dataclass(frozen=True)
class KnownPropensities:
    """A split whose propensities are filled in, and where they come from.

    Attributes:
        episodes: the split.
        source: of its propensities; none where decisions are implied.
        note: in words, a whole sentence or more.
        calibration: of estimated propensities.
    """

    episodes: LoggedEpisodes
    source: Literal["logged", "estimated", "none"]
    note: str
    calibration: CalibrationReport | None = None


def know_propensities(episodes: LoggedEpisodes, *, is_logged: bool) -> KnownPropensities:
    """The split with a propensity for each logged decision, estimated (cross-fitted by shopper) where it had none."""
    if not is_logged:
        note = "Decisions are implied: nobody chose them, so no probability exists. Weighted estimators refuse."
        return KnownPropensities(episodes, "none", note)
    is_missing = np.isnan(episodes.propensity)
    if not is_missing.any():
        return KnownPropensities(episodes, "logged", _logged_note(episodes))
    estimated = estimate_behavior(episodes, _SETTINGS)
    filled = np.where(is_missing, estimated.episodes.propensity, episodes.propensity)
    note = (
        f"{is_missing.mean():.1%} of the decisions were logged without a probability; those were estimated from what "
        "shoppers' observations held, each by a model that saw no row of the same shopper. Values rest on that model."
    )
    return KnownPropensities(replace(episodes, propensity=filled), "estimated", note, estimated.calibration)


def _logged_note(episodes: LoggedEpisodes) -> str:
    check = check_logged_propensities(episodes)
    if check.refusal is not None:
        return f"The shop logged its probabilities, but {check.refusal}."
    found = f"{check.mean_uniform_weight:.3f} (standard error {check.standard_error:.3f})"
    note = f"The shop logged the probability of each decision. A uniform choice's weight averages {found}; expected: 1."
    if check.is_plausible:
        return note
    return note + " That doesn't agree with the availability sets: check how the shop computes its probabilities."
