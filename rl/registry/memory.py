"""What a home knows of its registry, so that a lost or emptied one isn't taken for a new one.

Two small files in the home. `registry.json` says, for each address, which models were seen there, up to which version,
and who was champion; where less is found, commands stop. It is kept for each address, since naming another server is
something one does on purpose. `registry_looks.json` holds what nights spent of the allowance of wrong promotions; it
counts whatever is deleted or edited in MLflow, and at any address: the shoppers are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from conf.paths import registrations, registry_record, spent_looks
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel
from rl.errors import RegistryChanged
from rl.registry.database import has_database
from rl.registry.entry import TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel


class KnownModel(StrictModel):
    """A registered model as it was last seen.

    made: MLflow's moment of its creation, milliseconds: another model of the same name has another.
    last_version: the highest number that a night registered.
    last_run: the run of that version; while MLflow has it, a version that is missing was deleted, not lost.
    champion: version with that alias; None where none had it.
    changed: MLflow's moment of its last change, milliseconds: deleting a version and its run for good (`mlflow gc`) is
        one, and an older copy of the database has an earlier one; None where an earlier release looked.
    """

    made: int
    last_version: int
    last_run: str
    champion: int | None
    changed: int | None = None


class SpentLook(StrictModel):
    """One night's look at its test episodes, and the one-sided level it spent."""

    model: str
    source: str
    input_key: str
    date: date
    level: float
    version: int


_Registries = TypeAdapter(dict[str, dict[str, KnownModel]])
_Looks = TypeAdapter(list[SpentLook])


def known_models(settings: Settings) -> Mapping[str, KnownModel]:
    """Return the models that the home knows to be in this registry, by name."""
    return _registries(settings).get(registry_address(settings), {})


def known_looks(settings: Settings) -> tuple[SpentLook, ...]:
    """Return every look that the home's nights spent."""
    path = spent_looks(settings.home)
    return tuple(_Looks.validate_python(_read(path, [], _Looks)))


def require_database(settings: Settings, path: Path) -> None:
    """Raise if the home knows of a registry whose database is gone or empty.

    Raises:
        RegistryChanged: it is gone or has been emptied.
    """
    known = known_models(settings)
    if known and not has_database(path):
        what = "is empty" if path.exists() else "is gone"
        raise RegistryChanged(f"{path}: MLflow's database {what}, but {_told(known)}; {_ways_on(settings)}")
    if not has_database(path) and (registered := _registered_before_memory(settings)):
        raise RegistryChanged(
            f"{path}: there is no MLflow database, but nights of this home registered versions ({registered}); put the "
            f"database or a backup of it back; or, to start anew on purpose, write {{}} to "
            f"{registry_record(settings.home)}"
        )


def _registered_before_memory(settings: Settings) -> str:
    """Return what the runs of an older release registered, in words; empty where the home remembers by itself."""
    if registry_record(settings.home).exists() or spent_looks(settings.home).exists():
        return ""
    found = sorted(registrations(settings.home))
    return f"the last one in {found[-1]}" if found else ""


def require_model(client: MlflowClient, settings: Settings, model: str) -> tuple[str, ...]:
    """Return what was changed by hand since the home's last command, as sentences; raise if something is missing.

    Raises:
        RegistryChanged: the registry has less than the home knows.
    """
    known = known_models(settings).get(model)
    if known is None:
        return ()
    found = registered_model(client, model)
    where = f"MLflow at {settings.shown_mlflow_uri}"
    if found is None:
        renamed = next((one.name for one in client.search_registered_models() if _made(one) == known.made), None)
        what = f"it is named {renamed} now: rename it back" if renamed else _ways_on(settings)
        raise RegistryChanged(f"{where} has no model {model}, but {_told({model: known})}; {what}")
    if _made(found) != known.made:
        raise RegistryChanged(
            f"{where} has another model {model} than the one this home registered in: {_told({model: known})}; "
            f"{_ways_on(settings)}"
        )
    numbers = {int(one.version) for one in _versions(client, model)}
    is_less = max(numbers, default=0) < known.last_version
    if is_less and not _has_run(client, known.last_run) and not _was_changed_since(found, known):
        raise RegistryChanged(
            f"{where} has {model} up to version {max(numbers, default=0)}, without the run of version "
            f"{known.last_version}: an older copy of the database, since {_told({model: known})}; {_ways_on(settings)}"
        )
    return _changes(known, found, numbers)


