"""What is trained in torch is what is served in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conf.observation_features import id_hash
from rl.data.logged_episodes import IntArray
from rl.errors import EvaluationError, PolicyError, TrainingError
from rl.learning.algorithms import ALGORITHMS
from rl.night.explanation.margins import margin_function
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary, load_policy
from rl.policy.network_kinds import network_from
from rl.policy.observation_encoder import ColumnEncoding
from tests.rl.learning.sequence_batches import (
    LAYOUT,
    N_ACTIONS,
    make_features,
    make_sequence_batch,
    make_sequence_candidate,
    make_sequence_learner,
)

KINDS = ["gru", "transformer"]


def trained(kind: str, n: int = 5, **encoder: Any) -> Any:
    learner = make_sequence_learner(make_sequence_candidate(kind, **encoder))
    for update in range(n):
        learner.update(make_sequence_batch(seed=update))
    return learner


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_tied", [False, True])
@pytest.mark.parametrize("depth", [1, 2])
def test_served_network_equals_torch(kind: str, is_tied: bool, depth: int) -> None:
    """To 1e-5, empty lists and lists longer than the history among them, and again after its arrays were read."""
    learner = trained(kind, is_output_tied=is_tied, depth=depth)
    features = make_features(300, seed=5)
    everything = torch.ones(len(features), N_ACTIONS, dtype=torch.bool)
    with torch.no_grad():
        expected = learner.algorithm.impl.q_function[0]([torch.from_numpy(features), everything]).q_value.numpy()
    network = ALGORITHMS["discrete_cql"].network(learner.algorithm)
    assert network.kind == kind
    assert np.abs(network.forward(features) - expected).max() < 1e-5
    read = network_from(kind, network.to_tensors())
    assert np.array_equal(read.forward(features), network.forward(features))
    assert read.forward(features[:0]).shape == (0, N_ACTIONS)
    assert expected.std(axis=0).min() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_order_matters_and_padding_does_not(kind: str) -> None:
    """Two ids the other way round give other values; what stands beyond the history length gives none."""
    network = ALGORITHMS["discrete_cql"].network(trained(kind).algorithm)
    features = np.zeros((4, LAYOUT.n_columns), dtype=np.float32)
    features[0, 3:5], features[1, 3:5] = [2, 3], [3, 2]
    features[2, 3:8], features[3, 3:8] = [2, 3, 4, 5, 6], [2, 3, 4, 5, 9]
    outputs = network.forward(features)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4
    assert np.array_equal(outputs[2], outputs[3])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"discrete_bcq"}))
def test_every_algorithm_reads_sequences(kind: str, algorithm: str) -> None:
    """They learn and serve; their embeddings move."""
    learner = make_sequence_learner(make_sequence_candidate(kind, algorithm))
    before = ALGORITHMS[algorithm].network(learner.algorithm).to_tensors()["table.0"]
    terms = learner.update(make_sequence_batch())
    assert all(bool(torch.isfinite(term)) for term in terms.values())
    network = ALGORITHMS[algorithm].network(learner.algorithm)
    moved = np.abs(network.to_tensors()["table.0"] - before).max(axis=1)
    assert moved[0] == 0
    assert moved[2:].min() > 0
    assert network.forward(make_features(3)).shape == (3, N_ACTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_half_width_layers_learn(kind: str) -> None:
    """At bfloat16 weights stay float32 and losses are near those at full width: 8 bits of a number are kept."""
    losses = []
    for precision in ("float32", "bfloat16"):
        candidate = make_sequence_candidate(kind, values={"precision": precision}, is_output_tied=True)
        learner = make_sequence_learner(candidate)
        losses.append(float(learner.update(make_sequence_batch())["loss"]))
        assert {p.dtype for p in learner.algorithm.impl.q_function.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def make_sequence_policy(kind: str) -> StochasticPolicy:
    keys = tuple(f"item {i}" for i in range(N_ACTIONS))
    vocabulary = Vocabulary(keys, tuple(id_hash(key) for key in keys), False)
    encoder = ObservationEncoder(
        columns=(
            *(ColumnEncoding(f"feature_{i}", "count") for i in range(LAYOUT.n_dense)),
            ColumnEncoding("recent_shown_items", "tokens", space="item tokens", length=5),
            ColumnEncoding("recent_shown_categories", "tokens", space="category tokens", length=4),
        ),
        spaces={"item tokens": (*vocabulary.ids, 1, 2, 3, 4), "category tokens": (1, 2, 3, 4)},
    )
    assert encoder.token_layout(vocabulary) == LAYOUT
    network = ALGORITHMS["discrete_cql"].network(trained(kind, is_output_tied=True).algorithm)
    return StochasticPolicy(
        name="s-1",
        network=network,
        encoder=encoder,
        vocabulary=vocabulary,
        output_scale=1.0,
        temperature=1.0,
        exploration_floor=0.1,
        is_other_chosen=False,
        dataset_digest="d",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_policy_is_saved_and_served(kind: str, tmp_path: Path) -> None:
    """The files hold everything: the same version, the same probabilities from natural ids."""
    policy = make_sequence_policy(kind)
    policy.save(tmp_path)
    loaded = load_policy(tmp_path)
    observation: dict[str, IntArray] = {f"feature_{i}": np.arange(6) for i in range(LAYOUT.n_dense)}
    shown = np.zeros((6, 5), dtype=np.int64)
    shown[1:, 0], shown[2:, 1] = id_hash("item 3"), id_hash("never seen")
    observation |= {"recent_shown_items": shown, "recent_shown_categories": np.zeros((6, 4), dtype=np.int64)}
    decided, again = policy.act(observation, seed=1), loaded.act(observation, seed=1)
    assert loaded.version == policy.version
    assert np.array_equal(decided.probabilities, again.probabilities)
    assert not np.allclose(decided.probabilities[0], decided.probabilities[1])


@pytest.mark.parametrize("kind", KINDS)
def test_explanation_refuses_in_plain_words(kind: str) -> None:
    """Attributions go along straight lines between observations: there is nothing between two ids."""
    with pytest.raises(EvaluationError, match=rf"{kind}.*can't be explained"):
        margin_function(make_sequence_policy(kind))


def test_broken_arrays_are_refused() -> None:
    """Missing arrays, and tokens that no table has."""
    network = make_sequence_policy("gru").network
    tensors = network.to_tensors()
    with pytest.raises(PolicyError, match="make no gru network"):
        network_from("gru", {name: array for name, array in tensors.items() if name != "table.1"})
    features = make_features(2)
    features[0, 3] = 99
    with pytest.raises(PolicyError, match=r"tokens .* expected 0 to 12"):
        network.forward(features)


def test_missing_tokens_are_named() -> None:
    """A sequence encoder on a dataset without token columns, and a tied output where actions are no listed ids."""
    candidate = make_sequence_candidate("gru")
    with pytest.raises(TrainingError, match="needs token columns"):
        make_sequence_learner(candidate, layout=type(LAYOUT)(LAYOUT.n_columns, (), ()))
    untied = type(LAYOUT)(LAYOUT.n_dense, LAYOUT.lists, LAYOUT.table_sizes)
    with pytest.raises(PolicyError, match="is_output_tied: false"):
        make_sequence_learner(make_sequence_candidate("gru", is_output_tied=True), layout=untied)


def test_dense_network_leaves_tokens_unread() -> None:
    """Beside sequence candidates, a dense one learns from its own columns alone."""
    learner = make_sequence_learner(make_sequence_candidate("dense"))
    learner.update(make_sequence_batch())
    network = ALGORITHMS["discrete_cql"].network(learner.algorithm)
    features, other = make_features(5), make_features(5, seed=3)
    other[:, : LAYOUT.n_dense] = features[:, : LAYOUT.n_dense]
    assert network.kind == "dense"
    assert np.array_equal(network.forward(features), network.forward(other))
