"""Every algorithm over a set of actions can score them by what is known of them, with no output of an action's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rl.errors import TrainingError
from rl.learning.algorithms import ALGORITHMS
from rl.learning.learner import Learner, make_learner
from rl.learning.networks.attribute_head import AttributeHead
from rl.learning.updates.fast_update import optimizers_of
from rl.policy.attribute_network import AttributeNetwork
from rl.policy.ensemble_network import EnsembleNetwork
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.network import DenseNetwork
from rl.policy.network_kinds import network_from
from tests.rl.learning.learning_batches import (
    ACTION_ATTRIBUTES,
    DISCRETE,
    N_ACTIONS,
    N_FEATURES,
    make_batch,
    make_candidate,
    make_tiny_learner,
)
from tests.rl.learning.test_algorithm_conformance import assert_same, policy_of, rows_of, tensors_in, written_and_read

every_discrete = pytest.mark.parametrize("algorithm", DISCRETE)


def tiny(algorithm: str, **values: Any) -> Learner:
    return make_tiny_learner(algorithm, action_scores="by_attributes", **values)


def updated(algorithm: str, n: int = 6, learner: Learner | None = None, first: int = 0, **values: Any) -> Learner:
    """A learner after n updates on batches of its own."""
    learner = learner or tiny(algorithm, **values)
    for update in range(first, first + n):
        learner.update(make_batch(algorithm, seed=update))
    return learner


def modules_of(learner: Learner) -> list[nn.Module]:
    parts = vars(learner.algorithm.impl.modules).values()
    return [module for part in parts if isinstance(part, nn.Module) for module in part.modules()]


@every_discrete
def test_no_layer_is_as_wide_as_the_catalogue(algorithm: str) -> None:
    """Every head reads attributes, those of targets too, and optimizers train just what is learned."""
    learner = tiny(algorithm)
    modules = modules_of(learner)
    assert not [one for one in modules if isinstance(one, nn.Linear) and one.out_features == N_ACTIONS]
    heads = [one for one in modules if isinstance(one, AttributeHead)]
    trained = {
        id(parameter)
        for optimizer in optimizers_of(learner.algorithm.impl.modules).values()
        for group in optimizer._optim.param_groups
        for parameter in group["params"]
    }
    learned = {id(one) for module in modules for one in module.parameters() if one.requires_grad}
    assert heads
    assert trained == learned


@every_discrete
def test_updates_learn_the_batch(algorithm: str) -> None:
    """On one batch again and again, what is regressed fits it better than at the start."""
    # Two pairs of actions score the same, so that the conservative term can't fall far.
    alone = {"conservative_weight": 0.0} if algorithm == "discrete_cql" else {}
    learner, batch = tiny(algorithm, n_updates=300, **alone), make_batch(algorithm)
    fitted = {"discrete_sac": "critic_loss", "discrete_iql": "q_loss"}.get(algorithm, "loss")
    before = learner.losses(batch)
    for _ in range(120):
        terms = learner.update(batch)
    assert all(bool(torch.isfinite(value)) for value in terms.values())
    assert float(learner.losses(batch)[fitted]) < 0.95 * float(before[fitted])


@every_discrete
def test_actions_of_which_the_same_is_known_score_the_same(algorithm: str) -> None:
    """Whichever of them the log chose; others score otherwise."""
    outputs = ALGORITHMS[algorithm].network(updated(algorithm).algorithm).forward(rows_of(algorithm)[0])
    assert np.allclose(outputs[:, 0], outputs[:, 1], atol=1e-6)
    assert np.allclose(outputs[:, 2], outputs[:, 3], atol=1e-6)
    assert not np.allclose(outputs[:, 0], outputs[:, 2], atol=1e-3)


@every_discrete
def test_targets_begin_as_their_networks(algorithm: str) -> None:
    """Copied after the heads were made, and without gradient."""
    modules = tiny(algorithm).algorithm.impl.modules
    if not hasattr(modules, "targ_q_funcs"):
        return
    ours, theirs = list(modules.q_funcs.parameters()), list(modules.targ_q_funcs.parameters())
    assert all(torch.equal(a, b) and not b.requires_grad for a, b in zip(ours, theirs, strict=True))


@every_discrete
def test_seed_fixes_every_bit_and_a_resumed_run_ends_in_the_same(algorithm: str) -> None:
    """Two runs agree, and one that was stopped and loaded from a file with them."""
    whole = updated(algorithm, 7)
    assert_same(whole, updated(algorithm, 7))
    resumed = tiny(algorithm, seed=9)
    resumed.load_state(written_and_read(updated(algorithm, 4).state()))
    updated(algorithm, 3, learner=resumed, first=4)
    ours, theirs = tensors_in(whole.state()["parts"]), tensors_in(resumed.state()["parts"])
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@every_discrete
def test_greedy_choice_is_available_and_the_same_where_served(algorithm: str) -> None:
    """What d3rlpy would choose is available, and scores highest where served; the same attributes tie."""
    learner = updated(algorithm, 10)
    features, mask, observations = rows_of(algorithm)
    with torch.no_grad():
        greedy = learner.algorithm.impl.predict_best_action(observations).numpy()
    policy = policy_of(algorithm, learner)
    chances = policy.probabilities(features, mask)
    assert mask[np.arange(len(greedy)), greedy].all()
    assert np.allclose(chances[np.arange(len(greedy)), greedy], chances.max(axis=1), atol=1e-6)


@every_discrete
def test_network_survives_its_files_alone_and_among_others(algorithm: str) -> None:
    """Outputs are the same after writing and reading, to the last bit."""
    network = ALGORITHMS[algorithm].network(updated(algorithm).algorithm)
    features, mask, _ = rows_of(algorithm)
    for one in (network, EnsembleNetwork((network, network))):
        again = network_from(one.kind, one.to_tensors())
        assert np.array_equal(again.forward(features), one.forward(features))
        assert np.array_equal(again.considered(features, mask), one.considered(features, mask))


@every_discrete
def test_new_action_scores_as_what_it_is_like(algorithm: str) -> None:
    """One of the first action's attributes, unknown in training, gets its score; the others keep theirs."""
    network = ALGORITHMS[algorithm].network(updated(algorithm).algorithm)
    assert isinstance(network, AttributeNetwork | FilteredNetwork)
    more = network.with_actions(np.concatenate([ACTION_ATTRIBUTES, ACTION_ATTRIBUTES[:1]]))
    features = rows_of(algorithm)[0]
    assert np.allclose(more.forward(features)[:, :-1], network.forward(features), atol=1e-6)
    assert np.allclose(more.forward(features)[:, -1], network.forward(features)[:, 0], atol=1e-6)


