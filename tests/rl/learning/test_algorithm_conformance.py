"""One suite that every algorithm of the registry runs through: learn, save, load, resume, repeat, respect the mask."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from conf.observation_features import id_hash
from conf.specs.candidate import CLOSED_FORM_ALGORITHMS, AlgorithmEntry, Candidate, ContinuousCandidate
from rl.data.logged_episodes import BoolArray, FeatureArray
from rl.errors import TrainingError
from rl.learning.algorithms import ALGORITHMS, CONTINUOUS_ALGORITHMS
from rl.learning.algorithms.registry import Registered
from rl.learning.learner import Learner
from rl.learning.updates.captured_call import N_WARMUPS
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.network_kinds import network_from
from rl.policy.observation_encoder import ColumnEncoding
from tests.rl.factories import make_logged_episodes
from tests.rl.learning.learning_batches import (
    CONTINUOUS,
    DISCRETE,
    EVERY,
    N_ACTIONS,
    N_FEATURES,
    make_batch,
    make_tiny_learner,
)
from tests.rl.learning.plain_recorder import PlainRecorder

every_algorithm = pytest.mark.parametrize("algorithm", EVERY)
every_discrete = pytest.mark.parametrize("algorithm", DISCRETE)
every_continuous = pytest.mark.parametrize("algorithm", CONTINUOUS)


def updated(algorithm: str, n: int = 6, learner: Learner | None = None, first: int = 0, **values: Any) -> Learner:
    """A learner after n updates on batches of its own."""
    learner = learner or make_tiny_learner(algorithm, **values)
    for update in range(first, first + n):
        learner.update(make_batch(algorithm, seed=update))
    return learner


def tensors_in(state: Any) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for one in state.values() if isinstance(state, dict) else state:
            yield from tensors_in(one)


def assert_same(first: Learner, second: Learner) -> None:
    """Every tensor of both states is the same to the last bit."""
    ours, theirs = list(tensors_in(first.state())), list(tensors_in(second.state()))
    assert len(ours) == len(theirs) > 10
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert first.n_updates == second.n_updates


def written_and_read(state: dict[str, Any]) -> dict[str, Any]:
    """The state from a file that may hold no code."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    read: dict[str, Any] = torch.load(file, weights_only=True)
    return read


def policy_of(algorithm: str, learner: Learner, temperature: float = 1.0) -> StochasticPolicy:
    names = tuple("abcde")
    vocabulary = Vocabulary(names, tuple(id_hash(name) for name in names), False)
    entry = ALGORITHMS[algorithm]
    network = entry.network(learner.algorithm)
    batch = make_batch(algorithm, seed=99)
    features, action = batch.observations[0].numpy(), batch.actions[:, 0].numpy()
    episodes = make_logged_episodes([len(action)], N_ACTIONS, features=features, next_features=features, action=action)
    return StochasticPolicy(
        name=f"{algorithm}-1",
        network=network,
        vocabulary=vocabulary,
        encoder=ObservationEncoder(tuple(ColumnEncoding(f"feature_{i}", "count") for i in range(N_FEATURES))),
        output_scale=entry.output_scale(network, episodes),
        temperature=temperature,
        exploration_floor=0.1,
        is_other_chosen=False,
        dataset_digest="d",
    )


def rows_of(algorithm: str, n: int = 200) -> tuple[FeatureArray, BoolArray, list[torch.Tensor]]:
    batch = make_batch(algorithm, seed=77, n=n)
    return batch.observations[0].numpy(), batch.observations[1].numpy(), batch.observations


@every_algorithm
def test_updates_learn_the_batch(algorithm: str) -> None:
    """On one batch again and again, what is regressed fits it better than at the start."""
    learner, batch = make_tiny_learner(algorithm, n_updates=200), make_batch(algorithm)
    fitted = (
        "critic_loss"
        if algorithm in (*CONTINUOUS, "discrete_sac")
        else "q_loss"
        if algorithm == "discrete_iql"
        else "loss"
    )
    before = learner.losses(batch)
    for _ in range(60):
        terms = learner.update(batch)
    after = learner.losses(batch)
    assert {"loss"} < set(terms) or algorithm in ("double_dqn", "nfq")
    assert all(bool(torch.isfinite(value)) and not value.requires_grad for value in terms.values())
    assert float(after[fitted]) < 0.9 * float(before[fitted])


