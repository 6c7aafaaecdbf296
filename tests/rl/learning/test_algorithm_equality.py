"""Our updates against d3rlpy's own: the same weights, batches and draws, every action available, d3rlpy's loss."""

from __future__ import annotations

import pytest
import torch

from rl.learning.learner import Learner
from rl.learning.updates.forward_scope import forward_scope
from tests.rl.learning.learning_batches import DISCRETE, EVERY, make_batch, make_tiny_learner
from tests.rl.learning.masked_reference import MaskedReference
from tests.rl.learning.stock_algorithms import STOCK_CONFIGS, PlainDiscreteIQL, stock_twin, unmasked

# Updates compared: targets are copied after the third, actors with an interval of 2 move twice.
N_UPDATES = 5
TOLERANCE = 1e-5


def ours_of(algorithm: str) -> Learner:
    takes_loss = algorithm in DISCRETE and algorithm != "bc"
    return make_tiny_learner(algorithm, loss="huber") if takes_loss else make_tiny_learner(algorithm)


def assert_close(found: torch.Tensor | None, expected: torch.Tensor | None, what: str) -> None:
    """Within 1e-5 of the size of the larger entries; both or none."""
    assert (found is None) == (expected is None), what
    if found is not None and expected is not None:
        scale = max(1.0, float(expected.abs().max()))
        assert float((found - expected).abs().max()) < TOLERANCE * scale, what


@pytest.mark.parametrize("algorithm", sorted(STOCK_CONFIGS))
def test_losses_gradients_and_weights_are_those_of_d3rlpy(algorithm: str) -> None:
    """Update after update: every loss term that d3rlpy names, every gradient, every weight, targets included."""
    learner = ours_of(algorithm)
    stock = stock_twin(algorithm, learner.algorithm)
    for update in range(1, N_UPDATES + 1):
        batch = make_batch(algorithm, seed=update, is_masked=False)
        torch.manual_seed(update)
        expected = stock.impl.update(unmasked(batch), update)
        torch.manual_seed(update)
        found = learner.update(batch)
        for name, value in expected.items():
            assert_close(found[name], torch.tensor(value), f"{name} at update {update}")
        for name, module in stock.impl.modules.get_torch_modules().items():
            ours = getattr(learner.algorithm.impl.modules, name)
            for weight, other in zip(module.parameters(), ours.parameters(), strict=True):
                assert_close(other.data, weight.data, f"{name} at update {update}")
                if not name.startswith("targ_"):
                    assert_close(other.grad, weight.grad, f"gradient of {name} at update {update}")


def test_discrete_iql_is_the_papers_equations() -> None:
    """There is no discrete IQL in d3rlpy; the direct computation gives the same losses, gradients and weights."""
    learner = ours_of("discrete_iql")
    plain = PlainDiscreteIQL(learner.algorithm)
    for update in range(1, N_UPDATES + 1):
        batch = make_batch("discrete_iql", seed=update, is_masked=False)
        expected, found = plain.update(batch), learner.update(batch)
        for name, value in expected.items():
            assert_close(found[name], torch.tensor(value), f"{name} at update {update}")
        for name, weights in plain.named_weights().items():
            ours = list(getattr(learner.algorithm.impl.modules, name).parameters())
            for weight, other in zip(weights, ours, strict=True):
                assert_close(other.data, weight.data, f"{name} at update {update}")
                if name != "targ_q_funcs":
                    assert_close(other.grad, weight.grad, f"gradient of {name} at update {update}")


@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("algorithm", DISCRETE)
def test_masked_losses_and_gradients_are_those_of_smaller_problems(algorithm: str, loss: str) -> None:
    """Each row has actions of its own, now and next: every term, every gradient is that of equations without the rest.

    After some updates, so that targets lag behind; with the default loss too.
    """
    values = {} if algorithm == "bc" else {"loss": loss}
    learner = make_tiny_learner(algorithm, **values)
    for update in range(4):
        learner.update(make_batch(algorithm, seed=update))
    reference, batch = MaskedReference(algorithm, learner, loss), make_batch(algorithm, seed=50)
    expected, impl = reference.terms(batch), learner.algorithm.impl
    with forward_scope(None):
        found = impl.current_losses(batch)
    for name, value in found.items():
        assert_close(value.detach(), expected[name].detach(), name)
    others: dict[str, tuple[torch.Tensor, ...]] = {}
    for name, networks in reference.networks.items():
        if name.startswith("targ_"):
            continue
        ours = list(getattr(impl.modules, name).parameters())
        theirs = [weight for network in networks for weight in network.parameters()]
        gradients = torch.autograd.grad(found["loss"], ours, retain_graph=True)
        others[name] = torch.autograd.grad(expected["loss"], theirs, retain_graph=True)
        for gradient, other in zip(gradients, others[name], strict=True):
            assert_close(gradient, other, f"gradient of {name}")
            assert bool(gradient.any())
    updated = learner.update(batch)
    for name in others if hasattr(impl.modules, "optim") else ():
        for weight, other in zip(getattr(impl.modules, name).parameters(), others[name], strict=True):
            assert_close(weight.grad, other, f"gradient of {name} in an update")
    # Terms that an update computes before any of its own steps.
    before_steps = {"critic_loss", "temp_loss", "q_loss", "v_loss", "td_loss", "imitator_loss", "imitation_loss"}
    for name in before_steps & set(updated):
        assert_close(updated[name], expected[name].detach(), f"{name} of an update")


def test_every_algorithm_is_compared() -> None:
    """A new algorithm needs a stock twin, or equations of its own here."""
    assert set(EVERY) == {*STOCK_CONFIGS, "discrete_iql"}
