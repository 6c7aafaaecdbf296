"""Back to the champion before, off, and on again: on a person's word, under the registry's lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mlflow import MlflowClient

from conf.settings import Settings
from rl.errors import RefusedRequest
from rl.registry.approvals import Approval, last_move, read_approvals, standing, write_down
from rl.registry.entry import TAG
from rl.registry.exploration import set_exploring
from rl.registry.launches import running_launch
from rl.registry.person import Person
from rl.registry.store import CHALLENGER, CHAMPION, OFF, PREVIOUS, aliases
from rl.registry.versions import ROLLED_BACK, load_version


def switched(
    client: MlflowClient,
    settings: Settings,
    model: str,
    person: Person,
    *,
    what: Literal["rollback", "off", "on", "control", "explore"],
    version: int | None = None,
) -> Approval:
    """Do what the person says, and return the record of it; `version` is that of `control` and `explore`.

    Raises:
        RefusedRequest: there is nothing that it could be done to.
    """
    if what == "control":
        return set_control(client, settings, model, person, version)
    if what == "explore":
        return set_exploring(client, settings, model, person, version)
    done = {"rollback": roll_back, "off": turn_off, "on": turn_on}[what]
    return done(client, settings, model, person)


def roll_back(client: MlflowClient, settings: Settings, model: str, person: Person) -> Approval:
    """Make the champion before the present one champion again, and return the record of it.

    A first version took over from the shop's own rule: rolled back, it leaves no champion, and the shop decides for all
    again; done again, that returns the record of it. What was rolled back is marked, so that no repeated night offers
    it again. The record is written before the aliases move: a rollback that was killed in between is finished by the
    next one instead of going back once more.

    Raises:
        RefusedRequest: there is no champion, or the one before it is gone or was never approved.
    """
    held = aliases(client, model)
    if CHAMPION not in held and (done := standing(settings, model).withdrawn) is not None:
        return done
    champion = _champion(held, model)
    decided = read_approvals(settings, model)
    last = last_move(decided)
    if last is not None and last.kind == "rollback" and last.version == champion:
        _settle_previous(client, model, decided, champion)
        held = aliases(client, model)
    if last is not None and last.kind == "rollback" and last.replaced == champion:
        approval = last
    else:
        target = _before(client, settings, model, held)
        approval = write_down(settings, model, "rollback", target, replaced=champion, who=person.who, why=person.why)
    client.set_model_version_tag(model, str(champion), TAG + ROLLED_BACK, str(person))
    if held.get(CHALLENGER) == champion:
        client.delete_registered_model_alias(model, CHALLENGER)
    if approval.version is None:
        client.delete_registered_model_alias(model, CHAMPION)
        return approval
    client.set_registered_model_alias(model, CHAMPION, str(approval.version))
    _settle_previous(client, model, decided, approval.version)
    return approval


def finish_rollback(client: MlflowClient, settings: Settings, model: str, who: str) -> None:
    """Move the aliases of a rollback that was killed after it was written down, if it was `who`'s; else do nothing."""
    decided, champion = read_approvals(settings, model), aliases(client, model).get(CHAMPION)
    last = last_move(decided)
    if last is not None and (last.kind, last.who, last.replaced) == ("rollback", who, champion):
        roll_back(client, settings, model, Person(last.who, last.why))


def mark_rolled_back(client: MlflowClient, settings: Settings, model: str) -> None:
    """Mark the version that was rolled back last, where a rollback was killed before it did."""
    last = last_move(read_approvals(settings, model))
    if last is None or last.kind != "rollback" or last.replaced is None:
        return
    version = load_version(client, model, last.replaced)
    if version is not None and ROLLED_BACK not in version.tags:
        person = Person(last.who, last.why)
        client.set_model_version_tag(model, str(last.replaced), TAG + ROLLED_BACK, str(person))


def turn_off(client: MlflowClient, settings: Settings, model: str, person: Person) -> Approval:
    """Let nothing but the fallback be served, and return the record of it; an exploration plan ends with it.

    Raises:
        RefusedRequest: there is no champion, or it is off already. One that was killed half-way is finished.
    """
    held = aliases(client, model)
    champion, before = _champion(held, model), standing(settings, model)
    if before.is_off and OFF in held:
        last = [one for one in read_approvals(settings, model) if one.kind == "off"][-1]
        raise RefusedRequest(f"{model} is off already ({last}); `make on` serves version {champion} again")
    approval = write_down(settings, model, "off", champion, replaced=None, who=person.who, why=person.why)
    client.set_registered_model_alias(model, OFF, str(champion))
    if before.exploring is not None:
        set_exploring(client, settings, model, person, None)
    return approval


