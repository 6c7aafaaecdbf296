"""Aliases that were moved by hand in MLflow: found by the home's record and the versions' tags, told, put back.

Nothing that is served follows such an alias. What the record doesn't know (homes of earlier releases) is no problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import structlog
from mlflow import MlflowClient

from conf.settings import Settings
from rl.errors import RegistryChanged
from rl.registry.approvals import Standing, read_approvals, standing
from rl.registry.store import CHALLENGER, CHAMPION, OFF, ON_TRIAL, PREVIOUS, aliases
from rl.registry.switching import mark_rolled_back, version_before
from rl.registry.trials import version_on_trial
from rl.registry.versions import BEHAVIOR, RegisteredVersion, all_versions, may_be_challenger


@dataclass(frozen=True)
class MovedAlias:
    """An alias that isn't where the home's commands left it.

    Attributes:
        alias: its name.
        found: version that it is on in MLflow; None for none.
        expected: version that it belongs on; None for none.
        why: what says so, in words that follow "since".
    """

    alias: str
    found: int | None
    expected: int | None
    why: str

    def __str__(self) -> str:
        return f"alias {self.alias} is on {_named(self.found)} and belongs on {_named(self.expected)}, since {self.why}"


def moved_aliases(client: MlflowClient, settings: Settings, model: str) -> tuple[MovedAlias, ...]:
    """Return the aliases of the model that were moved by hand, or left half moved by a command that was killed.

    A version that was deleted in MLflow takes its aliases along: that isn't told here.

    Raises:
        RegistryChanged: the record can't be read.
    """
    held, known = aliases(client, model), standing(settings, model)
    versions = {one.version: one for one in all_versions(client, model)}
    found = [
        _champion(held, known),
        _off(held, known),
        _previous(client, settings, model, held, known),
        _challenger(held, known, versions),
        _on_trial(held.get(ON_TRIAL), version_on_trial(settings, model)),
    ]
    return tuple(one for one in found if one is not None and (one.expected is None or one.expected in versions))


def refuse_moved_aliases(client: MlflowClient, settings: Settings, model: str) -> None:
    """Raise if an alias of the model was moved by hand, and log each.

    Raises:
        RegistryChanged: names every such alias, what is served meanwhile, and the cure.
    """
    moved = moved_aliases(client, settings, model)
    for one in moved:
        structlog.get_logger().error("an alias was moved by hand", model=model, alias=one.alias, told=str(one))
    if moved:
        raise RegistryChanged(told(model, moved))


def told(model: str, moved: tuple[MovedAlias, ...]) -> str:
    """Return in one line what was moved, what is served meanwhile, and the cure."""
    what = "; ".join(map(str, moved))
    return (
        f"{model}: {what}. Somebody moved it in MLflow, or a command was stopped half-way; what is served doesn't "
        f"follow it. `make restore-aliases SCENARIO={model.removesuffix('-policy')}` puts back what the record says"
    )


def restore_aliases(client: MlflowClient, settings: Settings, model: str) -> tuple[MovedAlias, ...]:
    """Put every alias where the home's record and the versions' tags say, and return those that were elsewhere.

    A rollback that was killed half-way comes to its end so: the version is marked, and no night offers it again. Call
    it under the registry's lock.
    """
    mark_rolled_back(client, settings, model)
    moved = moved_aliases(client, settings, model)
    for one in moved:
        if one.expected is None:
            client.delete_registered_model_alias(model, one.alias)
        else:
            client.set_registered_model_alias(model, one.alias, str(one.expected))
    return moved


def _champion(held: Mapping[str, int], known: Standing) -> MovedAlias | None:
    found = held.get(CHAMPION)
    if found == known.champion or (found is not None and known.allows(found)):
        return None
    if known.withdrawn is not None:
        return MovedAlias(CHAMPION, found, None, f"version {known.withdrawn.replaced} was rolled back, the first one")
    if known.champion is None:
        return MovedAlias(CHAMPION, found, None, "nobody approved that version")
    return MovedAlias(CHAMPION, found, known.champion, f"version {known.champion} was approved last")


def _off(held: Mapping[str, int], known: Standing) -> MovedAlias | None:
    found = held.get(OFF)
    if known.is_off == (found is not None):
        return None
    if known.is_off:
        champion = held.get(CHAMPION) if known.champion is None and known.withdrawn is None else known.champion
        if champion is None:  # the alias needs a version to stand on, and the record turns off without it
            return None
        return MovedAlias(OFF, None, champion, "it was turned off, and nobody turned it on again")
    return MovedAlias(OFF, found, None, "nobody turned it off")


def _previous(
    client: MlflowClient, settings: Settings, model: str, held: Mapping[str, int], known: Standing
) -> MovedAlias | None:
    """Return what is wrong with the alias that a rollback goes to; None also where the record can't tell."""
    decided = read_approvals(settings, model)
    if known.champion is None or not any(one.kind == "promote" and one.version == known.champion for one in decided):
        return None
    expected, found = version_before(client, model, decided, known.champion), held.get(PREVIOUS)
    if found == expected:
        return None
    return MovedAlias(PREVIOUS, found, expected, f"that is what version {known.champion} took over from")


