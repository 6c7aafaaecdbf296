"""Logs of two policies: one near the evaluation policy, one far from it."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import LoggedEpisodes
from tests.rl.ope.one_step_logs import bandit

PROBLEM = bandit()
POLICY = PROBLEM.random_policy(2, sharpness=1.5)
NEAR = PROBLEM.random_policy(2, sharpness=1.0, version="near")
FAR = PROBLEM.random_policy(5, sharpness=3.0, version="far")
LOGGERS = {"near": NEAR, "far": FAR}


def joined(*logs: LoggedEpisodes) -> LoggedEpisodes:
    """Logs one after the other, the first by version 0 (near), the second by version 1 (far), units apart."""
    names = (
        "features",
        "next_features",
        "action",
        "reward",
        "terminal",
        "timeout",
        "propensity",
        "mask_index",
        "next_mask_index",
        "elapsed_microseconds",
    )
    starts = np.cumsum([0, *(log.n_transitions for log in logs)])
    return LoggedEpisodes(
        **{name: np.concatenate([getattr(log, name) for log in logs]) for name in names},
        availability=logs[0].availability,
        offsets=np.concatenate([log.offsets[:-1] + s for log, s in zip(logs, starts, strict=False)] + [starts[-1:]]),
        unit=np.concatenate([log.unit + 100_000 * k for k, log in enumerate(logs)]),
        start_time=np.concatenate([log.start_time for log in logs]),
        policy_version=np.concatenate([np.full(log.n_transitions, k) for k, log in enumerate(logs)]),
        policy_versions=("near", "far"),
    )


def two_logs(n_near: int, n_far: int, seed: int = 0) -> LoggedEpisodes:
    return joined(PROBLEM.log(NEAR, n=n_near, seed=seed), PROBLEM.log(FAR, n=n_far, seed=seed + 1000))