def turn_on(client: MlflowClient, settings: Settings, model: str, person: Person) -> Approval:
    """Let the champion be served again, or whatever is promoted next where a first version was rolled back while off.

    Raises:
        RefusedRequest: there is no champion, and nothing that was turned off.
    """
    held, known = aliases(client, model), standing(settings, model)
    is_left_off = known.is_off and known.withdrawn is not None and CHAMPION not in held
    champion = None if is_left_off else _champion(held, model)
    if OFF in held:
        client.delete_registered_model_alias(model, OFF)
    return write_down(settings, model, "on", champion, replaced=None, who=person.who, why=person.why)


def set_control(client: MlflowClient, settings: Settings, model: str, person: Person, version: int | None) -> Approval:
    """Let a version that decided before decide for the control group, and return the record of it.

    Its decisions are what the shop had, with exact propensities. A clone of a log that never decided is no control.

    Args:
        client: MLflow's.
        settings: name the home that holds the record.
        model: registered model.
        person: who says so, and why.
        version: that decides; None leaves the group to the shop again.

    Raises:
        RefusedRequest: the version is gone, never was approved, or is the champion that it is to be held against; or
            there is nothing to leave to the shop.
    """
    found = standing(settings, model)
    if version is None:
        if found.control is None:
            raise RefusedRequest(f"{model}: the control group is the shop's own already")
        return write_down(settings, model, "no_control", found.control, replaced=None, who=person.who, why=person.why)
    if load_version(client, model, version) is None or version not in found.approved:
        known = ", ".join(map(str, sorted(found.approved))) or "none"
        raise RefusedRequest(
            f"{model}: version {version} never decided in the shop, or was deleted, and a control group is decided as "
            f"the shop was before; approved ones are {known}"
        )
    if version == aliases(client, model).get(CHAMPION):
        raise RefusedRequest(f"{model}: version {version} is the champion, and would be held against itself")
    return write_down(settings, model, "control", version, replaced=None, who=person.who, why=person.why)


def _champion(held: dict[str, int], model: str) -> int:
    if CHAMPION not in held:
        raise RefusedRequest(f"{model} has no champion: nothing is served that could be rolled back or turned off")
    return held[CHAMPION]


def _before(client: MlflowClient, settings: Settings, model: str, held: dict[str, int]) -> int | None:
    """Return the version to go back to; None where the champion is a first version, which replaced the shop's own rule.

    Raises:
        RefusedRequest: it was deleted, or nobody ever approved it, or nothing tells what the champion replaced.
    """
    target = held.get(PREVIOUS)
    if target is None:
        launch = running_launch(settings, model, held[CHAMPION])
        if launch is not None and launch.replaced is None:
            return None
        before = "what was champion" if launch is None else f"version {launch.replaced}, the champion"
        raise RefusedRequest(
            f"{model}: {before} before version {held[CHAMPION]} isn't there any more to go back to; `make off` serves "
            "the fallback alone"
        )
    if load_version(client, model, target) is None or target not in standing(settings, model).approved:
        raise RefusedRequest(
            f"{model}: version {target} has the alias previous, but it was deleted or nobody approved it; put the "
            "alias back on the champion before, or `make off` serves the fallback alone"
        )
    return target


def _settle_previous(client: MlflowClient, model: str, decided: list[Approval], champion: int) -> None:
    """Give the alias previous to the version that the champion once replaced, or to none."""
    before = version_before(client, model, decided, champion)
    if before is not None:
        client.set_registered_model_alias(model, PREVIOUS, str(before))
    else:
        client.delete_registered_model_alias(model, PREVIOUS)


def version_before(client: MlflowClient, model: str, decided: Sequence[Approval], champion: int) -> int | None:
    """Return the version that the champion once replaced, as the record has it; None for none, or where it is gone.

    Args:
        client: MLflow's.
        model: registered model.
        decided: what was decided about the model, the latest last.
        champion: its version.
    """
    replaced = [one.replaced for one in decided if one.kind == "promote" and one.version == champion]
    before = replaced[-1] if replaced else None
    version = None if before is None else load_version(client, model, before)
    return None if version is None or ROLLED_BACK in version.tags else before
