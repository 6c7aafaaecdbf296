"""Candidates that were just short: which version is looked at again, when, at which level, and how that ended.

The home's record holds, alias `on_trial` shows. The record is written when a night's version is registered, before the
sessions of the second look are there, so that nothing in it can follow from them. The level of the second look is spent
by that night's version (`looks.LEVEL_TAG`), whether or not the look is taken.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date, timedelta
from typing import Any, Literal

import structlog
from mlflow import MlflowClient
from pydantic import Field, TypeAdapter, ValidationError

from conf.paths import trials_record
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel
from rl.errors import RegistryChanged
from rl.registry.memory import registry_address
from rl.registry.store import ON_TRIAL, aliases
from rl.registry.versions import BEHAVIOR

TrialOutcome = Literal["promote", "reject", "abstain", "void"]


class Trial(StrictModel):
    """A version that was just short, frozen with all that the second look at it hangs on.

    registry: the address of the registry, as the home names it.
    night: business date of the first look.
    planned: business date up to whose sessions the second look goes.
    level: one-sided, of the second look; it is spent.
    policy_version: of the frozen policy.
    champion_in_force: version that was champion on that night, or `behavior`; another one voids the trial.
    compared_with: what the gain was over: that version, or `behavior` where it couldn't be compared.
    spec_hash: of both specs whole; another one voids the trial.
    splits: when the episodes of each split started that the first look knew, as in dataset.json. Q-functions of the
        second look are fitted on those of `train`; only episodes that start after `test` are looked at.
    outcome: of the second look; None while the trial runs.
    settled_on: business date of the night that settled it.
    why: it ended so, in a sentence.
    """

    registry: str
    model: str
    source: str
    version: int = Field(ge=1)
    night: date
    planned: date
    level: float = Field(gt=0, lt=0.5)
    policy_version: str
    champion_in_force: str
    compared_with: str
    spec_hash: str
    splits: dict[str, dict[str, Any]]
    outcome: TrialOutcome | None = None
    settled_on: date | None = None
    why: str = ""

    @property
    def days(self) -> tuple[date, ...]:
        """Business dates after the first look up to the planned one: each has to be there for the second."""
        return tuple(self.night + timedelta(days=n) for n in range(1, (self.planned - self.night).days + 1))

    def __str__(self) -> str:
        return f"{self.model} version {self.version} (night of {self.night}), second look on {self.planned}"


_Trials = TypeAdapter(list[Trial])


def read_trial(settings: Settings, scenario: str) -> Trial | None:
    """Return the scenario's trial that runs, in this registry; None where none does. Needs no MLflow.

    Raises:
        RegistryChanged: the record can't be read.
    """
    return next((one for one in read_trials(settings, f"{scenario}-policy") if one.outcome is None), None)


def read_trials(settings: Settings, model: str) -> tuple[Trial, ...]:
    """Return the model's trials in this registry, in the order in which they began.

    Raises:
        RegistryChanged: the record can't be read.
    """
    address = registry_address(settings)
    return tuple(one for one in _all(settings) if one.registry == address and one.model == model)


def begin_trial(client: MlflowClient, settings: Settings, trial: Trial) -> bool:
    """Write the trial down and give its version the alias; return whether it runs.

    Call it under the registry's lock. Done again it changes nothing; nor does it begin again once it is settled, or
    beside another one that runs.

    Args:
        client: MLflow's, from `open_store`.
        settings: name the home that holds the record.
        trial: without an outcome.
    """
    known = read_trials(settings, trial.model)
    own = next((one for one in known if one.version == trial.version), None)
    running = next((one for one in known if one.outcome is None), None)
    if own is not None and own.outcome is not None:
        return False
    if running is not None and running.version != trial.version:
        structlog.get_logger().warning("one second look at a time", running=str(running), left_out=str(trial))
        return False
    if own is None:
        _write(settings, [*_all(settings), trial])
        structlog.get_logger().info("a second look is declared", trial=str(trial), level=trial.level)
    client.set_registered_model_alias(trial.model, ON_TRIAL, str(trial.version))
    return True


def settle_trial(
    client: MlflowClient, settings: Settings, trial: Trial, *, outcome: TrialOutcome, on: date, why: str
) -> Trial:
    """Write down how the trial ended, take its alias away, and return it; what was written first stands.

    Call it under the registry's lock.

    Args:
        client: MLflow's, from `open_store`.
        settings: name the home that holds the record.
        trial: one of the record's.
        outcome: the second look's, or `void`.
        on: business date of the night that found it.
        why: in a sentence.

    Raises:
        RegistryChanged: the record has no such trial.
    """
    known = next((one for one in read_trials(settings, trial.model) if one.version == trial.version), None)
    if known is None:
        raise RegistryChanged(
            f"{trials_record(settings.home)}: has no second look at {trial.model} version {trial.version}, which "
            f"should be settled; put the file back as it was on {on}"
        )
    if known.outcome is None:
        settled = known.model_copy(update={"outcome": outcome, "settled_on": on, "why": why})
        _write(settings, [settled if one == known else one for one in _all(settings)])
        known = settled
    if aliases(client, trial.model).get(ON_TRIAL) == trial.version:
        client.delete_registered_model_alias(trial.model, ON_TRIAL)
    return known


def void_reason(
    trial: Trial, *, champion_in_force: str, spec_hash: str, refusal: str = "", days: Container[date] | None = None
) -> str:
    """Return why the second look may not be taken, in a sentence; empty where nothing speaks against it yet.

    A trial that is void stays so: its level is spent, and its version is frozen for a comparison that isn't made.

    Args:
        trial: that runs.
        champion_in_force: version of the champion tonight, or `behavior`.
        spec_hash: of both specs whole, tonight.
        refusal: why the version may never be promoted (rejected, rolled back, deleted), to follow "it was".
        days: business dates with sessions at the second look; None while it isn't due.
    """
    missing = [] if days is None else [day for day in trial.days if day not in days]
    before, now = _champion(trial.champion_in_force), _champion(champion_in_force)
    specs = f"the specs have changed since {trial.night}: {spec_hash} instead of {trial.spec_hash}"
    found = {
        f"version {trial.version} was {refusal}": bool(refusal),
        f"it was compared while {before} was in force, and now {now} is": before != now,
        specs: spec_hash != trial.spec_hash,
        f"days are missing between the looks: {', '.join(map(str, missing))}": bool(missing),
    }
    reasons = [reason for reason, holds in found.items() if holds]
    return f"The second look at {trial.model} is void: {'; '.join(reasons)}." if reasons else ""


def _champion(version: str) -> str:
    return "no champion" if version == BEHAVIOR else f"champion version {version}"


def version_on_trial(settings: Settings, model: str) -> int | None:
    """Return the version that alias `on_trial` belongs on, by the record; None where no trial runs."""
    return next((one.version for one in read_trials(settings, model) if one.outcome is None), None)


def _all(settings: Settings) -> list[Trial]:
    path = trials_record(settings.home)
    try:
        return _Trials.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (ValidationError, ValueError) as error:
        raise RegistryChanged(
            f"{path}: not what this home wrote of its second looks ({str(error).splitlines()[0]}); put it back, or "
            "remove it: then second looks that were declared are not taken, and what they spent stays spent"
        ) from error


def _write(settings: Settings, trials: list[Trial]) -> None:
    write_atomically(trials_record(settings.home), to_json(_Trials.dump_python(trials, mode="json"), indent=1))
