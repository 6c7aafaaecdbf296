"""The policies of a night, each with the episodes as its own encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, LoggedEpisodes, Policy
from rl.ope.report import PolicyEvaluation


@dataclass(frozen=True)
class Contender:
    """A policy with the episodes as its own encoder sees them."""

    name: str
    policy: Policy
    train: LoggedEpisodes
    test: LoggedEpisodes


def evaluated_rows(contender: Contender, evaluation: PolicyEvaluation) -> BoolArray:
    """Return True for the test rows that a sample holds: those before the last step of the value, `(n,)`."""
    steps = evaluation.settings.steps
    step = contender.test.step
    return np.ones(len(step), dtype=bool) if steps is None else step < steps
