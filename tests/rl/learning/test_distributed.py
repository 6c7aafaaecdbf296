"""Several processes on one CPU: the same learning as one process with the joined batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rl.errors import TrainingError
from rl.learning.distributed import ALONE, Ranks, joined
from tests.rl.learning.distributed_updates import Outcome, updated
from tests.rl.learning.learning_batches import DISCRETE

PROJECT = Path(__file__).parents[3]
# Those over continuous actions that neither draw actions in an update nor normalize a batch by itself.
EXACT = [*DISCRETE, "iql"]
OF_THEIR_OWN_ROWS = ["awac", "cql", "td3_plus_bc"]


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Outcome]]:
    """What two processes that torchrun started came to; it chooses a free port."""
    folder = tmp_path_factory.mktemp("ranks")
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    program = ["-m", "tests.rl.learning.distributed_updates", str(folder)]
    ended = subprocess.run([*launched, *program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return [torch.load(folder / f"rank-{rank}-of-2.pt") for rank in range(2)]


def farthest(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("algorithm", EXACT)
def test_two_processes_learn_as_one_with_the_joined_batch(algorithm: str, of_two: list[dict[str, Outcome]]) -> None:
    """Gradients within 1e-6, weights after ten updates within 1e-5, of batches of which one holds a row more."""
    alone = updated(algorithm, ALONE)
    together = of_two[0][algorithm]
    assert len(alone["gradients"]) > 4
    assert farthest(together["gradients"], alone["gradients"]) < 1e-6
    assert farthest(together["weights"], alone["weights"]) < 1e-5


@pytest.mark.parametrize("algorithm", [*EXACT, *OF_THEIR_OWN_ROWS])
def test_ranks_stay_the_same(algorithm: str, of_two: list[dict[str, Outcome]]) -> None:
    """They began with other weights, and end with the same to the last bit."""
    first, second = (rank[algorithm]["weights"] for rank in of_two)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_gradients_would_differ_without_being_joined() -> None:
    """The tolerance tells a rank's own gradient from the joined one."""
    part, whole = (updated("discrete_cql", ALONE, part_of=n)["gradients"] for n in (2, 1))
    assert farthest(part, whole) > 1e-4


@pytest.mark.parametrize("lengths", [[1] * 7, [3, 1, 4, 1, 5, 9, 2, 6], [100, 1, 1, 1], [1, 1, 1, 100]])
def test_shards_hold_every_episode_once_and_alike_many_rows(lengths: list[int]) -> None:
    """No rank is more than an episode from its share, and none is empty, however uneven the episodes."""
    n_ranks = 3
    shards = [Ranks(rank, n_ranks).shard(np.array(lengths)) for rank in range(n_ranks)]
    assert np.concatenate(shards).tolist() == list(range(len(lengths)))
    rows = [sum(lengths[i] for i in shard) for shard in shards]
    assert min(rows) > 0
    assert max(rows) <= sum(lengths) / n_ranks + max(lengths)


def test_batches_are_shared_to_the_last_row() -> None:
    """Ranks' rows add up to the batch, and differ by one at most."""
    sizes = [Ranks(rank, 4).batch_size(10) for rank in range(4)]
    assert (sum(sizes), max(sizes) - min(sizes)) == (10, 1)


def test_more_processes_than_rows_or_episodes_are_refused() -> None:
    """A rank without anything to learn from would only wait; the message says what to do."""
    with pytest.raises(TrainingError, match=r"batch_size 1 for 2 processes.*start fewer processes"):
        Ranks(1, 2).batch_size(1)
    with pytest.raises(TrainingError, match=r"1 training episodes for 2 processes.*start fewer"):
        Ranks(0, 2).shard(np.array([5]))


def test_a_process_by_itself_is_alone() -> None:
    """Nothing is exchanged where torchrun wasn't used: every answer is its own."""
    with joined("cpu") as ranks:
        assert ranks == ALONE
        assert ranks.sums([1.5, 2.0]) == [1.5, 2.0]
        assert ranks.decided(True)
        assert not ranks.decided(False)
        assert ranks.gathered("content") == ["content"]
    assert Ranks(1, 2).seed(7) != ALONE.seed(7) == 7