def _on_trial(found: int | None, expected: int | None) -> MovedAlias | None:
    if found == expected:
        return None
    if expected is None:
        return MovedAlias(ON_TRIAL, found, None, "no second look is declared at any version")
    return MovedAlias(ON_TRIAL, found, expected, "a second look is declared at that version")


def _challenger(
    held: Mapping[str, int], known: Standing, versions: Mapping[int, RegisteredVersion]
) -> MovedAlias | None:
    found = held.get(CHALLENGER)
    on = None if found is None else versions.get(found)
    expected = _newest_waiting(held, known, versions)
    if on is not None and not may_be_challenger(on, known.rejected):
        number = None if expected is None else expected.version
        return MovedAlias(CHALLENGER, on.version, number, f"version {on.version} {_refusal(on, known)}")
    is_older = expected is not None and (on is None or _order(on) < _order(expected))
    if expected is None or not is_older:
        return None
    return MovedAlias(CHALLENGER, found, expected.version, "that is the latest night's that passed the gate")


def _newest_waiting(
    held: Mapping[str, int], known: Standing, versions: Mapping[int, RegisteredVersion]
) -> RegisteredVersion | None:
    """Return the latest version that a person may still approve; None where people decided about a later one."""
    number = held.get(CHAMPION) if known.champion is None and known.withdrawn is None else known.champion
    champion = BEHAVIOR if number is None else str(number)
    waiting = [
        one
        for one in versions.values()
        if may_be_challenger(one, known.rejected)
        and one.champion_in_force == champion
        and one.version not in (held.get(CHAMPION), held.get(PREVIOUS))
    ]
    newest = max(waiting, key=_order, default=None)
    settled = [one for one in _decided(held, known, versions) if one.is_ours]
    return None if newest is None or any(_order(one) > _order(newest) for one in settled) else newest


def _decided(
    held: Mapping[str, int], known: Standing, versions: Mapping[int, RegisteredVersion]
) -> Iterator[RegisteredVersion]:
    numbers = {*known.approved, *known.rejected, *(held[alias] for alias in (CHAMPION, PREVIOUS) if alias in held)}
    return (versions[number] for number in numbers if number in versions)


def _order(version: RegisteredVersion) -> tuple[object, int]:
    return version.date, version.version


def _refusal(version: RegisteredVersion, known: Standing) -> str:
    if version.version in known.rejected:
        return f"was rejected ({known.rejected[version.version]})"
    if not version.is_ours:
        return "was registered or edited by hand"
    verdict = version.tags["verdict"]
    return "was rejected or rolled back" if verdict == "promote" else f"has verdict {verdict}"


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
