"""Versions that wait for a person's answer, as the registry has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient

from conf.settings import Settings
from rl.page.wording import age
from rl.registry.approvals import approvers, standing
from rl.registry.history import EarlierVersion, remembered
from rl.registry.store import CHALLENGER, CHAMPION, aliases
from rl.registry.versions import BEHAVIOR, RegisteredVersion, load_version, may_be_challenger


@dataclass(frozen=True)
class WaitingVersion:
    """A version that passed the gate and that nobody has answered for.

    Attributes:
        version: its entry.
        registered_at: when it was registered.
        judged: with the gain that its run holds.
        approved_by: people who have approved it already, where it needs a second one.
        stale: why it can't be approved any more; empty where it can.
    """

    version: RegisteredVersion
    registered_at: datetime
    judged: EarlierVersion
    approved_by: tuple[str, ...]
    stale: str = ""

    def age(self, now: datetime) -> str:
        """Return how long it has waited: `3 days`, `5 hours`, `20 minutes`."""
        return age(now - self.registered_at)


def waiting_version(client: MlflowClient, settings: Settings, model: str) -> WaitingVersion | None:
    """Return the model's version that waits for an answer; None where none does.

    Raises:
        RegistryChanged: the record of approvals can't be read.
    """
    held, known = aliases(client, model), standing(settings, model)
    version = load_version(client, model, held[CHALLENGER]) if CHALLENGER in held else None
    if version is None or not may_be_challenger(version, known.rejected) or version.version == held.get(CHAMPION):
        return None
    made = client.get_model_version(model, str(version.version)).creation_timestamp
    return WaitingVersion(
        version,
        registered_at=datetime.fromtimestamp(int(made) / 1000, tz=UTC),
        judged=remembered(client, version),
        approved_by=approvers(settings, model, version.version),
        stale=_stale(version, held),
    )


def _stale(version: RegisteredVersion, held: dict[str, int]) -> str:
    champion = str(held[CHAMPION]) if CHAMPION in held else BEHAVIOR
    if champion == version.champion_in_force:
        return ""
    return "the champion has changed since it was gated: gate again"
