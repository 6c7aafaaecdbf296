"""A home that is backed up and restored is the same home: what it serves, what it knows, what it promised."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.errors import NightAtWork
from conf.night_lock import own_turn
from conf.paths import Lake, Run, services_record
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands import backup, restore
from rl.commands.register import night_key
from rl.data.dataset import load_dataset
from rl.errors import BackupError
from rl.figures.night import read_figures
from rl.registry.champion import find_champion
from rl.registry.looks import find_looks
from rl.registry.store import aliases, experiment_id, open_store
from tests.frozen_home.unpacked_home import unpack_home
from tests.killing import kill_until_through
from tests.postgres import ask, needs_postgres, own_database

SOURCE, SCENARIO, MODEL = "simulated_shop", "recommendation", "recommendation-policy"
LAST_NIGHT = date(2026, 3, 15)


def settings_of(home: Path, **given: str) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home), **given})


def small_home(folder: Path) -> Settings:
    """A few files of every kind."""
    settings = settings_of(folder)
    contents = {
        "lake/shop/raw/delivery_date=2026-01-05/a.csv": "a,b",
        "lake/shop/events/_pointers/date=2026-01-05.json": "{}",
        "lake/shop/events/_staging/half": "half",
        "lake/shop/_lock": "",
        "approvals.json": "[]",
        ".launches.json.99": "draft",
        "spark-local/scratch": "scratch",
        "airflow/keys.json": "{}",
        "mlartifacts/1/policy": "weights",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    delta = folder / "lake/shop/events/delta/part"
    delta.parent.mkdir()
    os.link(folder / "lake/shop/raw/delivery_date=2026-01-05/a.csv", delta)
    with closing(sqlite3.connect(folder / "airflow" / "airflow.db")) as database:
        database.execute("CREATE TABLE seen (n INTEGER)")
        database.execute("INSERT INTO seen VALUES (7)")
        database.commit()
    settings.pseudonym_key()
    return settings


def contents(home: Path) -> dict[str, bytes]:
    """What files hold, but for databases and what is there for running processes alone."""
    passing = ("_locks", "_staging", "spark-local", ".launches.json.99")
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and path.suffix != ".db" and path.stat().st_size and not set(path.parts) & set(passing)
    }


@pytest.mark.e2e
@pytest.mark.xdist_group("frozen_home")
def test_a_restored_home_is_the_same_home(tmp_path: Path) -> None:
    """Registry, champion with its policy, spent allowance, pseudonyms, pointers and digests, also in another folder."""
    before = settings_of(unpack_home(tmp_path))
    told = backup.run(settings=before, out=tmp_path / "backup")
    was = known_of(before)
    before.home.rename(tmp_path / "lost")
    after = settings_of(tmp_path / "restored")
    restore.run(settings=after, backup=tmp_path / "backup", is_forced=False)
    assert known_of(after) == was
    assert was["champion"] == 1 and was["n_looks"] == 1
    assert contents(after.home) == contents(tmp_path / "lost")
    assert told["databases"] == {"mlflow": "sqlite"}


def known_of(settings: Settings) -> dict[str, Any]:
    """What the home says of its champion, its shoppers' names and its last prepared night."""
    pipeline, lake = load_pipeline(SCENARIO, SOURCE), Lake(settings.lake, SOURCE)
    run = Run(settings.home, SOURCE, SCENARIO, LAST_NIGHT)
    dataset = load_dataset(pipeline, lake, run)
    key = night_key(read_figures(run.evaluation))
    features = [feature.name for feature in pipeline.scenario.observation.features]
    with open_store(settings) as client:
        champion = find_champion(client, key, features=features, vocabulary=dataset.vocabulary)
        assert champion is not None and champion.policy is not None, "its files are read from where they lie now"
        return {
            "aliases": aliases(client, MODEL),
            "champion": champion.version.version,
            "floor": champion.policy.exploration_floor,
            "n_looks": len(find_looks(client, key)),
            "digest": dataset.digest,
            "key": settings.pseudonym_key_id(),
            "hashes": {name: one.manifest.content_hash for name, one in read_pointers(lake.table("events")).items()},
        }


