"""Who approved, rolled back or turned off which version, and why: what a home lets a service serve.

MLflow's page lets anyone move an alias. So the home keeps a record of its own, written under the registry's lock by the
commands that move aliases on a person's word; an alias that says otherwise was moved by hand and isn't followed.
Nothing here needs MLflow, so that a service can ask it often.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from conf.paths import approvals_record, promotions
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel
from rl.errors import RegistryChanged
from rl.registry.memory import registry_address

Kind = Literal["promote", "rollback", "off", "on", "control", "no_control"]


class Approval(StrictModel):
    """One decision of a person about a model.

    registry: the address of the registry, as the home names it.
    version: champion from then on; of `off` and `on` the one that was champion; of `control` the one that decides for
        the control group from then on, and of `no_control` the one that did.
    replaced: champion before; None where there was none, or where nothing was replaced.
    """

    registry: str
    model: str
    kind: Kind
    version: int
    replaced: int | None
    who: str
    why: str
    at: datetime


@dataclass(frozen=True)
class Standing:
    """What a model's record comes to.

    Attributes:
        champion: version that was approved last; None where the record knows of none.
        is_off: whether it was turned off since.
        approved: versions that were ever approved, among them those of homes before there was a record.
        control: version that decides for the control group; None leaves it to the shop.
    """

    champion: int | None
    is_off: bool
    approved: frozenset[int]
    control: int | None = None

    def allows(self, champion: int) -> bool:
        """Return whether a version with the alias champion has it on a person's word."""
        return champion == self.champion if self.champion is not None else champion in self.approved


_Approvals = TypeAdapter(list[Approval])


def read_approvals(settings: Settings, model: str) -> list[Approval]:
    """Return what was decided about the model in this registry, in the order in which it was.

    Raises:
        RegistryChanged: the record can't be read.
    """
    here = registry_address(settings)
    return [one for one in approvals_in(approvals_record(settings.home)) if (one.registry, one.model) == (here, model)]


def approvals_in(path: Path) -> Sequence[Approval]:
    """Return every decision in a home's record, whatever model and registry it is about; none where there is no record.

    Raises:
        RegistryChanged: the record can't be read.
    """
    try:
        return _Approvals.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (ValidationError, ValueError) as error:
        raise RegistryChanged(
            f"{path}: not what this home wrote of who approved what ({str(error).splitlines()[0]}); put it back, or "
            "remove it and promote the champion again"
        ) from error


def standing(settings: Settings, model: str) -> Standing:
    """Return what the record of the model comes to.

    Raises:
        RegistryChanged: the record can't be read.
    """
    decided = read_approvals(settings, model)
    moved = [one.version for one in decided if one.kind in ("promote", "rollback")]
    switched = [one.kind == "off" for one in decided if one.kind in ("off", "on")]
    control = [one for one in decided if one.kind in ("control", "no_control")]
    earlier = {version for path in promotions(settings.home) if (version := _promoted(path, model)) is not None}
    return Standing(
        champion=moved[-1] if moved else None,
        is_off=switched[-1] if switched else False,
        approved=frozenset(moved) | earlier,
        control=control[-1].version if control and control[-1].kind == "control" else None,
    )


def approve(settings: Settings, model: str, version: int, *, replaced: int | None, who: str, why: str) -> None:
    """Write down that a version was promoted; do nothing where the record says so already.

    Call it under the registry's lock, as all that write here.
    """
    if standing(settings, model).champion != version:
        write_down(settings, model, "promote", version, replaced=replaced, who=who, why=why)


def write_down(
    settings: Settings,
    model: str,
    kind: Kind,
    version: int,
    *,
    replaced: int | None,
    who: str,
    why: str,
) -> Approval:
    """Add a decision to the record and return it."""
    path = approvals_record(settings.home)
    added = Approval(
        registry=registry_address(settings),
        model=model,
        kind=kind,
        version=version,
        replaced=replaced,
        who=who,
        why=why,
        at=datetime.now(UTC),
    )
    write_atomically(path, json.dumps(_Approvals.dump_python([*approvals_in(path), added], mode="json"), indent=1))
    return added


def _promoted(path: Path, model: str) -> int | None:
    """Return the version of the model that a night's promotion.json says was made champion; None for none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        is_promoted = content["model"] == model and content["champion"] == content["version"]
        return int(content["version"]) if is_promoted else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
