"""A full step, sampling and update: ours, stock d3rlpy, and the same step written directly in PyTorch.

All three learn the same thing: 64 features, 50 actions, two layers of 256, a double-Q target, Huber's loss, the
conservative term of weight 1, Adam. Ours also gathers masks and respects them, decays weights and lowers its rate. They
are timed with each of the numbers of threads that `THREADS` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.algos import DiscreteCQLConfig
from d3rlpy.models.encoders import VectorEncoderFactory

from conf.specs.candidate import Candidate
from rl.learning.learner import make_learner
from rl.learning.replay.replay import Replay
from rl.learning.updates.updates import updates_of
from tests.bench.train.direct import GAMMA, HIDDEN, LEARNING_RATE, TARGET_INTERVAL, DirectLoop
from tests.bench.train.log import N_ACTIONS, random_log
from tests.bench.train.sampling import BATCH_SIZES
from tests.bench.train.timing import DEVICE, Timing, each_thread_count, milliseconds, ratios, setting, time_in_turn
from tests.rl.learning.replay.uniform_rows import UniformRows


def lines() -> Iterator[dict[str, Any]]:
    """One line a batch size and number of threads."""
    log = random_log()
    replay, stock = Replay(log.episodes(), device=DEVICE), log.mdp_dataset()
    for size in BATCH_SIZES:
        contenders = {
            "ours": _ours(replay, size),
            "d3rlpy": _stock(stock, size),
            "pytorch": DirectLoop(log, batch_size=size, device=DEVICE).step,
        }
        for _ in each_thread_count():
            yield _line(size, time_in_turn(contenders))


def _line(size: int, found: Mapping[str, Timing]) -> dict[str, Any]:
    return {
        "bench": "train_step",
        "batch": size,
        "times_ours": ratios(found, "ours"),
        "ours_times_pytorch": round(found["ours"].wall / found["pytorch"].wall, 3),
        "milliseconds": milliseconds(found),
        "loss": "huber",
    } | setting()


def _ours(replay: Replay, size: int) -> Callable[[], object]:
    candidate = Candidate(
        algorithm="discrete_cql",
        seeds=(0,),
        n_updates=1_000_000,
        batch_size=size,
        learning_rate=LEARNING_RATE,
        hidden_units=(HIDDEN, HIDDEN),
        loss="huber",
        target_update_interval=TARGET_INTERVAL,
        conservative_weight=1.0,
    )
    learner = make_learner(
        candidate, observation_shape=replay.observation_shape, action_size=N_ACTIONS, gamma=GAMMA, device=DEVICE
    )
    rows = UniformRows(replay.n_transitions, size, seed=0)
    return updates_of(learner, replay, rows).next


def _stock(stock: Any, size: int) -> Callable[[], object]:
    algorithm = DiscreteCQLConfig(
        batch_size=size,
        gamma=GAMMA,
        learning_rate=LEARNING_RATE,
        alpha=1.0,
        target_update_interval=TARGET_INTERVAL,
        encoder_factory=VectorEncoderFactory([HIDDEN, HIDDEN]),
    ).create(device=DEVICE)
    algorithm.build_with_dataset(stock)
    return lambda: algorithm.update(stock.sample_transition_batch(size))
