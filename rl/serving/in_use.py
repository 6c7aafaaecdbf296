"""Which version is served: what the follower found in the registry, as a file, and the policy that it leads to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from conf.paths import serving_folder
from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel
from rl.figures.exploration import ExplorationPlan


class InUse(StrictModel):
    """What the registry says is to be served.

    version: of the policy that lies in the follower's folder; None where none was ever approved and loaded.
    is_off: whether the fallback alone is served.
    share: of the shoppers who get `version`; the others get what it replaces. 0 without a version leaves all of them to
        the shop: a first version was rolled back.
    is_shadow: whether `version` decides in the shadow, and no shopper gets it yet.
    incumbent: of the policy that decides for the others; None leaves them to the shop.
    control: of the policy that decides for the control group; None leaves the group to the shop.
    exploring: the exploration plan that is followed; None follows none. Its version's policy lies in the folder too.
    problem: why the registry's champion is not what is served; empty where it is.
    seen_at: when the registry was last looked at.
    """

    version: int | None = None
    is_off: bool = False
    share: float = 1.0
    incumbent: int | None = None
    is_shadow: bool = False
    control: int | None = None
    exploring: ExplorationPlan | None = None
    problem: str = ""
    seen_at: datetime

    @property
    def is_own_rule(self) -> bool:
        """Whether the shop decides for all, by its own rule."""
        return self.version is None and self.share == 0

    def is_same(self, other: InUse | None) -> bool:
        """Return whether the other says the same of what is served, whenever it was seen."""
        return other is not None and self.model_copy(update={"seen_at": other.seen_at}) == other


def in_use_file(home: Path, source: str, scenario: str) -> Path:
    """Return the file that the follower keeps."""
    return serving_folder(home, source, scenario) / "in_use.json"


def policy_folder(home: Path, source: str, scenario: str, version: int) -> Path:
    """Return where the policy of a version lies for serving."""
    return serving_folder(home, source, scenario) / "policies" / str(version)


def read_in_use(path: Path) -> InUse | None:
    """Return what the follower wrote last; None where it never did, or something else is there."""
    try:
        return InUse.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, ValueError):
        return None


def write_in_use(path: Path, found: InUse) -> None:
    """Replace the file."""
    write_atomically(path, found.model_dump_json())


def now() -> datetime:
    """Return the moment, UTC."""
    return datetime.now(UTC)
