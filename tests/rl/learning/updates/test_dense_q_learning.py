"""Gradients written out against autograd's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.algorithms import ALGORITHMS
from rl.learning.learner import Learner
from rl.learning.updates.dense_q_learning import DenseQLearning
from tests.rl.learning.learning_batches import (
    GAMMA,
    N_ACTIONS,
    N_FEATURES,
    make_batch,
    make_candidate,
    make_tiny_learner,
)
from tests.rl.learning.plain_recorder import PlainRecorder
from tests.rl.learning.sequence_batches import LAYOUT, make_sequence_batch, make_sequence_candidate
from tests.rl.learning.sequence_batches import make_sequence_learner as made_of_sequences

WRITTEN_OUT = ["discrete_cql", "double_dqn", "nfq"]
TOLERANCE = 1e-6


def make_learner(algorithm: str, *, n_functions: int = 1, clip: float | None = None, **values: Any) -> Learner:
    """A learner of so many Q-functions, of which candidates have one, that has lagging targets."""
    torch.manual_seed(1)
    made = ALGORITHMS[algorithm].create(make_candidate(algorithm, **values), gamma=GAMMA, device="cpu")
    made.config.n_critics = n_functions
    made.config.optim_factory.clip_grad_norm = clip
    made.create_impl(((N_FEATURES,), (N_ACTIONS,)), N_ACTIONS)
    learner = Learner(made)
    for seed in (100, 101):
        learner.update(make_batch(algorithm, seed=seed))
    return learner


def by_autograd(learner: Learner, batch: TorchMiniBatch) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """Loss terms and the gradient of every parameter, in memory of their own."""
    terms = asdict_without_copy(learner.algorithm.impl.compute_grad(batch))
    return {name: term.detach() for name, term in terms.items()}, gradients_of(learner)


def written_out(learner: Learner, batch: TorchMiniBatch) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """The same, without autograd."""
    return dense_of(learner).terms(batch), gradients_of(learner)


def gradients_of(learner: Learner) -> list[torch.Tensor]:
    weights = learner.algorithm.impl.modules.q_funcs.parameters()
    return [weight.grad.clone() for weight in weights if weight.grad is not None]


def dense_of(learner: Learner) -> DenseQLearning:
    found = learner.algorithm.impl.dense
    assert isinstance(found, DenseQLearning)
    return found


def assert_same(learner: Learner, batch: TorchMiniBatch) -> None:
    """Terms and gradients, each within a millionth of its largest entry."""
    expected_terms, expected = by_autograd(learner, batch)
    terms, found = written_out(learner, batch)
    assert terms.keys() == expected_terms.keys()
    for name, term in terms.items():
        assert float(term) == pytest.approx(float(expected_terms[name]), rel=TOLERANCE), name
        assert not term.requires_grad
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).abs().max()) <= TOLERANCE * float(other.abs().max())


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("n_functions", [1, 3])
@pytest.mark.parametrize("hidden_units", [(16,), (24, 16), (8, 12, 20)])
def test_losses_and_gradients_are_those_of_autograd(
    algorithm: str, loss: str, n_functions: int, hidden_units: tuple[int, ...]
) -> None:
    """Over random masks and batches of several sizes in turn."""
    learner = make_learner(algorithm, n_functions=n_functions, loss=loss, hidden_units=hidden_units)
    for seed, n in enumerate((32, 1, 77, 77, 32)):
        assert_same(learner, make_batch(algorithm, seed=seed, n=n))


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
def test_a_set_that_all_rows_show_is_a_mask_like_any_other(algorithm: str) -> None:
    """A replay with one availability set gives no copies of it."""
    learner, batch = make_learner(algorithm), make_batch(algorithm, is_masked=False)
    one_set = torch.tensor([[True, True, False, True, True]]).expand(len(batch.rewards), -1)
    fitting = (batch.actions + (batch.actions == 2)).clamp(max=N_ACTIONS - 1)
    observations, following = ([features, one_set] for features, _ in (batch.observations, batch.next_observations))
    assert_same(learner, replace(batch, observations=observations, next_observations=following, actions=fitting))


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
def test_a_step_over_several_intervals_is_discounted_as_often(algorithm: str) -> None:
    """d3rlpy's batches may hold transitions of several steps."""
    batch = make_batch(algorithm)
    assert_same(make_learner(algorithm), replace(batch, intervals=torch.arange(len(batch.rewards))[:, None] % 3 + 1.0))


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
def test_where_a_logged_action_is_unavailable_it_gets_no_gradient(algorithm: str) -> None:
    """Its value is a constant; the bias of its output stays as autograd leaves it."""
    learner, batch = make_learner(algorithm, loss="huber"), make_batch(algorithm)
    last = replace(batch, actions=torch.full_like(batch.actions, N_ACTIONS - 1))
    assert not batch.observations[1][:, -1].any()
    by_hand, expected = written_out(learner, last)[1], by_autograd(learner, last)[1]
    assert float(by_hand[-1][-1]) == float(expected[-1][-1]) == 0.0


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
def test_columns_that_dense_layers_leave_unread_stay_so(algorithm: str) -> None:
    """Tokens stand behind the numbers where other candidates read them."""
    learner = made_of_sequences(make_sequence_candidate("dense", algorithm), layout=LAYOUT)
    for seed in range(3):
        assert_same(learner, make_sequence_batch(seed=seed))


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
def test_weights_are_those_that_autograd_learns(algorithm: str) -> None:
    """After 20 updates, targets copied on the way."""
    learner, other = (make_learner(algorithm, hidden_units=(24, 16)) for _ in "12")
    other.algorithm.impl.dense = None
    for seed in range(20):
        batch = make_batch(algorithm, seed=seed)
        assert learner.update(batch).keys() == other.update(batch).keys()
    for name in ("q_funcs", "targ_q_funcs"):
        weights, expected = (list(getattr(one.algorithm.impl.modules, name).parameters()) for one in (learner, other))
        for one, same in zip(weights, expected, strict=True):
            assert torch.allclose(one, same, rtol=0, atol=1e-5)


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
def test_a_loaded_state_goes_on_to_the_same_bits(algorithm: str) -> None:
    """Nothing that the rest depends on lies in memory used again."""
    learner, other = make_learner(algorithm), make_learner(algorithm)
    state = learner.state()
    for seed in range(5):
        other.update(make_batch(algorithm, seed=50 + seed))
    other.load_state(state)
    for seed in range(5):
        terms, same = (one.update(make_batch(algorithm, seed=seed)) for one in (learner, other))
        assert all(torch.equal(terms[name], same[name]) for name in terms)


