"""Whether propensities, estimated or logged, agree with the actions that were taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from rl.logged_episodes import FloatArray, LoggedEpisodes
from rl.ope.evaluation_probabilities import row_batches
from rl.ope.intervals import standard_error
from rl.ope.sums import RatioSums, sums_by_unit
from rl.ope.weights import refusal_to_weight

_EDGES = np.array([0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
_TOP_BINS = 15  # Guo et al. (2017)


class RowProbabilities(Protocol):
    """Probabilities of all actions at rows of a log."""

    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        """`(len(rows), n_actions)`."""
        ...


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions within a range of probability against how often they came true.

    Attributes:
        n: pairs of a decision and an available action.
        mean_predicted: mean predicted probability.
        share_observed: share of the pairs whose action was the one taken.
    """

    n: int
    mean_predicted: float
    share_observed: float


@dataclass(frozen=True)
class CalibrationReport:
    """Calibration of predicted action probabilities.

    Attributes:
        curve: over all available actions of all decisions, by predicted probability, empty ranges left out.
        expected_calibration_error: of the likeliest action: mean gap between its probability and how often it was
            taken, over 15 equal ranges. Source: Guo et al. (2017), equation 3.
        misplaced_share: sum over `curve` of |expected - observed| choices per decision: 0 is perfect, 2 the worst.
            The first figure says little where no action is likely; this one still does.
        log_loss: mean -log probability of the logged action.
        log_loss_uniform: the same for a uniform choice among the available.
        n_decisions: judged.
    """

    curve: tuple[ReliabilityBin, ...]
    expected_calibration_error: float
    misplaced_share: float
    log_loss: float
    log_loss_uniform: float
    n_decisions: int

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class PropensityCheck:
    """Whether logged propensities can be what they claim.

    Attributes:
        share_missing: of decisions without a propensity.
        smallest: smallest propensity.
        mean_uniform_weight: mean of uniform-over-available probability over propensity; about 1 if propensities are
            right and every available action could be taken, less if some couldn't.
        standard_error: of that mean, clustered by unit.
        is_plausible: the mean lies within 4 standard errors of 1, or within 0.05.
        refusal: why there is nothing to check; None where there is.
    """

    share_missing: float
    smallest: float | None
    mean_uniform_weight: float | None
    standard_error: float | None
    is_plausible: bool
    refusal: str | None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def calibration_report(model: RowProbabilities, episodes: LoggedEpisodes) -> CalibrationReport:
    """Calibration of the model's probabilities on a log."""
    pairs = np.zeros((3, len(_EDGES) - 1))
    top = np.zeros((3, _TOP_BINS))
    log_loss = 0.0
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        probabilities, mask = model.row_probabilities(episodes, rows), episodes.mask(rows)
        index = np.arange(len(probabilities))
        action = episodes.action[rows]
        taken = np.zeros(mask.shape, dtype=bool)
        taken[index, action] = True
        pairs += _histogram(probabilities[mask], taken[mask], _EDGES)
        likeliest = probabilities.argmax(axis=1)
        top += _histogram(probabilities[index, likeliest], likeliest == action, np.linspace(0, 1, _TOP_BINS + 1))
        log_loss -= float(np.log(probabilities[index, action]).sum())
    n = episodes.n_transitions
    n_available = episodes.availability.sum(axis=1)[episodes.mask_index]
    return CalibrationReport(
        curve=_curve(pairs),
        expected_calibration_error=float(np.abs(top[1] - top[2]).sum() / n),
        misplaced_share=float(np.abs(pairs[1] - pairs[2]).sum() / n),
        log_loss=log_loss / n,
        log_loss_uniform=float(np.log(n_available).mean()),
        n_decisions=n,
    )


def check_logged_propensities(episodes: LoggedEpisodes) -> PropensityCheck:
    """Whether the log's propensities are consistent with its availability sets.

    Under the true propensities the uniform policy's weight averages 1 at every decision with full support, whatever
    the reward. Few rows or tiny propensities make the mean noisy: read it with its standard error.
    """
    known = ~np.isnan(episodes.propensity)
    share_missing = float(1 - known.mean()) if len(known) else 0.0
    if refusal := refusal_to_weight(episodes.propensity):
        return PropensityCheck(share_missing, None, None, None, False, refusal)
    n_available = episodes.availability.sum(axis=1)[episodes.mask_index]
    weight = 1.0 / (n_available * episodes.propensity)
    mean, error = _clustered_mean(weight, episodes)
    is_plausible = abs(mean - 1) <= max(4 * error, 0.05)
    return PropensityCheck(share_missing, float(episodes.propensity.min()), mean, error, is_plausible, None)


def _clustered_mean(values: FloatArray, episodes: LoggedEpisodes) -> tuple[float, float]:
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    unit_of_row = unit[episodes.episode]
    numerators = sums_by_unit(values, unit_of_row, len(unit_ids))[:, None]
    counts = sums_by_unit(np.ones_like(values), unit_of_row, len(unit_ids))[:, None]
    sums = RatioSums(unit_ids.astype(np.int64), numerators, counts)
    return sums.value(), standard_error(sums)


def _histogram(predicted: FloatArray, came_true: FloatArray, edges: FloatArray) -> FloatArray:
    """Count, sum of predictions and number come true in each range, `(3, n_bins)`."""
    bins = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, len(edges) - 2)
    n_bins = len(edges) - 1
    return np.stack([
        np.bincount(bins, minlength=n_bins),
        np.bincount(bins, weights=predicted, minlength=n_bins),
        np.bincount(bins, weights=came_true, minlength=n_bins),
    ])  # fmt: skip


def _curve(pairs: FloatArray) -> tuple[ReliabilityBin, ...]:
    return tuple(
        ReliabilityBin(int(n), float(predicted / n), float(observed / n)) for n, predicted, observed in pairs.T if n
    )
