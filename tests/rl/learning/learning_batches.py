"""Tiny batches, candidates and learners of every algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import Candidate, ContinuousCandidate
from rl.learning.algorithms import ALGORITHMS, CONTINUOUS_ALGORITHMS
from rl.learning.learner import Learner, make_learner
from rl.learning.updates.captured_call import Recorder

N_FEATURES, N_ACTIONS, ACTION_SIZE, N_ROWS = 6, 5, 2, 32
GAMMA = 0.9
DISCRETE, CONTINUOUS = sorted(ALGORITHMS), sorted(CONTINUOUS_ALGORITHMS)
EVERY = [*DISCRETE, *CONTINUOUS]
# Of three numbers: the second action is as the first, the fourth as the third.
ACTION_ATTRIBUTES = np.array([[1, 0, 1], [1, 0, 1], [0, 1, -0.5], [0, 1, -0.5], [0, 0, 0]], dtype=np.float32)


def make_candidate(algorithm: str, **values: Any) -> Candidate | ContinuousCandidate:
    """A small one; `target_update_interval` is 3 where the algorithm knows it."""
    kind = Candidate if algorithm in ALGORITHMS else ContinuousCandidate
    settings = {"n_updates": 20, "batch_size": N_ROWS, "hidden_units": (16, 12), "learning_rate": 3e-3}
    if "target_update_interval" in kind.algorithms[algorithm].parameters:
        settings["target_update_interval"] = 3
    return kind.model_validate({"algorithm": algorithm, "seeds": (1,), **settings, **values})


def make_tiny_learner(
    algorithm: str, *, seed: int = 1, gamma: float = GAMMA, recorder: Recorder | None = None, **values: Any
) -> Learner:
    """A learner whose first weights the seed fixes."""
    torch.manual_seed(seed)
    is_discrete = algorithm in ALGORITHMS
    learner = make_learner(
        make_candidate(algorithm, **values),
        observation_shape=((N_FEATURES,), (N_ACTIONS,)) if is_discrete else ((N_FEATURES,),),
        action_size=N_ACTIONS if is_discrete else ACTION_SIZE,
        gamma=gamma,
        action_attributes=ACTION_ATTRIBUTES if is_discrete else None,
    )
    return learner if recorder is None else Learner(learner.algorithm, recorder=recorder)


def make_batch(algorithm: str, *, seed: int = 0, n: int = N_ROWS, is_masked: bool = True) -> TorchMiniBatch:
    """Random rows; where actions are masked, the last is never available and about half of the others are."""
    generator = np.random.default_rng(seed)
    features, following = (torch.from_numpy(generator.normal(size=(n, N_FEATURES)).astype(np.float32)) for _ in "12")
    reward = torch.from_numpy(generator.normal(size=(n, 1)).astype(np.float32) * 2)
    terminal = torch.from_numpy((generator.random((n, 1)) < 0.2).astype(np.float32))
    if algorithm in CONTINUOUS_ALGORITHMS:
        actions = torch.from_numpy(generator.uniform(-0.9, 0.9, size=(n, ACTION_SIZE)).astype(np.float32))
        observations, next_observations = [features], [following]
    else:
        masks = [_masks(generator, n, is_masked) for _ in "12"]
        chosen = [generator.choice(np.flatnonzero(row)) for row in masks[0].numpy()]
        actions = torch.from_numpy(np.array(chosen, dtype=np.int64)[:, None])
        observations, next_observations = [features, masks[0]], [following, masks[1]]
    nothing = torch.zeros_like(reward)
    return TorchMiniBatch(
        observations=observations,
        actions=actions,
        rewards=reward,
        next_observations=next_observations,
        next_actions=nothing,
        returns_to_go=nothing,
        terminals=terminal,
        intervals=torch.ones_like(reward),
        device="cpu",
    )


def _masks(generator: np.random.Generator, n: int, is_masked: bool) -> torch.Tensor:
    if not is_masked:
        return torch.ones(n, N_ACTIONS, dtype=torch.bool)
    masks = generator.random((n, N_ACTIONS)) < 0.5
    masks[:, -1] = False
    masks[np.arange(n), generator.integers(N_ACTIONS - 1, size=n)] = True
    return torch.from_numpy(masks)