def test_a_backup_holds_what_lasts(tmp_path: Path) -> None:
    """Not locks, drafts, staging and scratch; a file with two names once; all of it its owner's alone."""
    settings = small_home(tmp_path / "home")
    backup.run(settings=settings, out=tmp_path / "backup")
    kept = {str(path.relative_to(tmp_path / "backup")) for path in (tmp_path / "backup").rglob("*") if path.is_file()}
    delivery = {"lake/shop/raw/delivery_date=2026-01-05/a.csv", "lake/shop/events/delta/part"}
    assert len(kept & delivery) == 1
    assert kept - delivery == {
        "backup.json",
        "databases/airflow.db",
        "home/airflow/keys.json",
        "home/approvals.json",
        "home/pseudonym.key",
        "artifacts/1/policy",
        "lake/shop/events/_pointers/date=2026-01-05.json",
    }
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    restored = settings_of(tmp_path / "again")
    restore.run(settings=restored, backup=tmp_path / "backup", is_forced=False)
    names = [restored.home / name for name in delivery]
    assert names[0].samefile(names[1])
    with closing(sqlite3.connect(restored.home / "airflow" / "airflow.db")) as database:
        assert database.execute("SELECT n FROM seen").fetchall() == [(7,)]


def test_folders_elsewhere_are_part_of_it(tmp_path: Path) -> None:
    """Lake and models outside the home are taken, and restored to wherever the settings put them then."""
    settings = small_home(tmp_path / "home")
    for name in ("lake", "mlartifacts"):
        (settings.home / name).rename(tmp_path / f"big-{name}")
    places = {
        "NIGHTCART_LAKE": str(tmp_path / "big-lake"),
        "NIGHTCART_MLFLOW_ARTIFACTS": str(tmp_path / "big-mlartifacts"),
    }
    backup.run(settings=settings_of(settings.home, **places), out=tmp_path / "backup")
    restore.run(settings=settings_of(tmp_path / "one"), backup=tmp_path / "backup", is_forced=False)
    assert (tmp_path / "one" / "lake/shop/events/_pointers/date=2026-01-05.json").read_text() == "{}"
    assert (tmp_path / "one" / "mlartifacts/1/policy").read_text() == "weights"
    elsewhere = {name: place.replace("big-", "new-") for name, place in places.items()}
    restore.run(settings=settings_of(tmp_path / "two", **elsewhere), backup=tmp_path / "backup", is_forced=False)
    assert (tmp_path / "new-lake" / "shop/events/_pointers/date=2026-01-05.json").read_text() == "{}"
    assert (tmp_path / "new-mlartifacts/1/policy").read_text() == "weights"
    assert not (tmp_path / "two" / "lake").exists()


def test_a_restore_replaces_nothing_unasked(tmp_path: Path) -> None:
    """Refused over a home that holds anything; with FORCE what was there is renamed, whole."""
    settings = small_home(tmp_path / "home")
    backup.run(settings=settings, out=tmp_path / "backup")
    (settings.home / "approvals.json").write_text("[1]")
    before = contents(settings.home)
    with pytest.raises(BackupError, match=r"home: not empty, .* FORCE=1"):
        restore.run(settings=settings, backup=tmp_path / "backup", is_forced=False)
    assert contents(settings.home) == before
    told = restore.run(settings=settings, backup=tmp_path / "backup", is_forced=True)
    assert (settings.home / "approvals.json").read_text() == "[]"
    (aside,) = told["set_aside"]
    assert contents(Path(aside)) == before


