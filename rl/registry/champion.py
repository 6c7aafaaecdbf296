"""The champion, as a policy that can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from rl.errors import PolicyError, RegistryError
from rl.policy import StochasticPolicy, Vocabulary, load_policy
from rl.policy.stochastic_policy import POLICY_FILE
from rl.registry.store import CHAMPION, aliases
from rl.registry.versions import RegisteredVersion, load_version


@dataclass(frozen=True)
class Champion:
    """The version that is served, and its policy where it can be loaded.

    Attributes:
        version: its registry entry.
        policy: None where it can't be compared.
        problem: why not; empty where it can.
    """

    version: RegisteredVersion
    policy: StochasticPolicy | None
    problem: str = ""

    @property
    def name(self) -> str:
        return f"champion (version {self.version.version})"


def find_champion(
    client: MlflowClient, model: str, *, source: str, features: Iterable[str], vocabulary: Vocabulary
) -> Champion | None:
    """The champion of the model; None where there is none.

    Args:
        client: of the store.
        model: registered name.
        source: of tonight's data: a champion learned from another shop isn't comparable.
        features: that tonight's observations have.
        vocabulary: of tonight's dataset.
    """
    held = aliases(client, model)
    if CHAMPION not in held:
        return None
    version = load_version(client, model, held[CHAMPION])
    if version is None:
        raise RegistryError(f"{model}: alias {CHAMPION} names version {held[CHAMPION]}, which doesn't exist")
    if version.tags.get("source") != source:
        return Champion(version, None, f"it was learned from source {version.tags.get('source')}, not {source}")
    try:
        policy = _load(client, version)
    except (PolicyError, OSError) as error:
        return Champion(version, None, f"its policy can't be loaded: {error}")
    problem = _misfit(policy, set(features), vocabulary)
    return Champion(version, None if problem else policy, problem)


def _misfit(policy: StochasticPolicy, features: set[str], vocabulary: Vocabulary) -> str:
    missing = sorted({column.name for column in policy.encoder.columns} - features)
    if missing:
        return f"it needs features that tonight's observations don't have: {', '.join(missing)}"
    if not set(policy.vocabulary.keys) & set(vocabulary.keys):
        return "it knows none of tonight's actions"
    return ""


def _load(client: MlflowClient, version: RegisteredVersion) -> StochasticPolicy:
    with TemporaryDirectory(prefix="champion-") as folder:
        uri = client.tracking_uri
        root = Path(download_artifacts(artifact_uri=version.model_uri, dst_path=folder, tracking_uri=uri))
        found = sorted(root.rglob(POLICY_FILE))
        if len(found) != 1:
            raise PolicyError(f"{version.model_uri}: {len(found)} files {POLICY_FILE}, expected one")
        return load_policy(found[0].parent)
