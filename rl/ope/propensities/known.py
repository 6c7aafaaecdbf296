"""Propensities for evaluation: as logged, or estimated where logged decisions lack them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.ope.propensities.behavior_policy import (
    BehaviorSettings,
    EstimatedBehavior,
    PropensityRepeats,
    estimate_behavior,
)
from rl.ope.propensities.calibration import CalibrationReport
from rl.ope.propensities.logged_propensities import (
    PropensityCheck,
    check_logged_propensities,
    require_valid_propensities,
)
from rl.ope.propensities.trust import ESTIMATED, LOGGED, PropensityTrust

PropensitySource = Literal["logged", "estimated", "none"]


@dataclass(frozen=True)
class KnownPropensities:
    """A split whose propensities are filled in, and where they come from.

    Attributes:
        episodes: the split.
        source: of its propensities; none where decisions are implied, or too few shoppers made the split.
        note: in words, a whole sentence or more.
        calibration: of estimated propensities.
        repeats: estimated propensities under every fit, logged ones where there were any.
        behavior: how they were estimated.
        trust: how far the gate may take them.
        check: of logged ones; None where they were estimated.
    """

    episodes: LoggedEpisodes
    source: PropensitySource
    note: str
    calibration: CalibrationReport | None = None
    repeats: PropensityRepeats | None = None
    behavior: EstimatedBehavior | None = None
    trust: PropensityTrust = LOGGED
    check: PropensityCheck | None = None


def know_propensities(episodes: LoggedEpisodes, *, is_logged: bool, n_repeats: int = 1) -> KnownPropensities:
    """Return the split with a propensity for each logged decision: as logged, else estimated, cross-fitted by shopper.

    Where too few shoppers made the split to estimate them, they stay unknown: weighted estimators then refuse.

    Args:
        episodes: the split.
        is_logged: False where decisions are implied.
        n_repeats: times that shoppers are dealt into folds anew, to tell how much estimates hang on the deal.

    Raises:
        EvaluationError: logged propensities outside (0, 1].
    """
    if not is_logged:
        note = "LoggedChoices are implied: nobody chose them, so no probability exists. Weighted estimators refuse."
        return KnownPropensities(episodes, "none", note)
    require_valid_propensities(episodes.propensity)
    is_missing = np.isnan(episodes.propensity)
    if not is_missing.any():
        check = check_logged_propensities(episodes)
        trust = replace(LOGGED, problem=check.problem)
        return KnownPropensities(episodes, "logged", _logged_note(check), trust=trust, check=check)
    try:
        estimated = estimate_behavior(episodes, BehaviorSettings(n_repeats=n_repeats))
    except UnsupportedEstimator as error:
        note = f"{is_missing.mean():.1%} of the decisions were logged without a probability, and {error}."
        return KnownPropensities(episodes, "none", note)
    repeats = _of_natural_actions(estimated.repeats, episodes).filled(episodes.propensity)
    return KnownPropensities(
        episodes=replace(episodes, propensity=repeats.pooled()),
        source="estimated",
        note=_estimated_note(estimated, float(is_missing.mean())),
        calibration=estimated.calibration,
        repeats=repeats,
        behavior=estimated,
        trust=ESTIMATED,
    )


def _of_natural_actions(repeats: PropensityRepeats, episodes: LoggedEpisodes) -> PropensityRepeats:
    """Return estimates of `(other)` shared evenly among the natural actions that it lumps, as a policy's are."""
    if episodes.lumped is None:
        return repeats
    return PropensityRepeats(repeats.by_repeat / episodes.n_sharing, repeats.by_model / episodes.n_sharing)


def _logged_note(check: PropensityCheck) -> str:
    if check.refusal is not None:
        return f"The shop logged its probabilities, but {check.refusal}."
    found = f"{check.mean_uniform_weight:.3f} (standard error {check.standard_error:.3f})"
    note = f"The shop logged the probability of each decision. A uniform choice's weight averages {found}; expected: 1."
    if check.is_plausible:
        return note
    return note + " That doesn't agree with the availability sets: check how the shop computes its probabilities."


def _estimated_note(estimated: EstimatedBehavior, share_missing: float) -> str:
    choice = estimated.choice
    corrected = (
        "; no correction made it likelier"
        if estimated.recalibration == "none"
        else f", then corrected ({estimated.recalibration}) by what other shoppers did"
    )
    return (
        f"{share_missing:.1%} of the decisions were logged without a probability; those were estimated from what "
        "shoppers' observations held, each by a model that saw no row of the same shopper: "
        f"{choice.title}{corrected}. On shoppers it didn't see its log loss is {choice.log_loss:.3f}, that of the "
        f"actions' frequencies {choice.log_loss_marginal:.3f} and of a uniform choice {choice.log_loss_uniform:.3f}. "
        "Values rest on that model, and their intervals are widened for what other fits would have said."
    )
