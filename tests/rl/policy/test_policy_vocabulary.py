from __future__ import annotations

import json

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.policy.vocabulary import Vocabulary

TWO = Vocabulary(keys=("a", "b"), ids=(-5, 2**62), has_other=False)
TWO_AND_OTHER = Vocabulary(keys=("a", "b"), ids=(-5, 2**62), has_other=True)


def test_index_of_ids_gives_minus_one_without_other() -> None:
    """An unknown id has no index where there is no `(other)`."""
    assert TWO.index_of_ids(np.array([2**62, 7, -5])).tolist() == [1, -1, 0]


def test_index_of_ids_gives_other_to_unknown_ids() -> None:
    """An unknown id shares the last index."""
    assert TWO_AND_OTHER.index_of_ids(np.array([2**62, 7, -5])).tolist() == [1, 2, 0]


def test_index_in_maps_by_key_and_marks_the_unknown() -> None:
    """A newer vocabulary's entries find their older index, whatever the order."""
    newer = Vocabulary(keys=("c", "b", "a"), ids=(9, 2**62, -5), has_other=True)
    assert newer.index_in(TWO).tolist() == [-1, 1, 0, -1]
    assert newer.index_in(TWO_AND_OTHER).tolist() == [-1, 1, 0, 2]


def test_mask_of_ignores_unknown_keys_and_never_holds_other() -> None:
    """What is available is what the vocabulary knows of it."""
    assert TWO_AND_OTHER.mask_of(["b", "zzz"]).tolist() == [False, True, False]
    assert TWO_AND_OTHER.mask_of(None).tolist() == [True, True, False]
    assert TWO_AND_OTHER.mask_of([]).tolist() == [False, False, False]


def test_vocabulary_survives_json_exactly() -> None:
    """64-bit ids survive readers that keep numbers as doubles, since they travel as text."""
    as_text = json.dumps(TWO_AND_OTHER.to_json())
    assert f'"{2**62}"' in as_text
    assert Vocabulary.from_json(json.loads(as_text)) == TWO_AND_OTHER


def test_vocabulary_refuses_repeated_keys() -> None:
    """An index means one action."""
    with pytest.raises(PolicyError, match="distinct"):
        Vocabulary(keys=("a", "a"), ids=(1, 2), has_other=False)
