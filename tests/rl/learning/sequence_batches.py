"""Small observations with token columns, and learners that read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import Candidate
from rl.learning.learner import Learner, make_learner
from rl.policy.token_layout import N_RESERVED, PADDING, TokenLayout, TokenList

N_DENSE, N_ACTIONS = 3, 7
LAYOUT = TokenLayout(
    n_dense=N_DENSE,
    lists=(TokenList(0, 3, 5), TokenList(1, 8, 4)),
    table_sizes=(N_RESERVED + N_ACTIONS + 4, 6),
    action_table=0,
)
SMALL = {"history_length": 4, "embedding_size": 6, "width": 8}


def make_features(n: int, *, seed: int = 0, layout: TokenLayout = LAYOUT) -> np.ndarray:
    """Random numbers and tokens; lists have any length, none among them."""
    generator = np.random.default_rng(seed)
    features = np.zeros((n, layout.n_columns), dtype=np.float32)
    features[:, : layout.n_dense] = generator.normal(size=(n, layout.n_dense))
    for found in layout.lists:
        tokens = generator.integers(PADDING + 1, layout.table_sizes[found.table], size=(n, found.length))
        length = generator.integers(0, found.length + 1, size=(n, 1))
        features[:, found.start : found.start + found.length] = np.where(np.arange(found.length) < length, tokens, 0)
    return features


def make_sequence_batch(n: int = 64, *, seed: int = 0, n_actions: int = N_ACTIONS) -> TorchMiniBatch:
    """Random rows; about half of the actions are available, the last never."""
    generator = np.random.default_rng(seed)
    masks = generator.random((2, n, n_actions)) < 0.5
    masks[:, :, -1] = False
    masks[:, :, 0] = True
    actions = np.array([generator.choice(np.flatnonzero(row)) for row in masks[0]])[:, None]
    reward = torch.from_numpy(generator.normal(size=(n, 1)).astype(np.float32))
    nothing = torch.zeros_like(reward)
    return TorchMiniBatch(
        observations=[torch.from_numpy(make_features(n, seed=seed)), torch.from_numpy(masks[0])],
        next_observations=[torch.from_numpy(make_features(n, seed=seed + 1000)), torch.from_numpy(masks[1])],
        actions=torch.from_numpy(actions),
        rewards=reward,
        next_actions=nothing,
        returns_to_go=nothing,
        terminals=nothing,
        intervals=torch.ones_like(reward),
        device="cpu",
    )


def make_sequence_candidate(
    kind: str, algorithm: str = "discrete_cql", values: dict[str, Any] | None = None, **encoder: Any
) -> Candidate:
    settings = {"seeds": (1,), "n_updates": 50, "hidden_units": (12,), "learning_rate": 3e-3, **(values or {})}
    spec = {"kind": kind} | ({} if kind == "dense" else SMALL | ({"n_heads": 2} if kind == "transformer" else {}))
    return Candidate.model_validate({"algorithm": algorithm, "encoder": spec | encoder, **settings})


def make_sequence_learner(candidate: Candidate, *, layout: TokenLayout = LAYOUT, n_actions: int = N_ACTIONS) -> Learner:
    torch.manual_seed(candidate.seeds[0])
    shape = ((layout.n_columns,), (n_actions,))
    return make_learner(candidate, observation_shape=shape, action_size=n_actions, gamma=0.9, layout=layout)
