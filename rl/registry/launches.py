"""The ledger of launches: what was promoted, on which promise, at which share of shoppers, and how it ended.

`launches.json` in the home. Entries are added and filled in under the registry's lock, never removed. How a launch
ended is also told by the record of approvals: what was rolled back, or promoted after it, ends it whoever wrote it
down. So a home of an earlier release has launches too, without a promise. Nothing here needs MLflow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from conf.paths import approvals_record, launches_record, promotions
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel
from rl.errors import RegistryChanged, RegistryError
from rl.registry.approvals import Approval, approvals_in
from rl.registry.memory import registry_address

SCHEMA = 1
ROLLOUT = "rollout"
"""Who is written down where the pipeline itself grew, finished or took back a launch."""

LookDecision = Literal["hold", "grow", "complete", "retreat"]
EndKind = Literal["retreated", "rolled_back", "superseded"]
END_WORDS: dict[EndKind, str] = {
    "retreated": "taken back by its rollout",
    "rolled_back": "rolled back",
    "superseded": "replaced",
}


class PromisedGain(StrictModel):
    """A gain per episode that was predicted when a version was promoted, in the scenario's reward unit.

    baseline: a champion's name, `behavior` or `control`. corrected: with the luck of passing the gate taken out, as it
    counts in an average of promoted gains; None where that isn't known. lower, upper: each bound's one-sided confidence
    is `level`. baseline_value: what the baseline earns. is_paired: whether both were valued on the same episodes
    together; earlier releases took gains over control for independent differences from what made the log.
    """

    baseline: str
    value: float
    corrected: float | None = None
    lower: float
    upper: float
    level: float
    baseline_value: float | None = None
    is_paired: bool = True


class Promise(StrictModel):
    """What a version was promoted on, from its evaluation.

    gain: over what it was gated against. against_control: over the shop's own rule, which a control group keeps; the
    same gain where that made the whole log and was the baseline, None where the rule decided for too few to tell.
    steps: decisions that an episode's value runs over.
    """

    estimator: str
    reward_unit: str
    steps: int
    gain: PromisedGain
    against_control: PromisedGain | None = None


class ScheduledBound(StrictModel):
    """What decided whether a stage grew at a look of its schedule, beside the bounds of every day.

    number: of the scheduled look of the stage, from 1. lower: bound of the gain, which is missed at any scheduled look
    of the stage with probability `level` at most. margin: the stage grew where the bound was above minus it.
    """

    number: int = Field(ge=1)
    lower: float
    level: float
    margin: float


class LastingGain(StrictModel):
    """What the shoppers drawn in a launch's first stage bring beside those who aren't drawn yet, as of one look.

    Counted from `first_day` on, by which most have come back: some may stay away by then, or come more often.
    Otherwise as in `Look`.
    """

    first_day: date
    n_new: int
    n_replaced: int
    gain: float
    standard_error: float
    lower: float
    upper: float


class Look(StrictModel):
    """What one day's look at a stage found; figures are None where they couldn't be had, and `why` says so.

    day: business date up to which transitions were read. first_day, last_day: business days whose decisions count, all
    of them with their attribution closed. former_share: share who got the version before the stage, and aren't
    compared in it; None in looks of earlier releases, which compared all who came. n_new, n_replaced: shoppers of each
    arm. new_mean, replaced_mean: value a shopper since the stage began, adjusted. gain: relative difference of the two,
    .1 for 10% more; standard_error: its own. lower, upper: its bounds, each of which is missed at any look of the stage
    with probability `level` at most. By these a version goes back on any day, and grows where no schedule says when.
    mismatch: p-value of the arms' sizes. few_rewarded: p-value of how few shoppers of the new arm brought anything,
    where values can't be compared; 1 where they can. lasting: None where it couldn't be told yet; lasting_few_rewarded:
    likewise. scheduled: what decided growth on a schedule; None on other days, where something else decided, and in
    lines of an earlier release.
    """

    day: date
    decision: LookDecision
    why: str
    first_day: date | None = None
    last_day: date | None = None
    n_new: int = 0
    n_replaced: int = 0
    new_mean: float | None = None
    replaced_mean: float | None = None
    gain: float | None = None
    standard_error: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    mismatch: float | None = None
    scheduled: ScheduledBound | None = None
    former_share: float | None = None
    few_rewarded: float | None = None
    lasting: LastingGain | None = None
    lasting_few_rewarded: float | None = None


class Stage(StrictModel):
    """A share of the shoppers who get the new version, from a moment on, and the looks at it, one a day.

    share: 0 also where an earlier release's rollout went back, with no version to go back to: the shop decides for all.
    first_day: first business day whose decisions may count; those of days on which the share wasn't in force don't.
    is_shadow: whether the version decides beside what it replaces, and no shopper gets it yet; the share is 0 then.
    """

    share: float = Field(ge=0, le=1)
    started_at: datetime | None
    first_day: date | None = None
    looks: tuple[Look, ...] = ()
    is_shadow: bool = False


class End(StrictModel):
    """How a version stopped being served. retreated: by the rollout; rolled_back: by a person; superseded: by another.

    who, why: as the record of approvals has them. at: None where an earlier release didn't say.
    """

    kind: EndKind
    who: str
    why: str
    at: datetime | None = None


class Launch(StrictModel):
    """One promotion.

    registry: address of the registry, as the home names it. source: None where an earlier release didn't say.
    policy_version: under which the version's decisions are logged. replaced: champion before; None where there was
    none, so that the shop's own decisions were replaced. replaced_policy_version: likewise. night: date of the night
    that registered the version. promoted_at, who, why: of the approval. promise: None for promotions before there was
    a ledger. stages: in order, the last one being served. completed_at: when every shopper got it (but the control
    group); None where it hasn't come to that. end: None while it is served.
    """

    registry: str
    model: str
    source: str | None = None
    version: int
    policy_version: str | None = None
    replaced: int | None = None
    replaced_policy_version: str | None = None
    night: date | None = None
    promoted_at: datetime | None = None
    who: str = ""
    why: str = ""
    promise: Promise | None = None
    stages: tuple[Stage, ...] = ()
    completed_at: datetime | None = None
    end: End | None = None

    @property
    def share(self) -> float:
        """Share of the shoppers who get the version now, of those that aren't held out; 0 once it has ended."""
        if self.end is not None:
            return 0.0
        return self.stages[-1].share if self.stages else 1.0

    @property
    def is_rolling(self) -> bool:
        """Whether it is being rolled out: some shoppers get it, or will, and some still what it replaces."""
        return self.end is None and (0 < self.share < 1 or self.is_shadow)

    @property
    def is_shadow(self) -> bool:
        """Whether it only decides in the shadow of what it replaces."""
        return self.end is None and bool(self.stages) and self.stages[-1].is_shadow

    @property
    def served_since(self) -> date | None:
        """First business day of the first stage at which shoppers get it; None where that isn't known, or none did."""
        return next((stage.first_day for stage in self.stages if not stage.is_shadow), None)

    @property
    def served_shares(self) -> tuple[float, ...]:
        """Shares of the shoppers who got it, stage by stage, without its days in the shadow."""
        return tuple(stage.share for stage in self.stages if not stage.is_shadow)

    @property
    def is_partial(self) -> bool:
        """Whether it is served and some shoppers, or all, get what it replaces."""
        return self.end is None and self.share < 1

    @property
    def looks(self) -> tuple[Look, ...]:
        """Every look at it, in order."""
        return tuple(look for stage in self.stages for look in stage.looks)


