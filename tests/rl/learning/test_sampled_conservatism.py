from __future__ import annotations

import functools
from typing import Any

import pytest
import torch

from rl.learning.learner import Learner
from rl.learning.sampled_conservatism import draw_actions, sampled_log_sum_exp
from rl.policy.token_layout import TokenLayout
from tests.rl.learning.sequence_batches import (
    LAYOUT,
    N_DENSE,
    SMALL,
    make_sequence_batch,
    make_sequence_candidate,
    make_sequence_learner,
)

N_ROWS, N_ACTIONS = 6, 400


def make_values() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Values `(6, 400)`, an uneven mask (some actions never available), a logged action a row."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(N_ROWS, N_ACTIONS, generator=generator)
    mask = torch.rand(N_ROWS, N_ACTIONS, generator=generator) < torch.linspace(0.05, 0.95, N_ACTIONS)
    mask[:, :20] = False
    mask[:, 50] = True
    return values, mask, torch.full((N_ROWS, 1), 50)


def estimate(values: torch.Tensor, mask: torch.Tensor, action: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    sample = draw_actions(mask, n, torch.Generator().manual_seed(seed))
    found = sampled_log_sum_exp(values.gather(1, action), values[:, sample.actions], sample, action=action, mask=mask)
    return found[:, 0]


def full(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return torch.where(mask, values, -torch.inf).logsumexp(dim=1)


def test_estimated_sum_is_unbiased() -> None:
    """The mean of 4,000 estimated sums of exponentials is the sum, to 5 of its own standard errors, in every row."""
    values, mask, action = make_values()
    sums = torch.stack([estimate(values, mask, action, 40, seed).exp() for seed in range(4000)]).double()
    error = sums.std(dim=0) / len(sums) ** 0.5
    expected = full(values, mask).exp().double()
    assert ((sums.mean(dim=0) - expected).abs() < 5 * error).all()
    assert (error / expected < 0.01).all()


def test_sample_of_everything_is_exact() -> None:
    """As many draws as there are available actions, or more: nothing is estimated."""
    values, mask, action = make_values()
    n_available = int(mask.any(dim=0).sum())
    for n in (n_available, N_ACTIONS, 10 * N_ACTIONS):
        assert torch.allclose(estimate(values, mask, action, n, 0), full(values, mask), rtol=0, atol=1e-5)


def test_sample_of_everything_draws_nothing() -> None:
    """Every action in its place, and the generator where it was; weights are those of certain draws."""
    _, mask, _ = make_values()
    state = torch.get_rng_state()
    sample = draw_actions(mask, N_ACTIONS)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(sample.actions, torch.arange(N_ACTIONS))
    assert torch.equal(sample.log_weight == 0, mask.any(dim=0))


def test_error_of_term_and_gradient_falls_with_the_sample() -> None:
    """Of 50 draws each: from 25 to 100 actions, and from 100 to 360, root mean square errors at least halve."""
    values, mask, action = make_values()
    values.requires_grad_()
    expected = full(values, mask).mean()
    (gradient,) = torch.autograd.grad(expected, values)
    errors = []
    for n in (25, 100, 360):
        found = []
        for seed in range(50):
            term = estimate(values, mask, action, n, seed).mean()
            (ours,) = torch.autograd.grad(term, values)
            found.append([float((term - expected).detach() ** 2), float(((ours - gradient) ** 2).sum())])
        errors.append(torch.tensor(found).mean(dim=0).sqrt())
    assert (errors[1] < 0.6 * errors[0]).all()
    assert (errors[2] < 0.6 * errors[1]).all()


def test_unavailable_actions_count_for_nothing() -> None:
    """Whatever their values, and however few are available; without a gradient."""
    values, mask, action = make_values()
    raised = torch.where(mask, values, 1e6).requires_grad_()
    for n in (10, N_ACTIONS):
        term = estimate(raised, mask, action, n, 3)
        assert torch.equal(term, estimate(values, mask, action, n, 3))
        (gradient,) = torch.autograd.grad(term.sum(), raised)
        assert not gradient[~mask].any()
    alone = torch.zeros_like(mask).scatter_(1, action, True)
    assert torch.equal(estimate(values, alone, action, 10, 0), values.gather(1, action)[:, 0])


def test_draws_are_distinct_and_available_first() -> None:
    """No action twice; none that is nowhere available while others are left."""
    _, mask, _ = make_values()
    sample = draw_actions(mask, 100, torch.Generator().manual_seed(1))
    assert len(set(sample.actions.tolist())) == 100
    assert mask[:, sample.actions].any(dim=0).all()
    assert (sample.log_weight >= 0).all()


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_learner_that_samples_everything_learns_as_the_full_one(kind: str) -> None:
    """Gradients and three updates' losses are the same to 1e-5; with few samples they are others.

    Weights aren't compared: Adam makes whole steps of gradients that are 0 but for rounding, as those of keys' biases.
    """
    encoders: dict[str, dict[str, Any]] = {
        "full": {},
        "below": {"sampled_above": 7, "n_sampled_actions": 2},
        "all": {"sampled_above": 3, "n_sampled_actions": 7},
        "few": {"sampled_above": 3, "n_sampled_actions": 2},
    }
    learners = {
        name: make_sequence_learner(make_sequence_candidate(kind, is_output_tied=True, **encoder))
        for name, encoder in encoders.items()
    }
    gradients = {name: gradient_of(learner) for name, learner in learners.items()}
    terms = {name: [one.update(make_sequence_batch(seed=i)) for i in range(3)] for name, one in learners.items()}
    for name in ("below", "all"):
        for ours, theirs in zip(terms[name], terms["full"], strict=True):
            assert all(float(ours[key]) == pytest.approx(float(theirs[key]), abs=1e-5) for key in theirs)
        assert torch.allclose(gradients[name], gradients["full"], rtol=0, atol=1e-5)
    assert (gradients["few"] - gradients["full"]).abs().max() > 1e-3
    few, whole = (float(terms[name][0]["conservative_loss"]) for name in ("few", "full"))
    assert abs(few - whole) > 1e-3


def gradient_of(learner: Learner) -> torch.Tensor:
    """Of the loss of a batch, by all weights, flat."""
    impl, batch = learner.algorithm.impl, make_sequence_batch()
    loss = impl.compute_loss(batch, impl.compute_target(batch)).loss
    found = torch.autograd.grad(loss, list(impl.q_function.parameters()), allow_unused=True)
    return torch.cat([gradient.flatten() for gradient in found if gradient is not None])


def test_large_catalogue_leaves_no_values_to_keep() -> None:
    """Of 10,000 actions, an update keeps no matrix of all values of a batch for its gradient; the full term does."""
    n_rows, n_actions = 64, 10_000
    layout = TokenLayout(N_DENSE, LAYOUT.lists, (n_actions + 2, 6), action_table=0)
    largest = {}
    encoders: dict[str, dict[str, Any]] = {"full": {}, "sampled": {"sampled_above": 1000, "n_sampled_actions": 100}}
    for name, encoder in encoders.items():
        candidate = make_sequence_candidate("gru", is_output_tied=True, **encoder)
        learner = make_sequence_learner(candidate, layout=layout, n_actions=n_actions)
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(functools.partial(_noted, sizes), lambda kept: kept):
            terms = learner.update(make_sequence_batch(n_rows, n_actions=n_actions))
        assert bool(torch.isfinite(terms["loss"]))
        largest[name] = max(sizes)
    assert largest["full"] >= n_rows * n_actions
    assert largest["sampled"] <= (n_actions + 2) * SMALL["embedding_size"]


def _noted(sizes: list[int], kept: torch.Tensor) -> torch.Tensor:
    sizes.append(kept.numel())
    return kept


def test_looking_at_sampled_losses_draws_nothing() -> None:
    """The generator stands where it stood, and the same batch gives the same losses."""
    candidate = make_sequence_candidate("gru", is_output_tied=True, sampled_above=3, n_sampled_actions=2)
    learner = make_sequence_learner(candidate)
    state = torch.get_rng_state()
    first, second = (learner.losses(make_sequence_batch()) for _ in "12")
    assert torch.equal(torch.get_rng_state(), state)
    assert float(first["loss"]) == float(second["loss"])