@pytest.mark.parametrize("change", ["bytes", "size", "gone"])
def test_a_damaged_backup_is_not_restored(tmp_path: Path, change: str) -> None:
    """Every damaged file is named, and nothing of it is left behind."""
    settings = small_home(tmp_path / "home")
    backup.run(settings=settings, out=tmp_path / "backup")
    for name in ("home/approvals.json", "home/pseudonym.key"):
        path = tmp_path / "backup" / name
        content = path.read_bytes()
        path.write_bytes(content[::-1].replace(b"]", b"}") if change == "bytes" else content[:-1])
        if change == "gone":
            path.unlink()
    other = settings_of(tmp_path / "other")
    with pytest.raises(BackupError, match="damaged since it was made, nothing was restored") as caught:
        restore.run(settings=other, backup=tmp_path / "backup", is_forced=False)
    assert "home/approvals.json" in str(caught.value) and "home/pseudonym.key" in str(caught.value)
    assert not any(path.is_file() and path.stat().st_size for path in other.home.rglob("*"))
    assert list(tmp_path.glob(".*")) == []


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    settings = settings_of(tmp_path / "home")
    with pytest.raises(BackupError, match=r"no backup\.json in it"):
        restore.run(settings=settings, backup=tmp_path / "some", is_forced=True)
    (tmp_path / "some" / "backup.json").write_text('{"version": 2}')
    with pytest.raises(BackupError, match=r"backup\.json: can't be read \(version"):
        restore.run(settings=settings, backup=tmp_path / "some", is_forced=True)


def test_a_backup_of_other_settings_is_refused(tmp_path: Path) -> None:
    """Another key would make every shopper a new one; another kind of database would lose what is in it."""
    settings = small_home(tmp_path / "home")
    backup.run(settings=settings, out=tmp_path / "backup")
    given = {"NIGHTCART_PSEUDONYM_KEY": "another key of sixteen", "NIGHTCART_AIRFLOW_DATABASE": "postgresql://db/x"}
    with pytest.raises(BackupError, match="is another key than the backup's") as caught:
        restore.run(settings=settings_of(tmp_path / "other", **given), backup=tmp_path / "backup", is_forced=False)
    assert "airflow's database is sqlite in the backup, postgresql by NIGHTCART_AIRFLOW_DATABASE" in str(caught.value)


def test_a_key_that_was_given_has_to_be_given_again(tmp_path: Path) -> None:
    """It isn't in the backup, which says so."""
    key = {"NIGHTCART_PSEUDONYM_KEY": "a key of sixteen characters"}
    small_home(tmp_path / "home")
    (tmp_path / "home" / "pseudonym.key").unlink()
    told = backup.run(settings=settings_of(tmp_path / "home", **key), out=tmp_path / "backup")
    assert any("pseudonym key" in line for line in told["left_out"])
    with pytest.raises(BackupError, match="give it by NIGHTCART_PSEUDONYM_KEY"):
        restore.run(settings=settings_of(tmp_path / "other"), backup=tmp_path / "backup", is_forced=False)
    restore.run(settings=settings_of(tmp_path / "other", **key), backup=tmp_path / "backup", is_forced=False)


@pytest.mark.parametrize("out", ["home/backup", "held"])
def test_a_backup_goes_to_an_empty_folder_elsewhere(tmp_path: Path, out: str) -> None:
    settings = small_home(tmp_path / "home")
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "mine").touch()
    with pytest.raises(BackupError, match=r"holds something|lies in"):
        backup.run(settings=settings, out=tmp_path / out)


def test_a_night_at_work_is_not_cut_through(tmp_path: Path) -> None:
    """Neither copied nor replaced; services that are up are not replaced from under."""
    settings = small_home(tmp_path / "home")
    backup.run(settings=settings, out=tmp_path / "backup")
    run = Run(settings.home, SOURCE, SCENARIO, LAST_NIGHT)
    with own_turn(run, "rl train", lambda _: None, night=None):
        with pytest.raises(NightAtWork):
            backup.run(settings=settings, out=tmp_path / "second")
        with pytest.raises(NightAtWork):
            restore.run(settings=settings, backup=tmp_path / "backup", is_forced=True)
    assert not (tmp_path / "second").exists()
    services_record(settings.home).write_text("{}")
    with pytest.raises(BackupError, match="stop them by `make down`"):
        restore.run(settings=settings, backup=tmp_path / "backup", is_forced=True)


