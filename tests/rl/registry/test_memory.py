"""What a home knows of its registry, and what people may have done in MLflow since."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from conf.paths import Run, registry_record, spent_looks
from conf.publication import write_atomically
from rl.errors import RegistryChanged
from rl.registry.history import earlier_versions
from rl.registry.looks import LEVEL_TAG, find_looks
from rl.registry.memory import known_looks, known_models
from rl.registry.readiness import check_registry, remember, settle_model
from rl.registry.store import CHALLENGER, CHAMPION, experiment_id, open_store
from rl.registry.versions import offer_as_challenger
from tests.rl.registry.test_registry import FIRST, MODEL, SECOND, key, promote, record, register, settings_at

LEVEL = 0.004


def registered_home(home: Path, *, is_remembered: bool = True) -> Path:
    """A home with two versions that spent something, the first of them champion."""
    register(home, key(), record(details={LEVEL_TAG: str(LEVEL)}))
    promote(home, 1)
    in_force = {"champion_in_force": "1", "compared_with": "1"}
    register(home, key(date=SECOND), record(details={LEVEL_TAG: str(LEVEL)}, horizon=SECOND, **in_force))
    if is_remembered:
        with open_store(settings_at(home)) as client:
            remember(client, settings_at(home), MODEL)
    return home


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registered_home(tmp_path_factory.mktemp("remembered") / "home")


@pytest.fixture
def known_home(tmp_path: Path, remembered: Path) -> Path:
    """A home that knows of two versions and a champion; its registry is a copy to change at will."""
    return Path(shutil.copytree(remembered, tmp_path / "known"))


def client_of(home: Path) -> MlflowClient:
    uri = settings_at(home).mlflow_uri
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def looks_of_the_third_night(home: Path) -> list[float]:
    with open_store(settings_at(home)) as client:
        found = find_looks(client, key(dataset_digest="new"), known_looks(settings_at(home)))
    return [look.level for look in found]


def notes_of(home: Path) -> tuple[str, ...]:
    with open_store(settings_at(home)) as client:
        return settle_model(client, settings_at(home), MODEL)


@pytest.mark.parametrize("lost", ["gone", "without a byte", "new"])
def test_a_lost_database_stops_every_command(known_home: Path, empty_store: Path, lost: str) -> None:
    """Version 1 isn't given again: what was known is told, and how to go on. Nothing is made in its place."""
    path = known_home / "mlflow.db"
    path.unlink()
    if lost == "without a byte":
        path.touch()
    if lost == "new":
        shutil.copy(empty_store, path)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(RegistryChanged, match="version 2 with version 1 as champion; put the database") as raised:
        notes_of(known_home)
    assert str(registry_record(known_home)) in str(raised.value)
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_home_starts_anew_on_purpose_with_what_it_spent(known_home: Path) -> None:
    """Without its record it takes what is there; the allowance doesn't come back."""
    (known_home / "mlflow.db").unlink()
    registry_record(known_home).unlink()
    check_registry(settings_at(known_home), "recommendation")
    assert looks_of_the_third_night(known_home) == [LEVEL, LEVEL]


def test_an_older_copy_of_the_database_stops_commands(tmp_path: Path, home: Path) -> None:
    """A backup from before the last version has neither that version nor its run."""
    register(home, key(), record(details={LEVEL_TAG: str(LEVEL)}))
    shutil.copytree(home, tmp_path / "restored")
    registered_home(home)
    for name in ("registry.json", "registry_looks.json"):
        shutil.copy(home / name, tmp_path / "restored" / name)
    with pytest.raises(RegistryChanged, match="up to version 1, without the run of version 2: an older copy"):
        notes_of(tmp_path / "restored")


def test_a_home_of_before_that_lost_its_database_stops(home: Path) -> None:
    """It remembers nothing yet, but its runs do; who wants to start anew says so."""
    settings = settings_at(home)
    run = Run(home, "simulated_shop", "recommendation", date(2026, 1, 30))
    write_atomically(run.registration, "{}")
    (home / "mlflow.db").unlink(missing_ok=True)
    for known in (registry_record(home), spent_looks(home)):
        known.unlink(missing_ok=True)
    with pytest.raises(RegistryChanged, match="nights of this home registered versions"), open_store(settings):
        pass
    assert not (home / "mlflow.db").exists()
    registry_record(home).write_text("{}")
    with open_store(settings):
        pass
    assert (home / "mlflow.db").exists()


def test_a_home_of_before_learns_what_is_there(home: Path) -> None:
    """A home whose versions were registered without a record has one after its next command."""
    registered_home(home, is_remembered=False)
    registry_record(home).unlink(missing_ok=True)
    spent_looks(home).unlink(missing_ok=True)
    check_registry(settings_at(home), "recommendation")
    known = known_models(settings_at(home))[MODEL]
    assert (known.last_version, known.champion) == (2, 1)
    assert [look.level for look in known_looks(settings_at(home))] == [LEVEL, LEVEL]


def test_another_server_is_another_registry(known_home: Path, empty_store: Path) -> None:
    """Naming another address is done on purpose: nothing is missed there, and what was spent still counts."""
    other = known_home / "other.db"
    shutil.copy(empty_store, other)
    settings = replace(settings_at(known_home), mlflow_uri=f"sqlite:///{other}")
    with open_store(settings) as client:
        assert settle_model(client, settings, MODEL) == ()
        found = find_looks(client, key(dataset_digest="new"), known_looks(settings))
    assert [look.level for look in found] == [LEVEL, LEVEL]


