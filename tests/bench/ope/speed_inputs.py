"""The episodes on which speed is compared; NumPy alone, so that both sides make them from the seed."""

from __future__ import annotations

from tests.golden.random_logs import SequentialInput, SequentialShape, sequential_input

N_EPISODES, HORIZON, N_ACTIONS, GAMMA = 10_000, 10, 50, 0.95
LEVEL, N_DRAWS = 0.95, 1000


def speed_input() -> SequentialInput:
    """Episodes of one length with known propensities, whose largest weight over all steps is some hundreds."""
    return sequential_input(SequentialShape("speed", N_EPISODES, HORIZON, N_ACTIONS, GAMMA, 0.5, 5))
