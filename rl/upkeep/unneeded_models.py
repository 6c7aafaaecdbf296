"""Models in MLflow's artifacts that nobody can need any more: their versions never become champion."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient

from conf.settings import Settings
from rl.registry.approvals import read_approvals
from rl.registry.entry import TAG
from rl.registry.launches import launches
from rl.registry.store import aliases, open_store
from rl.registry.trials import read_trials
from rl.registry.versions import MODEL_PATH, REJECTED, RegisteredVersion, own_versions
from rl.upkeep.needed_nights import KnownNight

REMOVED = TAG + "model_removed"
"""Tag of a version whose model a vacuum took, with what to do about it."""


@dataclass(frozen=True)
class UnneededModel:
    """A version that nobody needs, and the folder with its model."""

    version: RegisteredVersion
    folder: Path


def unneeded_models(settings: Settings, nights: Collection[KnownNight]) -> list[UnneededModel]:
    """Return the models of versions that can't be promoted, of old nights that nothing needs.

    Kept is the model of every version with an alias, a launch, a word of approval or a second look, of one that the
    gate passed and nobody rejected (a person may still promote it), of one that no night of this home knows, and
    every model that isn't in a folder of this machine. The entry stays, with figures, page and files of its run.

    Args:
        settings: name home and registry.
        nights: of the home, with why they are needed.

    Raises:
        NightcartError: the registry or the records can't be read: nothing may go then.
    """
    old = [night for night in nights if not night.holds_pins]
    if not old or _artifacts(settings) is None:
        return []
    with open_store(settings) as client:
        return list(_unneeded(client, settings, old))


def remove_models(settings: Settings, nights: Iterable[KnownNight], found: Collection[Path]) -> list[Path]:
    """Say on the entries that their models are gone and return the folders, of those found that are still unneeded.

    The registry is locked meanwhile, so that nobody promotes a version whose model goes.
    """
    if not found:
        return []
    day = time.strftime("%Y-%m-%d")
    gone = f"{day}: a vacuum removed the model; figures and page stay, and only a backup has the model"
    with open_store(settings) as client:
        models = [one for one in _unneeded(client, settings, list(nights)) if one.folder in set(found)]
        for one in models:
            client.set_model_version_tag(one.version.model, str(one.version.version), REMOVED, gone)
    return [one.folder for one in models]


def _unneeded(client: MlflowClient, settings: Settings, nights: Collection[KnownNight]) -> Iterator[UnneededModel]:
    artifacts = _artifacts(settings)
    old = {(night.run.scenario, night.run.source, night.run.date) for night in nights if not night.holds_pins}
    for scenario in sorted({scenario for scenario, _, _ in old}):
        model = f"{scenario}-policy"
        used = _used(client, settings, model)
        for version in own_versions(client, model):
            folder = _folder(version, artifacts)
            is_old = (scenario, version.tags["source"], version.date) in old
            if folder is not None and is_old and version.version not in used and not _may_be_promoted(version):
                yield UnneededModel(version, folder)


def _used(client: MlflowClient, settings: Settings, model: str) -> set[int]:
    approved = {
        one.version
        for one in read_approvals(settings, model)
        if one.kind != "reject" and one.version is not None  # of a first version's end, no version is in force
    }
    tried = {one.version for one in read_trials(settings, model)}
    served = {one.version for one in launches(settings.home, model)}
    return approved | tried | served | set(aliases(client, model).values())


def _may_be_promoted(version: RegisteredVersion) -> bool:
    return version.tags["verdict"] == "promote" and REJECTED not in version.tags


def _artifacts(settings: Settings) -> Path | None:
    """Return the folder of artifacts; None where another machine keeps them."""
    return _local(settings.artifacts_uri or "")


def _folder(version: RegisteredVersion, artifacts: Path | None) -> Path | None:
    """Return where the version's model lies; None where that isn't a folder below the artifacts'."""
    place = _local(version.model_uri)
    if place is None or artifacts is None or place.name != MODEL_PATH or place.is_symlink():
        return None
    return place if place.is_dir() and place.resolve().is_relative_to(artifacts.resolve()) else None


def _local(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