def test_a_link_is_told_and_not_followed(tmp_path: Path) -> None:
    """What it names may be anywhere."""
    settings = small_home(tmp_path / "home")
    (settings.home / "runs").symlink_to(tmp_path)
    told = backup.run(settings=settings, out=tmp_path / "backup")
    assert told["left_out"] == [f"{settings.home / 'runs'}: a link, or no plain file"]


def test_a_killed_restore_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before any of its renames, the home is the old one, gone or the new one, and never a mixture."""
    settings = small_home(tmp_path / "home")
    backup.run(settings=settings, out=tmp_path / "backup")
    expected = contents(settings.home)
    (settings.home / "later").write_text("later")

    def run() -> None:
        seen = contents(settings.home)
        assert seen in ({}, expected, expected | {"later": b"later"})
        restore.run(settings=settings, backup=tmp_path / "backup", is_forced=True)

    assert kill_until_through(run, steps_before_kills=(1, 2, 3, 4), monkeypatch=monkeypatch) >= 2
    assert contents(settings.home) == expected
    assert list(tmp_path.glob(".*")) == []


def test_a_killed_backup_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder isn't there until all is written; the next one removes what was half written."""
    settings = small_home(tmp_path / "home")

    def run() -> None:
        assert not (tmp_path / "backup").exists()
        backup.run(settings=settings, out=tmp_path / "backup")

    assert kill_until_through(run, steps_before_kills=(1, 2, 3, 4), monkeypatch=monkeypatch) >= 3
    assert [path.name for path in tmp_path.glob("*backup*")] == ["backup"]
    restore.run(settings=settings_of(tmp_path / "other"), backup=tmp_path / "backup", is_forced=False)


@needs_postgres
def test_databases_on_postgresql_are_part_of_it(tmp_path: Path) -> None:
    """MLflow's entries name their files where these lie in the restored home; Airflow's rows are there."""
    with own_database() as mlflow, own_database() as airflow, own_database() as other, own_database() as another:
        given = {"NIGHTCART_MLFLOW_URI": mlflow, "NIGHTCART_AIRFLOW_DATABASE": airflow}
        ask(airflow, "CREATE TABLE seen (n INTEGER); INSERT INTO seen VALUES (7)")
        settings = settings_of(tmp_path / "home", **given)
        with open_store(settings) as client:
            run = client.create_run(experiment_id(client, settings, SCENARIO)).info
            client.log_text(run.run_id, "weights", "policy.txt")
        assert run.artifact_uri.startswith((settings.home / "mlartifacts").as_uri())
        told = backup.run(settings=settings, out=tmp_path / "backup")
        assert told["databases"] == {"mlflow": "postgresql", "airflow": "postgresql"}
        settings.home.rename(tmp_path / "lost")
        with pytest.raises(BackupError, match="mlflow's database on PostgreSQL"):
            restore.run(settings=settings_of(tmp_path / "new", **given), backup=tmp_path / "backup", is_forced=False)
        given = {"NIGHTCART_MLFLOW_URI": other, "NIGHTCART_AIRFLOW_DATABASE": another}
        restored = settings_of(tmp_path / "new", **given)
        restore.run(settings=restored, backup=tmp_path / "backup", is_forced=False)
        assert ask(another, "SELECT n FROM seen") == ["7"]
        with open_store(restored) as client:
            file = client.download_artifacts(run.run_id, "policy.txt")
            place = client.get_run(run.run_id).info.artifact_uri
        assert Path(file).read_text() == "weights"
        assert place == run.artifact_uri.replace(settings.home.as_uri(), restored.home.as_uri())