class _Ledger(StrictModel):
    version: int = Field(default=SCHEMA, ge=1, le=SCHEMA)
    launches: tuple[Launch, ...] = ()


def launches(home: Path, model: str, *, registry: str | None = None) -> list[Launch]:
    """Return the approved launches of a model, the oldest first, each with how it ended.

    Promotions before there was a ledger are launches to all shoppers at once, without a promise.

    Args:
        home: of the deployment.
        model: registered model.
        registry: address, as `registry_address` has it; None for all that the home used.

    Raises:
        RegistryChanged: the ledger or the record of approvals can't be read.
    """
    return [one for one in _known(home, model, registry) if one.promoted_at is not None or not one.stages]


def running_launch(settings: Settings, model: str, version: int) -> Launch | None:
    """Return the launch of a version while it is served; None where there is none, or it has ended.

    Raises:
        RegistryChanged: the ledger or the record of approvals can't be read.
    """
    found = launches(settings.home, model, registry=registry_address(settings))
    return next((one for one in reversed(found) if one.version == version and one.end is None), None)


def begin_launch(settings: Settings, launch: Launch) -> Launch:
    """Write down that a version is launched and return the launch; one that runs already stays as it is.

    Call it under the registry's lock, as all that write here, and before the promotion is approved: a service that sees
    an approved version finds its share.
    """
    known = _known(settings.home, launch.model, registry_address(settings))
    before = next((one for one in reversed(known) if one.version == launch.version and one.end is None), None)
    if before is not None:
        return before
    _store(settings, launch.model, [*known, launch])
    return launch


