from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rl.learning.replay.batches import GatheredBatches, PrefetchedBatches, batches_of
from rl.learning.replay.replay import Replay
from rl.learning.replay.replay_store import write_store
from rl.learning.replay.row_order import ShuffledRows
from tests.rl.chain import chain_episodes


def order_of(replay: Replay) -> ShuffledRows:
    return ShuffledRows(replay.n_transitions, 8, seed=0)


def test_data_in_memory_is_gathered_when_asked_for() -> None:
    """It is where batches are: there is nothing to wait for."""
    replay = Replay(chain_episodes(20))
    assert isinstance(batches_of(replay, order_of(replay)), GatheredBatches)


def test_data_in_files_is_gathered_ahead(tmp_path: Path) -> None:
    """Pages are waited for by threads."""
    replay = Replay(write_store(tmp_path / "store", [chain_episodes(20)], memory_bytes=1 << 20))
    assert isinstance(batches_of(replay, order_of(replay)), PrefetchedBatches)


def test_data_that_is_not_on_the_device_is_gathered_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathering, pinning and fetching pass while the GPU learns."""
    replay = Replay(chain_episodes(20))
    monkeypatch.setattr(replay, "_is_on_device", False)
    assert isinstance(batches_of(replay, order_of(replay)), PrefetchedBatches)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_of_data_that_does_not_fit_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are on the GPU, and the same as where it fits."""
    near = Replay(chain_episodes(20), device="cuda:0")
    monkeypatch.setattr("rl.learning.replay.replay.free_bytes", lambda _: 0)
    far = Replay(chain_episodes(20), device="cuda:0")
    assert not far.is_on_device
    ahead, at_once = batches_of(far, order_of(far)), batches_of(near, order_of(near))
    for _ in range(10):
        ours, theirs = ahead.next(), at_once.next()
        assert ours.rewards.is_cuda
        assert torch.equal(ours.observations[0], theirs.observations[0])
        assert torch.equal(ours.rewards, theirs.rewards)
