"""A launch's first days, on which the new version decides beside the others and no shopper gets it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from conf.specs.rollout import Rollout
from rl.page import wording
from rl.registry.launches import Look, LookDecision

MOST_FAILED = 0.01
"""Share of the shadow's decisions that may fail, beyond which no shopper gets the version."""


@dataclass
class ShadowTally:
    """What a version decided in the shadow.

    Attributes:
        days: business days with decisions.
        n: decisions that were asked of it.
        n_known: those of them that can be compared with what was answered.
        n_other: those that would have been answered otherwise.
        n_none: those for which it knew nothing that may be chosen.
        failures: by kind of error.
    """

    days: set[date] = field(default_factory=set)
    n: int = 0
    n_known: int = 0
    n_other: int = 0
    n_none: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    def count(self, day: date, *, is_other: bool | None, has_action: bool, failure: str) -> None:
        """Count a decision."""
        self.days.add(day)
        self.n += 1
        self.n_known += is_other is not None
        self.n_other += is_other is True
        self.n_none += not has_action and not failure
        if failure:
            self.failures[failure] = self.failures.get(failure, 0) + 1


def judge_shadow(rollout: Rollout, tally: ShadowTally, asked: Iterable[date]) -> Look:
    """Return what follows from the days in the shadow: the first share, or that it holds.

    Args:
        rollout: what the scenario says.
        tally: what the version decided on these days.
        asked: all days since the launch, up to the one of the look.
    """
    days = sorted(asked)
    silent = [day for day in days if day not in tally.days]
    decision, why = _decided(rollout, tally)
    if silent and decision == "hold":
        why += f"; no decision in the shadow on {', '.join(map(str, silent[:3]))}{' and more' if silent[3:] else ''}"
    counted = sorted(tally.days)
    first, last = (counted[0], counted[-1]) if counted else (None, None)
    return Look(day=days[-1], decision=decision, why=why, first_day=first, last_day=last)


def _decided(rollout: Rollout, tally: ShadowTally) -> tuple[LookDecision, str]:
    n_failed = sum(tally.failures.values())
    if n_failed > MOST_FAILED * tally.n:
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(tally.failures.items(), key=lambda one: -one[1]))
        decisions = wording.counted(tally.n, "decision")
        return "hold", f"{n_failed:,} of {decisions} in the shadow failed ({kinds}): roll back, and mend it"
    if len(tally.days) < rollout.shadow_days:
        return "hold", f"{len(tally.days)} of {wording.counted(rollout.shadow_days, 'day')} in the shadow"
    return "grow", f"{wording.counted(rollout.shadow_days, 'day')} in the shadow: {_in_words(tally)}"


def _in_words(tally: ShadowTally) -> str:
    told = wording.counted(tally.n, "decision")
    if tally.n_known:
        told += f", {tally.n_other / tally.n_known:.0%} of them other than what was answered"
    if tally.n_none:
        told += f", {tally.n_none:,} without an action that it knows"
    return told
