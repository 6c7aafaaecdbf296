"""Which second look a night takes, and which one it declares."""

from __future__ import annotations

from collections.abc import Container
from datetime import date, timedelta

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.settings import Settings
from rl.errors import PolicyError
from rl.figures.second_look import DeclaredLook, TakenLook
from rl.gate.second_look import is_short_of_sessions
from rl.night.night import Night
from rl.policy import StochasticPolicy
from rl.registry.champion import load_version_policy
from rl.registry.entry import NightKey
from rl.registry.trials import Trial, read_trials, void_reason
from rl.registry.versions import load_version, own_versions


def find_trial(client: MlflowClient, settings: Settings, key: NightKey) -> Trial | None:
    """Return the trial that the night has to do with: one that runs since an earlier night, or that it settled itself.

    A night that settled one finds it again only where its own data are those that it was settled by: other data would
    be a second second look at a level that is spent.

    Args:
        client: MLflow's, from `open_store`.
        settings: name the home that holds the record.
        key: of the night.
    """
    known = [one for one in read_trials(settings, key.model) if one.source == key.source and one.night < key.date]
    if any(one.settled_on == key.date for one in known):
        is_repeated = any(one.is_of_night(key) for one in own_versions(client, key.model))
        return next(one for one in known if one.settled_on == key.date) if is_repeated else None
    return next((one for one in known if one.outcome is None), None)


def frozen_policy(client: MlflowClient, trial: Trial) -> StochasticPolicy | str:
    """Return the policy of the trial's version, or why it is not to be had, to follow "it was"."""
    version = load_version(client, trial.model, trial.version)
    if version is None:
        return "deleted in MLflow"
    try:
        policy = load_version_policy(client, version)
    except (PolicyError, MlflowException, OSError) as error:
        return f"lost: its policy can't be loaded from {version.model_uri} ({str(error).splitlines()[-1]})"
    if policy.version != trial.policy_version:
        return f"changed: its policy is {policy.version}, declared was {trial.policy_version}"
    return policy


def void_look(
    trial: Trial,
    *,
    champion_in_force: str,
    compared_with: str,
    spec_hash: str,
    policy: StochasticPolicy | str,
    days: Container[date] | None,
) -> TakenLook | None:
    """Return that the second look is void; None where nothing speaks against it.

    Args:
        trial: that the night has to do with.
        champion_in_force: version of the champion tonight, or `behavior`.
        compared_with: what a gain would be over tonight: that version, or `behavior` where it can't be compared.
        spec_hash: of both specs whole, tonight.
        policy: of the trial's version, or why it is not to be had.
        days: business dates with published sessions; None while the look isn't due.
    """
    if trial.outcome == "void":
        return taken_look(trial, "void", trial.why)
    if trial.outcome is not None:
        return None
    refusal = policy if isinstance(policy, str) else ""
    why = void_reason(trial, champion_in_force=champion_in_force, spec_hash=spec_hash, refusal=refusal, days=days)
    if not why and compared_with != trial.compared_with:
        why = (
            f"The second look at {trial.model} is void: its gain was over {trial.compared_with}, and tonight it would "
            f"be over {compared_with}."
        )
    return taken_look(trial, "void", why) if why else None


def taken_look(trial: Trial, outcome: str, why: str) -> TakenLook:
    """Return how the trial ends tonight."""
    return TakenLook.model_validate(
        {"version": trial.version, "night": trial.night, "level": trial.level, "outcome": outcome, "why": why}
    )


def declared_look(night: Night, settings: Settings) -> DeclaredLook | None:
    """Return the second look that the spec declares at the night's candidate; None where it declares none.

    The first look must have spent nothing: then the night's whole level is left for the second one. One at a time.

    Args:
        night: that took no second look itself.
        settings: name the home that holds the record.
    """
    days = night.dataset.pipeline.scenario.gate.second_look_days
    if not days or not is_short_of_sessions(night.evaluation.verdict, night.evaluation.evidence):
        return None
    key = night.registered.key
    if any(one.outcome is None and one.night != key.date for one in read_trials(settings, key.model)):
        return None
    return DeclaredLook(
        planned=key.date + timedelta(days=days),
        level=night.registered.level.level,
        splits={name: span.to_json() for name, span in night.dataset.intervals.items()},
    )
