from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from conf.observation_features import id_hash
from conf.paths import Lake
from conf.specs.spec_hash import data_spec_hash
from rl.data.transitions_reading import read_availability, read_item_categories, read_transitions
from rl.errors import DatasetError
from tests.rl.factories import (
    FIRST_DAY,
    item,
    make_episode,
    make_observation,
    make_pipeline,
    make_row,
    write_availability,
    write_items,
    write_transitions,
)

NOON = datetime.combine(FIRST_DAY, datetime.min.time(), tzinfo=UTC) + timedelta(hours=12)
SECOND_DAY = FIRST_DAY + timedelta(days=1)
THIRD_DAY = FIRST_DAY + timedelta(days=2)


@pytest.fixture()
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, "simulated_shop")


def test_read_transitions_sorts_episodes_by_start_and_rows_by_step(lake: Lake) -> None:
    """Rows come in episode start order, whatever the order in the files."""
    pipeline = make_pipeline()
    late = make_episode(pipeline, "a", NOON + timedelta(hours=1), [{"reward": 3}, {"reward": 4}])
    early = make_episode(pipeline, "b", NOON, [{"reward": 1}, {"reward": 2}])
    write_transitions(lake, pipeline, FIRST_DAY, [late[1], early[1], late[0], early[0]])
    found = read_transitions(pipeline, lake, FIRST_DAY).transitions
    assert found.reward.tolist() == [1, 2, 3, 4]
    assert found.offsets.tolist() == [0, 2, 4]
    assert found.terminal.tolist() == [False, True, False, True]


def test_read_transitions_joins_an_episode_over_two_partitions(lake: Lake) -> None:
    """An episode over midnight is one episode."""
    pipeline = make_pipeline()
    rows = make_episode(pipeline, "a", NOON, [{"reward": 1}, {"reward": 2}])
    write_transitions(lake, pipeline, FIRST_DAY, rows[:1])
    write_transitions(lake, pipeline, SECOND_DAY, rows[1:])
    found = read_transitions(pipeline, lake, SECOND_DAY).transitions
    assert found.n_episodes == 1
    assert found.reward.tolist() == [1, 2]


