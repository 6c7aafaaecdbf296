"""A backup becomes the home again, once all of it was found whole."""

from __future__ import annotations

from pathlib import Path

from conf.paths import services_record
from conf.postgres_dump import holds_tables, restore_postgres
from conf.settings import Settings
from rl.errors import BackupError
from rl.upkeep.backup_manifest import BackupManifest, address_of, kind_of, read_manifest, sqlite_file
from rl.upkeep.home_roots import holds_files, roots
from rl.upkeep.moved_artifacts import move_artifacts
from rl.upkeep.quiet_home import quiet_home
from rl.upkeep.restored_files import Stages, put_in_place, staged


def restore_backup(settings: Settings, backup: Path, *, is_forced: bool) -> tuple[BackupManifest, list[str]]:
    """Make the home, and its databases on PostgreSQL, what the backup holds.

    Everything is copied beside the home and compared with the manifest's sums before anything is changed. Then the
    databases are restored, each in one transaction, and folders take their places by renaming. Killed in between, the
    home is as it was or isn't there; the same command with FORCE=1 finishes it.

    Args:
        settings: of the home that is to be.
        backup: its folder.
        is_forced: rename what is there (`HOME.before-restore-TIME`, schema `before_restore_TIME`) instead of refusing.

    Returns:
        The manifest, and where what was there before is kept.

    Raises:
        BackupError: it isn't whole, doesn't fit these settings, or the home holds something.
        NightAtWork: somebody computes a night.
        DatabaseCopyError: a database refuses; what was restored before it is set aside or empty.
    """
    manifest = read_manifest(backup)
    _refuse_misfit(settings, manifest)
    if services_record(settings.home).exists():
        raise BackupError(f"{settings.home}: its services are up; stop them by `make down`, then run this again")
    if not is_forced:
        _refuse_held(settings, manifest)
    with quiet_home(settings, "make restore"), staged(settings, backup, manifest) as stages:
        _name_files_where_they_lie(settings, manifest, stages)
        aside = _restore_databases(settings, backup, manifest, is_forced=is_forced)
        return manifest, aside + put_in_place(stages)


def _refuse_misfit(settings: Settings, manifest: BackupManifest) -> None:
    """Raise if the settings describe another home than the backup's, all reasons at once."""
    problems = []
    given = settings.given_pseudonym_key is not None
    if given and settings.pseudonym_key_id() != manifest.key_id:
        problems.append("NIGHTCART_PSEUDONYM_KEY is another key than the backup's: every shopper would be a new one")
    if not given and not manifest.has_key:
        problems.append(f"the backup's key (id {manifest.key_id}) isn't in it; give it by NIGHTCART_PSEUDONYM_KEY")
    for name, database in manifest.databases.items():
        kind = kind_of(name, settings)
        if kind != database.kind:
            variable = {"mlflow": "NIGHTCART_MLFLOW_URI", "airflow": "NIGHTCART_AIRFLOW_DATABASE"}[name]
            named = kind or "a server's"
            problems.append(f"{name}'s database is {database.kind} in the backup, {named} by {variable}")
    if problems:
        raise BackupError("the backup doesn't fit these settings:\n" + "\n".join(f"  {one}" for one in problems))


def _refuse_held(settings: Settings, manifest: BackupManifest) -> None:
    """Raise if the home, or a database of the backup's, holds anything: names the outermost folders."""
    own = [sqlite_file(name, settings) for name, one in manifest.databases.items() if one.kind == "sqlite"]
    paths = [folder for folder in roots(settings).values() if holds_files(folder)] + [
        one for one in own if one.exists()
    ]
    held = [str(path) for path in paths if not any(path.is_relative_to(other) for other in paths if other != path)]
    servers = [name for name, one in manifest.databases.items() if one.kind == "postgresql"]
    held += [f"{name}'s database on PostgreSQL" for name in servers if holds_tables(address_of(name, settings))]
    if held:
        raise BackupError(
            f"{', '.join(held)}: not empty, and a restore would replace it; name another home (NIGHTCART_HOME), or set "
            "what is there aside with FORCE=1"
        )


def _restore_databases(settings: Settings, backup: Path, manifest: BackupManifest, *, is_forced: bool) -> list[str]:
    """Restore databases on PostgreSQL; return the schemas that keep what was there before, in words."""
    aside = []
    for name, database in manifest.databases.items():
        if database.kind == "postgresql":
            address = address_of(name, settings)
            schema = restore_postgres(backup / database.file, address, set_aside=is_forced)
            aside += [f"schema {schema} of {name}'s database"] if schema else []
            if name == "mlflow":
                _move(settings, manifest, address)
    return aside


def _name_files_where_they_lie(settings: Settings, manifest: BackupManifest, stages: Stages) -> None:
    """Let MLflow's entries name the files where they will lie; only where the database is SQLite, before its place."""
    database = manifest.databases.get("mlflow")
    if database is not None and database.kind == "sqlite":
        _move(settings, manifest, f"sqlite:///{stages.of_file(sqlite_file('mlflow', settings))}")


def _move(settings: Settings, manifest: BackupManifest, address: str) -> None:
    before, after = manifest.artifacts, settings.artifacts_uri
    are_files = before is not None and after is not None and before.startswith("file:") and after.startswith("file:")
    if are_files and before != after:
        move_artifacts(address, f"{before}/", f"{after}/")
