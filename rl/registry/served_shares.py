"""For which share of the shoppers each version decides now, and since when: for pages, and as tags in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlflow import MlflowClient

from conf.settings import Settings
from rl.page.wording import share as percent
from rl.registry.approvals import Approval, read_approvals, standing
from rl.registry.entry import TAG
from rl.registry.launches import END_WORDS, Launch, launches
from rl.registry.memory import registry_address
from rl.registry.versions import all_versions

SHARE = "share"
SERVES = "serves"
"""Tags of a version: the share as a number, and in words with since when."""


@dataclass(frozen=True)
class ServedShare:
    """What share of the shoppers a version decides for, those who are held out as control aside.

    Attributes:
        share: from 0 to 1.
        since: when it began to be so; None where an earlier release didn't say.
        why: why it decides for none, in words; empty where it does.
    """

    share: float
    since: datetime | None
    why: str = ""

    @property
    def words(self) -> str:
        """What follows "decides for": `5.0% of the shoppers since 2026-03-01 02:10 UTC`; `all`, of orders products."""
        whom = "all" if self.share == 1 else f"{percent(self.share)} of the shoppers"
        whom = f"none ({self.why})" if self.why else whom
        return whom if self.since is None else f"{whom} since {self.since:%Y-%m-%d %H:%M} UTC"


def served_shares(settings: Settings, model: str) -> dict[int, ServedShare]:
    """Return what share of the shoppers each version that was ever launched decides for, by the home's own records.

    Raises:
        RegistryChanged: the ledger or the record of approvals can't be read.
    """
    decided = read_approvals(settings, model)
    known = launches(settings.home, model, registry=registry_address(settings))
    found = {one.version: _of_launch(one, decided) for one in known}
    running = next((one for one in reversed(known) if one.end is None), None)
    if running is not None and running.is_partial and running.replaced is not None:
        found[running.replaced] = _of_replaced(running, known, decided)
    if standing(settings, model).is_off:
        since = [one.at for one in decided if one.kind == "off"][-1]
        off = ServedShare(0.0, since, "turned off")
        found = {version: off if one.share or version == _number(running) else one for version, one in found.items()}
    return found


def tag_shares(client: MlflowClient, settings: Settings, model: str) -> None:
    """Write the shares to the versions as tags, where they say otherwise.

    Call it under the registry's lock, after whatever moved a share: killed in between, the next command makes it good.
    """
    shares = served_shares(settings, model)
    for version in list(all_versions(client, model)):
        if version.version in shares:
            now = tags_of(shares[version.version])
            for name, value in now.items():
                if version.tags.get(name) != value:
                    client.set_model_version_tag(model, str(version.version), TAG + name, value)


def tags_of(found: ServedShare) -> Mapping[str, str]:
    """Return the tags that say the share."""
    return {SHARE: f"{found.share:g}", SERVES: found.words}


def _of_launch(launch: Launch, decided: Sequence[Approval]) -> ServedShare:
    if launch.end is not None:
        return ServedShare(0.0, launch.end.at, END_WORDS[launch.end.kind])
    stage = launch.stages[-1] if launch.stages else None
    # A version that others were rolled back to is served anew since then.
    made = [one.at for one in decided if one.kind in ("promote", "rollback") and one.version == launch.version]
    begun = [launch.promoted_at, None if stage is None else stage.started_at, *made[-1:], _on_since(decided)]
    since = max((one for one in begun if one is not None), default=None)
    why = "in the shadow" if launch.is_shadow else "taken back by its rollout"
    return ServedShare(launch.share, since, "" if launch.share else why)


def _of_replaced(running: Launch, known: Sequence[Launch], decided: Sequence[Approval]) -> ServedShare:
    """Return what is left to the version that another replaces by stages: beside a shadow all, as before it."""
    left = ServedShare(1 - running.share, _of_launch(running, decided).since)
    launch = next((one for one in reversed(known) if one.version == running.replaced), None)
    before = None if launch is None else _of_launch(launch.model_copy(update={"end": None}), decided)
    return before if before is not None and before.share == left.share else left


def _on_since(decided: Sequence[Approval]) -> datetime | None:
    """Return when the model was last turned on again after it had been off; None where it never was."""
    since, is_off = None, False
    for one in decided:
        if one.kind in ("off", "on"):
            since = one.at if is_off and one.kind == "on" else since
            is_off = one.kind == "off"
    return since


def _number(launch: Launch | None) -> int | None:
    return None if launch is None else launch.version
