from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.paths import Lake, Run
from conf.specs.scenario import MILLIONTHS, Pipeline
from conf.specs.spec_hash import data_spec_hash
from rl.data.dataset import Dataset, load_dataset, prepare_dataset
from rl.data.description import read_description
from rl.data.splits import SPLIT_NAMES
from rl.errors import DatasetError
from rl.policy.vocabulary import OTHER_KEY
from tests.rl.factories import (
    FIRST_DAY,
    availability_id,
    available_items,
    item,
    make_pipeline,
    shop_rows,
    write_availability,
    write_shop,
    write_transitions,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Lake, date]:
    """Two weeks of the made-up shop; tests must not change it."""
    pipeline, lake = make_pipeline(), Lake(tmp_path_factory.mktemp("lake"), "simulated_shop")
    return pipeline, lake, write_shop(lake, pipeline)


@pytest.fixture(scope="module")
def dataset(shop: tuple[Pipeline, Lake, date]) -> Dataset:
    return prepare_dataset(*shop)


def test_splits_hold_every_reward_of_their_transitions(dataset: Dataset) -> None:
    """What the split's rows earned in millionths is what its episodes earn."""
    for split in SPLIT_NAMES:
        expected = int(dataset.transitions(split).reward.sum())
        assert round(dataset.to_logged_episodes(split).reward.sum() * MILLIONTHS) == expected > 0


def test_splits_are_disjoint_and_in_time_order(dataset: Dataset) -> None:
    """Training lies before validation, validation before test."""
    starts = [dataset.to_logged_episodes(split).start_time for split in SPLIT_NAMES]
    assert starts[0].max() < starts[1].min()
    assert starts[1].max() < starts[2].min()


def test_every_episode_is_in_a_split_or_counted(dataset: Dataset) -> None:
    """Nothing vanishes: splits, embargoes and the time left free make up all episodes."""
    content = dataset.describe()
    in_splits = sum(split.n_episodes for split in content.splits.values())
    counts = content.counts
    assert counts["n_episodes"] == in_splits + counts["n_episodes_in_embargo"] + counts["n_episodes_too_late"]
    assert counts["n_episodes_in_embargo"] > 0
    assert counts["n_episodes_too_late"] > 0


def test_masks_are_those_of_the_day(dataset: Dataset) -> None:
    """The item that was out of stock that day is masked."""
    episodes = dataset.to_logged_episodes("train")
    day = date.fromtimestamp(episodes.start_time[0] / 1e6)
    allowed = set(available_items(day, 12))
    names = np.array(dataset.vocabulary.names)
    assert set(names[episodes.mask(np.array([0]))[0]]) == allowed
    assert episodes.availability.sum(axis=1).max() <= 12


def test_encoder_is_fitted_on_the_training_split_alone(shop: tuple[Pipeline, Lake, date], tmp_path: Path) -> None:
    """Other test days change neither encoder nor vocabulary of the same training split."""
    pipeline, _, last = shop
    encoders = []
    for seed in (1, 2):
        lake = Lake(tmp_path / str(seed), "simulated_shop")
        for n in range(14):
            day = FIRST_DAY + timedelta(days=n)
            rows = shop_rows(pipeline, day, n_episodes=40, seed=0 if n < 10 else seed)
            write_transitions(lake, pipeline, day, rows)
            write_availability(lake, pipeline, day, {availability_id(day): available_items(day, 12)})
        made = prepare_dataset(pipeline, lake, last)
        encoders.append((made.encoder.to_json(), made.vocabulary, made.digest))
    assert encoders[0][:2] == encoders[1][:2]
    assert encoders[0][2] != encoders[1][2]


def test_digest_is_the_same_for_the_same_partitions(shop: tuple[Pipeline, Lake, date], dataset: Dataset) -> None:
    """Preparing again gives the same digest."""
    assert prepare_dataset(*shop).digest == dataset.digest


