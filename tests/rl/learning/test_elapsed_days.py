"""Every algorithm discounts a transition by its own time, and learns what is best when time counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import CONTINUOUS_ALGORITHMS, DISCRETE_ALGORITHMS, Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import MICROSECONDS_PER_DAY, FloatArray, LoggedEpisodes
from rl.learning.candidates import SeededCandidate
from rl.learning.replay.replay import Replay
from rl.learning.replay.replay_store import write_store
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from tests.rl.chain import ADVANCE, N_STATES, STAY, TAKE, all_states, chain_episodes, step
from tests.rl.learning.learning_batches import CONTINUOUS, DISCRETE, EVERY, make_batch, make_tiny_learner
from tests.rl.learning.plain_recorder import PlainRecorder

LOOKING_AHEAD = [name for name in EVERY if name != "bc"]
# What is done in the first state takes three days, in the last a quarter of one.
DAYS = np.array([3, 1, 0.5, 0.25])
HALF_A_DAY, HALF_A_STEP = DiscountFunction(0.5, "day"), DiscountFunction(0.5)


def with_days(batch: TorchMiniBatch, days: float | torch.Tensor) -> TorchMiniBatch:
    return replace(batch, intervals=torch.zeros_like(batch.rewards) + days)


def loss(algorithm: str, batch: TorchMiniBatch, *, gamma: float = 0.9) -> torch.Tensor:
    """The loss of first weights, with the same draws for all."""
    learner = make_tiny_learner(algorithm, gamma=gamma)
    torch.manual_seed(3)
    return learner.losses(batch)["loss"]


def test_every_algorithm_says_that_it_takes_elapsed_time() -> None:
    """Those that ship do; the tests below hold them to it."""
    assert all(entry.takes_elapsed_time for entry in [*DISCRETE_ALGORITHMS.values(), *CONTINUOUS_ALGORITHMS.values()])


@pytest.mark.parametrize("algorithm", EVERY)
def test_half_a_day_discounts_by_the_root(algorithm: str) -> None:
    """A batch of half days is learned from as the same batch of steps at the root of gamma, and weights move alike."""
    batch = make_batch(algorithm)
    halves, steps = loss(algorithm, with_days(batch, 0.5)), loss(algorithm, batch, gamma=0.9**0.5)
    torch.testing.assert_close(halves, steps, rtol=1e-5, atol=1e-6)
    moved = [
        (make_tiny_learner(algorithm, gamma=0.9), with_days(batch, 0.5)),
        (make_tiny_learner(algorithm, gamma=0.9**0.5), batch),
    ]
    states = []
    for learner, given in moved:
        torch.manual_seed(3)
        learner.update(given)
        states.append(learner.state()["parts"])
    networks = [name for name in states[0] if not name.endswith("optim")]
    for name in networks:
        torch.testing.assert_close(states[0][name], states[1][name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("algorithm", LOOKING_AHEAD)
def test_each_row_is_discounted_by_its_own_time(algorithm: str) -> None:
    """The loss follows the time of a single row that goes on, and not that of one after which nothing follows."""
    batch = make_batch(algorithm)
    ends = batch.terminals[:, 0] > 0
    for row, matters in ((int((~ends).nonzero()[0]), True), (int(ends.nonzero()[0]), False)):
        days = torch.ones_like(batch.rewards)
        days[row] = 20.0
        assert (not torch.equal(loss(algorithm, batch), loss(algorithm, with_days(batch, days)))) == matters


def test_cloning_looks_at_no_time() -> None:
    """What is imitated is worth nothing, later or now."""
    batch = make_batch("bc")
    assert torch.equal(loss("bc", batch), loss("bc", with_days(batch, 5.0)))


@pytest.mark.parametrize("algorithm", DISCRETE)
def test_captured_updates_read_each_batchs_times(algorithm: str) -> None:
    """A recorded update repeats with the times of the batch it is given, as updates that aren't recorded do."""
    plain, captured = make_tiny_learner(algorithm), make_tiny_learner(algorithm, recorder=PlainRecorder())
    for seed, days in ((0, 0.5), (1, 3.0), (2, 0.1)):
        batch = with_days(make_batch(algorithm, seed=seed), days)
        terms = [learner.update(batch)["loss"].item() for learner in (plain, captured)]
        assert terms[0] == pytest.approx(terms[1], rel=1e-6)


def timed_chain(n_episodes: int = 400, *, days: FloatArray = DAYS) -> LoggedEpisodes:
    """The chain, in which a decision takes as long as its state says."""
    log = chain_episodes(n_episodes)
    gaps = np.rint(days[log.features.argmax(axis=1)] * MICROSECONDS_PER_DAY).astype(np.int64)
    return replace(log, elapsed_microseconds=gaps)


def test_replay_holds_the_days_of_each_row(tmp_path: Path) -> None:
    """In memory and from files, drawn or gathered, in single precision; per step, one each in shared memory."""
    log = timed_chain(30)
    rows = np.random.default_rng(0).permutation(log.n_transitions)
    for training in (log, write_store(tmp_path / "store", [log], memory_bytes=1 << 20)):
        batch = Replay(training, parts_of_day=1).batch(rows)
        np.testing.assert_array_equal(batch.intervals[:, 0].numpy(), log.elapsed_days[rows].astype(np.float32))
        per_step = Replay(training).batch(rows).intervals
        assert (per_step.unique().tolist(), per_step.stride(0)) == ([1.0], 0)
    index = torch.from_numpy(rows)
    assert torch.equal(Replay(log, parts_of_day=1).gather(index).intervals, batch.intervals)


