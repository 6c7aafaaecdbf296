"""Scores of actions by what they resemble of a session."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.policy import ObservationEncoder
from rl.policy.network_kinds import network_from
from rl.policy.observation_encoder import ColumnEncoding
from rl.policy.resemblance import ResemblanceBasis
from rl.policy.resemblance_network import ResemblanceNetwork
from tests.rl.policy.resemblances import basis, observations

FEATURES = observations(["ab", "c", "", "dd"], ["aab", "c", "", "dcb"], [0, 1, 2, 1])


def network(seed: int = 0) -> ResemblanceNetwork:
    found, generator = basis(FEATURES), np.random.default_rng(seed)
    shape = (found.n_terms, found.context(FEATURES).shape[1])
    own = generator.normal(size=found.actions.shape[1])
    return ResemblanceNetwork(found, generator.normal(size=shape).astype(np.float32), np.asarray(own, dtype=np.float32))


def test_values_of_all_actions_are_those_of_each() -> None:
    """What is learned of one action a row holds of the same action among all."""
    made = network()
    for action in range(4):
        chosen = np.full(len(FEATURES), action)
        terms = made.basis.terms(FEATURES, chosen)
        slopes = made.basis.context(FEATURES) @ made.weights.T
        alone = (terms * slopes).sum(axis=1) + made.basis.own_terms[action] @ made.own
        assert np.allclose(made.forward(FEATURES)[:, action], alone, atol=1e-4)


def test_the_latest_item_resembles_itself_alone() -> None:
    """A cosine of 1 and the sign of sameness; a like item comes near, one of another kind doesn't."""
    made = basis(FEATURES)
    terms = [made.terms(FEATURES[:1], np.array([action]))[0] for action in range(4)]
    per_list = (made.n_terms - 1) // 2
    latest, same = 1 + per_list, 2 * per_list
    assert terms[0][latest] == pytest.approx(1.0)
    assert [term[same] for term in terms] == [1.0, 0.0, 0.0, 0.0]
    assert terms[1][latest] > 0.95
    assert terms[3][latest] < 0.1


def test_nothing_resembles_an_empty_list() -> None:
    """Of no item shown or engaged, every term but the constant is 0."""
    terms = basis(FEATURES).terms(FEATURES[2:3], np.array([1]))[0]
    assert terms[0] == 1.0
    assert not terms[1:].any()


def test_the_context_tells_latest_entries_that_are_alike() -> None:
    """It stands once, and again for each full list whose latest entries are of one kind; otherwise zeros do."""
    once, shown, engaged = np.split(basis(FEATURES).context(FEATURES), 3, axis=1)
    assert [np.array_equal(shown[row], once[row]) for row in range(4)] == [True, False, False, True]
    assert [bool(shown[row].any()) for row in range(4)] == [True, False, False, True]
    assert [bool(engaged[row].any()) for row in range(4)] == [True, False, False, False]


def test_files_hold_the_whole_network() -> None:
    """Read back, it gives the same outputs; without an array it is refused."""
    made = network()
    tensors = made.to_tensors()
    assert np.array_equal(network_from("resemblance", tensors).forward(FEATURES), made.forward(FEATURES))
    del tensors["least"]
    with pytest.raises(PolicyError, match=r"expected .*least"):
        network_from("resemblance", tensors)


def test_parts_that_do_not_fit_are_refused() -> None:
    """Observations of another width, weights of other terms, and an encoder without a list of items."""
    made = network()
    with pytest.raises(PolicyError, match="encoded features, expected"):
        made.forward(FEATURES[:, 1:])
    with pytest.raises(PolicyError, match="terms and"):
        ResemblanceNetwork(made.basis, made.weights[1:], made.own)
    plain = ObservationEncoder((ColumnEncoding("session_step", "count"),))
    with pytest.raises(PolicyError, match="no feature of the observation is a list"):
        ResemblanceBasis.of(plain, made.basis.actions, np.zeros((2, 1), dtype=np.float32))
