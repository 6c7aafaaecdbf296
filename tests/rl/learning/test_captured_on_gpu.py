"""Captured updates on a GPU: what a recorder without one can't show (waits, baked values, memory that moves)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.learning.candidates import SeededCandidate
from rl.learning.checkpoint import CheckpointFile
from rl.learning.learner import Learner, make_learner
from rl.learning.replay.replay import Replay
from rl.learning.replay.row_order import ShuffledRows
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from rl.learning.training_run import TrainingRun
from rl.learning.updates.captured_call import N_WARMUPS
from rl.learning.updates.updates import RowUpdates
from tests.rl.chain import chain_episodes
from tests.rl.learning.learning_batches import DISCRETE
from tests.rl.learning.sequence_batches import LAYOUT, N_ACTIONS, make_sequence_batch, make_sequence_candidate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

DEVICE = "cuda:0"
N_UPDATES = N_WARMUPS + 12
every_discrete = pytest.mark.parametrize("algorithm", DISCRETE)


def make_small(algorithm: str, **values: Any) -> Candidate:
    """Targets are copied, rates fall and batches run over a round's end within the updates."""
    own = (
        {"target_update_interval": 4} if "target_update_interval" in Candidate.algorithms[algorithm].parameters else {}
    )
    return Candidate.model_validate(
        {
            "algorithm": algorithm,
            "seeds": (1,),
            "n_updates": N_UPDATES,
            "batch_size": 48,
            "hidden_units": (16, 16),
            "learning_rate": 3e-3,
            **own,
            **values,
        }
    )


def made(candidate: Candidate, *, is_captured: bool) -> tuple[Learner, RowUpdates]:
    torch.manual_seed(1)
    replay = Replay(chain_episodes(40), device=DEVICE)
    learner = make_learner(
        candidate,
        observation_shape=replay.observation_shape,
        action_size=replay.n_actions,
        gamma=0.9,
        device=DEVICE,
        is_captured=is_captured,
    )
    return learner, RowUpdates(learner, replay, ShuffledRows(replay.n_transitions, candidate.batch_size, seed=2))


def weights_of(learner: Learner) -> list[torch.Tensor]:
    modules = learner.algorithm.impl.modules.get_torch_modules().values()
    return [weight.detach().clone() for module in modules for weight in module.parameters()]


def run(updates: RowUpdates, n: int) -> list[dict[str, float]]:
    return [{name: float(value) for name, value in updates.next().items()} for _ in range(n)]


@contextmanager
def waits_are_errors() -> Iterator[None]:
    """Whatever makes the processor wait for the GPU raises."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@every_discrete
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_graph_learns_what_plain_updates_learn(algorithm: str, precision: str) -> None:
    """Terms, sums and weights to the last bit: a rate or an interval baked into the graph would show."""
    candidate = make_small(algorithm, precision=precision)
    (plain, plainly), (captured, by_graph) = (made(candidate, is_captured=flag) for flag in (False, True))
    assert run(plainly, N_UPDATES) == run(by_graph, N_UPDATES)
    assert all(torch.equal(a, b) for a, b in zip(weights_of(plain), weights_of(captured), strict=True))
    assert plain.take_sums() == captured.take_sums()


@every_discrete
@pytest.mark.parametrize("is_captured", [True, False])
def test_updates_never_wait_for_the_gpu(algorithm: str, is_captured: bool) -> None:
    """Between the points where somebody looks at a loss."""
    learner, updates = made(make_small(algorithm), is_captured=is_captured)
    run(updates, N_WARMUPS + 1)
    with waits_are_errors():
        for _ in range(6):
            updates.next()
    assert all(bool(torch.isfinite(weight).all()) for weight in weights_of(learner))


@pytest.mark.parametrize("kind", ["gru", "transformer"])
@pytest.mark.parametrize("values", [{}, {"sampled_above": 3, "n_sampled_actions": 2}], ids=["full", "sampled"])
def test_sequence_encoders_are_captured(kind: str, values: dict[str, Any]) -> None:
    """Their graphs learn nearly what plain updates do: sums into embeddings come in any order, to 1e-4."""
    candidate = make_sequence_candidate(kind, is_output_tied=True, **values)
    learners = []
    for is_captured in (False, True):
        torch.manual_seed(1)
        learner = make_learner(
            candidate,
            observation_shape=((LAYOUT.n_columns,), (N_ACTIONS,)),
            action_size=N_ACTIONS,
            gamma=0.9,
            device=DEVICE,
            is_captured=is_captured,
            layout=LAYOUT,
        )
        batches = [_on_gpu(make_sequence_batch(seed=number)) for number in range(N_WARMUPS + 4)]
        losses = torch.stack([learner.update(batch)["loss"].clone() for batch in batches])
        learners.append(losses)
    assert bool(torch.isfinite(learners[1]).all())
    if not values:
        assert torch.allclose(learners[0], learners[1], rtol=1e-4, atol=1e-4)


def _on_gpu(batch: Any) -> Any:
    values = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
    moved = {
        name: [one.to(DEVICE) for one in value] if isinstance(value, list) else value.to(DEVICE)
        for name, value in values.items()
        if name != "device" and value is not None
    }
    return type(batch)(**(values | moved | {"device": DEVICE}))


def trained(algorithm: str, file: CheckpointFile | None = None) -> TrainedCandidate:
    seeded = SeededCandidate(f"{algorithm}-1", make_small(algorithm, n_updates=40), 1)
    log = chain_episodes(60)
    return train_candidate(seeded, log, log, TrainingSettings(DiscountFunction(0.9), device=DEVICE, checkpoint=file))


@every_discrete
def test_killed_gpu_run_ends_with_the_same_bits(
    algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs are recorded anew after a resume, and the rate goes on falling: a frozen one would end elsewhere."""

    class Killed(BaseException):
        """Nothing is tidied up."""

    expected = trained(algorithm)
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this run", every_seconds=0.0)
    step, done = TrainingRun.step, [0]

    def counted(training: TrainingRun) -> None:
        if done[0] == 17:
            raise Killed
        done[0] += 1
        step(training)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TrainingRun, "step", counted)
        trained(algorithm, file)
    found = trained(algorithm, file)
    ours, theirs = found.network.to_tensors(), expected.network.to_tensors()
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    losses = [[point.value for point in one.curve if point.metric == "loss"] for one in (found, expected)]
    assert losses[0] == losses[1]


def test_data_larger_than_the_card_trains_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that are fetched ahead, while graphs are recorded too, teach what gathered ones do."""
    near = trained("discrete_cql")
    monkeypatch.setattr("rl.learning.replay.replay.free_bytes", lambda _: 0)
    far = trained("discrete_cql")
    ours, theirs = far.network.to_tensors(), near.network.to_tensors()
    assert all((ours[name] == theirs[name]).all() for name in theirs)