def test_replay_counts_parts_of_days() -> None:
    """As many as it is told to, exactly."""
    log = timed_chain(30)
    batch = Replay(log, parts_of_day=8).batch(np.arange(log.n_transitions))
    np.testing.assert_array_equal(batch.intervals[:, 0].numpy(), log.elapsed_days * 8)


def trained(algorithm: str, log: LoggedEpisodes, discount: DiscountFunction, **values: object) -> TrainedCandidate:
    settings = {"n_updates": 500, "batch_size": 128, "learning_rate": 5e-3, "hidden_units": (32,)}
    candidate = Candidate.model_validate({"algorithm": algorithm, "seeds": (1,), **settings, **values})
    return train_candidate(SeededCandidate(f"{algorithm}-1", candidate, 1), log, None, TrainingSettings(discount))


def best_values(factors: FloatArray) -> FloatArray:
    """Q of the best policy, `(N_STATES, N_ACTIONS)`: policies are solved by linear algebra until none is better."""
    outcomes = [[step(state, action) for action in (TAKE, ADVANCE, STAY)] for state in range(N_STATES)]
    reward = np.array([[earned for _, earned, _ in row] for row in outcomes])
    goes_on = np.array([[not is_over for *_, is_over in row] for row in outcomes])
    following = np.eye(N_STATES)[[[after for after, *_ in row] for row in outcomes]] * goes_on[:, :, None]
    q = reward
    for _ in range(10):
        best = q.argmax(axis=1)
        flow = factors[:, None] * following[np.arange(N_STATES), best]
        value = np.linalg.solve(np.eye(N_STATES) - flow, reward[np.arange(N_STATES), best])
        q = reward + factors[:, None] * (following @ value)
    return q


@pytest.mark.parametrize(
    ("algorithm", "values"),
    [
        ("nfq", {}),
        ("double_dqn", {"target_update_interval": 20}),
        ("discrete_cql", {"conservative_weight": 0.0, "target_update_interval": 20}),
    ],
)
def test_learned_values_are_those_of_the_semi_markov_process(algorithm: str, values: dict[str, object]) -> None:
    """Values of all pairs come within .35 of the exact ones of the decision process with times, unlike those of steps.

    So the way to the 10 points, which takes four and a half days, isn't worth it from the start: per step it would be.
    """
    found = trained(algorithm, timed_chain(), HALF_A_DAY, **values)
    learned = found.network.forward(all_states()[0]) * found.reward_scale
    exact, by_step = best_values(0.5**DAYS), best_values(np.full(N_STATES, 0.5))
    assert (exact[0].argmax(), by_step[0].argmax(), learned[0].argmax()) == (TAKE, ADVANCE, TAKE)
    assert np.abs(learned - exact).max() < 0.35
    assert np.abs(by_step - exact).max() > 0.5


@pytest.mark.parametrize("algorithm", ["discrete_cql", "discrete_bcq", "discrete_iql", "discrete_sac"])
def test_networks_of_whole_days_are_those_of_steps(algorithm: str) -> None:
    """With gaps of exactly one day, training per day gives the network that training per step gives, bit for bit."""
    daily = timed_chain(60, days=np.ones(N_STATES))
    networks = [trained(algorithm, daily, one, n_updates=20).network for one in (HALF_A_DAY, HALF_A_STEP)]
    ours, expected = (network.to_tensors() for network in networks)
    assert all(np.array_equal(ours[name], expected[name]) for name in expected)


def test_factors_too_small_for_single_precision_still_count() -> None:
    """Half of everything is lost in each 512th of a day, so a day leaves 10^-154: learned from as half a step is."""
    log = timed_chain(60, days=np.full(N_STATES, 1 / 512))
    tiny = DiscountFunction(0.5**512, "day")
    ours, expected = (
        trained("discrete_cql", log, one, n_updates=20).network.to_tensors() for one in (tiny, HALF_A_STEP)
    )
    for name in expected:
        np.testing.assert_allclose(ours[name], expected[name], rtol=1e-4, atol=1e-6)
    nothing = trained("discrete_cql", log, DiscountFunction(1e-300), n_updates=20).network.to_tensors()
    assert not all(np.allclose(ours[name], nothing[name], rtol=1e-4, atol=1e-6) for name in expected)


def test_networks_per_step_look_at_no_time() -> None:
    """Per step, other gaps are the same network, bit for bit."""
    networks = [
        trained("discrete_cql", log, HALF_A_STEP, n_updates=20).network for log in (chain_episodes(60), timed_chain(60))
    ]
    ours, expected = (network.to_tensors() for network in networks)
    assert all(np.array_equal(ours[name], expected[name]) for name in expected)


def test_continuous_algorithms_are_held_to_the_same() -> None:
    """Those over order quantities stand among the parameters above."""
    assert set(CONTINUOUS) < set(LOOKING_AHEAD)
