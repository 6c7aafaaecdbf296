"""What the small tree speaks of."""

from __future__ import annotations

import numpy as np

from rl.night.explanation.surrogate_target import surrogate_target, usual_actions
from tests.rl.factories import make_logged_episodes

KEYS = [f"item-{index}" for index in range(40)]
CATEGORIES = {key: f"category-{index % 3}" for index, key in enumerate(KEYS)}


def test_few_actions_are_told_by_name() -> None:
    """Up to eight preferred actions, the tree says which."""
    target = surrogate_target(np.arange(20) % 8, np.zeros(20, dtype=np.int64), KEYS, CATEGORIES)
    assert target.kind == "action"
    assert [target.names[label] for label in target.labels[:3]] == ["item-0", "item-1", "item-2"]


def test_many_actions_are_told_by_category() -> None:
    """With more actions and few categories, the tree says which category."""
    target = surrogate_target(np.arange(40), np.zeros(40, dtype=np.int64), KEYS, CATEGORIES)
    assert target.kind == "category"
    assert [target.names[label] for label in target.labels[:4]] == [f"category-{i}" for i in (0, 1, 2, 0)]


def test_many_actions_without_categories_are_told_by_departure() -> None:
    """Where an action has no category, the tree says where the policy departs from the log's most likely action."""
    usual = np.where(np.arange(40) < 30, np.arange(40), 0)
    incomplete = {key: category for key, category in CATEGORIES.items() if key != "item-7"}
    for categories in ({}, incomplete):
        target = surrogate_target(np.arange(40), usual, KEYS, categories)
        assert target.kind == "departure"
        assert target.labels.sum() == 10


def test_the_usual_action_is_the_one_taken_most_when_it_was_there() -> None:
    """A popular action that was seldom in stock counts by how often it was taken where it could be."""
    availability = np.array([[True, True, False], [True, True, True]])
    train = make_logged_episodes(
        [1] * 10,
        action=np.array([0, 0, 0, 0, 1, 1, 2, 2, 0, 2]),
        availability=availability,
        mask_index=np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]),
        next_mask_index=np.zeros(10, dtype=np.int64),
        propensity=np.full(10, 0.5),
    )
    assert usual_actions(train, availability).tolist() == [0, 2]