def write_look(settings: Settings, launch: Launch, look: Look) -> Launch:
    """Write down a look at the launch's present stage, in place of the same day's, and return the launch."""
    stage = launch.stages[-1]
    looks = (*(one for one in stage.looks if one.day != look.day), look)
    looked = stage.model_copy(update={"looks": tuple(sorted(looks, key=lambda one: one.day))})
    return _replace(settings, launch, stages=(*launch.stages[:-1], looked))


def begin_stage(settings: Settings, launch: Launch, share: float, first_day: date | None = None) -> Launch:
    """Write down that a greater share of the shoppers gets the version from now on; with all of them it is complete.

    Args:
        settings: name the home.
        launch: as it is written down.
        share: of the shoppers.
        first_day: first business day whose decisions may count.

    Raises:
        RegistryError: the share isn't greater than the present one.
    """
    if share <= launch.share:
        raise RegistryError(f"{launch.model} version {launch.version}: {share:g} is no growth from {launch.share:g}")
    now = datetime.now(UTC)
    stages = (*launch.stages, Stage(share=share, started_at=now, first_day=first_day))
    return _replace(settings, launch, stages=stages, completed_at=now if share == 1 else None)


def settle_launches(settings: Settings, model: str) -> None:
    """Write down how launches ended, as the record of approvals has it; do nothing where there is no ledger yet."""
    if launches_record(settings.home).exists():
        _store(settings, model, _known(settings.home, model, registry_address(settings)))


def _replace(settings: Settings, launch: Launch, **changed: object) -> Launch:
    """Put the launch with what has changed in the place of the same one, and return it."""
    now = launch.model_copy(update=changed)
    known = _known(settings.home, launch.model, registry_address(settings))
    _store(settings, launch.model, [now if _is_same(one, launch) else one for one in known])
    return now


def _is_same(one: Launch, other: Launch) -> bool:
    return (one.version, one.promoted_at) == (other.version, other.promoted_at)


def _store(settings: Settings, model: str, found: Sequence[Launch]) -> None:
    address, ledger = registry_address(settings), _read(settings.home)
    others = [one for one in ledger.launches if (one.registry, one.model) != (address, model)]
    now = _Ledger(launches=(*others, *found))
    if now != ledger:
        write_atomically(launches_record(settings.home), json.dumps(now.model_dump(mode="json"), indent=1))


def _read(home: Path) -> _Ledger:
    path = launches_record(home)
    try:
        return _Ledger.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _Ledger()
    except (ValidationError, ValueError) as error:
        raise RegistryChanged(
            f"{path}: not what this home wrote of its launches ({str(error).splitlines()[0]}); put it or a backup "
            "back; or remove it: then what is served goes to all shoppers, and the promises are lost"
        ) from error


def _known(home: Path, model: str, registry: str | None) -> list[Launch]:
    """Return every launch of the model, also those that are written down and not approved yet."""
    approved = [one for one in approvals_in(approvals_record(home)) if one.model == model]
    recorded = [one for one in _read(home).launches if one.model == model]
    addresses = list(dict.fromkeys([one.registry for one in approved] + [one.registry for one in recorded])) or [
        registry or ""
    ]
    versions = {one.version for one in recorded} | {one.version for one in approved if one.kind == "promote"}
    earlier = [one for one in _before_approvals(home, model, addresses[0]) if one.version not in versions]
    found: list[Launch] = []
    for place, address in enumerate(addresses):
        own = [one for one in recorded if one.registry == address]
        of_address = [one for one in approved if one.registry == address]
        found += _settled([*(earlier if place == 0 else []), *own], of_address)
    return [one for one in found if registry is None or one.registry in ("", registry)]


