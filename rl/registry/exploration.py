"""Exploration plans in the registry: what a night suggested, and which one a person lets a service follow."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.errors import RefusedRequest, RegistryError
from rl.figures.exploration import PLAN_FILE, ExplorationPlan
from rl.registry.approvals import Approval, standing, write_down
from rl.registry.person import Person
from rl.registry.store import CHAMPION, aliases
from rl.registry.versions import RegisteredVersion, load_version


def read_plan(client: MlflowClient, version: RegisteredVersion) -> ExplorationPlan | None:
    """Return the exploration plan that lies with a version's run; None where its night made none.

    Raises:
        RegistryError: it can't be read, or is another version's.
    """
    try:
        held = [one.path for one in client.list_artifacts(version.run_id)]
        if PLAN_FILE not in held:
            return None
        with TemporaryDirectory(prefix="plan-") as folder:
            text = Path(client.download_artifacts(version.run_id, PLAN_FILE, folder)).read_text(encoding="utf-8")
        plan = ExplorationPlan.model_validate_json(text)
    except (MlflowException, OSError, ValidationError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RegistryError(
            f"{version.model} version {version.version}: its exploration plan can't be read ({reason}); register the "
            "night again"
        ) from error
    if (plan.model, plan.version) != (version.model, version.version):
        raise RegistryError(
            f"{version.model} version {version.version}: its run holds the exploration plan of {plan.model} version "
            f"{plan.version}; register the night again"
        )
    return plan


def set_exploring(
    client: MlflowClient, settings: Settings, model: str, person: Person, version: int | None
) -> Approval:
    """Let a service follow the exploration plan of a version, or no plan any more, and return the record of it.

    Args:
        client: MLflow's.
        settings: name the home that holds the record.
        model: registered model.
        person: who says so, and why.
        version: whose plan is followed; None ends what is followed now.

    Raises:
        RefusedRequest: the version is gone, rejected or without a plan, the champion isn't the one that it was made
            beside, or the spec allows no exploration; or there is nothing to end.
    """
    found = standing(settings, model)
    if version is None:
        if found.exploring is None:
            raise RefusedRequest(f"{model}: no exploration plan is followed, so there is none to end")
        return write_down(settings, model, "no_explore", found.exploring, replaced=None, who=person.who, why=person.why)
    if version in found.rejected:
        raise RefusedRequest(f"{model}: version {version} was rejected ({found.rejected[version]})")
    registered = load_version(client, model, version)
    plan = None if registered is None or not registered.is_ours else read_plan(client, registered)
    if registered is None or plan is None:
        raise RefusedRequest(
            f"{model}: version {version} has no exploration plan that a service could follow; the review page of its "
            "night says what it suggests, and why"
        )
    if (champion := aliases(client, model).get(CHAMPION)) != plan.champion:
        raise RefusedRequest(
            f"{model}: the plan of version {version} was made beside champion {plan.champion}, and the champion is "
            f"{'none' if champion is None else champion}; wait for a night that plans beside this one"
        )
    _refuse_forbidden(registered, plan)
    return write_down(settings, model, "explore", version, replaced=found.exploring, who=person.who, why=person.why)


def _refuse_forbidden(version: RegisteredVersion, plan: ExplorationPlan) -> None:
    """Raise where the spec as it is today lets no service follow a plan.

    Raises:
        RefusedRequest: says which key.
    """
    scenario = load_pipeline(version.tags["scenario"], version.tags["source"]).scenario
    if scenario.exploration.max_share <= 0:
        raise RefusedRequest(
            f"{plan.model}: scenario {scenario.name} explores by no plan; set exploration.max_share, such as 0.2, in "
            f"conf/scenarios/{scenario.name}.yaml"
        )
