"""Stores of histories: one conformance suite for the embedded one and for Redis."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from conf.errors import SettingError
from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.errors import StoreError
from rl.serving.histories import Histories, fresh_history
from rl.serving.store_filling import StorePlace
from tests.rl.serving.published_histories import day_of, publish_histories

TODAY = date(2026, 3, 30)
DAY = day_of(TODAY)
ANN = [(DAY - 3, DAY - 2, 7, 1, 0, 1), (DAY - 3, DAY - 2, 9, 2, 1, 3), (DAY - 1, DAY, 7, 0, 0, 0)]
BOB = [(DAY - 2, DAY - 1, 0, 5, 0, 5)]
PIPELINE = load_pipeline("recommendation", "simulated_shop")


@pytest.fixture(params=["embedded", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """Where histories are kept; each test with Redis has a source of its own name."""
    environment = {"NIGHTCART_HOME": str(tmp_path)}
    source = PIPELINE.source.model_copy(update={"name": f"shop_{tmp_path.name}_{os.getpid()}"})
    if request.param == "redis":
        if not (address := os.environ.get("NIGHTCART_TEST_REDIS")):
            pytest.skip("NIGHTCART_TEST_REDIS names no Redis")
        environment["NIGHTCART_HISTORY_STORE"] = address
    return StorePlace(Settings.from_environment(environment), PIPELINE.model_copy(update={"source": source}))


def lake_of(place: StorePlace) -> Lake:
    return Lake(place.settings.lake, place.pipeline.source.name)


def told(found: Histories) -> list[list[tuple[int, ...]] | None]:
    return [None if one is None else [tuple(row) for row in one.rows.tolist()] for one in found.known]


def test_a_store_holds_what_was_published(place: StorePlace) -> None:
    """Each shopper's rows in order, whatever order they were published in; nobody else's."""
    publish_histories(lake_of(place), place.pipeline, TODAY, {"ann": ANN[::-1], "bob": BOB})
    assert place.fill(DAY) == 2
    found = place.open().read(["bob", "nobody", "ann"])
    assert found.as_of_day == DAY
    assert told(found) == [BOB, None, ANN]
    assert place.fill(DAY) is None  # nothing new


def test_a_question_about_nobody_leaves_the_store_answering(place: StorePlace) -> None:
    """As of a request whose shoppers all opted out."""
    publish_histories(lake_of(place), place.pipeline, TODAY, {"ann": ANN})
    place.fill(DAY)
    store = place.open()
    assert store.read([]) == Histories(DAY, [])
    assert told(store.read(["ann"])) == [ANN]


def test_a_store_that_was_never_filled_says_so(place: StorePlace) -> None:
    """Nothing was published, so nothing is there to fill it with."""
    assert place.fill(DAY) is None
    found = place.open().read(["ann"])
    assert (found.as_of_day, told(found)) == (None, [None])
    assert fresh_history(found, 0, DAY, 2).state == "unavailable"


def test_a_newer_publication_takes_the_place_of_the_older_one_whole(place: StorePlace, monkeypatch) -> None:
    """A store that is open reads the new one; who is not in it any more is unknown; one of a later day waits."""
    monkeypatch.setattr("rl.serving.redis_store.SECONDS_OF_REST", 0.0)
    publish_histories(lake_of(place), place.pipeline, TODAY - timedelta(days=1), {"ann": ANN[:1]})
    place.fill(DAY)
    store = place.open()
    assert store.read(["ann"]).as_of_day == DAY - 1
    publish_histories(lake_of(place), place.pipeline, TODAY, {"bob": BOB})
    publish_histories(lake_of(place), place.pipeline, TODAY + timedelta(days=1), {"ann": ANN})
    assert place.fill(DAY) == 1
    found = store.read(["ann", "bob"])
    assert (found.as_of_day, told(found)) == (DAY, [None, BOB])


def test_an_empty_publication_is_one(place: StorePlace) -> None:
    """Nobody came: every shopper is unknown, and the store is as fresh as its day."""
    publish_histories(lake_of(place), place.pipeline, TODAY, {})
    assert place.fill(DAY) == 0
    assert told(place.open().read(["ann"])) == [None]


@pytest.mark.parametrize(
    ("age", "state", "n_rows"), [(0, "known", 3), (2, "known", 3), (3, "stale", 0), (-1, "stale", 0)]
)
def test_a_stale_history_is_not_used(place: StorePlace, age: int, state: str, n_rows: int) -> None:
    """Its age is told, and a shopper of whom it knows nothing is unknown while it is fresh."""
    publish_histories(lake_of(place), place.pipeline, TODAY, {"ann": ANN})
    place.fill(DAY)
    found = place.open().read(["ann", "bob"])
    fresh = fresh_history(found, 0, DAY + age, 2)
    assert (fresh.state, fresh.age_days, len(fresh.known.rows)) == (state, age, n_rows)
    assert fresh_history(found, 1, DAY + age, 2).state == ("unknown" if state == "known" else "stale")


def test_a_damaged_file_is_an_error_until_it_is_filled_again(place: StorePlace, tmp_path: Path) -> None:
    """Its digest can't be read either, so that it is filled anew."""
    if place.settings.history_store is not None:
        pytest.skip("the embedded store's own")
    publish_histories(lake_of(place), place.pipeline, TODAY, {"ann": ANN})
    place.fill(DAY)
    (file,) = tmp_path.rglob("*.sqlite")
    file.write_bytes(b"not a database" * 1000)
    store = place.open()
    with pytest.raises(StoreError, match="histories can't be read"):
        store.read(["ann"])
    assert place.fill(DAY) == 1
    assert told(store.read(["ann"])) == [ANN]


def test_a_store_that_does_not_answer_is_an_error_and_then_left_alone(tmp_path: Path) -> None:
    """The second question isn't asked at all."""
    settings = Settings.from_environment(
        {"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_HISTORY_STORE": "redis://127.0.0.1:1/0"}
    )
    store = StorePlace(settings, PIPELINE).open()
    with pytest.raises(StoreError, match="doesn't answer"):
        store.read(["ann"])
    with pytest.raises(StoreError, match="left alone"):
        store.read(["ann"])


def test_a_store_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match="NIGHTCART_HISTORY_STORE: expected embedded or an address"):
        Settings.from_environment({"NIGHTCART_HISTORY_STORE": "memcached://here"})
