"""Whether estimated action probabilities come true as often as they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.ope.samples.evaluation_probabilities import row_batches

_EDGES = np.array([0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
_TOP_BINS = 15  # Guo et al. (2017)


class RowProbabilities(Protocol):
    """Probabilities of all actions at rows of a log."""

    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        """Return the probabilities at the given rows, `(len(rows), n_actions)`."""
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


def calibration_report(model: RowProbabilities, episodes: LoggedEpisodes) -> CalibrationReport:
    """Return the calibration of the model's probabilities on a log."""
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


def _histogram(predicted: FloatArray, came_true: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the count, the sum of predictions and the number come true in each range, `(3, n_bins)`."""
    bins = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, len(edges) - 2)
    n_bins = len(edges) - 1
    return np.stack(
        [
            np.bincount(bins, minlength=n_bins),
            np.bincount(bins, weights=predicted, minlength=n_bins),
            np.bincount(bins, weights=came_true, minlength=n_bins),
        ]
    )


def _curve(pairs: FloatArray) -> tuple[ReliabilityBin, ...]:
    return tuple(
        ReliabilityBin(int(n), float(predicted / n), float(observed / n)) for n, predicted, observed in pairs.T if n
    )
