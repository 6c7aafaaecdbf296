"""One conformance suite that every algorithm runs through, and what is particular to each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from conf.specs.scenario import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.learning.algorithms import ALGORITHMS
from rl.learning.algorithms.output_spread import typical_spread
from rl.learning.candidates import SeededCandidate
from rl.learning.replay.replay import Replay
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from tests.rl.factories import make_logged_episodes

N_FEATURES, N_ACTIONS = 6, 5
EVERY = pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))


def make_candidate(algorithm: str, **values: Any) -> Candidate:
    settings = {"n_updates": 60, "batch_size": 32, "hidden_units": (16, 16), "learning_rate": 3e-3}
    return Candidate(algorithm=algorithm, seeds=(1,), **(settings | values))


def masked_episodes(seed: int = 0, n: int = 300) -> LoggedEpisodes:
    """Steps with random features; action 4 is never available and so never logged."""
    generator = np.random.default_rng(seed)
    sets = np.array([[True, True, True, True, False], [True, True, False, False, False]])
    sets_now = generator.integers(2, size=n)
    action = np.array([generator.choice(np.flatnonzero(sets[s])) for s in sets_now])
    return make_logged_episodes(
        [3] * (n // 3),
        N_ACTIONS,
        features=generator.normal(size=(n, N_FEATURES)).astype(np.float32),
        next_features=generator.normal(size=(n, N_FEATURES)).astype(np.float32),
        action=action,
        availability=sets,
        mask_index=sets_now,
        next_mask_index=generator.integers(2, size=n),
        reward=generator.normal(size=n) + action,
    )


def trained(algorithm: str, seed: int = 1, **values: Any) -> TrainedCandidate:
    seeded = SeededCandidate(f"{algorithm}-{seed}", make_candidate(algorithm, **values), seed)
    return train_candidate(seeded, masked_episodes(0), masked_episodes(1), TrainingSettings(DiscountFunction(0.9)))


@EVERY
def test_numpy_network_gives_d3rlpy_outputs(algorithm: str) -> None:
    """What is served equals what was trained, to 1e-5."""
    found = trained(algorithm)
    features = masked_episodes(2).features[:50]
    mask = np.ones((50, N_ACTIONS), dtype=np.float32)
    outputs = found.network.forward(features)
    if ALGORITHMS[algorithm].outputs == "logits":
        modules = found.algorithm.impl.modules
        policy = modules.imitator if algorithm == "bc" else modules.policy
        expected = policy([torch.from_numpy(features), torch.from_numpy(mask)]).logits
        outputs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
        assert np.abs(outputs - expected.detach().numpy()).max() < 1e-5
        return
    for action in range(N_ACTIONS):
        values = found.algorithm.predict_value([features, mask], np.full(50, action))
        assert np.abs(outputs[:, action] - values).max() < 1e-5


@EVERY
def test_masked_actions_are_never_chosen(algorithm: str) -> None:
    """d3rlpy's own greedy action is always available."""
    found = trained(algorithm)
    episodes = masked_episodes(3)
    greedy = found.algorithm.predict([episodes.features, episodes.mask().astype(np.float32)])
    assert episodes.mask()[np.arange(len(greedy)), greedy].all()


@EVERY
def test_training_repeats_with_its_seed(algorithm: str) -> None:
    """Two runs of a seed are identical to the last bit; another seed is another network."""
    first, again, other = trained(algorithm), trained(algorithm), trained(algorithm, seed=2)
    tensors, tensors_again, tensors_other = (run.network.to_tensors() for run in (first, again, other))
    assert all(np.array_equal(tensors[name], tensors_again[name]) for name in tensors)
    assert [(p.split, p.metric, p.value) for p in first.curve] == [(p.split, p.metric, p.value) for p in again.curve]
    assert not all(np.array_equal(tensors[name], tensors_other[name]) for name in tensors)


@EVERY
def test_losses_stay_of_the_order_of_the_data(algorithm: str) -> None:
    """The mask's constant enters no loss term."""
    assert all(abs(point.value) < 100 for point in trained(algorithm).curve)


@EVERY
def test_losses_leave_weights_alone(algorithm: str) -> None:
    """Looking at losses isn't training."""
    method = ALGORITHMS[algorithm]
    replay = Replay(masked_episodes())
    made = method.create(make_candidate(algorithm), gamma=0.9, device="cpu")
    made.create_impl(replay.observation_shape, replay.n_actions)
    before = method.network(made).to_tensors()
    terms = method.losses(made, replay.batch(np.arange(20)))
    assert "loss" in terms
    after = method.network(made).to_tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_unavailable_actions_do_not_raise_the_conservative_term() -> None:
    """The term is that of a smaller problem without the action that is never available."""
    episodes = masked_episodes()
    method = ALGORITHMS["discrete_cql"]
    replay = Replay(episodes)
    made = method.create(make_candidate("discrete_cql"), gamma=0.9, device="cpu")
    made.create_impl(replay.observation_shape, replay.n_actions)
    rows = np.arange(100)
    values = method.network(made).forward(episodes.features[rows])
    logsumexp = np.log(np.where(episodes.mask(rows), np.exp(values), 0.0).sum(axis=1))
    expected = (logsumexp - values[rows, episodes.action[rows]]).mean()
    with torch.no_grad():
        found = method.losses(made, replay.batch(rows))["conservative_loss"].item()
    assert np.isclose(found, expected, atol=1e-5)


def test_target_looks_at_available_next_actions_alone() -> None:
    """An action that is out of stock next can't be hoped for: the target is the same whatever its value."""
    episodes = masked_episodes()
    method = ALGORITHMS["discrete_cql"]
    replay = Replay(episodes)
    made = method.create(make_candidate("discrete_cql"), gamma=0.9, device="cpu")
    made.create_impl(replay.observation_shape, replay.n_actions)
    batch = replay.batch(np.arange(100))
    before = made.impl.compute_target(batch)
    with torch.no_grad():
        for functions in (made.impl.modules.q_funcs, made.impl.modules.targ_q_funcs):
            functions[0]._fc.bias[4] += 1e6
    assert torch.equal(before, made.impl.compute_target(batch))


def test_cloning_learns_the_logged_frequencies() -> None:
    """With features that say nothing, the clone's probabilities are the log's, within .05 (300 rows, std .03)."""
    episodes = masked_episodes()
    constant = make_logged_episodes(
        [300],
        N_ACTIONS,
        features=np.ones((300, 1), dtype=np.float32),
        next_features=np.ones((300, 1), np.float32),
        action=episodes.action,
    )
    seeded = SeededCandidate("bc-1", make_candidate("bc", n_updates=400, batch_size=100, learning_rate=1e-2), 1)
    found = train_candidate(seeded, constant, constant, TrainingSettings(DiscountFunction(0.9)))
    outputs = found.network.forward(np.ones((1, 1), dtype=np.float32))[0]
    probabilities = np.exp(outputs) / np.exp(outputs).sum()
    frequencies = np.bincount(episodes.action, minlength=N_ACTIONS) / 300
    assert np.abs(probabilities - frequencies).max() < 0.05


def test_typical_spread_is_over_available_actions() -> None:
    """Masked outputs don't count; equal outputs have no spread and scale by 1."""
    outputs = np.array([[1.0, 3.0, 1e6], [5.0, 5.0, 5.0]], dtype=np.float32)
    mask = np.array([[True, True, False], [True, True, True]])
    assert np.isclose(typical_spread(outputs, mask), np.sqrt(0.5))
    assert typical_spread(outputs[1:], mask[1:]) == 1.0
