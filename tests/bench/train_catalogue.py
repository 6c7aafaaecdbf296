"""Seconds of an update against the size of the catalogue: the conservative term full and sampled."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from conf.candidate import Candidate
from rl.learning.learner import Learner, make_learner
from rl.policy.token_layout import N_RESERVED, TokenLayout, TokenList

SIZES = (1_000, 10_000, 100_000)
N_DENSE, LENGTH, BATCH_SIZE, N_REPEATS, N_SAMPLED = 16, 10, 256, 5, 512


def make_catalogue_learner(n_actions: int, *, is_sampled: bool, kind: str = "gru", device: str = "cpu") -> Learner:
    """Conservative Q-learning with its output tied to the embeddings of so many items."""
    torch.manual_seed(0)
    spec: dict[str, Any] = {"kind": kind, "is_output_tied": True}
    if is_sampled:
        spec |= {"sampled_above": 1, "n_sampled_actions": N_SAMPLED}
    candidate = Candidate.model_validate(
        {"algorithm": "discrete_cql", "seeds": (1,), "n_updates": 1000, "batch_size": BATCH_SIZE, "encoder": spec}
    )
    layout = TokenLayout(N_DENSE, (TokenList(0, N_DENSE, LENGTH),), (n_actions + N_RESERVED,), action_table=0)
    shape = ((layout.n_columns,), (n_actions,))
    return make_learner(
        candidate, observation_shape=shape, action_size=n_actions, gamma=0.9, device=device, layout=layout
    )


def make_catalogue_batch(n_actions: int, *, seed: int = 0, device: str = "cpu") -> TorchMiniBatch:
    """Random histories of a catalogue of which all is available."""
    generator = np.random.default_rng(seed)
    parts = []
    for _ in range(2):
        dense = generator.normal(size=(BATCH_SIZE, N_DENSE))
        tokens = generator.integers(N_RESERVED, n_actions + N_RESERVED, size=(BATCH_SIZE, LENGTH))
        features = torch.from_numpy(np.concatenate([dense, tokens], axis=1).astype(np.float32)).to(device)
        parts.append([features, torch.ones(BATCH_SIZE, n_actions, dtype=torch.bool, device=device)])
    reward = torch.from_numpy(generator.normal(size=(BATCH_SIZE, 1)).astype(np.float32)).to(device)
    action = torch.from_numpy(generator.integers(n_actions, size=(BATCH_SIZE, 1))).to(device)
    nothing = torch.zeros_like(reward)
    return TorchMiniBatch(
        observations=parts[0], next_observations=parts[1], actions=action, rewards=reward, next_actions=nothing,
        returns_to_go=nothing, terminals=nothing, intervals=torch.ones_like(reward), device=device,
    )  # fmt: skip


def lines() -> Iterator[dict[str, Any]]:
    """A line for each size: median milliseconds of an update, full and sampled, alternating, and their ratio."""
    device = os.environ.get("DEVICE") or "cpu"
    for n_actions in SIZES:
        batch = make_catalogue_batch(n_actions, device=device)
        learners = {
            name: make_catalogue_learner(n_actions, is_sampled=name == "sampled", device=device)
            for name in ("full", "sampled")
        }
        seconds: dict[str, list[float]] = {name: [] for name in learners}
        for repeat in range(N_REPEATS + 1):
            for name, learner in learners.items():
                found = _seconds_of(learner, batch)
                if repeat:  # the first warms up
                    seconds[name].append(found)
        medians = {name: statistics.median(found) for name, found in seconds.items()}
        yield {
            "bench": "train_catalogue", "device": device, "n_actions": n_actions, "batch_size": BATCH_SIZE,
            "n_sampled": N_SAMPLED, "n_repeats": N_REPEATS,
            "full_ms": round(1e3 * medians["full"], 2), "sampled_ms": round(1e3 * medians["sampled"], 2),
            "full_over_sampled": round(medians["full"] / medians["sampled"], 2),
        }  # fmt: skip


def _seconds_of(learner: Learner, batch: TorchMiniBatch) -> float:
    started = time.perf_counter()
    float(learner.update(batch)["loss"])  # waits for a GPU
    return time.perf_counter() - started
