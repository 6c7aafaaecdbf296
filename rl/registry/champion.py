"""The champion, as a policy that can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from conf.settings import Settings
from conf.specs.budget import Budget
from conf.specs.reward import millionths
from conf.specs.scenario import Pipeline
from rl.errors import PolicyError
from rl.policy import StochasticPolicy, Vocabulary, load_policy
from rl.policy.action_rules import ActionRules
from rl.policy.stochastic_policy import POLICY_FILE
from rl.registry.entry import NightKey
from rl.registry.store import CHAMPION, aliases, open_store
from rl.registry.versions import BEHAVIOR, RegisteredVersion, load_version


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
    client: MlflowClient, key: NightKey, *, features: Iterable[str], vocabulary: Vocabulary
) -> Champion | None:
    """Return the champion that the night's candidate is compared with; None where there is none.

    Where tonight's own version is champion already (the night is repeated after its promotion), it is the one that was
    in force when that version was gated; None where that one has been deleted since.

    Args:
        client: MLflow's, from `open_store`.
        key: of the night; a champion learned from another source isn't comparable.
        features: that tonight's observations have.
        vocabulary: actions of tonight's dataset.
    """
    version = version_in_force(client, key)
    if version is None:
        return None
    if strange := strange_version(version, key):
        return Champion(version, None, strange)
    try:
        policy = load_version_policy(client, version)
    except (PolicyError, MlflowException, OSError) as error:
        return Champion(version, None, unloadable(version, error))
    problem = _misfit(policy, set(features), vocabulary)
    return Champion(version, None if problem else policy, problem)


def version_in_force(client: MlflowClient, key: NightKey) -> RegisteredVersion | None:
    """Return the champion's version; where tonight's own is champion already, the one that it took over from."""
    number = aliases(client, key.model).get(CHAMPION)
    version = None if number is None else load_version(client, key.model, number)
    if version is not None and version.is_of_night(key):
        return _before(client, version)
    return version


def strange_version(version: RegisteredVersion, key: NightKey) -> str:
    """Return why a version can't be compared with the night's, as its tags have it; empty where it can."""
    if not version.is_ours:
        return "it was registered or edited by hand, and its tags don't say what it is"
    if version.tags.get("source") != key.source:
        return f"it was learned from source {version.tags.get('source')}, not {key.source}"
    return ""


def unloadable(version: RegisteredVersion, error: Exception) -> str:
    """Return that the version's policy can't be loaded, with the error's last line."""
    return f"its policy can't be loaded from {version.model_uri} ({str(error).splitlines()[-1]})"


def at_budget(champion: Champion, budget: Budget | None) -> Champion:
    """Return the champion at the price of tonight's budget, as its own path has it, so that equal spends compare.

    A champion without prices was judged without a budget, and stays as it was.
    """
    policy = champion.policy
    if budget is None or policy is None or policy.prices is None:
        return champion
    prices = policy.prices.at_budget(millionths(budget.weekly))
    return replace(champion, policy=policy.with_prices(prices))


def under_rules(champion: Champion, rules: ActionRules) -> Champion:
    """Return the champion under its own rules and the scenario's present ones, as it is served tonight."""
    policy = champion.policy
    return champion if policy is None else replace(champion, policy=policy.with_rules(rules))


def _before(client: MlflowClient, version: RegisteredVersion) -> RegisteredVersion | None:
    """Return the champion that the version took over from; None without one, or where nothing is left of it."""
    before = version.champion_in_force
    return None if before in (None, BEHAVIOR) else load_version(client, version.model, int(str(before)))


def _misfit(policy: StochasticPolicy, features: set[str], vocabulary: Vocabulary) -> str:
    missing = sorted({column.name for column in policy.encoder.columns} - features)
    if missing:
        return f"it needs features that tonight's observations don't have: {', '.join(missing)}"
    if not set(policy.vocabulary.keys) & set(vocabulary.keys):
        return "it knows none of tonight's actions"
    return ""


def load_version_policy(client: MlflowClient, version: RegisteredVersion) -> StochasticPolicy:
    """Return the policy of a version.

    Raises:
        PolicyError: its files aren't those of one policy.
        MlflowException: they can't be had.
    """
    with version_folder(client, version, POLICY_FILE) as folder:
        return load_policy(folder)


def champion_actions(settings: Settings, pipeline: Pipeline) -> frozenset[str]:
    """Return the natural keys of the actions that the scenario's champion knows.

    Nothing where there is none, it was learned from another source, or it can't be loaded.

    Raises:
        RegistryError: MLflow can't be reached.
    """
    model = f"{pipeline.scenario.name}-policy"
    with open_store(settings) as client:
        number = aliases(client, model).get(CHAMPION)
        version = None if number is None else load_version(client, model, number)
        if version is None or version.tags.get("source") != pipeline.source.name:
            return frozenset()
        try:
            return frozenset(load_version_policy(client, version).vocabulary.keys)
        except (PolicyError, MlflowException, OSError):
            return frozenset()


@contextmanager
def version_folder(client: MlflowClient, version: RegisteredVersion, file: str) -> Iterator[Path]:
    """Yield the folder of a version's files, fetched from MLflow, in which the one of that name lies.

    Raises:
        PolicyError: there is none, or there are several.
        MlflowException: they can't be had.
    """
    with TemporaryDirectory(prefix="champion-") as folder:
        uri = client.tracking_uri
        root = Path(download_artifacts(artifact_uri=version.model_uri, dst_path=folder, tracking_uri=uri))
        found = sorted(root.rglob(file))
        if len(found) != 1:
            raise PolicyError(f"{version.model_uri}: {len(found)} files {file}, expected one")
        yield found[0].parent
