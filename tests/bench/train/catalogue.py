"""A full step, gathering and update, against the size of the catalogue: the conservative term full and sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from conf.specs.candidate import Candidate
from rl.data.logged_episodes import LoggedEpisodes
from rl.learning.learner import Learner, make_learner
from rl.learning.replay.replay import Replay
from rl.policy.token_layout import N_RESERVED, TokenLayout, TokenList
from tests.bench.train.timing import DEVICE, setting, time_in_turn
from tests.rl.learning.replay.uniform_rows import UniformRows

SIZES = (1_000, 10_000, 100_000)
N_DENSE, LENGTH, BATCH_SIZE, N_SAMPLED = 16, 10, 256, 512
N_ROWS, N_SETS, AVAILABLE_SHARE = 20_000, 30, 0.9


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


def catalogue_episodes(n_actions: int, *, seed: int = 0) -> LoggedEpisodes:
    """Random histories, episodes of one step, and days that each have most of the catalogue available."""
    generator = np.random.default_rng(seed)
    parts = []
    for _ in range(2):
        dense = generator.normal(size=(N_ROWS, N_DENSE))
        tokens = generator.integers(N_RESERVED, n_actions + N_RESERVED, size=(N_ROWS, LENGTH))
        parts.append(np.concatenate([dense, tokens], axis=1).astype(np.float32))
    availability = generator.random((N_SETS, n_actions)) < AVAILABLE_SHARE
    day, next_day = generator.integers(N_SETS, size=(2, N_ROWS))
    available = [np.flatnonzero(row) for row in availability]
    place = generator.random(N_ROWS)
    action = np.array([available[row][int(at * len(available[row]))] for row, at in zip(day, place, strict=True)])
    nothing, every = np.zeros(N_ROWS, dtype=np.int64), np.arange(N_ROWS + 1)
    return LoggedEpisodes(
        features=parts[0],
        next_features=parts[1],
        action=action,
        reward=generator.normal(size=N_ROWS),
        terminal=nothing.astype(bool),
        timeout=~nothing.astype(bool),
        propensity=np.full(N_ROWS, 1 / n_actions),
        availability=availability,
        mask_index=day,
        next_mask_index=next_day,
        offsets=every,
        unit=every[:-1],
        start_time=every[:-1],
        elapsed_microseconds=nothing,
        policy_version=nothing,
    )


def lines() -> Iterator[dict[str, Any]]:
    """A line for each size: milliseconds of a step, full and sampled in turn, and their ratio."""
    for n_actions in SIZES:
        replay = Replay(catalogue_episodes(n_actions), device=DEVICE)
        found = time_in_turn({name: _step(replay, is_sampled=name == "sampled") for name in ("full", "sampled")})
        yield {
            "bench": "train_catalogue",
            "n_actions": n_actions,
            "batch": BATCH_SIZE,
            "n_sets": N_SETS,
            "n_sampled": N_SAMPLED,
            "full_ms": round(1e3 * found["full"].wall, 2),
            "sampled_ms": round(1e3 * found["sampled"].wall, 2),
            "full_over_sampled": round(found["full"].wall / found["sampled"].wall, 2),
        } | setting()


def _step(replay: Replay, *, is_sampled: bool) -> Callable[[], object]:
    learner = make_catalogue_learner(replay.n_actions, is_sampled=is_sampled, device=DEVICE)
    rows = UniformRows(replay.n_transitions, BATCH_SIZE, seed=0)
    if DEVICE == "cuda" and replay.is_on_device:
        gather = replay.gather
        return lambda: learner.update_rows(torch.from_numpy(rows.next()).to(DEVICE, non_blocking=True), gather)
    return lambda: learner.update(replay.batch(rows.next()))