@pytest.mark.parametrize("deed", ["delete both versions", "level of nonsense", "no tags"])
def test_the_allowance_does_not_come_back(known_home: Path, deed: str) -> None:
    """Whatever is deleted or edited in MLflow, what nights spent counts."""
    client = client_of(known_home)
    for version in ("1", "2"):
        if deed == "delete both versions":
            client.delete_model_version(MODEL, version)
        if deed == "level of nonsense":
            client.set_model_version_tag(MODEL, version, "nightcart.level", "a lot")
        if deed == "no tags":
            for name in client.get_model_version(MODEL, version).tags:
                client.delete_model_version_tag(MODEL, version, name)
    notes_of(known_home)
    assert looks_of_the_third_night(known_home) == [LEVEL, LEVEL]


def test_a_deleted_version_and_a_moved_champion_are_told(known_home: Path) -> None:
    """A deed on purpose stops nothing; it is said until the next registration."""
    client = client_of(known_home)
    client.delete_model_version(MODEL, "1")
    assert notes_of(known_home) == (
        "The alias champion has moved since this home last looked: from version 1 (deleted since) to nobody.",
    )
    client.delete_model_version(MODEL, "2")
    assert notes_of(known_home)[0] == "Version 2 was deleted in MLflow; what its night spent still counts."


def test_a_version_may_be_deleted_for_good(known_home: Path) -> None:
    """With its run, as `mlflow gc` does: the model was changed later than the home knows, which no older copy was."""
    client = client_of(known_home)
    run_id = client.get_model_version(MODEL, "2").run_id
    client.delete_model_version(MODEL, "2")
    client.delete_run(run_id)
    store = SqlAlchemyStore(settings_at(known_home).mlflow_uri, str(known_home))  # type: ignore[no-untyped-call]
    store._hard_delete_run(run_id)  # type: ignore[no-untyped-call]
    store.engine.dispose()
    assert notes_of(known_home)[0] == "Version 2 was deleted in MLflow; what its night spent still counts."


def test_a_renamed_model_is_asked_back(known_home: Path) -> None:
    """The model is known by the moment it was made."""
    client_of(known_home).rename_registered_model(MODEL, "mine")
    with pytest.raises(RegistryChanged, match="it is named mine now: rename it back"):
        notes_of(known_home)


def test_a_deleted_model_is_missed_when_made_anew(known_home: Path) -> None:
    """A model of the same name that someone made since isn't the one this home registered in."""
    client = client_of(known_home)
    client.delete_registered_model(MODEL)
    client.create_registered_model(MODEL)
    with pytest.raises(RegistryChanged, match="another model"):
        notes_of(known_home)


def test_a_deleted_experiment_is_said_before_the_work(known_home: Path) -> None:
    """With the command that restores it."""
    client, settings = client_of(known_home), settings_at(known_home)
    experiment = experiment_id(client, settings, "recommendation")
    client.delete_experiment(experiment)
    with pytest.raises(RegistryChanged, match=f"experiments restore --experiment-id {experiment}"):
        check_registry(settings, "recommendation")
    client.restore_experiment(experiment)
    check_registry(settings, "recommendation")


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {
            "nightcart.source": "shop",
            "nightcart.date": "soon",
            "nightcart.verdict": "promote",
            "nightcart.input_key": "x",
        },
        {
            "nightcart.source": "shop",
            "nightcart.date": str(FIRST),
            "nightcart.verdict": "yes",
            "nightcart.input_key": "x",
        },
    ],
)
@pytest.mark.parametrize("alias", [CHAMPION, CHALLENGER, "mine"])
def test_a_version_registered_by_hand_ends_no_night(known_home: Path, tags: dict[str, Any], alias: str) -> None:
    """It is no history and no look, and a night registers beside it, whatever alias it was given."""
    client, settings = client_of(known_home), settings_at(known_home)
    client.create_model_version(MODEL, source=str(known_home), tags=tags)
    client.set_registered_model_alias(MODEL, alias, "3")
    check_registry(settings, "recommendation")
    night = key(dataset_digest="third")
    version = register(known_home, night, record(horizon=FIRST))
    with open_store(settings) as opened:
        assert [one.version.version for one in earlier_versions(opened, version)] == [2, 1]
        assert offer_as_challenger(opened, version) is (alias == CHALLENGER)
        assert len(find_looks(opened, night)) == 2


def test_a_version_registered_by_hand_may_be_deleted_again(known_home: Path) -> None:
    """It has no run by which a deleted version is told from a lost one; the nights' own are missed as before."""
    client, settings = client_of(known_home), settings_at(known_home)
    by_hand = client.create_model_version(MODEL, source=str(known_home))
    check_registry(settings, "recommendation")
    client.delete_model_version(MODEL, by_hand.version)
    assert notes_of(known_home) == ()
    assert known_models(settings)[MODEL].last_version == 2


def test_older_versions_name_who_was_in_force_alone(known_home: Path) -> None:
    """Before both were written, one tag named the champion in force, compared or not: its figures tell."""
    client, settings = client_of(known_home), settings_at(known_home)
    for name in ("champion_in_force", "compared_with"):
        client.delete_model_version_tag(MODEL, "2", f"nightcart.{name}")
    client.set_model_version_tag(MODEL, "2", "nightcart.gated_against", "1")
    later = register(known_home, key(dataset_digest="third"))
    with open_store(settings) as opened:
        second = earlier_versions(opened, later)[0]
        assert (second.version.champion_in_force, second.compared_with) == ("1", "behavior")
        opened.log_metric(second.version.run_id, "champion/dr", 1.0)
        assert earlier_versions(opened, later)[0].compared_with == "1"
    promoted = promote(known_home, 2, run_date=SECOND)
    assert (promoted.champion, promoted.previous) == (2, 1)
