"""Whether actions are chosen as often as their propensities say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtri

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray

LEAST_EXPECTED = 20.0
"""Decisions that a group of actions must be expected to get: the chi-square law is a limit."""

MOST_GROUPS = 12
_FARTHEST = 1e-300


@dataclass(frozen=True)
class Frequencies:
    """How often actions were chosen against how often they should have been.

    Attributes:
        n_decisions: that were compared.
        n_groups: of actions.
        statistic: chi-square in the limit, while propensities are right.
        degrees: of freedom.
        p_value: of a statistic as large.
    """

    n_decisions: int
    n_groups: int
    statistic: float
    degrees: int
    p_value: float

    @property
    def score(self) -> float:
        """The p-value as a normal score: large where actions are chosen otherwise than told."""
        return -float(ndtri(min(max(self.p_value, _FARTHEST), 1 - 1e-12)))


def frequencies(probabilities: FloatArray, action: IntArray) -> Frequencies | None:
    """Return the comparison of counts with sums of probabilities; None where too few decisions were made to compare.

    Rare actions count together, in groups of about equal expectation, so that the limit is reached. Decisions are
    independent given what was known at each, whoever they are about: no clustering is needed.

    Args:
        probabilities: of every action at each decision, rows sum to 1, `(n, n_actions)`.
        action: chosen, `(n,)`.

    Source: Rao (1973), 6b.2: for counts of independent draws with covariance C, d' C^- d is chi-square in the limit,
    with the rank of C.
    """
    group = _groups(probabilities.sum(axis=0))
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < 2:
        return None
    together = np.zeros((len(probabilities), n_groups))
    for number in range(n_groups):
        together[:, number] = probabilities[:, group == number].sum(axis=1)
    apart = np.bincount(group[action], minlength=n_groups) - together.sum(axis=0)
    covariance = np.diag(together.sum(axis=0)) - together.T @ together
    degrees = int(np.linalg.matrix_rank(covariance, tol=1e-9 * len(probabilities), hermitian=True))
    if degrees < 1:
        return None
    inverse = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True)
    statistic = float(apart @ inverse @ apart)
    return Frequencies(len(action), n_groups, statistic, degrees, float(chdtrc(degrees, statistic)))


def _groups(expected: FloatArray) -> IntArray:
    """Return the group of each action: the most expected have their own, the others share, `(n_actions,)`."""
    total = float(expected.sum())
    size = max(LEAST_EXPECTED, total / MOST_GROUPS)
    order = np.argsort(-expected, kind="stable")
    group, number, held = np.zeros(len(expected), dtype=np.int64), 0, 0.0
    for place in order:
        group[place] = number
        held += float(expected[place])
        if held >= size:
            number, held = number + 1, 0.0
    if held and number and held < LEAST_EXPECTED:
        group[group == number] = number - 1
    return group


def explained(logged: FloatArray, computed: FloatArray, *, tolerance: float = 1e-4) -> BoolArray:
    """Return True where a logged propensity is what the policy gives for the row as it was built, `(n,)`.

    It isn't where the service saw another observation than the tables hold (a history that was stale or that it didn't
    know), or where rules took actions away that no observation tells of (places of a slate, caps, pins).

    Args:
        logged: propensities, `(n,)`.
        computed: the policy's probabilities of the same actions, `(n,)`; networks sum in single precision, in another
            order for a batch than for one row.
        tolerance: of their ratio.
    """
    return np.asarray(np.abs(computed - logged) <= tolerance * logged)