def test_digest_ignores_dates_after_the_horizon(shop: tuple[Pipeline, Lake, date], tmp_path: Path) -> None:
    """The dense index and the digest don't depend on dates outside the dataset."""
    pipeline, _, last = shop
    lake = Lake(tmp_path, "simulated_shop")
    write_shop(lake, pipeline)
    before = prepare_dataset(pipeline, lake, last)
    later = last + timedelta(days=1)
    write_transitions(lake, pipeline, later, shop_rows(pipeline, later, n_episodes=40, n_items=16))
    after = prepare_dataset(pipeline, lake, last)
    assert (after.digest, after.vocabulary) == (before.digest, before.vocabulary)


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"key_id": "another"}, {"content_hash": "1-0"}])
def test_digest_changes_with_what_it_names(
    shop: tuple[Pipeline, Lake, date], dataset: Dataset, tmp_path: Path, change: dict[str, object]
) -> None:
    """Schema version, key and content hashes are part of the digest."""
    pipeline, _, last = shop
    lake = Lake(tmp_path, "simulated_shop")
    for n in range(14):
        day = FIRST_DAY + timedelta(days=n)
        write_transitions(lake, pipeline, day, shop_rows(pipeline, day, n_episodes=40), **change)
        write_availability(lake, pipeline, day, {availability_id(day): available_items(day, 12)})
    assert prepare_dataset(pipeline, lake, last).digest != dataset.digest


def test_digest_changes_with_vocabulary_and_boundaries(shop: tuple[Pipeline, Lake, date], dataset: Dataset) -> None:
    """Another size of the vocabulary or another embargo is another dataset."""
    _, lake, last = shop
    digests = {dataset.digest}
    changes: list[dict[str, Any]] = [{"action": {"max_actions": 5}}, {"splits": {"embargo_hours": 20}}]
    for change in changes:
        pipeline = make_pipeline("simulated_shop", **change)
        assert data_spec_hash(pipeline) == data_spec_hash(shop[0])
        digests.add(prepare_dataset(pipeline, lake, last).digest)
    assert len(digests) == 3


def test_load_dataset_gives_what_was_written(
    shop: tuple[Pipeline, Lake, date], dataset: Dataset, tmp_path: Path
) -> None:
    """A later step sees the same arrays."""
    pipeline, lake, last = shop
    run = Run(tmp_path, "simulated_shop", "recommendation", last)
    written = dataset.write(run.dataset, ["bc-1"])
    assert read_description(run) == written
    loaded = load_dataset(pipeline, lake, run)
    assert loaded.digest == dataset.digest == written.dataset_digest
    before, after = dataset.to_logged_episodes("test"), loaded.to_logged_episodes("test")
    assert np.array_equal(before.features, after.features)
    assert np.array_equal(before.mask(), after.mask())


def test_load_dataset_reads_what_was_pinned_whatever_is_published_since(tmp_path: Path) -> None:
    """A rebuild, a new set of actions and a later day between prepare and train change nothing of the night."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    last = write_shop(lake, pipeline)
    run = Run(tmp_path, "simulated_shop", "recommendation", last)
    made = prepare_dataset(pipeline, lake, last)
    made.write(run.dataset, [])
    for n in (-1, 0, 1):
        day = last + timedelta(days=n)
        write_transitions(lake, pipeline, day, shop_rows(pipeline, day, n_episodes=3, seed=7))
        write_availability(lake, pipeline, day, {f"another-{day}": available_items(day, 3)})
    write_transitions(lake, pipeline, last + timedelta(days=9), shop_rows(pipeline, last, n_episodes=3))
    loaded = load_dataset(pipeline, lake, run)
    assert loaded.digest == made.digest
    assert loaded.known_sets == made.known_sets
    before, after = made.to_logged_episodes("test"), loaded.to_logged_episodes("test")
    assert np.array_equal(before.features, after.features)
    assert np.array_equal(before.reward, after.reward)
    assert prepare_dataset(pipeline, lake, last).digest != made.digest


def test_load_dataset_of_an_earlier_release_refuses_partitions_that_changed(tmp_path: Path) -> None:
    """It pinned nothing: what is published is read, and a rebuild in between is noticed."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    last = write_shop(lake, pipeline)
    run = Run(tmp_path, "simulated_shop", "recommendation", last)
    written = prepare_dataset(pipeline, lake, last).write(run.dataset, [])
    (run.dataset / "versions.json").unlink()
    assert load_dataset(pipeline, lake, run).digest == written.dataset_digest
    write_transitions(lake, pipeline, last, shop_rows(pipeline, last, n_episodes=3))
    with pytest.raises(DatasetError, match="prepare the dataset again"):
        load_dataset(pipeline, lake, run)


