"""Segments that a person can name."""

from __future__ import annotations

import numpy as np
import pytest

from conf.observation_features import OBSERVATION_FEATURES, id_hash
from rl.data.shopper_segments import SEGMENTS, segments_of

NAMES = {id_hash(name): name for name in ("hats", "shoes")}


def observation(n: int = 50, seed: int = 0) -> dict[str, np.ndarray]:
    """Every declared feature, with -1 for none among the scalars and empty lists."""
    generator = np.random.default_rng(seed)
    ids = np.array([0, *NAMES, 255])
    return {
        name: generator.integers(-1, 24, n) if definition.kind == "scalar" else ids[generator.integers(0, 4, (n, 3))]
        for name, definition in OBSERVATION_FEATURES.items()
    }


@pytest.mark.parametrize("dimension", SEGMENTS)
def test_every_rule_divides_all_observations(dimension: str) -> None:
    """Each observation is in exactly one segment of each rule, under a label of its own."""
    rule = SEGMENTS[dimension]
    cut = rule.cut(observation()[rule.feature], NAMES)
    assert len(set(cut.labels)) == len(cut.labels)
    assert cut.codes.min() >= 0
    assert cut.codes.max() < len(cut.labels)


@pytest.mark.parametrize("dimension", SEGMENTS)
def test_every_rule_reads_a_declared_feature(dimension: str) -> None:
    """Rules name features that an observation can hold."""
    assert SEGMENTS[dimension].feature in OBSERVATION_FEATURES


@pytest.mark.parametrize(
    ("dimension", "value", "label"),
    [
        ("new or returning", 0, "new shopper"),
        ("new or returning", 1, "returning shopper"),
        ("past purchases", 0, "no past purchase"),
        ("past purchases", 1, "1 or more past purchases"),
        ("past clicks", 9, "1 to 9 past clicks"),
        ("last visit", -1, "no earlier visit known"),
        ("last visit", 1, "last visit today or yesterday"),
        ("last visit", 4, "last visit 4 or more days ago"),
        ("time of day", 5, "night (0 to 5 h)"),
        ("time of day", 18, "evening (18 to 23 h)"),
        ("day of week", 5, "Monday to Friday"),
        ("day of week", 6, "weekend"),
        ("place in the session", 0, "first decision"),
        ("place in the session", 2, "2nd or 3rd decision"),
        ("clicks this session", 3, "3 or more clicks so far"),
    ],
)
def test_labels_say_what_the_bounds_are(dimension: str, value: int, label: str) -> None:
    """A value at the bound falls where the label says."""
    cut = SEGMENTS[dimension].cut(np.array([value]), {})
    assert cut.labels[cut.codes[0]] == label


def test_favorite_categories_are_the_most_frequent_by_name() -> None:
    """The most frequent first entries have segments of their own, the rest share one, and so do empty lists."""
    first = np.repeat([id_hash("hats"), id_hash("shoes"), *range(1, 9), 0], [9, 8, *[2] * 8, 3])
    cut = SEGMENTS["favorite category"].cut(np.stack([first, np.zeros_like(first)], axis=1), NAMES)
    counts = dict(zip(cut.labels, np.bincount(cut.codes, minlength=len(cut.labels)).tolist(), strict=True))
    assert list(counts.items())[:2] == [("favors hats", 9), ("favors shoes", 8)]
    assert (counts["another favorite"], counts["no favorite known"]) == (8, 3)


def test_segments_of_episodes_leave_out_what_builds_up_during_one() -> None:
    """At the first observation, steps and clicks of the session are the same for all."""
    of_episodes = {segment.dimension for segment in segments_of(observation(), NAMES, of_episodes=True)}
    of_decisions = {segment.dimension for segment in segments_of(observation(), NAMES, of_episodes=False)}
    assert of_decisions == set(SEGMENTS)
    assert of_decisions - of_episodes == {"place in the session", "clicks this session"}


def test_rules_without_their_feature_and_empty_segments_are_left_out() -> None:
    """What a scenario doesn't observe can't divide its shoppers."""
    (only,) = segments_of({"hour_of_day": np.array([13, 14])}, NAMES, of_episodes=True)
    assert (only.label, only.is_member.tolist()) == ("afternoon (12 to 17 h)", [True, True])