def test_read_transitions_pads_lists_and_turns_decimals_to_floats(lake: Lake) -> None:
    """Short lists are padded with 0, long ones cut at the feature's length, unknown propensities are NaN."""
    pipeline = make_pipeline()
    observation = make_observation(pipeline, recent_shown_items=[item(1), item(2)], session_step=7)
    rows = [
        make_row(pipeline, episode_id="a", observation=observation, propensity=Decimal("0.125")),
        make_row(pipeline, episode_id="b", propensity=None, policy_version=None),
    ]
    write_transitions(lake, pipeline, FIRST_DAY, rows)
    found = read_transitions(pipeline, lake, FIRST_DAY).transitions
    assert found.observation["recent_shown_items"].tolist() == [
        [id_hash(item(1)), id_hash(item(2)), 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert found.observation["session_step"].tolist() == [7, 0]
    assert found.propensity[0] == 0.125
    assert np.isnan(found.propensity[1])
    assert [found.policy_versions[i] for i in found.policy_version] == ["logging", "unknown"]


def test_read_transitions_leaves_out_dates_after_the_horizon(lake: Lake) -> None:
    """The dataset of a horizon doesn't change when later dates are published."""
    pipeline = make_pipeline()
    for day in (FIRST_DAY, SECOND_DAY, THIRD_DAY):
        write_transitions(lake, pipeline, day, [make_row(pipeline, episode_id=str(day))])
    found = read_transitions(pipeline, lake, SECOND_DAY)
    assert list(found.manifests) == [FIRST_DAY, SECOND_DAY]
    assert found.transitions.n_episodes == 2


def test_read_transitions_sums_manifest_counters(lake: Lake) -> None:
    """Counters of all manifests are summed by name."""
    pipeline = make_pipeline()
    write_transitions(lake, pipeline, FIRST_DAY, [make_row(pipeline)], counters={"a": 1, "b": 2})
    write_transitions(lake, pipeline, SECOND_DAY, [make_row(pipeline, episode_id="x")], counters={"a": 3})
    assert read_transitions(pipeline, lake, SECOND_DAY).counters == {"a": 4, "b": 2}


def test_read_transitions_refuses_a_horizon_without_partition(lake: Lake) -> None:
    """A date without data is named, with what there is."""
    pipeline = make_pipeline()
    write_transitions(lake, pipeline, FIRST_DAY, [make_row(pipeline)])
    with pytest.raises(DatasetError, match=f"no partition for date={SECOND_DAY} .*{FIRST_DAY}"):
        read_transitions(pipeline, lake, SECOND_DAY)


def test_read_transitions_refuses_missing_dates(lake: Lake) -> None:
    """A hole between first and last date is an error where nothing says that nobody came."""
    pipeline = make_pipeline()
    for day in (FIRST_DAY, THIRD_DAY):
        write_transitions(lake, pipeline, day, [make_row(pipeline, episode_id=str(day))])
    with pytest.raises(DatasetError, match=f"no partition for {SECOND_DAY}"):
        read_transitions(pipeline, lake, THIRD_DAY)


def test_read_transitions_takes_a_date_without_sessions_as_empty(lake: Lake) -> None:
    """Where the sessions table shows that nobody came on a date, its missing partition is no hole."""
    pipeline = make_pipeline()
    for day in (FIRST_DAY, THIRD_DAY):
        pointer = write_transitions(lake, pipeline, day, [make_row(pipeline, episode_id=str(day))])
        path = Lake.pointer(lake.table("sessions"), f"date={day}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pointer.model_dump_json())
    assert read_transitions(pipeline, lake, THIRD_DAY).transitions.n_episodes == 2


def test_read_transitions_names_every_mixture_at_once(lake: Lake) -> None:
    """Mixed specs, schema versions and keys are refused together."""
    pipeline = make_pipeline()
    write_transitions(lake, pipeline, FIRST_DAY, [make_row(pipeline)])
    write_transitions(
        lake,
        pipeline,
        SECOND_DAY,
        [make_row(pipeline, episode_id="b")],
        spec_hash="f" * 16,
        schema_version=99,
        key_id="another",
    )
    with pytest.raises(DatasetError) as raised:
        read_transitions(pipeline, lake, SECOND_DAY)
    message = str(raised.value)
    assert f"another spec than {data_spec_hash(pipeline)}: {SECOND_DAY}" in message
    assert "mixed schema_version" in message
    assert "mixed key_id (another, test-key)" in message


def test_read_transitions_refuses_rows_out_of_step(lake: Lake) -> None:
    """An episode whose first step is missing is named."""
    pipeline = make_pipeline()
    write_transitions(lake, pipeline, FIRST_DAY, [make_row(pipeline, episode_id="broken", step=1)])
    with pytest.raises(DatasetError, match="episode broken at step 1"):
        _ = read_transitions(pipeline, lake, FIRST_DAY).transitions


def test_read_transitions_refuses_a_corrupt_file(lake: Lake) -> None:
    """A file that isn't Parquet any more is named."""
    pipeline = make_pipeline()
    pointer = write_transitions(lake, pipeline, FIRST_DAY, [make_row(pipeline)])
    folder = lake.transitions("recommendation", data_spec_hash(pipeline))
    (folder / pointer.files[0]).write_bytes(b"PAR1 but no more")
    with pytest.raises(DatasetError, match=r"part-0\.parquet: can't be read"):
        _ = read_transitions(pipeline, lake, FIRST_DAY).transitions


def test_read_transitions_refuses_a_missing_file(lake: Lake) -> None:
    """A published file that is gone is named."""
    pipeline = make_pipeline()
    pointer = write_transitions(lake, pipeline, FIRST_DAY, [make_row(pipeline)])
    (lake.transitions("recommendation", data_spec_hash(pipeline)) / pointer.files[0]).unlink()
    with pytest.raises(DatasetError, match="a published file is gone"):
        _ = read_transitions(pipeline, lake, FIRST_DAY).transitions


def test_read_transitions_refuses_fewer_rows_than_the_manifest_says(lake: Lake) -> None:
    """Rows lost after publishing are noticed."""
    pipeline = make_pipeline()
    write_transitions(lake, pipeline, FIRST_DAY, [make_row(pipeline)], n_rows=2)
    with pytest.raises(DatasetError, match="1 rows, its manifest says 2"):
        _ = read_transitions(pipeline, lake, FIRST_DAY).transitions


def test_read_transitions_refuses_a_file_without_a_column(lake: Lake) -> None:
    """A file of an older table is refused by the column it lacks."""
    wide, narrow = make_pipeline(), make_pipeline(metrics={}, gate={"guardrails": []})
    pointer = write_transitions(lake, wide, FIRST_DAY, [make_row(wide)])
    path = lake.transitions("recommendation", data_spec_hash(wide)) / pointer.files[0]
    other = write_transitions(lake, narrow, FIRST_DAY, [make_row(narrow)])
    table_path = lake.transitions("recommendation", data_spec_hash(narrow)) / other.files[0]
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(pq.read_table(table_path).drop_columns(["reward", "step"]), path)
    with pytest.raises(DatasetError, match="columns step, reward are missing"):
        _ = read_transitions(wide, lake, FIRST_DAY).transitions


def test_read_availability_gives_sets_by_id(lake: Lake) -> None:
    """Sets of all deliveries up to the horizon, by id."""
    pipeline = make_pipeline()
    write_availability(lake, pipeline, FIRST_DAY, {"s1": [item(0), item(1)]})
    write_availability(lake, pipeline, SECOND_DAY, {"s2": [item(1)], "s1": [item(1), item(0)]})
    write_availability(lake, pipeline, THIRD_DAY, {"s3": [item(2)]})
    assert read_availability(lake, SECOND_DAY) == {"s1": {item(0), item(1)}, "s2": {item(1)}}


def test_read_availability_refuses_an_id_for_two_sets(lake: Lake) -> None:
    """An id names its content."""
    pipeline = make_pipeline()
    write_availability(lake, pipeline, FIRST_DAY, {"s1": [item(0)]})
    write_availability(lake, pipeline, SECOND_DAY, {"s1": [item(1)]})
    with pytest.raises(DatasetError, match="id 's1' stands for two different sets"):
        read_availability(lake, SECOND_DAY)


def test_read_item_categories_gives_the_latest_category_of_each_item(lake: Lake) -> None:
    """A later row of an item holds, deliveries after the horizon don't, and items without a category are left out."""
    pipeline = make_pipeline()
    write_items(lake, pipeline, FIRST_DAY, {"hat-1": "hats", "coat-1": "hats", "mystery": None})
    write_items(lake, pipeline, SECOND_DAY, {"coat-1": "coats"})
    write_items(lake, pipeline, THIRD_DAY, {"hat-1": "shoes"})
    assert read_item_categories(lake, SECOND_DAY) == {"hat-1": "hats", "coat-1": "coats"}


def test_read_item_categories_of_a_source_without_items_is_empty(lake: Lake) -> None:
    """Logs without an items table have no categories of items."""
    assert read_item_categories(lake, FIRST_DAY) == {}
