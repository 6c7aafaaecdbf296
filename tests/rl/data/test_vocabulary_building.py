from __future__ import annotations

import numpy as np
import pytest

from conf.observation_features import id_hash
from rl.data.vocabulary_building import build_vocabulary, vocabulary_of_names
from rl.errors import DatasetError
from rl.policy.vocabulary import OTHER_KEY


def ids(*keys: str) -> np.ndarray:
    return np.array([id_hash(key) for key in keys], dtype=np.int64)


KEYS = {id_hash(key): key for key in "abcdef"}


def test_build_vocabulary_ranks_by_count_then_key() -> None:
    """The most frequent action comes first; ties go by key."""
    found = build_vocabulary(ids(*"cbbaac"), ids(*"cbbaac"), KEYS, max_actions=10)
    assert found.names == ("a", "b", "c")
    found = build_vocabulary(ids(*"ccbba"), ids(*"ccbba"), KEYS, max_actions=10)
    assert found.names == ("b", "c", "a")


def test_build_vocabulary_lumps_what_exceeds_the_limit() -> None:
    """`(other)` takes one of the `max_actions` entries."""
    found = build_vocabulary(ids(*"aaabbcd"), ids(*"aaabbcd"), KEYS, max_actions=3)
    assert found.names == ("a", "b", OTHER_KEY)
    assert found.index_of_ids(ids(*"abcd")).tolist() == [0, 1, 2, 2]


def test_build_vocabulary_has_other_for_actions_seen_only_later() -> None:
    """An action of validation or test that training never saw is `(other)`."""
    found = build_vocabulary(ids(*"ab"), ids(*"abf"), KEYS, max_actions=10)
    assert found.names == ("a", "b", OTHER_KEY)


def test_build_vocabulary_has_no_other_without_need() -> None:
    """As many actions as the limit allows need no `(other)`."""
    assert not build_vocabulary(ids(*"abc"), ids(*"abc"), KEYS, max_actions=3).has_other


def test_build_vocabulary_refuses_a_single_action() -> None:
    """There must be something to choose."""
    with pytest.raises(DatasetError, match="at least 2"):
        build_vocabulary(ids("a"), ids("a"), KEYS, max_actions=3)


def test_build_vocabulary_refuses_ids_that_are_not_hashes() -> None:
    """Warm starts and serving rely on id and key naming the same action."""
    with pytest.raises(DatasetError, match="aren't the hashes"):
        build_vocabulary(ids(*"ab"), ids(*"ab"), {id_hash("a"): "b", id_hash("b"): "a"}, max_actions=3)


def test_vocabulary_of_names_reads_back_what_names_say() -> None:
    """Names alone are enough to rebuild a vocabulary."""
    built = build_vocabulary(ids(*"aab"), ids(*"aabc"), KEYS, max_actions=10)
    assert vocabulary_of_names(list(built.names)) == built