def test_load_dataset_refuses_pins_that_cannot_be_read(tmp_path: Path) -> None:
    """Half a file is an error with its name, never a silent return to what is current."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    last = write_shop(lake, pipeline)
    run = Run(tmp_path, "simulated_shop", "recommendation", last)
    prepare_dataset(pipeline, lake, last).write(run.dataset, [])
    (run.dataset / "versions.json").write_text('{"transitions": {"2026')
    with pytest.raises(DatasetError, match=r"versions\.json: can't be read.*run prepare again"):
        load_dataset(pipeline, lake, run)


def test_load_dataset_refuses_where_nothing_was_prepared(shop: tuple[Pipeline, Lake, date], tmp_path: Path) -> None:
    """The message says which command is missing."""
    pipeline, lake, last = shop
    with pytest.raises(DatasetError, match="run prepare"):
        load_dataset(pipeline, lake, Run(tmp_path, "simulated_shop", "recommendation", last))


def test_prepare_refuses_too_few_episodes(shop: tuple[Pipeline, Lake, date]) -> None:
    """What each split has and needs is in the message."""
    _, lake, last = shop
    with pytest.raises(DatasetError, match=r"validation has \d+.*at least 100 in each split"):
        prepare_dataset(make_pipeline(splits={"min_episodes": 100}), lake, last)


def test_unsettled_training_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    """Rows whose window was open stay out of training unless the spec takes them."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    last = write_shop(lake, pipeline)
    rows = shop_rows(pipeline, FIRST_DAY, n_episodes=40)
    write_transitions(lake, pipeline, FIRST_DAY, [row | {"reward_settled": False} for row in rows])
    left_out = prepare_dataset(pipeline, lake, last)
    taken = prepare_dataset(make_pipeline(train_on_unsettled=True), lake, last)
    n = {name: d.to_logged_episodes("train").n_transitions for name, d in (("out", left_out), ("in", taken))}
    assert n["in"] - n["out"] == len(rows) == left_out.describe().counts["n_unsettled_dropped"]
    assert taken.describe().counts["n_unsettled_dropped"] == 0


def test_implied_decisions_have_one_full_set_and_no_propensity(tmp_path: Path) -> None:
    """Without a mask every action is available, `(other)` too, since it is what shoppers did."""
    pipeline = make_pipeline("retailrocket", action={"max_actions": 5})
    lake = Lake(tmp_path, "retailrocket")
    for n in range(14):
        day = FIRST_DAY + timedelta(days=n)
        rows = shop_rows(pipeline, day, n_episodes=40)
        write_transitions(lake, pipeline, day, [row | {"propensity": None, "availability_id": None} for row in rows])
    made = prepare_dataset(pipeline, lake, FIRST_DAY + timedelta(days=13))
    episodes = made.to_logged_episodes("train")
    assert made.vocabulary.names[-1] == OTHER_KEY
    assert episodes.availability.tolist() == [[True] * 5]
    assert np.isnan(episodes.propensity).all()
    assert made.describe().counts["n_other_actions"] > 0


def test_actions_of_later_splits_are_other(tmp_path: Path) -> None:
    """An item that appears only after training has no index of its own."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    for n in range(14):
        day = FIRST_DAY + timedelta(days=n)
        n_items = 12 if n < 10 else 16
        write_transitions(lake, pipeline, day, shop_rows(pipeline, day, n_episodes=40, n_items=n_items))
        write_availability(lake, pipeline, day, {availability_id(day): available_items(day, n_items)})
    made = prepare_dataset(pipeline, lake, FIRST_DAY + timedelta(days=13))
    other = made.vocabulary.other_index
    assert other is not None
    assert item(15) not in made.vocabulary.names
    assert not made.to_logged_episodes("train").mask()[:, other].any()
    assert made.to_logged_episodes("test").mask()[:, other].all()
    assert (made.to_logged_episodes("test").action == other).any()
