"""The follower: a process beside the service that looks at the registry every second.

MLflow takes seconds to import and tens of milliseconds to ask, which no request should wait for. The follower reads
without the registry's lock, copies an approved champion's policy next to the service, loads it once to see that it can
be, and says in one small file what is to be served.
"""

from __future__ import annotations

import os
import shutil
import time
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from conf.errors import NightcartError
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.errors import PolicyError, RegistryError
from rl.figures.exploration import ExplorationPlan
from rl.policy import StochasticPolicy, load_policy
from rl.policy.stochastic_policy import POLICY_FILE
from rl.registry.approvals import standing
from rl.registry.exploration import read_plan
from rl.registry.launches import running_launch
from rl.registry.store import CHAMPION, OFF, aliases
from rl.registry.versions import RegisteredVersion, load_version
from rl.serving.in_use import InUse, in_use_file, now, policy_folder, read_in_use, write_in_use

SECONDS_BETWEEN = 1.0


class Follower:
    """Looks at the registry for one service."""

    def __init__(self, settings: Settings, pipeline: Pipeline) -> None:
        self._settings, self._pipeline = settings, pipeline
        self._names = settings.home, pipeline.source.name, pipeline.scenario.name
        self._model = f"{pipeline.scenario.name}-policy"
        self._client: MlflowClient | None = None
        self._refused: dict[int, str] = {}
        self._plans: dict[int, ExplorationPlan] = {}

    def look(self) -> InUse:
        """Look at the registry once, write down what is to be served, and return it."""
        path = in_use_file(*self._names)
        before = read_in_use(path)
        served = before.version if before is not None else None
        try:
            approved = standing(self._settings, self._model)
            kept = {} if before is None else before.model_dump(include={"share", "incumbent", "is_shadow"})
            found = self._compared(InUse(version=served, is_off=approved.is_off, seen_at=now(), **kept))
        except (NightcartError, MlflowException, SQLAlchemyError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            told = {"problem": f"the registry can't be read: {reason}", "seen_at": now()}
            found = InUse(**told) if before is None else before.model_copy(update=told)
        write_in_use(path, found)
        return found

    def _compared(self, found: InUse) -> InUse:
        """Return what is to be served, given what is served now and what the registry says."""
        path = self._settings.mlflow_database
        if path is not None and not path.exists():
            return found.model_copy(update={"problem": "there is no registry yet: no night has registered a policy"})
        held = aliases(self._connected(), self._model)
        update: dict[str, object] = {"is_off": found.is_off or OFF in held}
        champion, approved = held.get(CHAMPION), standing(self._settings, self._model)
        if approved.withdrawn is not None:
            update |= {"version": None, "share": 0.0, "incumbent": None, "is_shadow": False}
            if champion is not None:
                update["problem"] = (
                    f"the alias champion is on version {champion}, and version {approved.withdrawn.replaced} was "
                    "rolled back to the shop's own rule (moved by hand?); the shop decides; put the alias back"
                )
            champion = None
        elif champion is None:
            update["problem"] = f"{self._model} has no champion yet: promote a version"
            update["version"] = None if approved.champion is None else found.version
        elif not approved.allows(champion):
            update["problem"] = (
                f"the alias champion is on version {champion} without an approval record (moved by hand?); "
                f"{_kept(found)}; promote it, or put the alias back"
            )
        elif problem := self._fetched(champion):
            update["problem"] = f"version {champion} can't be served: {problem}; {_kept(found)}"
        else:
            update |= self._shared_out(champion, found)
        if (control := approved.control) is not None:
            if problem := self._fetched(control):
                further = f"version {control} can't decide for the control group: {problem}; the shop's own does"
                update["problem"] = "; ".join(filter(None, [str(update.get("problem", "")), further]))
            else:
                update["control"] = control
        plan, problem = self._exploring(approved.exploring, champion)
        if problem:
            update["problem"] = "; ".join(filter(None, [str(update.get("problem", "")), problem]))
        return found.model_copy(update=update | {"exploring": plan})

    def _exploring(self, version: int | None, champion: int | None) -> tuple[ExplorationPlan | None, str]:
        """Return the exploration plan to follow, and why an approved one can't be; neither where none is approved.

        One that was made beside another champion rests without a word: it is void by then.
        """
        if version is None or champion is None:
            return None, ""
        if self._pipeline.scenario.exploration.max_share <= 0:
            return None, f"the plan of version {version} isn't followed: exploration.max_share of the spec is 0"
        try:
            plan = self._plan(version)
        except RegistryError as error:
            return None, f"no exploration plan is followed: {error}"
        if plan is None:
            return None, f"version {version} has no exploration plan any more, so none is followed"
        if plan.champion != champion:
            return None, ""
        problem = self._fetched(version)
        return (None, f"version {version} can't be explored: {problem}") if problem else (plan, "")

    def _plan(self, version: int) -> ExplorationPlan | None:
        """Return the plan of a version, read once: what is registered doesn't change; None where there is none.

        Raises:
            RegistryError: it can't be read.
        """
        if version not in self._plans:
            registered = load_version(self._connected(), self._model, version)
            plan = None if registered is None else read_plan(self._connected(), registered)
            if plan is None:
                return None
            self._plans[version] = plan
        return self._plans[version]

    def _shared_out(self, champion: int, served: InUse) -> dict[str, object]:
        """Return which versions decide for whom while the champion is rolled out; a launch to all is its alone."""
        launch = running_launch(self._settings, self._model, champion)
        if launch is None or not launch.is_partial:
            return {"version": champion, "share": 1.0, "incumbent": None, "is_shadow": False}
        if launch.replaced is not None and (problem := self._fetched(launch.replaced)):
            told = f"version {launch.replaced}, which version {champion} replaces by stages, can't be served: {problem}"
            return {"problem": f"{told}; {_kept(served)}"}
        shared_out = {"share": launch.share, "incumbent": launch.replaced, "is_shadow": launch.is_shadow}
        return {"version": champion, **shared_out}

    def _connected(self) -> MlflowClient:
        if self._client is None:
            uri = self._settings.mlflow_uri
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        return self._client

    def _fetched(self, number: int) -> str:
        """Copy the policy of the version next to the service where it isn't there; return why it can't be served."""
        folder = policy_folder(*self._names, number)
        if folder.is_dir():
            return ""
        if number in self._refused:
            return self._refused[number]
        version = load_version(self._connected(), self._model, number)
        if version is None:
            return "it was deleted"
        problem = self._misfit(version)
        if not problem:
            try:
                self._fetch(version, number)
            except (PolicyError, MlflowException, OSError) as error:
                problem = f"its policy can't be loaded ({str(error).splitlines()[-1]})"
        if problem:
            self._refused[number] = problem
        return problem

    def _misfit(self, version: RegisteredVersion) -> str:
        source = self._pipeline.source.name
        if not version.is_ours:
            return "it was registered or edited by hand, and its tags don't say what it is"
        if version.tags.get("source") != source:
            return f"it was learned from source {version.tags.get('source')}, not {source}"
        return ""

    def _fetch(self, version: RegisteredVersion, number: int) -> None:
        target = policy_folder(*self._names, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".fetched-", dir=target.parent) as folder:
            uri = self._settings.mlflow_uri
            download_artifacts(artifact_uri=version.model_uri, dst_path=folder, tracking_uri=uri)
            found = sorted(target.parent.joinpath(folder).rglob(POLICY_FILE))
            if len(found) != 1:
                raise PolicyError(f"{version.model_uri}: {len(found)} files {POLICY_FILE}, expected one")
            refuse_misfit(load_policy(found[0].parent), self._pipeline)
            shutil.copytree(found[0].parent, f"{folder}/whole")
            os.rename(f"{folder}/whole", target)  # noqa: PTH104  (a reader sees the folder whole or not at all)


def refuse_misfit(policy: StochasticPolicy, pipeline: Pipeline) -> None:
    """Raise if the policy needs features that the scenario doesn't observe.

    Raises:
        PolicyError: names them.
    """
    observed = {feature.name for feature in pipeline.scenario.observation.features}
    if missing := sorted({column.name for column in policy.encoder.columns} - observed):
        raise PolicyError(f"it needs features that the scenario doesn't observe: {', '.join(missing)}")


def follow(settings: Settings, pipeline: Pipeline, service: int) -> None:
    """Look at the registry every second until the service, the parent of that process id, is gone."""
    follower = Follower(settings, pipeline)
    while os.getppid() == service:
        follower.look()
        time.sleep(SECONDS_BETWEEN)


def _kept(found: InUse) -> str:
    if found.version is not None:
        return f"version {found.version} stays"
    return "the shop goes on by its own rule" if found.is_own_rule else "the fallback alone is served"
