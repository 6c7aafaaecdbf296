"""Days of a launch on which its version decided for nobody: no figure of it could tell that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from rl.figures.monitor import Alert
from rl.monitor.launch_outcomes import WatchedLaunch
from rl.monitor.served_rows import ServedRows
from rl.page import wording
from rl.rollout.silence import is_surely_silent


@dataclass(frozen=True)
class Meant:
    """Who is meant to get a version.

    Attributes:
        gets: whether a pseudonym is among them on a day; None where nobody is drawn by it, as of who opted out.
        chance: that a shopper is, on a day.
    """

    gets: Callable[[str, date], bool | None]
    chance: Callable[[date], float]


def undecided_alerts(
    rows: ServedRows, launch: WatchedLaunch, meant: Meant, *, first: date, last: date, fallback: str
) -> list[Alert]:
    """Return an alert for each day on which a version decided for nobody, though shoppers came who were to get it.

    Also where none of these arrived, and so many others that some should have.

    Args:
        rows: that were read.
        launch: of the version.
        meant: who was to get it.
        first: day on which it was to decide.
        last: day whose late lines are in.
        fallback: policy version of decisions that no policy made.
    """
    day, is_by_fallback = rows.row_day, rows.is_by({fallback})
    own = np.zeros(len(day), dtype=np.bool_) if launch.policy_version is None else rows.is_by({launch.policy_version})
    shopper = rows.transitions.user[rows.row_episode]
    alerts = []
    for number in np.unique(day[(day >= first.toordinal()) & (day <= last.toordinal())]):
        of_day, when = day == number, date.fromordinal(int(number))
        lots = {code: meant.gets(rows.shoppers[code], when) for code in np.unique(shopper[of_day]).tolist()}
        is_meant = of_day & np.isin(shopper, [code for code, gets in lots.items() if gets])
        n_others = sum(gets is False for gets in lots.values())
        if (of_day & own).any() or not (is_meant.any() or is_surely_silent(n_others, meant.chance(when))):
            continue
        n, n_own = wording.counted(int(of_day.sum()), "decision"), int(is_meant.sum())
        n_fallback, n_own_fallback = (int((chosen & is_by_fallback).sum()) for chosen in (of_day, is_meant))
        said = (
            f"Version {launch.version} decided for nobody on {when}, though it is launched: the fallback made "
            f"{n_fallback} of {n}, and {n_own_fallback} of the {n_own} of shoppers who were to get it. See whether the "
            "service runs, can load it, and knows what is on offer; `make rollback` leaves all to what was before."
        )
        alerts.append(Alert(kind="undecided", day=when, subject=f"version {launch.version}", sentence=said))
    return alerts
