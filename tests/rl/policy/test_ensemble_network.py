from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.policy import StochasticPolicy, load_policy
from rl.policy.action_probabilities import masked_softmax, with_exploration
from rl.policy.aligned_policy import AlignedPolicy
from rl.policy.ensemble_network import EnsembleNetwork
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.network import DenseNetwork
from rl.policy.network_kinds import network_from
from tests.rl.policy.policies import make_observations, make_policy, make_vocabulary

EVERY = np.ones((4, 3), dtype=bool)


def ensemble_policy(n_members: int = 3, **values: Any) -> StochasticPolicy:
    """The mean of networks of random weights."""
    members = tuple(make_policy(seed=seed).network for seed in range(n_members))
    return make_policy(**{"network": EnsembleNetwork(members), **values})


def constant(outputs: list[float], n_inputs: int = 3) -> DenseNetwork:
    """A network whose outputs don't depend on the features."""
    return DenseNetwork((np.zeros((len(outputs), n_inputs), dtype=np.float32),), (np.array(outputs, dtype=np.float32),))


def filtered(logits: list[float]) -> FilteredNetwork:
    """Values 0, 1, ...; the imitator finds actions likely by these logits."""
    return FilteredNetwork(constant([float(place) for place in range(len(logits))]), constant(logits), 0.5)


def test_policy_decides_by_the_mean_of_its_members_outputs() -> None:
    """Probabilities are the softmax of the mean, not the mean of the members' softmaxes."""
    policy = ensemble_policy(temperature=0.5)
    features = policy.encode(make_observations())
    outputs = np.mean([make_policy(seed=seed).outputs(features) for seed in range(3)], axis=0)
    expected = with_exploration(masked_softmax(outputs, EVERY, 0.5), EVERY, policy.exploration_floor)
    assert np.allclose(policy.probabilities(features, EVERY), expected, atol=1e-6)
    each = [make_policy(seed=seed, temperature=0.5).probabilities(features, EVERY) for seed in range(3)]
    assert not np.allclose(policy.probabilities(features, EVERY), np.mean(each, axis=0), atol=0.01)


def test_ensemble_of_one_decides_as_its_member() -> None:
    """To the last bit."""
    policy = make_policy(seed=4)
    alone = replace(policy, network=EnsembleNetwork((policy.network,)))
    features = policy.encode(make_observations())
    assert np.array_equal(alone.outputs(features), policy.outputs(features))


def test_action_is_considered_where_any_member_considers_it() -> None:
    """Each imitator finds another action unlikely; what both find unlikely is left out."""
    network = EnsembleNetwork((filtered([0.0, -9.0, -20.0]), filtered([-9.0, 0.0, -20.0])))
    features = np.zeros((1, 3), dtype=np.float32)
    assert network.considered(features, np.ones((1, 3), dtype=bool)).tolist() == [[True, True, False]]
    assert network.considered(features, np.array([[False, True, True]])).tolist() == [[False, True, False]]


@pytest.mark.parametrize("member", [constant([1.0, 2.0]), filtered([0.0, -1.0])])
def test_network_is_read_back_from_its_tensors(member: DenseNetwork | FilteredNetwork) -> None:
    """Kind and arrays of every member, to the last bit, and in their order beyond nine."""
    members = [
        type(member).from_tensors({name: array * (1 + place) for name, array in member.to_tensors().items()})
        if isinstance(member, DenseNetwork)
        else member
        for place in range(11)
    ]
    network = EnsembleNetwork(tuple(members))
    again = network_from("ensemble", network.to_tensors())
    assert isinstance(again, EnsembleNetwork)
    assert [one.kind for one in again.members] == [member.kind] * 11
    assert {name: array.tobytes() for name, array in again.to_tensors().items()} == {
        name: array.tobytes() for name, array in network.to_tensors().items()
    }


def test_policy_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    """Under the same version, with the same probabilities."""
    policy = ensemble_policy()
    policy.save(tmp_path)
    again = load_policy(tmp_path)
    features = policy.encode(make_observations())
    assert again.version == policy.version
    assert np.array_equal(again.probabilities(features, EVERY), policy.probabilities(features, EVERY))


def test_version_tells_every_member() -> None:
    """Another weight of the last member, one member more or less, and the first alone are other policies."""
    policy = ensemble_policy()
    network = policy.network
    assert isinstance(network, EnsembleNetwork)
    other = replace(network, members=(*network.members[:-1], make_policy(seed=9).network))
    versions = {
        policy.version,
        ensemble_policy(2).version,
        ensemble_policy(4).version,
        replace(policy, network=other).version,
        replace(policy, network=network.members[0]).version,
    }
    assert len(versions) == 5


def test_aligned_policy_asks_the_mean() -> None:
    """Under a newer vocabulary an older ensemble decides as before."""
    policy = ensemble_policy()
    features = policy.encode(make_observations())
    found = AlignedPolicy(policy, make_vocabulary("c", "b", "a")).probabilities(features, EVERY)
    assert np.allclose(found, policy.probabilities(features, EVERY)[:, ::-1])


@pytest.mark.parametrize(
    "members",
    [
        (),
        (constant([0.0, 1.0]), constant([0.0])),
        (constant([0.0]), constant([0.0], n_inputs=2)),
        (constant([0.0, 1.0]), filtered([0.0, 0.0])),
    ],
)
def test_networks_that_differ_in_shape_or_kind_are_refused(members: tuple[Any, ...]) -> None:
    """There is no mean of them, nor of none."""
    with pytest.raises(PolicyError, match="expected one or more, all alike"):
        EnsembleNetwork(members)


def test_ensembles_of_ensembles_are_refused() -> None:
    """A mean of means is one mean."""
    inner = EnsembleNetwork((constant([0.0]),))
    with pytest.raises(PolicyError, match="'ensemble' can't be averaged; expected one of dense, filtered"):
        EnsembleNetwork((inner, inner))


def test_arrays_that_make_no_ensemble_are_refused() -> None:
    """A member that is missing, and a kind that nobody knows."""
    tensors = EnsembleNetwork((constant([0.0]), constant([0.0]), constant([0.0]))).to_tensors()
    without = {name: array for name, array in tensors.items() if not name.startswith("member.1.")}
    with pytest.raises(PolicyError, match=r"'member.2.0.bias', 'member.2.0.weight'\] belong to no member of 1"):
        EnsembleNetwork.from_tensors(without)
    unknown = tensors | {"member_kind": np.frombuffer(b"densest", dtype=np.uint8)}
    for wrong in (unknown, {name: array for name, array in tensors.items() if name != "member_kind"}):
        with pytest.raises(PolicyError, match="expected one of dense, filtered"):
            EnsembleNetwork.from_tensors(wrong)