def remember_model(client: MlflowClient, settings: Settings, model: str) -> None:
    """Write down what the registry has of the model now; do nothing where no night registered in it.

    Versions that were registered by hand aren't missed: they may have no run that tells a deleted one from a lost one.
    """
    found = registered_model(client, model)
    newest = max(_of_nights(client, model), key=lambda one: int(one.version), default=None)
    if found is None or newest is None:
        return
    champion = found.aliases.get("champion")
    before = known_models(settings).get(model)
    last, run = int(newest.version), str(newest.run_id)
    if before is not None and before.made == _made(found) and before.last_version > last:
        last, run = before.last_version, before.last_run  # the newest was deleted by hand
    now = KnownModel(
        made=_made(found),
        last_version=last,
        last_run=run,
        champion=None if champion is None else int(champion),
        changed=int(found.last_updated_timestamp or 0),
    )
    if now == before:
        return
    registries = _registries(settings)
    registries.setdefault(registry_address(settings), {})[model] = now
    _write(registry_record(settings.home), _Registries.dump_python(registries, mode="json"))


def remember_looks(settings: Settings, looks: Sequence[SpentLook]) -> None:
    """Add looks to those that the home knows; of one night's looks the larger level stands."""
    before = known_looks(settings)
    joined = {(look.model, look.input_key): look for look in before}
    for look in looks:
        place = (look.model, look.input_key)
        if place not in joined or joined[place].level < look.level:
            joined[place] = look
    if tuple(joined.values()) != before:
        _write(spent_looks(settings.home), _Looks.dump_python(list(joined.values()), mode="json"))


def registered_model(client: MlflowClient, model: str) -> RegisteredModel | None:
    """Return the model's entry; None where it isn't registered."""
    return next(iter(client.search_registered_models(filter_string=f"name = '{model}'")), None)


def _changes(known: KnownModel, found: RegisteredModel, numbers: set[int]) -> tuple[str, ...]:
    notes = []
    if known.last_version not in numbers:
        notes.append(f"Version {known.last_version} was deleted in MLflow; what its night spent still counts.")
    champion = found.aliases.get("champion")
    if (None if champion is None else int(champion)) != known.champion:
        was = "nobody" if known.champion is None else f"version {known.champion}"
        if known.champion is not None and known.champion not in numbers:
            was += " (deleted since)"
        now = "nobody" if champion is None else f"version {champion}"
        notes.append(f"The alias champion has moved since this home last looked: from {was} to {now}.")
    return tuple(notes)


def _of_nights(client: MlflowClient, model: str) -> Iterator[ModelVersion]:
    return (one for one in _versions(client, model) if one.run_id and one.tags.get(f"{TAG}input_key"))


def _versions(client: MlflowClient, model: str) -> Iterator[ModelVersion]:
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{model}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _has_run(client: MlflowClient, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  # this module is read before it is known if MLflow is needed

    try:
        client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _was_changed_since(model: RegisteredModel, known: KnownModel) -> bool:
    return known.changed is not None and int(model.last_updated_timestamp or 0) > known.changed


def _made(model: RegisteredModel) -> int:
    return int(model.creation_timestamp)


def _told(known: Mapping[str, KnownModel]) -> str:
    parts = [
        f"{name} version {one.last_version}"
        + (f" with version {one.champion} as champion" if one.champion is not None else "")
        for name, one in known.items()
    ]
    return f"this home knows {', '.join(parts)}"


def _ways_on(settings: Settings) -> str:
    return (
        f"put the database or a backup of it back; or, to start anew on purpose, remove "
        f"{registry_record(settings.home)} (what was spent of the allowance of wrong promotions still counts: "
        f"{spent_looks(settings.home)})"
    )


def registry_address(settings: Settings) -> str:
    """Return the registry's name in the record; the home's own database keeps its name where the home is moved."""
    return settings.registry_name


def _registries(settings: Settings) -> dict[str, dict[str, KnownModel]]:
    return _Registries.validate_python(_read(registry_record(settings.home), {}, _Registries))


def _read(path: Path, empty: object, form: TypeAdapter[Any]) -> object:
    try:
        return form.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return empty
    except (ValidationError, ValueError) as error:
        raise RegistryChanged(
            f"{path}: not what this home wrote of its registry ({str(error).splitlines()[0]}); put it back, or remove "
            "it: then what the registry holds now is taken as it is"
        ) from error


def _write(path: Path, content: object) -> None:
    write_atomically(path, json.dumps(content, indent=1))
