"""Whether logged propensities can be what they claim to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError
from rl.ope.intervals.sums import mean_sums
from rl.ope.samples.evaluation_probabilities import row_batches
from rl.ope.samples.ratio_balance import balance_of
from rl.ope.samples.weights import refusal_to_weight

_SHOWN_ROWS = 5
_TOLERANCE = 0.05  # departure of a uniform choice's mean weight from 1 that is let pass beside chance
_SUM_TOLERANCE = 1e-3  # a logger may compute in single precision, over thousands of actions
_AGREEMENT = 1e-3  # relative: a log may round its propensities to three digits, no coarser


@dataclass(frozen=True)
class _Problem:
    """What rows have wrong, and what to do about it."""

    finding: str
    remedy: str


_NOT_POSITIVE = _Problem(
    "have a propensity of 0 or less, yet their action was taken",
    "log the probability that the action was drawn with, before rounding",
)
_ABOVE_ONE = _Problem("have a propensity above 1", "log a probability, not a score or a percentage")
_NO_NUMBER = _Problem("have probabilities that are negative or not finite", "repair the logger")
_UNAVAILABLE = _Problem(
    "give probability to unavailable actions", "deliver the availability that the logger decided with"
)
_NO_SUM = _Problem("don't add up to 1 over the available actions", "log them after masking, renormalized")
_DIFFERENT = _Problem(
    "give the action taken another probability than its propensity", "log both from the draw that was made"
)


class WholeDistribution(Protocol):
    """The logger's probabilities of all actions at rows of a log."""

    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        """`(len(rows), n_actions)`."""
        ...


@dataclass(frozen=True)
class LoggedDistribution:
    """A log column that holds the probabilities of all actions.

    Attributes:
        probabilities: `(n, n_actions)`.
    """

    probabilities: FloatArray

    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:  # noqa: ARG002
        """The column's own rows."""
        return self.probabilities[rows]


@dataclass(frozen=True)
class QueriedLogger:
    """A logger that can be asked again: the policy that made the log.

    Attributes:
        policy: asked about the log's own observations.
    """

    policy: Policy

    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        """What the policy says at the rows."""
        return self.policy.probabilities(episodes.features[rows], episodes.mask(rows))


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

    @property
    def problem(self) -> str | None:
        """Why no availability could make these propensities right; None where one could.

        A uniform choice's weight averages less than 1 where the logger never takes some available actions, which is
        its right; more than 1 it can't.
        """
        mean = self.mean_uniform_weight
        if self.is_plausible or mean is None or mean <= 1:
            return None
        return (
            f"a uniform choice's weight averages {mean:.2f} (standard error {self.standard_error:.2f}) where it can't "
            "exceed 1; log the probability that the action was drawn with"
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def require_valid_propensities(propensity: FloatArray, *, where: str = "the log") -> None:
    """Every known propensity lies in (0, 1]; a missing one (NaN) is allowed.

    Args:
        propensity: of the logged actions, `(n,)`.
        where: what the rows are of, for the message.

    Raises:
        EvaluationError: some don't; names the first rows, how many there are, and what to do.
    """
    found = {_NOT_POSITIVE: np.flatnonzero(propensity <= 0), _ABOVE_ONE: np.flatnonzero(propensity > 1)}
    _raise_all(where, [_named(rows, problem) for problem, rows in found.items() if len(rows)])


def require_valid_distribution(
    distribution: WholeDistribution, episodes: LoggedEpisodes, *, where: str = "the log"
) -> None:
    """The logger's probabilities add up to 1 over available actions, and give the logged actions their propensities.

    Args:
        distribution: of all actions: a log column, or a logger that can be asked.
        episodes: the log; rows without a propensity aren't compared with it.
        where: what the rows are of, for the message.

    Raises:
        EvaluationError: all that is wrong at once; names the first rows, how many there are, and what to do.
    """
    bad: dict[_Problem, list[IntArray]] = {}
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        probabilities = np.asarray(distribution.row_probabilities(episodes, rows), dtype=np.float64)
        mask = episodes.mask(rows)
        if probabilities.shape != mask.shape:
            raise EvaluationError(f"{where}: probabilities of shape {probabilities.shape}, expected {mask.shape}")
        taken = probabilities[np.arange(len(mask)), episodes.action[rows]]
        for problem, is_bad in _row_problems(probabilities, mask, taken, episodes.propensity[rows]):
            bad.setdefault(problem, []).append(np.flatnonzero(is_bad) + rows.start)
    named = {problem: np.concatenate(rows) for problem, rows in bad.items()}
    _raise_all(where, [_named(rows, problem) for problem, rows in named.items() if len(rows)])


def check_logged_propensities(episodes: LoggedEpisodes) -> PropensityCheck:
    """Whether the log's propensities are consistent with its availability sets.

    Under the true propensities the uniform policy's weight averages 1 at every decision with full support, whatever
    the reward. Both are of natural actions, as the log drew them, also where the index lumps some together. Few rows
    or tiny propensities make the mean noisy: read it with its standard error.
    """
    known = ~np.isnan(episodes.propensity)
    share_missing = float(1 - known.mean()) if len(known) else 0.0
    if refusal := refusal_to_weight(episodes.propensity):
        return PropensityCheck(share_missing, None, None, None, False, refusal)
    n_available = episodes.n_available[episodes.mask_index]
    weight = 1.0 / (n_available * episodes.propensity)
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    balance = balance_of(mean_sums(weight, unit[episodes.episode], unit_ids))
    return PropensityCheck(
        share_missing,
        float(episodes.propensity.min()),
        balance.mean,
        balance.standard_error,
        balance.is_kept(_TOLERANCE),
        None,
    )


def _row_problems(
    probabilities: FloatArray, mask: BoolArray, taken: FloatArray, propensity: FloatArray
) -> Iterator[tuple[_Problem, BoolArray]]:
    """Each problem with the rows that have it."""
    is_number = np.asarray((np.isfinite(probabilities) & (probabilities >= 0)).all(axis=1), dtype=bool)
    yield _NO_NUMBER, np.logical_not(is_number)
    yield _UNAVAILABLE, is_number & (np.where(mask, 0.0, probabilities).sum(axis=1) > 0)
    off = np.abs(np.where(mask, probabilities, 0.0).sum(axis=1) - 1.0) > _SUM_TOLERANCE
    yield _NO_SUM, is_number & off
    differs = np.abs(taken - propensity) > _AGREEMENT * propensity  # False where the propensity is NaN
    yield _DIFFERENT, is_number & differs


def _named(rows: IntArray, problem: _Problem) -> str:
    others = f" and others ({len(rows)} in all)" if len(rows) > _SHOWN_ROWS else ""
    return f"rows {rows[:_SHOWN_ROWS].tolist()}{others} {problem.finding}: {problem.remedy}"


def _raise_all(where: str, violations: list[str]) -> None:
    if violations:
        raise EvaluationError(f"{where}: propensities can't be trusted: " + "; ".join(violations))