@pytest.mark.parametrize("algorithm", WRITTEN_OUT)
def test_plain_networks_take_the_written_out_path(algorithm: str) -> None:
    """Also where a recorder repeats updates; autograd finds no gradient then."""
    learner = make_tiny_learner(algorithm, recorder=PlainRecorder())
    learner.algorithm.impl.compute_grad = None
    for seed in range(5):
        learner.update(make_batch(algorithm, seed=seed))
    dense_of(learner)


@pytest.mark.parametrize(
    "learner",
    [
        made_of_sequences(make_sequence_candidate("gru")),
        made_of_sequences(make_sequence_candidate("transformer", "double_dqn")),
        made_of_sequences(make_sequence_candidate("gru", is_output_tied=True)),
        made_of_sequences(make_sequence_candidate("gru", is_output_tied=True, sampled_above=1, n_sampled_actions=3)),
        make_tiny_learner("discrete_cql", precision="bfloat16"),
        make_tiny_learner("discrete_bcq"),
        make_learner("nfq", clip=1.0),
    ],
    ids=["gru", "transformer", "tied", "sampled", "bfloat16", "another algorithm", "clipping"],
)
def test_everything_else_is_left_to_autograd(learner: Learner) -> None:
    """What isn't written out isn't guessed."""
    assert learner.algorithm.impl.dense is None
