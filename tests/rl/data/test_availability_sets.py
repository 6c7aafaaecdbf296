from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conf.observation_features import id_hash
from conf.paths import Lake
from rl.data.availability_sets import AvailabilityRows, masked_rows, unmasked_rows
from rl.data.transitions_reading import read_transitions
from rl.policy.vocabulary import Vocabulary
from tests.rl.factories import FIRST_DAY, make_pipeline, make_row, write_transitions

KEYS = ("a", "b", "c")


def vocabulary(has_other: bool = False) -> Vocabulary:
    return Vocabulary(KEYS, tuple(id_hash(key) for key in KEYS), has_other)


@pytest.fixture()
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, "simulated_shop")


def rows_of(
    lake: Lake, *pairs: tuple[str, str | None, str | None], sets: dict[str, str], has_other: bool = False
) -> AvailabilityRows:
    """Availability of rows given as (action, set now, set next); sets are strings of one-letter keys."""
    pipeline = make_pipeline()
    write_transitions(
        lake,
        pipeline,
        FIRST_DAY,
        [
            make_row(pipeline, episode_id=str(n), action_key=action, availability_id=now, next_availability_id=later)
            for n, (action, now, later) in enumerate(pairs)
        ],
    )
    transitions = read_transitions(pipeline, lake, FIRST_DAY).transitions
    words = vocabulary(has_other)
    action = words.index_of_ids(transitions.action_id)
    return masked_rows(transitions, action, words, {id_: frozenset(keys) for id_, keys in sets.items()})


def test_masked_rows_follow_the_named_sets(lake: Lake) -> None:
    """Each row has its own set, now and next."""
    found = rows_of(lake, ("a", "s1", "s2"), ("c", "s2", "s1"), sets={"s1": "ab", "s2": "bc"})
    assert found.sets[found.index].tolist() == [[True, True, False], [False, True, True]]
    assert found.sets[found.next_index].tolist() == [[False, True, True], [True, True, False]]
    assert not any(found.counts.values())


def test_masked_rows_widen_a_set_by_the_action_that_was_taken(lake: Lake) -> None:
    """What was logged was possible; only that row's set is widened, and the row is counted."""
    found = rows_of(lake, ("c", "s1", "s1"), ("a", "s1", "s1"), sets={"s1": "ab"})
    assert found.sets[found.index].tolist() == [[True, True, True], [True, True, False]]
    assert found.sets[found.next_index].tolist() == [[True, True, False]] * 2
    assert found.counts["actions_outside_availability"] == 1


def test_masked_rows_take_every_action_where_a_set_is_unknown(lake: Lake) -> None:
    """A row without set, or with one that was never delivered, may choose anything; both are counted."""
    found = rows_of(lake, ("a", None, None), ("b", "lost", None), sets={"s1": "ab"})
    assert found.sets[found.index].all()
    assert found.sets[found.next_index].all()
    assert found.counts["unknown_availability"] == 2


def test_masked_rows_keep_the_set_where_the_next_is_unknown(lake: Lake) -> None:
    """Without a set at the next observation, the decision's holds."""
    found = rows_of(lake, ("a", "s1", None), sets={"s1": "ab"})
    assert found.sets[found.next_index].tolist() == [[True, True, False]]


def test_masked_rows_count_sets_without_a_known_action(lake: Lake) -> None:
    """A set that holds nothing of the vocabulary can't mask; all actions stand in."""
    found = rows_of(lake, ("a", "s1", "s1"), sets={"s1": "xyz"})
    assert found.sets[found.index].all()
    assert found.counts["nothing_available"] == 1


def test_other_is_available_where_a_set_holds_an_unknown_action(lake: Lake) -> None:
    """`(other)` is as available as the actions it stands for."""
    found = rows_of(lake, ("a", "s1", "s1"), ("a", "s2", "s2"), sets={"s1": "ab", "s2": "az"}, has_other=True)
    assert found.sets[found.index].tolist() == [[True, True, False, False], [True, False, False, True]]


def test_unmasked_rows_share_one_full_set() -> None:
    """Without a mask every action is available everywhere."""
    found = unmasked_rows(3, vocabulary(has_other=True))
    assert found.sets.tolist() == [[True] * 4]
    assert np.array_equal(found.index, [0, 0, 0])