@every_algorithm
def test_looking_at_losses_changes_nothing(algorithm: str) -> None:
    """No weight, no optimizer, no draw: validation may come at any update."""
    learner, plain = updated(algorithm), updated(algorithm)
    state = torch.get_rng_state()
    learner.losses(make_batch(algorithm, seed=50))
    torch.set_rng_state(state)
    assert_same(learner, plain)
    learner.losses(make_batch(algorithm, seed=50))
    assert torch.equal(torch.get_rng_state(), state)


@every_algorithm
def test_seed_fixes_every_bit(algorithm: str) -> None:
    """Two runs of a seed end in the same state, another seed in another."""
    states = [updated(algorithm, seed=seed).state() for seed in (1, 1, 2)]
    # Generators differ between seeds anyhow: networks and optimizers must too.
    first, again, other = (list(tensors_in(state["parts"])) for state in states)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@every_algorithm
def test_resumed_run_ends_in_the_same_bits(algorithm: str) -> None:
    """Stopped after any update and loaded from a file without code, a run goes on as if it had never stopped."""
    for stop in (1, 4):
        whole = updated(algorithm, 7)
        state = written_and_read(updated(algorithm, stop).state())
        resumed = make_tiny_learner(algorithm, seed=9)
        resumed.load_state(state)
        updated(algorithm, 7 - stop, learner=resumed, first=stop)
        # The whole run goes on from its own generator: it was made before the other.
        ours, theirs = whole.state()["parts"], resumed.state()["parts"]
        assert all(torch.equal(a, b) for a, b in zip(tensors_in(ours), tensors_in(theirs), strict=True))


@every_algorithm
def test_state_is_a_copy(algorithm: str) -> None:
    """Later updates leave a state that was taken alone; loading it takes nothing away from it."""
    learner = updated(algorithm, 3)
    state = learner.state()
    kept = written_and_read(state)
    updated(algorithm, 3, learner=learner, first=3)
    learner.load_state(state)
    updated(algorithm, 2, learner=learner, first=3)
    assert all(torch.equal(a, b) for a, b in zip(tensors_in(state), tensors_in(kept), strict=True))


@every_algorithm
def test_state_of_something_else_is_refused(algorithm: str) -> None:
    """Another algorithm's state, or that of other layers, is answered with what to do."""
    learner = make_tiny_learner(algorithm)
    with pytest.raises(TrainingError, match="of other networks"):
        learner.load_state(make_tiny_learner(algorithm, hidden_units=(8, 8)).state())
    other = "bc" if algorithm != "bc" else "discrete_cql"
    with pytest.raises(TrainingError, match="train it anew"):
        learner.load_state(make_tiny_learner(other).state())


@every_algorithm
def test_no_network_computes_the_same_twice(algorithm: str) -> None:
    """In one update, no layer sees the same inputs with the same weights a second time."""
    learner, seen = updated(algorithm, 1), []
    # Where gradients are written out no layer is called; without that, autograd finds them.
    learner.algorithm.impl.dense = None

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...], _: torch.Tensor) -> None:
        weight = next(module.parameters())
        seen.append((id(module), inputs[0].detach().numpy().tobytes(), weight.detach().numpy().tobytes()))

    layers = {
        id(layer): layer
        for part in vars(learner.algorithm.impl.modules).values()
        if isinstance(part, nn.Module)
        for layer in part.modules()
        if isinstance(layer, nn.Linear)
    }
    for layer in layers.values():
        layer.register_forward_hook(look)
    learner.update(make_batch(algorithm, seed=1))
    assert len(seen) == len(set(seen)) >= 3


@every_algorithm
@pytest.mark.parametrize("seed", [0, 1])
def test_half_width_layers_give_nearly_the_same_losses(algorithm: str, seed: int) -> None:
    """`bfloat16` keeps 8 bits: losses within 5% of the larger ones; weights, gradients and losses stay `float32`."""
    batch = make_batch(algorithm, seed=seed)
    half, full = make_tiny_learner(algorithm, precision="bfloat16"), make_tiny_learner(algorithm)
    ours, theirs = half.losses(batch), full.losses(batch)
    largest = max(float(value.abs()) for value in theirs.values())
    for name, value in ours.items():
        assert value.dtype == torch.float32
        assert abs(float(value) - float(theirs[name])) < 0.05 * max(1.0, largest), name
        assert name != "loss" or float(value) != float(theirs[name])
    half.update(batch)
    modules = half.algorithm.impl.modules.get_torch_modules()
    assert all(weight.dtype == torch.float32 for module in modules.values() for weight in module.parameters())


