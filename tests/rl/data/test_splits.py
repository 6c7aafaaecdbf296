from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.paths import Lake
from conf.specs.scenario import Pipeline
from rl.data.splits import (
    MICROSECONDS_PER_HOUR,
    TimeSpan,
    drop_unsettled_tails,
    end_of_day,
    refuse_small_splits,
    split_intervals,
    unseen_splits,
)
from rl.data.transition_columns import N_LOTS, Transitions
from rl.data.transitions_reading import read_transitions
from rl.errors import DatasetError, NothingToLearn
from tests.rl.factories import FIRST_DAY, make_episode, make_pipeline, write_transitions

HOUR = MICROSECONDS_PER_HOUR
NIGHT = date(2026, 1, 14)
NOON = datetime.combine(FIRST_DAY, datetime.min.time(), tzinfo=UTC) + timedelta(hours=12)


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def test_split_intervals_leave_embargoes_and_the_last_window_free() -> None:
    """Splits are contiguous in time, an embargo apart, and end a session and a window before the horizon's end."""
    pipeline = make_pipeline(reward={"attribution": {"link": "decision_id", "window_hours": 12}})
    first = microseconds(datetime(2026, 1, 5, 6, tzinfo=UTC))
    found = split_intervals(pipeline, first=first, horizon=date(2026, 1, 14))
    free = (12 + pipeline.source.session.max_hours) * HOUR
    end = end_of_day(date(2026, 1, 14), pipeline.source.zone)
    left = end - free + 1 - first - 2 * pipeline.embargo_hours * HOUR
    assert found["train"] == TimeSpan(first, first + int(0.6 * left))
    assert found["validation"].start == found["train"].end + pipeline.embargo_hours * HOUR
    assert found["validation"].end - found["validation"].start == int(0.15 * left)
    assert found["test"].start == found["validation"].end + pipeline.embargo_hours * HOUR
    assert found["test"].end == end - free + 1


def test_embargo_is_at_least_window_plus_longest_session() -> None:
    """A shorter embargo in the spec isn't taken."""
    pipeline = make_pipeline(splits={"embargo_hours": 1, "min_episodes": 5})
    found = split_intervals(pipeline, first=0, horizon=date(1970, 2, 1))
    assert (found["validation"].start - found["train"].end) // HOUR == 12 + pipeline.source.session.max_hours


def test_end_of_day_follows_the_business_zone() -> None:
    """Midnight is the shop's, daylight saving included."""
    assert end_of_day(date(2026, 7, 1), "Europe/Berlin") == microseconds(datetime(2026, 7, 1, 22, tzinfo=UTC))
    assert end_of_day(date(2026, 1, 1), "Europe/Berlin") == microseconds(datetime(2026, 1, 1, 23, tzinfo=UTC))


def test_split_intervals_refuse_a_short_window() -> None:
    """What is needed and what was found stand in the message."""
    first = microseconds(datetime(2026, 1, 5, 6, tzinfo=UTC))
    with pytest.raises(DatasetError, match=r"41\.0 hours, expected more than 48"):
        split_intervals(make_pipeline(), first=first, horizon=date(2026, 1, 6))


def test_refuse_small_splits_names_every_split() -> None:
    """All splits that are too small are named at once."""
    with pytest.raises(DatasetError, match="validation has 1, test has 0; expected at least 2"):
        refuse_small_splits({"train": 9, "validation": 1, "test": 0}, 2)


def test_interval_survives_json() -> None:
    """Boundaries keep their microseconds."""
    interval = TimeSpan(1_767_592_872_000_001, 1_767_592_999_999_999)
    assert TimeSpan.from_json(interval.to_json()) == interval


def by_shopper() -> Pipeline:
    return make_pipeline(splits={"by": "shopper", "train": 0.5, "validation": 0.2, "test": 0.3, "min_episodes": 1})


def test_splits_by_shopper_divide_lots_and_leave_time_whole() -> None:
    """An experiment's decisions all fall into one moment: each split has all of the time, and lots of its own."""
    found = split_intervals(by_shopper(), first=0, horizon=date(1970, 1, 2))
    assert [one.lots for one in found.values()] == [(0, 500_000), (500_000, 700_000), (700_000, N_LOTS)]
    assert len({(one.start, one.end) for one in found.values()}) == 1
    assert found["train"].up_to(found["test"]).lots == (0, N_LOTS)
    for one in found.values():
        assert TimeSpan.from_json(one.to_json()) == one
        assert one.digested == [one.start, one.end, *one.lots]
    assert "none" in by_shopper().embargo_in_words


