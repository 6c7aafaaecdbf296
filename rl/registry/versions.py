"""Versions of a scenario's registered policy: one for each set of inputs, made whole or not at all."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from rl.registry.entry import TAG, NightKey, VersionRecord
from rl.registry.store import CHALLENGER, CHAMPION, PREVIOUS, aliases

MODEL_PATH = "policy"
BEHAVIOR = "behavior"
ROLLED_BACK = "rolled_back"
REJECTED = "rejected"
VERDICTS = ("promote", "reject", "abstain")


@dataclass(frozen=True)
class RegisteredVersion:
    """A version with its tags (without their prefix) and where its model lies."""

    model: str
    version: int
    tags: dict[str, str]
    model_uri: str
    run_id: str

    @property
    def date(self) -> date:
        return date.fromisoformat(self.tags["date"])

    @property
    def is_ours(self) -> bool:
        """Whether a night registered it and its tags still say which; False for one made or edited by hand."""
        try:
            date.fromisoformat(self.tags.get("date", ""))
        except ValueError:
            return False
        return all(self.tags.get(name) for name in ("source", "input_key")) and self.tags.get("verdict") in VERDICTS

    def is_of_night(self, key: NightKey) -> bool:
        """Return whether it was made from the night's own data and specs, by whatever code."""
        own = replace(key, code_hash=self.tags.get("code_hash", ""))
        return own.input_key == self.tags.get("input_key")

    @property
    def champion_in_force(self) -> str | None:
        """Version that was champion on its night, or `behavior`; None where its tags don't say."""
        found = self.tags.get("champion_in_force", self.tags.get("gated_against", ""))
        return found if found == BEHAVIOR or found.isdecimal() else None


def find_version(client: MlflowClient, key: NightKey) -> RegisteredVersion | None:
    """Return the version made from these inputs; None where there is none."""
    condition = f"name = '{key.model}' and tags.`{TAG}input_key` = '{key.input_key}'"
    found = sorted(client.search_model_versions(condition), key=lambda version: int(version.version))
    return _version(found[0]) if found else None


def key_of_same_policy(client: MlflowClient, key: NightKey, policy_version: str) -> NightKey:
    """Return the key under which the night registered the same policy before; `key` itself where it did not.

    Other code that learns the same policy from the same data by the same specs makes no new version: a home's past
    nights don't register again because nightcart was upgraded. The oldest such version counts.
    """
    if find_version(client, key) is not None:
        return key
    for version in sorted(own_versions(client, key.model), key=lambda one: one.version):
        if version.is_of_night(key) and version.tags.get("policy_version") == policy_version:
            return replace(key, code_hash=version.tags["code_hash"])
    return key


def load_version(client: MlflowClient, model: str, version: int) -> RegisteredVersion | None:
    """Return the version of that number; None where there is none."""
    return next((found for found in all_versions(client, model) if found.version == version), None)


def all_versions(client: MlflowClient, model: str) -> Iterator[RegisteredVersion]:
    """Yield every version of the model, over all pages of the store."""
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{model}'", page_token=token)
        yield from map(_version, page)
        token = page.token
        if not token:
            return


def own_versions(client: MlflowClient, model: str) -> Iterator[RegisteredVersion]:
    """Return the versions that nights registered, without those registered by hand or edited past reading."""
    return (found for found in all_versions(client, model) if found.is_ours)


def create_version(
    client: MlflowClient, run_id: str, *, key: NightKey, record: VersionRecord, model_folder: Path
) -> RegisteredVersion:
    """Create a version with the model's files, tags and description, and return it.

    The files go first and the version comes with all its tags in one request: killed in between, there is no version,
    and a repeat writes the same files again.
    """
    _ensure_model(client, key)
    client.log_artifacts(run_id, str(model_folder), MODEL_PATH)
    created = client.create_model_version(
        key.model,
        source=f"{client.get_run(run_id).info.artifact_uri}/{MODEL_PATH}",
        run_id=run_id,
        tags={**key.tags, **record.tags},
        description=record.description,
    )
    return _version(created)


def may_be_challenger(version: RegisteredVersion, rejected: Container[int] = ()) -> bool:
    """Return whether a night registered the version, the gate passed it, and nobody rejected it or rolled it back.

    Args:
        version: with its tags.
        rejected: versions that the home knows to be rejected, whatever their tags say.
    """
    is_refused = ROLLED_BACK in version.tags or REJECTED in version.tags or version.version in rejected
    return version.is_ours and version.tags["verdict"] == "promote" and not is_refused


def offer_as_challenger(client: MlflowClient, version: RegisteredVersion, rejected: Container[int] = ()) -> bool:
    """Give the version the alias challenger where it deserves it; return whether it has the alias.

    It isn't given to a version the gate didn't pass, to one that was promoted already, rejected or rolled back, or to
    an older night than the present challenger's: repeating an old night changes nothing. A challenger that no night
    registered gives way.

    Args:
        client: MLflow's.
        version: just registered, or again.
        rejected: versions that the home knows to be rejected, whatever their tags say.
    """
    held = aliases(client, version.model)
    if not may_be_challenger(version, rejected):
        return False
    if version.version in (held.get(CHAMPION), held.get(PREVIOUS)):
        return False
    present = load_version(client, version.model, held[CHALLENGER]) if CHALLENGER in held else None
    if present is not None and present.is_ours and (present.date, present.version) > (version.date, version.version):
        return False
    client.set_registered_model_alias(version.model, CHALLENGER, str(version.version))
    return True


def _ensure_model(client: MlflowClient, key: NightKey) -> None:
    try:
        client.create_registered_model(key.model, tags={TAG + "scenario": key.scenario}, description=key.about)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version(found: ModelVersion) -> RegisteredVersion:
    tags = {name.removeprefix(TAG): value for name, value in found.tags.items() if name.startswith(TAG)}
    return RegisteredVersion(found.name, int(found.version), tags, str(found.source), str(found.run_id))
