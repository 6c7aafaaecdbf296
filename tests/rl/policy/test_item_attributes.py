from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.observation_features import id_hash
from rl.errors import PolicyError
from rl.policy import StochasticPolicy, load_policy
from rl.policy.attribute_network import AttributeNetwork
from rl.policy.item_attributes import AttributeEncoding, ItemAttributes, encoded_items
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding, ObservationEncoder
from rl.policy.served_model import ServedPolicy
from rl.policy.vocabulary import Vocabulary
from tests.rl.policy.policies import make_observations, make_policy, make_vocabulary

ENCODINGS = (
    AttributeEncoding("price", "amount", mean=float(np.log1p(9)), spread=2.0),
    AttributeEncoding("size", "number", mean=5.0, spread=2.5),
    AttributeEncoding("brand", "label", labels=("acme", "best")),
)
RAW: dict[int, dict[str, Any]] = {
    7: {"price": 9, "size": "10", "brand": "best"},
    -3: {"price": None, "size": -1e9, "brand": "corner shop"},
    40: {},
}


def known() -> ItemAttributes:
    return ItemAttributes(ENCODINGS, tuple(RAW), encoded_items(ENCODINGS, list(RAW.values())))


def test_attributes_become_numbers() -> None:
    """Amounts by their logarithm, numbers within five spreads, words by place; what is missing is zeros and a flag."""
    expected = [
        [0, 0, 2, 0, 0, 1, 0],
        [0, 1, -5, 0, 0, 0, 1],
        [0, 1, 0, 1, 0, 0, 0],
    ]
    assert np.array_equal(known().values, np.array(expected, dtype=np.float32))
    assert len(known().names) == known().width == 8


def test_rows_are_found_by_id() -> None:
    """In any shape; the last number says whether anything is known."""
    found = known().rows_of(np.array([[40, 7], [8, 0]], dtype=np.int64))
    assert found.shape == (2, 2, 8)
    assert found[..., -1].tolist() == [[1, 1], [0, 0]]
    assert np.array_equal(found[0, 1, :-1], known().values[0])
    assert not found[1].any()


def test_nothing_known_of_any_item_is_zeros() -> None:
    """A table without items knows none."""
    empty = ItemAttributes(ENCODINGS, (), encoded_items(ENCODINGS, []))
    assert not empty.rows_of(np.array([1, 2], dtype=np.int64)).any()


def test_new_items_are_read_as_those_of_training() -> None:
    """In the same encoding; one that was known stays as it was."""
    more = known().with_items({8: {"price": 9, "brand": "acme"}, 7: {"price": 0}})
    assert more.ids == (7, -3, 40, 8)
    assert np.array_equal(more.values[:3], known().values)
    assert more.values[3].tolist() == [0, 0, 0, 1, 1, 0, 0]


def test_attributes_survive_their_file() -> None:
    """To the last bit, through JSON."""
    again = ItemAttributes.from_json(json.loads(json.dumps(known().to_json())))
    assert again == known()
    assert np.array_equal(again.values, known().values)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"price": -1}, "attribute price: an amount of -1, expected 0 or more"),
        ({"size": "big"}, "attribute size: got 'big', expected a number"),
        ({"size": "nan"}, "attribute size: got 'nan', expected a finite number"),
    ],
)
def test_what_is_no_number_is_refused(raw: dict[str, Any], expected: str) -> None:
    """With the attribute, what it got and what to do."""
    with pytest.raises(PolicyError, match=expected):
        known().with_items({9: raw})


def test_file_whose_numbers_do_not_fit_is_refused() -> None:
    """A number lost would give every item another's."""
    content = known().to_json()
    with pytest.raises(PolicyError, match="attributes of 2 items: 21 numbers, expected 14"):
        ItemAttributes.from_json(content | {"ids": content["ids"][:2]})


def encoder() -> ObservationEncoder:
    columns = (ColumnEncoding("n", "count"), ColumnEncoding("recent", "attributes", length=2))
    return ObservationEncoder(columns, items=known())


def test_items_of_a_list_are_read_by_their_attributes() -> None:
    """Entry by entry, most recent first; nothing of padding, and of items unknown."""
    recent = np.array([[7, 40, -3], [0, 0, 0], [5, 7, 0]], dtype=np.int64)
    encoded = encoder().encode({"n": np.zeros(3, dtype=np.int64), "recent": recent})
    rows = known().rows_of(recent[:, :2]).reshape(3, -1)
    assert np.array_equal(encoded[:, 1:], rows)
    assert len(encoder().feature_names) == len(encoder().sources) == encoder().n_features == encoded.shape[1]