@pytest.mark.parametrize("is_by_shopper", [False, True])
def test_a_second_look_takes_what_starts_after_the_first_one_s_test_split(is_by_shopper: bool) -> None:
    """All shoppers' episodes, up to where a night of the later date would end; what was seen stays where it was."""
    pipeline, later = by_shopper() if is_by_shopper else make_pipeline(), NIGHT + timedelta(days=9)
    seen = split_intervals(pipeline, first=microseconds(NOON), horizon=NIGHT)
    found = unseen_splits(pipeline, seen, horizon=later)
    ahead = split_intervals(pipeline, first=microseconds(NOON), horizon=later)
    assert (found["train"], found["validation"]) == (seen["train"], seen["validation"])
    assert found["test"] == TimeSpan(seen["test"].end, ahead["test"].end)
    assert found["test"].end - found["test"].start == 9 * 24 * HOUR


@pytest.mark.parametrize("n_days", [0, -1])
def test_a_second_look_without_later_days_is_refused(n_days: int) -> None:
    seen = split_intervals(make_pipeline(), first=microseconds(NOON), horizon=NIGHT)
    with pytest.raises(NothingToLearn, match="take a later date"):
        unseen_splits(make_pipeline(), seen, horizon=NIGHT + timedelta(days=n_days))


def test_splits_by_time_keep_their_digest() -> None:
    """What names them is what named them before shoppers could be divided."""
    assert TimeSpan(3, 7).digested == [3, 7]
    assert set(TimeSpan(3, 7).to_json()) == {"start", "end"}


def test_a_shopper_s_lot_is_the_same_everywhere(tmp_path: Path) -> None:
    """Every shopper is in one split, whichever rows are read; shares are kept to chance."""
    episodes = [[{"user_id": f"{number:032x}", "decision_time": NOON}] for number in range(400)]
    rows = read_rows(by_shopper(), tmp_path, *episodes)
    spans = split_intervals(by_shopper(), first=int(rows.decision_time.min()), horizon=date(2026, 1, 7))
    held = {name: span.holds(rows) for name, span in spans.items()}
    assert sorted(np.concatenate(list(held.values())).tolist()) == list(range(400))
    assert 160 < len(held["train"]) < 240
    part = rows.take_episodes(held["test"])
    assert len(spans["test"].holds(part)) == part.n_episodes
    assert not len(spans["train"].holds(part))


def read_rows(pipeline: Pipeline, folder: Path, *episodes: list[dict[str, Any]]) -> Transitions:
    lake = Lake(folder, "simulated_shop")
    rows = [
        row
        for number, content in enumerate(episodes)
        for row in make_episode(pipeline, str(number), NOON + timedelta(hours=number), content)
    ]
    write_transitions(lake, pipeline, FIRST_DAY, rows)
    return read_transitions(pipeline, lake, FIRST_DAY).transitions


def test_drop_unsettled_tails_cuts_an_episode_into_a_timeout(tmp_path: Path) -> None:
    """The row before the first unsettled one becomes a timeout; the settled row behind goes with the tail."""
    settled: dict[str, Any] = {"reward_settled": True}
    unsettled: dict[str, Any] = {"reward_settled": False}
    found = read_rows(make_pipeline(), tmp_path, [settled | {"reward": 1}, settled | {"reward": 2}, unsettled, settled])
    kept, n_dropped = drop_unsettled_tails(found)
    assert n_dropped == 2
    assert kept.reward.tolist() == [1, 2]
    assert kept.terminal.tolist() == [False, False]
    assert kept.timeout.tolist() == [False, True]
    assert kept.offsets.tolist() == [0, 2]


def test_drop_unsettled_tails_keeps_whole_episodes_and_drops_unsettled_ones(tmp_path: Path) -> None:
    """A settled episode keeps its terminal; one that starts unsettled goes."""
    found = read_rows(
        make_pipeline(),
        tmp_path,
        [{"reward_settled": False, "user_id": "gone"}, {"reward_settled": True, "user_id": "gone"}],
        [{"reward": 5, "user_id": "kept"}],
    )
    kept, n_dropped = drop_unsettled_tails(found)
    assert n_dropped == 2
    assert kept.reward.tolist() == [5]
    assert kept.terminal.tolist() == [True]
    assert kept.user.tolist() == [1]
    assert found.n_transitions == 3
