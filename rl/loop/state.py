"""How far a loop has come, in one file: each day that was lived, each night that was run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import Field, ValidationError

from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel
from rl.errors import LoopError
from rl.figures.values import LevelSpread, Spread
from rl.figures.verdict import Outcome
from rl.page.wording import counted


class LivedDay(StrictModel):
    """A day of the shop.

    version: of the champion that the service served; None where the shop decided by its own rule.
    policy_version: of that champion, as the decision log names it. share: of the shoppers who got it.
    """

    date: date
    version: int | None = None
    policy_version: str | None = None
    share: float = 1.0


class RunNight(StrictModel):
    """A night after a day.

    version: registered; None where there was nothing to learn. compared_with: what the gain is over. gain: between the
    gate's bounds, gain_level: the two-sided level that these come to. interval: the gain at the confidence of reports.
    true_gain: of the candidate over what it was compared with, on the days of the test episodes, in the simulated shop;
    true_baseline: the true value of that. promised, earned: gain of what is served, as promised and as monitored so
    far. rollout: what the day's look did. alerts: new ones. listed_by: version whose list the next day, or week, is
    decided by; None where there is no list. seconds: by step. Loops that an earlier release began have nights without
    gain_level, interval and true_baseline.
    """

    date: date
    verdict: Outcome
    version: int | None = None
    compared_with: str | None = None
    gain: Spread | None = None
    gain_level: float | None = None
    interval: LevelSpread | None = None
    true_gain: float | None = None
    true_baseline: float | None = None
    is_promoted: bool = False
    promised: float | None = None
    earned: Spread | None = None
    rollout: str | None = None
    alerts: tuple[str, ...] = ()
    listed_by: int | None = None
    seconds: dict[str, float] = Field(default_factory=dict)


class LoopState(StrictModel):
    """A loop so far.

    n_past: days that the shop lived by its own rule before the first night; n_days: days after them.
    """

    scenario: str
    seed: int
    n_past: int
    n_days: int
    days: tuple[LivedDay, ...] = ()
    nights: tuple[RunNight, ...] = ()

    def save(self, path: Path) -> None:
        """Replace the file atomically."""
        write_atomically(path, self.model_dump_json(indent=1) + "\n")


def state_of(path: Path, begun: LoopState) -> LoopState:
    """Return the loop that the file tells of, with more days where more are asked for; `begun` where there is none.

    Raises:
        LoopError: the file is of another loop, or can't be read.
    """
    if not path.exists():
        return begun
    try:
        found = LoopState.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, ValueError) as error:
        raise LoopError(f"{path}: not a loop's state; remove its folder to begin anew: {error}") from error
    if (found.scenario, found.seed, found.n_past) != (begun.scenario, begun.seed, begun.n_past):
        raise LoopError(
            f"{path}: a loop of {found.scenario}, seed {found.seed}, {counted(found.n_past, 'day')} before; remove its "
            "folder, or ask for the same"
        )
    if begun.n_days != found.n_days:
        raise LoopError(
            f"{path}: a loop of {counted(found.n_days, 'day')}; its shop was made for so many: ask for "
            f"DAYS={found.n_days}, or remove its folder to begin anew"
        )
    return found