def test_encoder_survives_its_file() -> None:
    """With its items; one without any is written as before there were attributes."""
    assert ObservationEncoder.from_json(json.loads(json.dumps(encoder().to_json()))) == encoder()
    assert "items" not in ObservationEncoder((ColumnEncoding("n", "count"),)).to_json()


def test_columns_of_attributes_without_items_are_refused() -> None:
    """An encoder that was put together wrongly is found before it encodes."""
    with pytest.raises(PolicyError, match="columns are attributes of items, and none are known"):
        ObservationEncoder((ColumnEncoding("recent", "attributes", length=2),))


def test_actions_get_their_items_attributes() -> None:
    """In the vocabulary's order; of `(other)` nothing is known."""
    found = encoder().action_attributes(Vocabulary(("a", "b"), (40, 7), has_other=True))
    assert found is not None
    assert np.array_equal(found[:2], known().rows_of(np.array([40, 7], dtype=np.int64)))
    assert not found[2].any()
    assert ObservationEncoder(()).action_attributes(Vocabulary(("a", "b"), (40, 7), has_other=False)) is None


def scoring_policy() -> StochasticPolicy:
    """One whose items are known, and whose last action was never in the log."""
    keys = ("a", "b", "c", "new")
    raw: list[dict[str, Any]] = [{"price": place, "size": 1, "brand": "acme"} for place in range(len(keys))]
    items = ItemAttributes(ENCODINGS, tuple(id_hash(key) for key in keys), encoded_items(ENCODINGS, raw))
    columns = (
        ColumnEncoding("session_step", "count"),
        ColumnEncoding("recent_shown_items", "attributes", length=2),
    )
    encoder, vocabulary, generator = (
        ObservationEncoder(columns, items=items),
        make_vocabulary(*keys),
        np.random.default_rng(0),
    )

    def layer(n_in: int, n_out: int) -> DenseNetwork:
        return DenseNetwork((generator.normal(size=(n_out, n_in)).astype(np.float32),), (np.zeros(n_out, np.float32),))

    attributes = encoder.action_attributes(vocabulary)
    assert attributes is not None
    network = AttributeNetwork(layer(encoder.n_features, 3), layer(items.width, 4), attributes)
    return make_policy(*keys, encoder=encoder, network=network)


def test_policy_that_scores_by_attributes_survives_its_files(tmp_path: Path) -> None:
    """Read back it is the same version, and decides the same of the same sets, the item that no log had among them."""
    policy = scoring_policy()
    policy.save(tmp_path)
    again = load_policy(tmp_path)
    assert again.version == policy.version
    sets = [["a", "new"], ["new"], None, ["b", "c", "unheard of"]]
    ours, theirs = (one.act(make_observations(), sets, seed=1) for one in (policy, again))
    assert ours.actions == theirs.actions
    assert np.array_equal(ours.probabilities, theirs.probabilities)
    assert ours.actions[1] == "new"
    assert 0 < ours.probabilities[0, 3] < 1


def test_policy_of_other_attributes_is_another_version() -> None:
    """A price that changed changes decisions, so it changes the name under which they are logged."""
    policy = scoring_policy()
    items = policy.encoder.items
    assert items is not None
    other = ItemAttributes(items.encodings, items.ids, items.values + np.float32(0.5))
    assert replace(policy, encoder=replace(policy.encoder, items=other)).version != policy.version


def test_model_that_is_served_takes_the_same_observations() -> None:
    """Lists of ids as they were, whatever is known of the items in them."""
    columns: dict[str, Any] = {"session_step": [1, 2], "recent_shown_items": [[id_hash("a")], []]}
    frame = ServedPolicy(scoring_policy()).predict({**columns, "available_actions": [["new"], ["a", "b"]]}, {"seed": 1})
    assert next(iter(frame["action"])) == "new"
    assert frame["action"][1] in ("a", "b")


def test_network_whose_parts_do_not_fit_is_refused() -> None:
    """Its towers meet in numbers of one width, and attributes are those that it reads."""

    def layer(n_in: int, n_out: int) -> DenseNetwork:
        return DenseNetwork((np.ones((n_out, n_in), dtype=np.float32),), (np.zeros(n_out, dtype=np.float32),))

    with pytest.raises(PolicyError, match="3 outputs of items, expected 4; attributes of shape"):
        AttributeNetwork(layer(2, 3), layer(2, 3), np.ones((5, 1), dtype=np.float32))
    tensors = AttributeNetwork(layer(2, 3), layer(2, 4), np.ones((5, 2), dtype=np.float32)).to_tensors()
    with pytest.raises(PolicyError, match="lack actions"):
        AttributeNetwork.from_tensors({name: one for name, one in tensors.items() if name != "actions"})
    with pytest.raises(PolicyError, match="'odd'] belong to no part"):
        AttributeNetwork.from_tensors({**tensors, "odd": tensors["actions"]})
