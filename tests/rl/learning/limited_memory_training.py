"""Trains in a process that may take less memory than the log does; run by test_limited_memory.

Prints a hash of the weights learned from files, and whether the log as a whole fits into memory.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FeatureArray, LoggedEpisodes
from rl.learning.candidates import SeededCandidate
from rl.learning.replay.replay_columns import TrainingData
from rl.learning.replay.replay_store import write_store
from rl.learning.training import TrainingSettings, train_candidate
from tests.rl.factories import make_logged_episodes

N_PARTS, N_ROWS, N_FEATURES, N_ACTIONS = 30, 10_000, 64, 5
N_BYTES = 2 * 4 * N_PARTS * N_ROWS * N_FEATURES
"""Of the log's features, now and next: 154 MB."""


def part(number: int) -> LoggedEpisodes:
    """Some of the log: episodes of five decisions."""
    features = _features(number, N_ROWS + 1)
    return make_logged_episodes([5] * (N_ROWS // 5), N_ACTIONS, features=features[:-1], next_features=features[1:])


def parts() -> Iterator[LoggedEpisodes]:
    """The log, some at a time."""
    return (part(number) for number in range(N_PARTS))


def whole() -> LoggedEpisodes:
    """The log at once."""
    found = list(parts())
    return make_logged_episodes(
        [5] * (N_PARTS * N_ROWS // 5),
        N_ACTIONS,
        features=np.concatenate([one.features for one in found]),
        next_features=np.concatenate([one.next_features for one in found]),
        action=np.concatenate([one.action for one in found]),
    )


def learned(training: TrainingData) -> str:
    """Hash of the weights after some updates."""
    candidate = Candidate(algorithm="discrete_cql", seeds=(0,), n_updates=60, batch_size=64, hidden_units=(8,))
    trained = train_candidate(
        SeededCandidate("discrete_cql-0", candidate, 0), training, part(0), TrainingSettings(DiscountFunction(0.9))
    )
    tensors = trained.network.to_tensors()
    return sha256(b"".join(tensors[name].tobytes() for name in sorted(tensors))).hexdigest()


def main(folder: Path, allowed_bytes: int) -> None:
    """What this process has is counted as given; beyond it, only so much may be asked for."""
    learned(part(0))  # whatever libraries take, they have now
    limit = _data_bytes() + allowed_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    print(learned(write_store(folder, parts(), memory_bytes=allowed_bytes // 4)))
    try:
        whole()
    except MemoryError:
        print("the whole doesn't fit")
    else:
        print("the whole fits")


def _features(number: int, n_rows: int) -> FeatureArray:
    return np.random.default_rng(number).standard_normal((n_rows, N_FEATURES), dtype=np.float32)


def _data_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