@every_discrete
def test_network_is_one_of_dense_layers_too(algorithm: str) -> None:
    """What explains a policy by its layers finds the same outputs."""
    network = ALGORITHMS[algorithm].network(updated(algorithm).algorithm)
    valued = network.values if isinstance(network, FilteredNetwork) else network
    assert isinstance(valued, AttributeNetwork)
    dense, features = valued.as_dense(), rows_of(algorithm)[0]
    assert isinstance(dense, DenseNetwork)
    assert np.allclose(dense.forward(features), valued.forward(features), atol=1e-5)


def test_candidate_without_any_attributes_is_refused() -> None:
    """A dataset that was prepared without them says what to do."""
    with pytest.raises(TrainingError, match="bc scores actions by_attributes, and the dataset knows none of them"):
        make_learner(
            make_candidate("bc", action_scores="by_attributes"),
            observation_shape=((N_FEATURES,), (N_ACTIONS,)),
            action_size=N_ACTIONS,
            gamma=0.9,
        )


def test_parameters_are_exchanged_before_the_first_update_alone() -> None:
    """Afterwards the optimizer knows their past."""
    learner = updated("double_dqn", 1)
    (optimizer,) = optimizers_of(learner.algorithm.impl.modules).values()
    with pytest.raises(TrainingError, match="after the first update"):
        optimizer.exchange(list(optimizer._params), [])
