"""Attributes of items in datasets: what was known, when, of whom, and what can't be read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.observation_features import id_hash
from conf.paths import Lake, Run
from conf.specs.action_attributes import ItemAttribute
from rl.data.dataset import Dataset, load_dataset, prepare_dataset
from rl.data.item_attributes import fit_item_attributes, readable_items
from rl.data.pinned_versions import read_versions
from rl.errors import DatasetError
from rl.policy.item_attributes import ItemAttributes
from tests.rl.factories import (
    FIRST_DAY,
    availability_id,
    available_items,
    category,
    item,
    make_pipeline,
    shop_rows,
    write_availability,
    write_item_attributes,
    write_items,
    write_transitions,
)

N_ITEMS, N_DAYS = 12, 14
LAST = FIRST_DAY + timedelta(days=N_DAYS - 1)
ATTRIBUTES = [{"name": "category_id", "kind": "label"}, {"name": "weight", "kind": "number"}]
NEW = "item-999"


def told(day: int, **weights: float | str | None) -> dict[str, dict[str, str | None]]:
    """Weights of items, `item_003=5`, those of all items on the first day."""
    everyone = {item(n): {"weight": str(n)} for n in range(N_ITEMS)} if day == 0 else {}
    own = {key.replace("_", "-"): {"weight": None if one is None else str(one)} for key, one in weights.items()}
    return everyone | own


def made_lake(folder: Path, *, n_days: int = N_DAYS, later: dict[int, dict[str, Any]] | None = None) -> Lake:
    """A shop whose items are told on the first day, and weights again on others; a new one is offered at the end."""
    lake, pipeline = Lake(folder, "simulated_shop"), make_pipeline()
    for n in range(n_days):
        day = FIRST_DAY + timedelta(days=n)
        offered = available_items(day, N_ITEMS) + ([NEW] if n == n_days - 1 else [])
        write_transitions(lake, pipeline, day, shop_rows(pipeline, day, n_episodes=40, n_items=N_ITEMS))
        write_availability(lake, pipeline, day, {f"{availability_id(day)}": offered})
        if n == 0:
            write_items(lake, pipeline, day, {item(i): category(i) for i in range(N_ITEMS)})
        if rows := told(n, **(later or {}).get(n, {})):
            write_item_attributes(lake, pipeline, day, rows)
    return lake


def prepared(lake: Lake, **action: Any) -> Dataset:
    return prepare_dataset(make_pipeline(action={"attributes": ATTRIBUTES, **action}), lake, LAST)


def weight_of(dataset: Dataset, key: str) -> float:
    """The weight that the dataset knows, as it was told."""
    items = dataset.encoder.items
    assert items is not None
    number = items.rows_of(np.array([id_hash(key)], dtype=np.int64))[0][items.names.index("weight")]
    encoding = next(one for one in items.encodings if one.name == "weight")
    return round(float(number) * encoding.spread + encoding.mean, 3)


def test_attributes_are_those_known_when_training_ended(tmp_path: Path) -> None:
    """A change within training counts, one told after it does not; an item told only then gets what was told first."""
    changes = {2: {"item_003": 30}, 12: {"item_003": 99, "item_999": 8}, 13: {"item_999": 80}}
    dataset = prepared(made_lake(tmp_path, later=changes))
    assert weight_of(dataset, item(3)) == 30
    assert weight_of(dataset, item(4)) == 4
    assert weight_of(dataset, NEW) == 8


def test_item_that_training_never_chose_is_an_action_once_it_is_known(tmp_path: Path) -> None:
    """Offered and told of, it can be scored; one of which nothing is known can't."""
    unknown = prepared(made_lake(tmp_path / "a"))
    assert NEW not in unknown.vocabulary.keys
    known = prepared(made_lake(tmp_path / "b", later={12: {"item_999": 8}}))
    assert known.vocabulary.keys[:-1] == unknown.vocabulary.keys
    assert known.vocabulary.keys[-1] == NEW
    assert known.digest != unknown.digest
    episodes = known.to_logged_episodes("test")
    assert episodes.availability.shape[1] == known.vocabulary.n_actions


