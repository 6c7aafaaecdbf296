from __future__ import annotations

import json

import numpy as np
import pytest

from rl.data.encoder_fitting import SMALLEST_TOKEN_COUNT, fit_encoder, with_tokens
from rl.errors import PolicyError
from rl.policy.observation_encoder import ColumnEncoding, ObservationEncoder
from rl.policy.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("b", "a"), (77, 55), has_other=True)


def make_observation() -> dict[str, np.ndarray]:
    """Items 55, 66 and 88 often, 99 once; categories 1 and 2."""
    n = SMALLEST_TOKEN_COUNT + 2
    items = np.tile([66, 66, 55, 88], (n, 1))
    items[0, 3], items[1, 1:] = 99, 0
    return {
        "recent_shown_items": items,
        "session_step": np.arange(n),
        "recent_shown_categories": np.tile([2, 1], (n, 1)),
    }


def make_encoders() -> tuple[ObservationEncoder, ObservationEncoder]:
    observation = make_observation()
    dense = fit_encoder(observation, action_space="item")
    return dense, with_tokens(dense, observation, action_space="item", action_ids=VOCABULARY.ids)


def test_with_tokens_begins_with_actions_then_frequent_ids() -> None:
    """An action and an entry of a list are one row: 2 + the action's index; rare ids are unknown."""
    _, encoder = make_encoders()
    assert encoder.spaces["item tokens"] == (77, 55, 66, 88)
    assert encoder.spaces["category tokens"] == (1, 2)
    layout = encoder.token_layout(VOCABULARY)
    assert layout is not None
    assert layout.action_table == 0
    assert layout.action_rows(VOCABULARY.n_actions).tolist() == [2, 3, 1]
    assert layout.table_sizes == (6, 4)


def test_tokens_keep_order_and_pad_at_the_end() -> None:
    """Most recent first; 0 where there is no entry, 1 for an id without a row, also where lists are short."""
    dense, encoder = make_encoders()
    shown = np.array([[55, 66, 99], *[[88, 0, 0]] * (SMALLEST_TOKEN_COUNT + 1)])
    observation = make_observation() | {"recent_shown_items": shown}
    tokens = encoder.encode(observation)[:, dense.n_features :]
    assert tokens[:2, :4].tolist() == [[3, 4, 1, 0], [5, 0, 0, 0]]
    assert tokens[:2, 4:].tolist() == [[3, 2], [3, 2]]


def test_dense_block_is_what_it_was() -> None:
    """Bit for bit; names and widths agree; without tokens there is no layout."""
    dense, encoder = make_encoders()
    observation = make_observation()
    assert encoder.n_dense == dense.n_features
    assert np.array_equal(encoder.encode(observation)[:, : encoder.n_dense], dense.encode(observation))
    assert len(encoder.feature_names) == len(encoder.sources) == encoder.n_features
    assert encoder.feature_names[: encoder.n_dense] == dense.feature_names
    assert dense.token_layout(VOCABULARY) is None


def test_tokens_survive_json() -> None:
    _, encoder = make_encoders()
    assert ObservationEncoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder


def test_large_tokens_are_exact() -> None:
    """A catalogue of 300,000: every row number survives float32."""
    ids = tuple(range(1, 300_001))
    encoder = ObservationEncoder((ColumnEncoding("shown", "tokens", space="t", length=1),), {"t": ids})
    encoded = encoder.encode({"shown": np.array(ids)[:, None]})[:, 0].astype(np.int64)
    assert np.array_equal(encoded, np.arange(2, 300_002))


def test_tokens_come_last() -> None:
    with pytest.raises(PolicyError, match="tokens last"):
        ObservationEncoder(make_encoders()[1].columns[::-1])


def test_actions_that_are_no_listed_ids_have_no_table() -> None:
    observation = make_observation()
    encoder = with_tokens(fit_encoder(observation), observation, action_space="promotion", action_ids=VOCABULARY.ids)
    layout = encoder.token_layout(VOCABULARY)
    assert layout is not None
    assert layout.action_table is None
