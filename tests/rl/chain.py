"""A chain in which looking ahead pays, with its exact values.

In each of `N_STATES` states: `TAKE` earns 1 and ends the episode; `ADVANCE` earns nothing and goes on, but from the
last state it earns 10 and ends; `STAY` earns nothing and changes nothing. So the greedy one-step choice and the logging
policy's favorite (`TAKE`) earn 1, and whoever advances earns 10 discounted by the way.
"""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, LoggedEpisodes
from tests.rl.factories import make_logged_episodes

N_STATES, N_ACTIONS = 4, 3
TAKE, ADVANCE, STAY = 0, 1, 2
GAMMA = 0.9
LOGGING = np.array([0.5, 0.3, 0.2])
MAX_STEPS = 8


def chain_episodes(n_episodes: int = 400, *, seed: int = 0, cut_every_step: bool = False) -> LoggedEpisodes:
    """Logged episodes of the chain; `cut_every_step` makes each transition an episode of its own, cut by a timeout."""
    generator = np.random.default_rng(seed)
    rows: list[tuple[int, int, float, int, bool, bool]] = []
    lengths = []
    for _ in range(n_episodes):
        state, is_over, length = 0, False, 0
        while not is_over and length < MAX_STEPS:
            action = int(generator.choice(N_ACTIONS, p=LOGGING))
            following, reward, is_over = step(state, action)
            length += 1
            rows.append((state, action, reward, following, is_over, not is_over and length == MAX_STEPS))
            state = following
        lengths.append(length)
    states, actions, rewards, following_states, terminal, timeout = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    if cut_every_step:
        lengths, timeout = [1] * len(rows), ~terminal
    return make_logged_episodes(
        lengths,
        N_ACTIONS,
        features=one_hot(states),
        next_features=one_hot(following_states),
        action=actions.astype(np.int64),
        reward=rewards,
        terminal=terminal,
        timeout=timeout,
        propensity=LOGGING[actions],
    )


def step(state: int, action: int) -> tuple[int, float, bool]:
    """Next state, reward, whether nothing follows."""
    if action == TAKE:
        return state, 1.0, True
    if action == STAY:
        return state, 0.0, False
    return (state, 10.0, True) if state == N_STATES - 1 else (state + 1, 0.0, False)


def one_hot(states: np.ndarray) -> np.ndarray:
    return np.asarray(np.eye(N_STATES, dtype=np.float32)[states])


def all_states() -> tuple[np.ndarray, BoolArray]:
    """Features and masks of all states."""
    return one_hot(np.arange(N_STATES)), np.ones((N_STATES, N_ACTIONS), dtype=bool)


def exact_value(probabilities: FloatArray) -> float:
    """Value at the first state of the policy with these probabilities, `(N_STATES, N_ACTIONS)`, by linear equations."""
    reward, transition = np.zeros(N_STATES), np.zeros((N_STATES, N_STATES))
    for state in range(N_STATES):
        for action in range(N_ACTIONS):
            following, earned, is_over = step(state, action)
            reward[state] += probabilities[state, action] * earned
            transition[state, following] += 0.0 if is_over else probabilities[state, action]
    return float(np.linalg.solve(np.eye(N_STATES) - GAMMA * transition, reward)[0])