@every_algorithm
def test_entry_says_what_it_is(algorithm: str) -> None:
    """Discrete or continuous, and what its outputs are."""
    if algorithm in ALGORITHMS:
        assert ALGORITHMS[algorithm].action_space == "discrete"
        assert ALGORITHMS[algorithm].outputs in ("logits", "values", "filtered values")
    else:
        assert CONTINUOUS_ALGORITHMS[algorithm].action_space == "continuous"
        assert CONTINUOUS_ALGORITHMS[algorithm].outputs in ("mean", "gaussian")


def test_registry_holds_what_specs_may_name() -> None:
    """Every name that a spec takes has its algorithm."""
    assert set(ALGORITHMS) | set(CLOSED_FORM_ALGORITHMS) == set(Candidate.algorithms)
    assert set(CONTINUOUS_ALGORITHMS) == set(ContinuousCandidate.algorithms)


@pytest.mark.parametrize("code", ["rl.no_such_module:Learner", "rl.errors:NoSuchLearner", "rl.errors"])
def test_an_entry_without_code_is_an_error_that_says_where_it_was_looked_for(code: str) -> None:
    """A misspelled entry is found by whoever trains with it."""
    entries = {"mine": AlgorithmEntry(code)}
    with pytest.raises(TrainingError, match=f"no algorithm at {code}"):
        Registered(entries)["mine"]


@every_discrete
def test_probabilities_sum_to_one_and_are_0_where_masked(algorithm: str) -> None:
    """For the served policy, and before its exploration as well."""
    policy = policy_of(algorithm, updated(algorithm))
    features, mask, _ = rows_of(algorithm)
    probabilities = policy.probabilities(features, mask)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities[~mask] == 0).all()
    assert (probabilities[mask] > 0).all()


@every_discrete
def test_greedy_choice_is_available_and_the_same_where_served(algorithm: str) -> None:
    """What d3rlpy would choose is available, and what the served policy holds likeliest."""
    learner = updated(algorithm, 10)
    features, mask, observations = rows_of(algorithm)
    with torch.no_grad():
        greedy = learner.algorithm.impl.predict_best_action(observations).numpy()
    assert mask[np.arange(len(greedy)), greedy].all()
    assert np.array_equal(policy_of(algorithm, learner).probabilities(features, mask).argmax(axis=1), greedy)


@every_discrete
def test_drawn_choice_is_available(algorithm: str) -> None:
    """A draw from a policy in training never takes what is out of stock."""
    learner = updated(algorithm)
    _, mask, observations = rows_of(algorithm, n=2000)
    with torch.no_grad():
        drawn = learner.algorithm.impl.sample_action(observations).numpy()
    assert mask[np.arange(len(drawn)), drawn].all()


@every_discrete
def test_network_survives_its_files(algorithm: str) -> None:
    """Outputs are the same after writing and reading, to the last bit."""
    network = ALGORITHMS[algorithm].network(updated(algorithm).algorithm)
    again = network_from(network.kind, network.to_tensors())
    features, mask, _ = rows_of(algorithm)
    assert np.array_equal(again.forward(features), network.forward(features))
    assert np.array_equal(again.considered(features, mask), network.considered(features, mask))


def heads_of(learner: Learner) -> list[nn.Linear]:
    """Last layers over actions, of targets too."""
    parts = vars(learner.algorithm.impl.modules).values()
    modules = [module for part in parts if isinstance(part, nn.Module) for module in part.modules()]
    return [module for module in modules if isinstance(module, nn.Linear) and module.out_features == N_ACTIONS]


