"""Whether every decision that was served is in the tables, and every decision in the tables was served."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

N_NAMED = 5


@dataclass(frozen=True)
class Arrivals:
    """Decisions of one served day in the service's log and in the tables.

    Attributes:
        n_logged: in the service's log.
        n_arrived: of these, in the tables.
        n_missing: of these, not in the tables.
        missing: some of their ids, ascending.
        n_strange: in the tables under a served policy's name, and not in the log.
        strange: some of their ids, ascending.
        is_due: whether all must have arrived by now; else what is missing may still come.
    """

    n_logged: int
    n_arrived: int
    n_missing: int
    missing: tuple[str, ...]
    n_strange: int
    strange: tuple[str, ...]
    is_due: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing that is due, and nothing is strange."""
        return not self.n_strange and not (self.is_due and self.n_missing)


def arrivals(logged: Set[str], arrived: Set[str], *, is_due: bool) -> Arrivals:
    """Return what of a day's decisions came, and what came that nobody decided.

    Args:
        logged: ids in the service's log, as the tables write them.
        arrived: ids in the tables of decisions by policies that are served.
        is_due: whether deliveries up to the day's lateness are in.
    """
    missing, strange = sorted(logged - arrived), sorted(arrived - logged)
    return Arrivals(
        n_logged=len(logged),
        n_arrived=len(logged) - len(missing),
        n_missing=len(missing),
        missing=tuple(missing[:N_NAMED]),
        n_strange=len(strange),
        strange=tuple(strange[:N_NAMED]),
        is_due=is_due,
    )
