"""Observations in readable units."""

from __future__ import annotations

import numpy as np

from conf.observation_features import id_hash
from rl.night.explanation.readable_features import ReadableColumn, readable_observations

IDS = {id_hash("hats"): "hats"}


def test_counts_stay_as_observed() -> None:
    """A scalar is one column in its own unit, -1 for none."""
    found = readable_observations({"days_since_last_visit": np.array([-1, 3])}, ["days_since_last_visit"], IDS)
    assert found.columns == (ReadableColumn("days_since_last_visit", "number"),)
    assert found.values.tolist() == [[-1.0], [3.0]]


def test_lists_tell_their_length_their_first_entry_and_what_they_hold() -> None:
    """Each frequent id of a list is asked for at its head and anywhere; ids without a name show their first digits."""
    hats, unnamed = id_hash("hats"), 255
    lists = np.array([[hats, unnamed, 0], [unnamed, hats, hats], [hats, 0, 0], [0, 0, 0]])
    found = readable_observations({"favorite_categories": lists}, ["favorite_categories"], IDS)
    table = {(column.kind, column.name): found.values[:, place].tolist() for place, column in enumerate(found.columns)}
    assert table == {
        ("length", ""): [2, 3, 1, 0],
        ("first", "hats"): [1, 0, 1, 0],
        ("holds", "hats"): [1, 1, 1, 0],
        ("first", "id 00000000…"): [0, 1, 0, 0],
        ("holds", "id 00000000…"): [1, 1, 0, 0],
    }


def test_only_the_twelve_most_frequent_ids_are_asked_for() -> None:
    """A large catalogue doesn't become thousands of columns."""
    lists = np.repeat(np.arange(1, 31), np.arange(30, 0, -1))[:, None]
    found = readable_observations({"recent_engaged_items": lists}, ["recent_engaged_items"], {})
    assert len(found.columns) == 1 + 2 * 12
