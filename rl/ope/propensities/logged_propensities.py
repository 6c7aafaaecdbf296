"""Whether logged propensities can be what they claim to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.intervals.sums import mean_sums
from rl.ope.samples.ratio_balance import balance_of
from rl.ope.samples.weights import refusal_to_weight

_SHOWN_ROWS = 5
_TOLERANCE = 0.05  # departure of a uniform choice's mean weight from 1 that is let pass beside chance


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


def require_valid_propensities(propensity: FloatArray, *, where: str = "the log") -> None:
    """Raise if a known propensity lies outside (0, 1]; a missing one (NaN) is allowed.

    Args:
        propensity: of the logged actions, `(n,)`.
        where: what the rows are of, for the message.

    Raises:
        EvaluationError: some don't; names the first rows, how many there are, and what to do.
    """
    found = {_NOT_POSITIVE: np.flatnonzero(propensity <= 0), _ABOVE_ONE: np.flatnonzero(propensity > 1)}
    _raise_all(where, [_named(rows, problem) for problem, rows in found.items() if len(rows)])


def check_logged_propensities(episodes: LoggedEpisodes) -> PropensityCheck:
    """Return whether the log's propensities are consistent with its availability sets.

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


def _named(rows: IntArray, problem: _Problem) -> str:
    others = f" and others ({len(rows)} in all)" if len(rows) > _SHOWN_ROWS else ""
    return f"rows {rows[:_SHOWN_ROWS].tolist()}{others} {problem.finding}: {problem.remedy}"


def _raise_all(where: str, violations: list[str]) -> None:
    if violations:
        raise EvaluationError(f"{where}: propensities can't be trusted: " + "; ".join(violations))
