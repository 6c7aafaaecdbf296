"""Who approved, rejected, rolled back or turned off which version, and why: what a home lets a service serve.

MLflow's page lets anyone move an alias. So the home keeps a record of its own, written under the registry's lock by the
commands that move aliases on a person's word; an alias that says otherwise was moved by hand and isn't followed.
The record only grows: each entry holds the hash of the one before it, and a record whose entries were changed or taken
out isn't read. Nothing here needs MLflow, so that a service can ask it often.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from conf.paths import approvals_record, promotions
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel
from rl.errors import RegistryChanged
from rl.registry.memory import registry_address

Kind = Literal[
    "approve", "promote", "reject", "rollback", "off", "on", "control", "no_control", "explore", "no_explore"
]

FIRST = "first"
"""What the first entry of a record follows."""


class Approval(StrictModel):
    """One decision of a person about a model.

    registry: the address of the registry, as the home names it.
    kind: `approve` is the word of the first of two persons, and moves nothing yet; `promote` is the last one needed.
    version: champion from then on; of `approve` and `reject` the one that was asked about; of `off` and `on` the one
        that was champion; of `control` the one that decides for the control group from then on, and of `no_control`
        the one that did; of `explore` the one whose exploration plan is followed from then on, and of `no_explore` the
        one whose plan was. None where a rollback left the shop's own rule to decide, since no champion was before, and
        of `on` after it.
    replaced: champion before; None where there was none, or where nothing was replaced.
    follows: hash of the entry before it in the file; `first` for the first; None in entries of earlier releases.
    """

    registry: str
    model: str
    kind: Kind
    version: int | None
    replaced: int | None
    who: str
    why: str
    at: datetime
    follows: str | None = None

    @property
    def digest(self) -> str:
        """Hash of the entry as the file holds it."""
        content = self.model_dump(mode="json", exclude_unset=True)
        return sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()[:32]

    def __str__(self) -> str:
        return f"{self.who}, {self.at:%Y-%m-%d %H:%M}: {self.why}"


@dataclass(frozen=True)
class Standing:
    """What a model's record comes to.

    Attributes:
        champion: version that was approved last; None where the record knows of none.
        is_off: whether it was turned off since.
        approved: versions that were ever approved, among them those of homes before there was a record.
        control: version that decides for the control group; None leaves it to the shop.
        exploring: version whose exploration plan is followed; None follows none.
        rejected: by version, the word of the person who rejected it; nothing approves it any more.
        withdrawn: the rollback of a version that had no champion before it; the shop's own rule decides for all since.
            None where nothing was rolled back so, or a version was promoted since.
    """

    champion: int | None
    is_off: bool
    approved: frozenset[int]
    control: int | None = None
    exploring: int | None = None
    rejected: Mapping[int, Approval] = field(default_factory=dict)
    withdrawn: Approval | None = None

    def allows(self, champion: int) -> bool:
        """Return whether a version with the alias champion has it on a person's word."""
        if self.withdrawn is not None:
            return False
        return champion == self.champion if self.champion is not None else champion in self.approved


_Approvals = TypeAdapter(list[Approval])


def read_approvals(settings: Settings, model: str) -> list[Approval]:
    """Return what was decided about the model in this registry, in the order in which it was.

    Raises:
        RegistryChanged: the record can't be read.
    """
    here = registry_address(settings)
    return [one for one in approvals_in(approvals_record(settings.home)) if (one.registry, one.model) == (here, model)]


def standing(settings: Settings, model: str) -> Standing:
    """Return what the record of the model comes to.

    Raises:
        RegistryChanged: the record can't be read.
    """
    decided = read_approvals(settings, model)
    moved, last = [one for one in decided if one.kind in ("promote", "rollback")], last_move(decided)
    switched = [one.kind == "off" for one in decided if one.kind in ("off", "on")]
    control = [one for one in decided if one.kind in ("control", "no_control")]
    exploring = [one for one in decided if one.kind in ("explore", "no_explore")]
    earlier = {version for path in promotions(settings.home) if (version := _promoted(path, model)) is not None}
    return Standing(
        champion=None if last is None else last.version,
        is_off=switched[-1] if switched else False,
        approved=frozenset(one.version for one in moved if one.version is not None) | earlier,
        control=control[-1].version if control and control[-1].kind == "control" else None,
        exploring=exploring[-1].version if exploring and exploring[-1].kind == "explore" else None,
        rejected={one.version: one for one in reversed(decided) if one.kind == "reject" and one.version is not None},
        withdrawn=None if last is None or last.version is not None else last,
    )


def last_move(decided: Sequence[Approval]) -> Approval | None:
    """Return the last entry that said which version is champion, whatever else was decided since; None without one."""
    return next((one for one in reversed(decided) if one.kind in ("promote", "rollback")), None)


def approvers(settings: Settings, model: str, version: int) -> tuple[str, ...]:
    """Return who has given the version their word as the first of two persons, each once."""
    words = (one for one in read_approvals(settings, model) if (one.kind, one.version) == ("approve", version))
    return tuple(dict.fromkeys(one.who for one in words))


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
    version: int | None,
    *,
    replaced: int | None,
    who: str,
    why: str,
) -> Approval:
    """Add a decision to the record and return it."""
    path = approvals_record(settings.home)
    before = approvals_in(path)
    added = Approval(
        registry=registry_address(settings),
        model=model,
        kind=kind,
        version=version,
        replaced=replaced,
        who=who,
        why=why,
        at=datetime.now(UTC),
        follows=before[-1].digest if before else FIRST,
    )
    content = _Approvals.dump_python([*before, added], mode="json", exclude_unset=True)
    write_atomically(path, json.dumps(content, indent=1))
    return added


def approvals_in(path: Path) -> Sequence[Approval]:
    """Return every decision in a home's record, whatever model and registry it is about; none where there is no record.

    Raises:
        RegistryChanged: it is no record, or an entry was changed, put in or taken out.
    """
    try:
        entries = _Approvals.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (ValidationError, ValueError) as error:
        raise RegistryChanged(
            f"{path}: not what this home wrote of who approved what ({str(error).splitlines()[0]}); put it back, or "
            "remove it and promote the champion again"
        ) from error
    if (place := _broken(entries)) is not None:
        raise RegistryChanged(
            f"{path}: entry {place + 1} doesn't follow the one before it: the record was edited by hand, and it only "
            "grows; put it back as it was, or remove it and promote the champion again"
        )
    return entries


def _broken(entries: Sequence[Approval]) -> int | None:
    """Return the place of the first entry that doesn't follow the one before; None where all do.

    Entries of earlier releases, without hashes, stand before all others.
    """
    for place, one in enumerate(entries):
        before = entries[place - 1] if place else None
        is_old = one.follows is None and (before is None or before.follows is None)
        if not is_old and one.follows != (FIRST if before is None else before.digest):
            return place
    return None


def _promoted(path: Path, model: str) -> int | None:
    """Return the version of the model that a night's promotion.json says was made champion; None for none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        is_promoted = content["model"] == model and content["champion"] == content["version"]
        return int(content["version"]) if is_promoted else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