def test_further_items_take_no_entries_that_are_not_left(tmp_path: Path) -> None:
    """`max_actions` bounds them all together."""
    lake = made_lake(tmp_path, later={12: {"item_999": 8}})
    assert prepared(lake, max_actions=5).vocabulary.n_actions == 5
    assert NEW not in prepared(lake, max_actions=5).vocabulary.keys


def test_lists_of_items_are_read_by_attributes(tmp_path: Path) -> None:
    """In place of ids; lists of categories stay as they are."""
    encoder = prepared(made_lake(tmp_path)).encoder
    kinds = {column.name: column.kind for column in encoder.columns}
    assert kinds["recent_shown_items"] == kinds["recent_engaged_items"] == "attributes"
    assert kinds["recent_shown_categories"] == "list"
    assert "item" not in encoder.spaces


def test_dataset_is_loaded_with_the_attributes_it_was_prepared_with(tmp_path: Path) -> None:
    """Whatever is told since; what it read is pinned, and what was pinned before there were attributes is read."""
    lake, run = made_lake(tmp_path / "lake"), Run(tmp_path, "simulated_shop", "recommendation", LAST)
    dataset = prepared(lake)
    dataset.write(run.dataset, [])
    pinned = read_versions(run.dataset)
    assert pinned is not None
    assert list(pinned.item_attributes) == [FIRST_DAY]
    write_item_attributes(lake, dataset.pipeline, FIRST_DAY, {item(3): {"weight": "1000"}})
    again = load_dataset(dataset.pipeline, lake, run)
    assert (again.digest, again.encoder) == (dataset.digest, dataset.encoder)
    path = run.dataset / "versions.json"
    content = json.loads(path.read_text())
    del content["item_attributes"]
    path.write_text(json.dumps(content))
    older = read_versions(run.dataset)
    assert older is not None
    assert older.item_attributes == {}


def test_scenario_without_attributes_reads_none(tmp_path: Path) -> None:
    """Its encoder and digest are those of before."""
    lake = made_lake(tmp_path)
    plain = prepare_dataset(make_pipeline(), lake, LAST)
    assert plain.encoder.items is None
    assert prepared(lake).digest != plain.digest


def fitted(kind: str, values: dict[int, Any], met: set[int] | None = None) -> ItemAttributes:
    attribute = ItemAttribute.model_validate({"name": "x", "kind": kind})
    return fit_item_attributes([attribute], {id_: {"x": one} for id_, one in values.items()}, met or set(values))


def test_encoding_is_fitted_on_items_that_were_met() -> None:
    """Others' values move neither mean nor words; a word of a single item has no place of its own."""
    numbers = fitted("number", {1: 10, 2: 20, 3: 1e6}, met={1, 2})
    assert numbers.ids == (1, 2)
    assert numbers.values[:, 0].tolist() == [-1, 1]
    labels = fitted("label", {1: "a", 2: "b", 3: "a", 4: None})
    assert labels.encodings[0].labels == ("a",)
    assert labels.values.tolist() == [[1, 0], [0, 1], [1, 0], [0, 0]]


def test_constant_or_missing_attribute_is_harmless() -> None:
    """Nothing is divided by a spread of 0, and of nothing there is no mean."""
    assert fitted("amount", {1: 5, 2: 5}).values.tolist() == [[0, 0], [0, 0]]
    assert fitted("number", {1: None, 2: None}).values.tolist() == [[0, 1], [0, 1]]


def test_few_unread_numbers_are_missing_and_many_are_an_error() -> None:
    """Up to a hundredth, as with rejected lines of a delivery."""
    values: dict[int, Any] = {id_: str(id_) for id_ in range(1, 101)}
    one = fitted("number", values | {7: "n/a"})
    assert one.values[6].tolist() == [0, 1]
    with pytest.raises(DatasetError, match="2 of 100 items, more than a hundredth: attribute x: got 'n/a'"):
        fitted("number", values | {7: "n/a", 8: "?"})
    with pytest.raises(DatasetError, match="an amount of -3"):
        readable_items([ItemAttribute(name="x", kind="amount")], {1: {"x": -3}})


def test_attributes_of_no_item_that_was_met_are_an_error() -> None:
    """Ids that don't agree would leave every score the same."""
    with pytest.raises(DatasetError, match="nothing is known of any of 1 items that were met: x are asked for"):
        fitted("number", {1: 10}, met={2})