def _settled(recorded: Sequence[Launch], approved: Sequence[Approval]) -> list[Launch]:
    """Return the launches of one registry with what approvals add: launches without an entry, and how each ended.

    A rollback ends the launch of what was rolled back, and what it goes back to, if anything, is served again.
    """
    found = list(recorded)
    for one in approved:
        if one.kind == "promote" and one.version is not None:
            place = _place(found, one)
            if place is None:
                found.append(_imported(one, one.version))
            else:
                found[place] = _approved(found[place], one)
    for one in approved:
        if one.kind == "promote":
            found = [
                _ended(launch, "superseded", one) if _is_served_before(launch, one) else launch for launch in found
            ]
        elif one.kind == "rollback":
            kind: EndKind = "retreated" if one.who == ROLLOUT else "rolled_back"
            found = [_ended(launch, kind, one) if _is_taken_back(launch, one) else launch for launch in found]
            back = max((n for n, launch in enumerate(found) if launch.version == one.version), default=None)
            if back is not None:
                found[back] = found[back].model_copy(update={"end": None})
    return found


def _place(found: Sequence[Launch], approval: Approval) -> int | None:
    """Return where the launch is that the approval is of; the one with its moment before one that waits for it."""
    own = [n for n, launch in enumerate(found) if launch.version == approval.version]
    exact = [n for n in own if found[n].promoted_at == approval.at]
    return next(iter(exact or [n for n in own if found[n].promoted_at is None]), None)


def _approved(launch: Launch, approval: Approval) -> Launch:
    """Return the launch as it was on its approval: what ended it since is told by later ones."""
    told = {"promoted_at": approval.at, "who": approval.who, "why": approval.why, "end": None}
    return launch.model_copy(update=told)


def _imported(approval: Approval, version: int) -> Launch:
    return Launch(
        registry=approval.registry,
        model=approval.model,
        version=version,
        replaced=approval.replaced,
        promoted_at=approval.at,
        who=approval.who,
        why=approval.why,
        completed_at=approval.at,
    )


def _is_served_before(launch: Launch, promotion: Approval) -> bool:
    """Return whether the launch is open and was approved before the promotion: earlier releases didn't say when."""
    is_waiting = launch.promoted_at is None and bool(launch.stages)
    is_earlier = launch.promoted_at is None or launch.promoted_at < promotion.at
    return launch.end is None and not is_waiting and is_earlier


def _is_taken_back(launch: Launch, rollback: Approval) -> bool:
    is_earlier = launch.promoted_at is None or launch.promoted_at < rollback.at
    return launch.version == rollback.replaced and launch.end is None and is_earlier


def _ended(launch: Launch, kind: EndKind, approval: Approval) -> Launch:
    why = f"version {approval.version} was promoted ({approval.why})" if kind == "superseded" else approval.why
    return launch.model_copy(update={"end": End(kind=kind, who=approval.who, why=why, at=approval.at)})


def _before_approvals(home: Path, model: str, registry: str) -> list[Launch]:
    """Return what an earlier release's nights promoted, by their dates; each ends with the next one."""
    found: dict[int, Launch] = {}
    for path in promotions(home):
        launch = _of_promotion(path, model, registry)
        if launch is not None and launch.version not in found:
            found[launch.version] = launch
    ordered = sorted(found.values(), key=lambda one: (one.night or date.min, one.version))
    ends = [End(kind="superseded", who="", why=f"version {one.version} was promoted") for one in ordered[1:]]
    ended = [one.model_copy(update={"end": end}) for one, end in zip(ordered[:-1], ends, strict=True)]
    return [*ended, *ordered[-1:]]


def _of_promotion(path: Path, model: str, registry: str) -> Launch | None:
    """Return the launch that a night's promotion.json tells of; None where it tells of none of the model's."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["model"] != model or told["champion"] != told["version"]:
            return None
        return Launch(
            registry=registry,
            model=model,
            source=told.get("source"),
            version=told["version"],
            replaced=told.get("previous"),
            night=told.get("date"),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
