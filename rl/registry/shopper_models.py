"""Versions of models of shoppers: registered with their verdict, and champion at once where the gate passed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from rl.errors import RegistryChanged, RegistryError
from rl.registry.entry import ShopperModelKey, VersionRecord
from rl.registry.promotion import promote_version
from rl.registry.runs import finish_night_run, night_run
from rl.registry.store import CHALLENGER, CHAMPION, aliases
from rl.registry.versions import (
    BEHAVIOR,
    RegisteredVersion,
    create_version,
    find_version,
    load_version,
    offer_as_challenger,
)

FIGURES_FILE = "shopper_model.json"


@dataclass(frozen=True)
class ShopperVerdict:
    """What a fit says about itself.

    Attributes:
        verdict: promote or reject.
        reasons: why not.
        champion: version in force when it was judged; None where there was none.
        compared_with: version that its paired difference is over; None without one.
        horizon: last date whose deliveries it was learned from.
        known_until: first business day that it knew nothing of.
        policy_version: digest of the model.
        metrics: figures by name, for the run.
    """

    verdict: str
    reasons: tuple[str, ...]
    champion: int | None
    compared_with: int | None
    horizon: date
    known_until: date
    policy_version: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class ShopperAliases:
    """Where a version stands."""

    is_champion: bool
    is_challenger: bool


def champion_version(client: MlflowClient, model: str, source: str) -> RegisteredVersion | None:
    """Return the champion; None without one.

    Raises:
        RegistryError: it was registered by hand, or from another source.
    """
    number = aliases(client, model).get(CHAMPION)
    found = None if number is None else load_version(client, model, number)
    if found is not None and (not found.is_ours or found.tags.get("source") != source):
        raise RegistryError(
            f"{model} version {found.version} is champion and no fit of {source} registered it; take the alias "
            "champion from it in MLflow"
        )
    return found


def require_version(client: MlflowClient, model: str, version: int | None, source: str) -> RegisteredVersion:
    """Return the version of that number, or the champion where none is named.

    Raises:
        RegistryError: there is none.
    """
    if version is None:
        found = champion_version(client, model, source)
        if found is None:
            raise RegistryError(f"{model} has no champion: run fit-shopper-models, or name a --version")
        return found
    named = load_version(client, model, version)
    if named is None or not named.is_ours or named.tags.get("source") != source:
        raise RegistryError(f"{model} has no version {version} that was fitted on {source}; see them in MLflow")
    return named


def download_model(client: MlflowClient, version: RegisteredVersion, folder: Path) -> Path:
    """Return the folder below `folder` that the version's files were copied to.

    Raises:
        RegistryChanged: they are gone.
    """
    try:
        uri = client.tracking_uri
        return Path(download_artifacts(artifact_uri=version.model_uri, dst_path=str(folder), tracking_uri=uri))
    except (MlflowException, OSError) as error:
        raise RegistryChanged(
            f"{version.model} version {version.version}: its files are gone from {version.model_uri}; restore them, or "
            "delete the version in MLflow and fit again"
        ) from error


def registered_figures(client: MlflowClient, version: RegisteredVersion) -> str:
    """Return the figures that the version was registered with, as JSON.

    Raises:
        RegistryChanged: they are gone.
    """
    try:
        with TemporaryDirectory(prefix="figures-") as folder:
            path = Path(client.download_artifacts(version.run_id, FIGURES_FILE, folder))
            return path.read_text(encoding="utf-8")
    except (MlflowException, OSError) as error:
        raise RegistryChanged(
            f"{version.model} version {version.version}: the figures that it was registered with are gone from "
            f"MLflow's run {version.run_id}; restore the run, or delete the version and fit again"
        ) from error


def register_shopper_model(
    client: MlflowClient,
    experiment: str,
    key: ShopperModelKey,
    verdict: ShopperVerdict,
    *,
    model_folder: Path,
    files: tuple[Path, ...],
) -> RegisteredVersion:
    """Return the version of the key, made with its files, tags and description where it isn't there yet.

    Files go first and the version comes with all its tags, so that a version never lacks what its verdict comes from.
    """
    found = find_version(client, key)
    if found is not None:
        return found
    run_id = night_run(client, experiment, key)
    finish_night_run(client, run_id, key=key, metrics=verdict.metrics, files=files)
    champion = BEHAVIOR if verdict.champion is None else str(verdict.champion)
    record = VersionRecord(
        verdict=verdict.verdict,
        champion_in_force=champion,
        compared_with=BEHAVIOR if verdict.compared_with is None else str(verdict.compared_with),
        horizon=verdict.horizon,
        description=_description(verdict),
        details={
            "known_until": str(verdict.known_until),
            "policy_version": verdict.policy_version,
            **({"reason": "; ".join(verdict.reasons)} if verdict.reasons else {}),
        },
    )
    return create_version(client, run_id, key=key, record=record, model_folder=model_folder)


def settle_aliases(client: MlflowClient, version: RegisteredVersion) -> ShopperAliases:
    """Make a passed version champion if the champion is still the one it was judged against; return where it stands.

    Call it under the store's lock. An older fit, repeated after others took over, changes nothing.
    """
    held = aliases(client, version.model)
    now = str(held[CHAMPION]) if CHAMPION in held else BEHAVIOR
    if version.tags["verdict"] == "promote" and version.champion_in_force == now:
        if offer_as_challenger(client, version):
            promote_version(
                client, version.model, version.version, source=version.tags["source"], run_date=version.date
            )
        held = aliases(client, version.model)
    return ShopperAliases(held.get(CHAMPION) == version.version, held.get(CHALLENGER) == version.version)


def _description(verdict: ShopperVerdict) -> str:
    if not verdict.reasons:
        return "The gate passed it."
    return "The gate didn't pass it:\n" + "\n".join(f"- {reason}" for reason in verdict.reasons)
