"""What a shop's rules leave of logged rows to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import PolicyError, TrainingError
from rl.learning.replay.replay_columns import ACTION, NEXT_SET, SET, TERMINAL, ReplayColumns, columns_of
from rl.learning.replay.replay_store import write_store
from rl.learning.replay.ruled_rows import Ruling, ruled_rows
from rl.policy import ObservationEncoder
from rl.policy.action_rules import ActionRules, Eligibility
from rl.policy.observation_encoder import ColumnEncoding
from tests.rl.factories import make_logged_episodes

KEYS = ("a", "b", "c")
ENCODER = ObservationEncoder((ColumnEncoding("n_past_purchases", "count", mean=0.5, spread=2.0, has_missing=True),))
BLOCKED = ActionRules(blocked=frozenset("b"))
BUYERS = ActionRules(eligibility=(Eligibility(frozenset("c"), "n_past_purchases", at_least=2),))


def encoded(*counts: int) -> np.ndarray:
    return ENCODER.encode({"n_past_purchases": np.array(counts, dtype=np.int64)})


def a_log(sets: list[str], actions: str, counts: list[int]) -> LoggedEpisodes:
    """One episode of decisions in whose sets and at whose counts these actions were logged, then its closing."""
    availability = np.array([[key in one for key in KEYS] for one in sets])
    n = len(actions)
    return make_logged_episodes(
        [n],
        len(KEYS),
        features=encoded(*counts[:n]),
        next_features=encoded(*counts[1 : n + 1]),
        action=np.array([KEYS.index(key) for key in actions]),
        availability=availability,
        mask_index=np.arange(n),
        next_mask_index=np.minimum(np.arange(1, n + 1), len(sets) - 1),
    )


def ruled(log: LoggedEpisodes, rules: ActionRules) -> ReplayColumns:
    return columns_of(log, Ruling(rules, KEYS, ENCODER))


def told(columns: ReplayColumns, place: int) -> list[str]:
    """The sets at each row, as words."""
    sets = columns.availability[columns.records[:, place]]
    return ["".join(key for key, is_in in zip(KEYS, row, strict=True) if is_in) for row in sets]


def test_rows_of_a_blocked_action_are_left_out_and_no_set_holds_it() -> None:
    """What follows them is still what the row before looks on to."""
    log = a_log(["abc", "ab", "bc"], "abc", [0, 1, 2, 3])
    found = ruled(log, BLOCKED)
    assert [KEYS[action] for action in found.records[:, ACTION]] == ["a", "c"]
    assert (told(found, SET), told(found, NEXT_SET)) == (["ac", "c"], ["a", "c"])
    np.testing.assert_array_equal(found.features, encoded(0, 2))
    np.testing.assert_array_equal(found.closings, encoded(1, 3))
    assert found.records[:, TERMINAL].tolist() == [0, 1]


def test_who_is_eligible_is_asked_at_the_decision_and_at_the_next_one() -> None:
    """By each one's own count; a missing one is below any bound."""
    log = a_log(["abc", "abc", "abc"], "cac", [1, 2, 2, -1])
    found = ruled(log, BUYERS)
    assert [KEYS[action] for action in found.records[:, ACTION]] == ["a", "c"]
    assert (told(found, SET), told(found, NEXT_SET)) == (["abc", "abc"], ["abc", "ab"])


@pytest.mark.parametrize("rules", [ActionRules(), ActionRules(blocked=frozenset("z"))])
def test_rules_that_touch_nothing_change_nothing(rules: ActionRules) -> None:
    log = a_log(["abc", "ab", "bc"], "abc", [0, 1, 2, 3])
    found, plain = ruled(log, rules), columns_of(log)
    np.testing.assert_array_equal(found.features, plain.features)
    assert (told(found, SET), told(found, NEXT_SET)) == (told(plain, SET), told(plain, NEXT_SET))
    others = [column for column in range(plain.records.shape[1]) if column not in (SET, NEXT_SET)]
    np.testing.assert_array_equal(found.records[:, others], plain.records[:, others])


def test_nothing_left_to_look_on_to_is_refused() -> None:
    """Where something follows; after a terminal nothing has to be left."""
    with pytest.raises(TrainingError, match="leave nothing to choose at 1 of 1 next observations"):
        ruled(a_log(["ab", "b"], "ab", [0, 0, 0]), BLOCKED)
    assert ruled(a_log(["ab", "b"], "a", [0, 0]), BLOCKED).n_transitions == 1


def test_a_feature_that_the_policy_is_not_told_of_as_a_number_is_refused() -> None:
    rules = ActionRules(eligibility=(Eligibility(frozenset("c"), "hour_of_day", at_least=2),))
    with pytest.raises(PolicyError, match="hour_of_day is no count"):
        ruled(a_log(["abc"], "a", [0, 0]), rules)


def test_files_hold_what_memory_does(tmp_path: Path) -> None:
    """Part by part, one of which the rules leave nothing of."""
    parts = [a_log(["abc", "ab"], "ba", [0, 1, 2]), a_log(["bc"], "b", [0, 0]), a_log(["bc"], "c", [5, 0])]
    ruling = Ruling(BLOCKED, KEYS, ENCODER)
    stored = write_store(tmp_path / "store", parts, memory_bytes=1 << 20, ruling=ruling)
    held = [columns_of(part, ruling) for part in parts]
    np.testing.assert_array_equal(stored.features, np.concatenate([one.features for one in held]))
    np.testing.assert_array_equal(stored.closings, np.concatenate([one.closings for one in held]))
    assert told(stored, SET) == [word for one in held for word in told(one, SET)]
    assert told(stored, NEXT_SET) == [word for one in held for word in told(one, NEXT_SET)]


def test_many_rows_share_few_sets() -> None:
    """A set for each that rows have, and each way in which the rules hold there; not one a row."""
    generator = np.random.default_rng(0)
    n = 500
    log = make_logged_episodes(
        [n],
        len(KEYS),
        features=encoded(*generator.integers(0, 9, n)),
        next_features=encoded(*generator.integers(0, 9, n)),
        action=np.zeros(n, dtype=np.int64),
    )
    found = ruled_rows(log, Ruling(BUYERS, KEYS, ENCODER))
    assert len(found.rows) == n
    assert len(found.availability) == 2