@every_discrete
@pytest.mark.parametrize("shift", [1e4, -1e4])
def test_unavailable_action_enters_no_loss_and_no_target(algorithm: str, shift: float) -> None:
    """However good or bad networks find the action that is never available: every term, every gradient is the same."""
    plain, shifted = updated(algorithm), updated(algorithm)
    for head in heads_of(shifted):
        with torch.no_grad():
            head.bias[-1] += shift
    batch = make_batch(algorithm, seed=40)
    before, after = plain.losses(batch), shifted.losses(batch)
    assert {name: float(value) for name, value in before.items()} == {
        name: float(value) for name, value in after.items()
    }
    for learner in (plain, shifted):
        learner.update(batch)
    gradients = [
        [weight.grad for head in heads_of(learner) for weight in head.parameters()] for learner in (plain, shifted)
    ]
    found = [(a, b) for a, b in zip(*gradients, strict=True) if a is not None and b is not None]
    assert len(found) >= 2
    assert all(torch.equal(a, b) and bool((a[-1] == 0).all()) for a, b in found)


@every_discrete
def test_mask_is_a_smaller_problem(algorithm: str) -> None:
    """With the action masked, losses are those of the same networks without that action at all."""
    masked = updated(algorithm)
    batch = make_batch(algorithm, seed=41, is_masked=False)
    keep = batch.actions[:, 0] < N_ACTIONS - 1
    for part in (batch.observations, batch.next_observations):
        part[1][:, -1] = False
    rows = {name: getattr(batch, name)[keep] for name in ("actions", "rewards", "terminals", "intervals")}
    rows |= {name: [one[keep] for one in getattr(batch, name)] for name in ("observations", "next_observations")}
    batch = type(batch)(**(vars(batch) | rows))
    before = masked.losses(batch)
    for head in heads_of(masked):
        head.weight.data, head.bias.data = head.weight.data[:-1], head.bias.data[:-1]
    for part in (batch.observations, batch.next_observations):
        part[1] = part[1][:, :-1]
    after = masked.losses(batch)
    assert all(
        abs(float(value) - float(after[name])) < 1e-5 * max(1, abs(float(value))) for name, value in before.items()
    )


@every_discrete
def test_captured_updates_are_the_same_to_the_last_bit(algorithm: str) -> None:
    """What a graph would repeat, on the memory it would repeat it on, is the update as written; other sizes too."""
    plain, captured = make_tiny_learner(algorithm), make_tiny_learner(algorithm, recorder=PlainRecorder())
    for update in range(N_WARMUPS + 6):
        batch = make_batch(algorithm, seed=update, n=32 if update != N_WARMUPS + 3 else 20)
        ours, theirs = captured.update(batch), plain.update(batch)
        assert {name: float(value) for name, value in ours.items()} == {
            name: float(value) for name, value in theirs.items()
        }
    assert_same(plain, captured)


@every_discrete
def test_captured_updates_gather_their_rows(algorithm: str) -> None:
    """The batch may be made inside the graph; a learner that was loaded records anew."""
    data = make_batch(algorithm, n=100)

    def gather(rows: torch.Tensor) -> Any:
        values = {name: getattr(data, name)[rows] for name in ("actions", "rewards", "terminals", "intervals")}
        pairs = {name: [one[rows] for one in getattr(data, name)] for name in ("observations", "next_observations")}
        return type(data)(**(vars(data) | values | pairs))

    plain, captured = make_tiny_learner(algorithm), make_tiny_learner(algorithm, recorder=PlainRecorder())
    generator = torch.Generator().manual_seed(0)
    for update in range(N_WARMUPS + 4):
        rows = torch.randint(100, (32,), generator=generator)
        captured.update_rows(rows, gather)
        plain.update(gather(rows))
        if update == N_WARMUPS + 1:
            captured.load_state(captured.state())
    assert_same(plain, captured)


@every_continuous
def test_actions_lie_in_their_range(algorithm: str) -> None:
    """Between -1 and 1, whether the best or drawn; a policy of means always does the same."""
    learner = updated(algorithm)
    observations = make_batch(algorithm, seed=3, n=500).observations
    with torch.no_grad():
        best, drawn = (
            getattr(learner.algorithm.impl, name)(observations) for name in ("predict_best_action", "sample_action")
        )
    assert best.shape == drawn.shape == (500, 2)
    assert bool((best.abs() <= 1).all() and (drawn.abs() <= 1).all())
    assert torch.equal(best, drawn) == (CONTINUOUS_ALGORITHMS[algorithm].outputs == "mean")
