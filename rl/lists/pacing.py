"""A period's budget spread over its weekly lists: each gets an equal share of what the earlier ones left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.intact_files import refuse_damaged
from conf.paths import Lake
from conf.publication import Pointer, read_pointers
from conf.specs.budget import DAYS_PER_WEEK, Pacing
from rl.errors import DatasetError, PolicyError
from rl.policy.offer_prices import MILLIONTHS

_PARTITION = "as_of="


@dataclass(frozen=True)
class PacedWeek:
    """What a period leaves to one of its weeks; money in millionths.

    Attributes:
        first: day on which the period starts.
        n_weeks: of the period.
        place: of the week in it, from 0.
        period_budget: of all its lists.
        committed_before: by lists of its earlier weeks; a week without a list committed nothing.
        committed_after: by lists of its later weeks, where this week is decided again.
        most: what the week may commit, however much is left.
    """

    first: date
    n_weeks: int
    place: int
    period_budget: int
    committed_before: int
    committed_after: int
    most: int

    @property
    def weekly_budget(self) -> int:
        """The week's share: what earlier weeks left, divided by the weeks to come, this one among them; at least 0.

        Lists of later weeks don't count here, so that a week that is decided again has the budget it had.
        """
        left = self.period_budget - self.committed_before
        return max(0, min(left // (self.n_weeks - self.place), self.most))

    @property
    def left(self) -> int:
        """What the week's list may commit at all; below 0 where the others committed more than the period's budget."""
        return self.period_budget - self.committed_before - self.committed_after

    def refuse_overrun(self, committed: int) -> None:
        """Raise if a list of the week and the period's other lists would commit more than the period's budget.

        Raises:
            PolicyError: they would; says what can be done.
        """
        if committed <= max(self.left, 0):
            return
        last = self.first + timedelta(days=DAYS_PER_WEEK * self.n_weeks - 1)
        hint = (
            "decide its later lists again after this one, or name a smaller --budget"
            if self.committed_after
            else "name a smaller --budget, or change budget.pacing"
        )
        raise PolicyError(
            f"the list was not published: it commits {committed / MILLIONTHS:,.6f}, and the period from {self.first} "
            f"to {last} has {self.left / MILLIONTHS:,.6f} left of its {self.period_budget / MILLIONTHS:,.2f}; {hint}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return what the list's summary says of the period, in currency."""
        return {
            "first": str(self.first),
            "weeks": self.n_weeks,
            "week": self.place + 1,
            "budget": self.period_budget / MILLIONTHS,
            "committed_before": self.committed_before / MILLIONTHS,
            "committed_after": self.committed_after / MILLIONTHS,
            "is_overspent": self.left < 0,
        }


def read_paced_week(pacing: Pacing, lake: Lake, scenario: str, as_of: date, *, weekly: int) -> PacedWeek:
    """Return what the period of a week leaves to it, by the period's other lists as they were published.

    Args:
        pacing: of the scenario's budget.
        lake: that holds the lists.
        scenario: its name.
        as_of: day on which the week starts.
        weekly: the scenario's budget of a week, in millionths.

    Raises:
        DatasetError: a list whose rows don't add up to what its manifest says, or that can't be read.
        DamagedFile: a file isn't what was published.
    """
    first, end = period_of(pacing, as_of)
    pointers = {
        date.fromisoformat(name.removeprefix(_PARTITION)): pointer
        for name, pointer in read_pointers(lake.decisions(scenario)).items()
        if name.startswith(_PARTITION)
    }
    others = [day for day in sorted(pointers) if first <= day < end and day != as_of]
    committed = {day: _committed(lake, scenario, day, pointers[day]) for day in others}
    return paced_week(pacing, as_of, weekly=weekly, committed=committed)


def period_of(pacing: Pacing, as_of: date) -> tuple[date, date]:
    """Return the first day of the period that a week is of, and the day behind its last one."""
    length = DAYS_PER_WEEK * pacing.weeks
    first = as_of - timedelta(days=(as_of - pacing.starts).days % length)
    return first, first + timedelta(days=length)


def paced_week(pacing: Pacing, as_of: date, *, weekly: int, committed: Mapping[date, int]) -> PacedWeek:
    """Return what the period of a week leaves to it.

    Args:
        pacing: of the scenario's budget.
        as_of: day on which the week starts.
        weekly: the scenario's budget of a week, in millionths.
        committed: by each other list, by the day on which its week starts, in millionths.
    """
    first, end = period_of(pacing, as_of)
    return PacedWeek(
        first=first,
        n_weeks=pacing.weeks,
        place=(as_of - first).days // DAYS_PER_WEEK,
        period_budget=weekly * pacing.weeks,
        committed_before=sum(one for day, one in committed.items() if first <= day < as_of),
        committed_after=sum(one for day, one in committed.items() if as_of < day < end),
        most=round(weekly * pacing.most),
    )


def _committed(lake: Lake, scenario: str, as_of: date, pointer: Pointer) -> int:
    """Return what a published list commits, its rows added up anew, in millionths."""
    folder, partition = lake.decisions(scenario), pointer.manifest.partition
    again = f"python -m rl decide --source {lake.source} --scenario {scenario} --date {as_of - timedelta(days=1)}"
    refuse_damaged(folder, pointer.sums, again)
    try:
        parts = [pq.ParquetFile(folder / file).read(columns=["committed"])["committed"] for file in pointer.files]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, KeyError) as error:
        raise DatasetError(f"{folder}: {partition} can't be read ({error}); run `{again}`") from error
    total = sum(int(pc.sum(part).as_py() or 0) for part in parts)
    told = pointer.manifest.counters.get("committed")
    if told != total:
        raise DatasetError(
            f"{folder}: {partition} commits {total} millionths by its rows and {told} by its manifest; run `{again}`"
        )
    return total
