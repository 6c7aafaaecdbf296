"""Launches as the registry's ledger has them, to be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.settings import Settings
from conf.specs.source import Source
from rl.errors import PolicyError
from rl.monitor.cut_days import days_of
from rl.monitor.launch_outcomes import WatchedLaunch
from rl.monitor.promise import PromisedGain
from rl.registry.approvals import Kind, read_approvals
from rl.registry.champion import load_version_policy
from rl.registry.launches import END_WORDS, Launch, launches
from rl.registry.memory import registry_address
from rl.registry.store import open_store
from rl.registry.versions import load_version

_CHANGES: frozenset[Kind] = frozenset({"promote", "rollback", "off", "on", "control", "no_control"})


def watched_launches(settings: Settings, model: str, source: Source) -> list[WatchedLaunch]:
    """Return the launches of a model on a source, the oldest first; a version that was launched again stands once.

    Raises:
        RegistryError: the registry doesn't answer.
        RegistryChanged: the ledger can't be read.
    """
    found = launches(settings.home, model, registry=registry_address(settings))
    own = {one.version: one for one in found if one.source in (None, source.name)}
    if not own:
        return []
    with open_store(settings) as client:
        return [_watched(client, one, ZoneInfo(source.zone)) for one in own.values()]


def days_of_changes(settings: Settings, model: str, source: Source) -> frozenset[date]:
    """Return the business days on which persons or the rollout changed what a service decides with, or for whom.

    Raises:
        RegistryChanged: the ledger or the record of approvals can't be read.
    """
    found = launches(settings.home, model, registry=registry_address(settings))
    others = {one.version for one in found if one.source not in (None, source.name)}
    moments = [one.at for one in read_approvals(settings, model) if one.kind in _CHANGES and one.version not in others]
    stages = [stage for one in found if one.version not in others for stage in one.stages if not stage.is_shadow]
    moments += [one.started_at for one in stages if one.started_at is not None]
    return days_of(moments, source.zone)


def days_of_version_control(settings: Settings, model: str, source: Source, last: date) -> frozenset[date]:
    """Return the business days, up to a last one, on which a version decided for the control group for some time.

    Raises:
        RegistryChanged: the record of approvals can't be read.
    """
    return _days_between(settings, model, source, last, begins="control", ends="no_control")


def days_off(settings: Settings, model: str, source: Source, last: date) -> frozenset[date]:
    """Return the business days, up to a last one, on which a person had turned the service off for some time.

    Raises:
        RegistryChanged: the record of approvals can't be read.
    """
    return _days_between(settings, model, source, last, begins="off", ends="on")


def _days_between(
    settings: Settings, model: str, source: Source, last: date, *, begins: Kind, ends: Kind
) -> frozenset[date]:
    switched = [one for one in read_approvals(settings, model) if one.kind in (begins, ends)]
    found = set[date]()
    for number, one in enumerate(switched):
        if one.kind == begins:
            first = one.at.astimezone(ZoneInfo(source.zone)).date()
            after = [other.at.astimezone(ZoneInfo(source.zone)).date() for other in switched[number + 1 : number + 2]]
            end = min([*after, last])
            found |= {first + timedelta(days=further) for further in range((end - first).days + 1)}
    return frozenset(found)


def in_force(
    settings: Settings, model: str, source: Source, watched: Sequence[WatchedLaunch]
) -> Callable[[date], int | None]:
    """Return which version was approved for a whole business day; None where none was, or it was turned off.

    Before the record of approvals begins, it is the version of the newest night before the day.

    Raises:
        RegistryChanged: the record of approvals can't be read.
    """
    told = [(one.at.astimezone(ZoneInfo(source.zone)).date(), one) for one in read_approvals(settings, model)]
    moves = [(day, one.version) for day, one in told if one.kind in ("promote", "rollback")]
    switched = [(day, one.kind == "off") for day, one in told if one.kind in ("off", "on")]
    own = {one.version for one in watched}

    def version_on(day: date) -> int | None:
        if next((is_off for at, is_off in reversed(switched) if at < day), False):
            return None
        known = next((version for at, version in reversed(moves) if at < day), -1)
        if known == -1:
            nights = [one for one in watched if one.night is not None and one.night < day]
            nights = [one for one in nights if one.ended is None or one.ended >= day]
            known = max(nights, key=lambda one: (one.night, one.version)).version if nights else None
        return known if known in own else None

    return version_on


def _watched(client: MlflowClient, launch: Launch, zone: ZoneInfo) -> WatchedLaunch:
    promise = None if launch.promise is None else launch.promise.against_control
    if promise is not None and not promise.is_paired:
        promise = None  # an earlier release's, over what made the log: mostly the version before
    end = launch.end
    ended = None if end is None or end.at is None else end.at.date()
    policy_version, night = launch.policy_version, launch.night
    version = load_version(client, launch.model, launch.version)
    if version is not None and version.is_ours:
        night = night or version.date
        policy_version = policy_version or version.tags.get("policy_version")
        if policy_version is None:
            try:
                policy_version = load_version_policy(client, version).version
            except (PolicyError, MlflowException, OSError):
                policy_version = None
    return WatchedLaunch(
        version=launch.version,
        policy_version=policy_version,
        night=night,
        promise=None
        if promise is None
        else PromisedGain(promise.value, promise.corrected, promise.lower, promise.upper, promise.level),
        ended=ended,
        end="" if end is None else END_WORDS[end.kind],
        shares=tuple(_shares(launch, zone)),
    )


def _shares(launch: Launch, zone: ZoneInfo) -> Iterator[tuple[date, float]]:
    for stage in launch.stages:
        first = stage.first_day
        if first is None and stage.started_at is not None:
            first = stage.started_at.astimezone(zone).date() + timedelta(days=1)
        if first is not None and not stage.is_shadow:
            yield first, stage.share
