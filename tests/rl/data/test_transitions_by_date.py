from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from conf.paths import Lake
from rl.data.splits import end_of_day
from rl.data.transitions_by_date import transitions_by_date
from rl.data.transitions_reading import read_transitions
from tests.rl.factories import FIRST_DAY, make_episode, make_pipeline, write_shop, write_transitions


def test_parts_joined_are_the_whole(tmp_path: Path) -> None:
    """One part a date, in which every row stands as it does among all rows."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    last = write_shop(lake, pipeline, n_days=3)
    published = read_transitions(pipeline, lake, last)
    parts, whole = list(transitions_by_date(published)), published.transitions
    assert len(parts) == 3
    for name in ("reward", "action_id", "decision_time", "terminal", "propensity"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(whole, name))
    for name, column in whole.observation.items():
        assert np.array_equal(np.concatenate([part.observation[name] for part in parts]), column)
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    assert np.array_equal(lengths, np.diff(whole.offsets))


def test_an_episode_that_starts_after_midnight_waits_for_its_neighbors(tmp_path: Path) -> None:
    """A long session's later episode stands among those of the next date; the last date's wait for nobody."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    midnight = datetime.fromtimestamp(end_of_day(FIRST_DAY, pipeline.source.zone) / 1e6, tz=UTC)
    early = make_episode(pipeline, "a", midnight - timedelta(hours=1), [{"reward": 1}])
    late = make_episode(pipeline, "b", midnight + timedelta(hours=2), [{"reward": 3}, {"reward": 4}])
    between = make_episode(pipeline, "c", midnight + timedelta(hours=1), [{"reward": 2}])
    latest = make_episode(pipeline, "d", midnight + timedelta(hours=25), [{"reward": 5}])
    write_transitions(lake, pipeline, FIRST_DAY, [*late, *early])
    write_transitions(lake, pipeline, FIRST_DAY + timedelta(days=1), [*latest, *between])
    published = read_transitions(pipeline, lake, FIRST_DAY + timedelta(days=1))
    assert [part.reward.tolist() for part in transitions_by_date(published)] == [[1], [2, 3, 4, 5]]
    assert published.transitions.reward.tolist() == [1, 2, 3, 4, 5]


def test_a_date_alone_is_read_alone(tmp_path: Path) -> None:
    """Rows of other dates aren't read, unless all are in memory already: then shoppers keep their numbers."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    last = write_shop(lake, pipeline, n_days=3)
    published = read_transitions(pipeline, lake, last)
    alone, whole = published.at_least(last, last), published.with_all_rows()
    assert 0 < alone.n_transitions < whole.transitions.n_transitions
    assert whole.at_least(last, last) is whole.transitions
