"""Decisions that can't be used: how many a date has, and whether that is still the log that the scenario means.

Counters of a date's manifest: `quarantined.episodes` and `quarantined.decisions` (set aside whole), and of the latter
`quarantined.<reason>` those that can't be used themselves; `repeated_decisions`, events that tell of a decision again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from conf.kernel.quarantine import NO_CONSENT, QUARANTINE_REASONS
from conf.kernel_rules import deciding_type
from conf.publication import Manifest
from conf.set_aside import DECISION_FAULTS
from conf.specs.delivery import MAX_REJECTED_SHARE
from conf.specs.scenario import Pipeline
from jobs.errors import CheckError
from jobs.transitions.events_read import EventsRead
from jobs.transitions.tallies import COMPANION, DECISION, EPISODE_SET_ASIDE, REPEATED, SET_ASIDE, Tally

NO_SHOPPER = "no_shopper"
REASONS = (*QUARANTINE_REASONS, NO_SHOPPER)

_PREFIX = "quarantined."
REPEATED_DECISIONS = "repeated_decisions"

# So few say nothing of a share, unless they are as large a part of the date as a log of another kind would have.
_FEW, _LARGE_PART = 2, MAX_REJECTED_SHARE


@dataclass
class DateDecisions:
    """The decisions of the sessions that start on a date.

    Attributes:
        n: all of them.
        n_repeated: further events that tell of one of them again.
        n_unfit: those that can't be used, by reason.
        n_beside: further ones of the same episodes.
        n_episodes: that are set aside.
        examples: when the first of each reason was made, what it chose and from which set; nothing of the shopper.
    """

    n: int = 0
    n_repeated: int = 0
    n_unfit: Counter[str] = field(default_factory=Counter)
    n_beside: int = 0
    n_episodes: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def n_unusable(self) -> int:
        """Decisions that can't be used; those that may not be, for want of consent, are no sign of a wrong log."""
        return self.n_unfit.total() - self.n_unfit[QUARANTINE_REASONS[NO_CONSENT]]

    def has_too_many(self, bound: float) -> bool:
        """Return whether more decisions can't be used than a share allows; one or two may exceed it.

        Of 30 decisions a single one is more than 3%. A bound of 0 allows none, nor may they be a fifth of all.
        """
        share = self.n_unusable / self.n if self.n else 0.0
        is_few = self.n_unusable <= _FEW and share < _LARGE_PART
        return share > bound and not (is_few and bound > 0)

    @property
    def n_set_aside(self) -> int:
        """Decisions without a transition."""
        return self.n_unfit.total() + self.n_beside

    @property
    def counters(self) -> dict[str, int]:
        """What the date's manifest says; what there is none of is left out."""
        reasons = {f"{_PREFIX}{reason}": n for reason, n in sorted(self.n_unfit.items())}
        found = {
            REPEATED_DECISIONS: self.n_repeated,
            f"{_PREFIX}episodes": self.n_episodes,
            f"{_PREFIX}decisions": self.n_set_aside,
        }
        return {name: n for name, n in (found | reasons).items() if n}


def decisions_of(
    tallies: Iterable[Tally],
    read: Iterable[EventsRead],
    pipeline: Pipeline,
    dates: Collection[date],
    partition_of: Callable[[date], date] = lambda day: day,
) -> dict[date, DateDecisions]:
    """Return what the sessions that start on each date decided; decisions of nobody count on their own date."""
    found: dict[date, DateDecisions] = {day: DateDecisions() for day in dates}
    for row in tallies:
        if row["kind"] == DECISION:
            found[row["day"]].n += row["n"]
        elif row["kind"] == REPEATED:
            found[row["day"]].n_repeated += row["n"]
        elif row["kind"] == EPISODE_SET_ASIDE:
            found[row["day"]].n_episodes += row["n"]
        elif row["kind"] == SET_ASIDE and row["outcome"] == COMPANION:
            found[row["day"]].n_beside += row["n"]
        elif row["kind"] == SET_ASIDE:
            found[row["day"]].n_unfit[row["outcome"]] += row["n"]
            found[row["day"]].examples[row["outcome"]] = row["example"]
    decision = deciding_type(pipeline)
    for one in read:
        owner = partition_of(one.event_date)
        if one.is_of_nobody and not one.is_repeated and one.event_type == decision and owner in found:
            day = found[owner]
            day.n += one.n
            day.n_unfit[NO_SHOPPER] += one.n
            day.examples[NO_SHOPPER] = min(day.examples.get(NO_SHOPPER, "~"), f"{one.first} UTC")
    return found


def refuse_too_many(decided: Mapping[date, DateDecisions], pipeline: Pipeline, where: str) -> None:
    """Raise if more of a date's decisions can't be used than the scenario allows.

    Raises:
        CheckError: names every such date, its reasons, an example of each, and what to do.
    """
    bound = pipeline.scenario.max_quarantined_share
    problems = [line for day, one in sorted(decided.items()) if one.has_too_many(bound) for line in _told(day, one)]
    if problems:
        scenario, source = pipeline.scenario.name, pipeline.source.name
        raise CheckError(
            f"{where}: nothing was published: more than {bound:.2%} of a date's decisions can't be used\n"
            + "\n".join(problems)
            + f"\nmend conf/sources/{source}.yaml (events.action, events.item_id, events.availability_id) or deliver "
            f"the missing {_missing(pipeline)}, and ingest again; {_of_items(pipeline)}where the log is right as it "
            f"is, raise max_quarantined_share in conf/scenarios/{scenario}.yaml: their episodes are set aside and "
            "counted"
        )


def _missing(pipeline: Pipeline) -> str:
    return "availability sets" if pipeline.scenario.ordering is None else "counts of products"


def _of_items(pipeline: Pipeline) -> str:
    if not pipeline.scenario.action.item_categories:
        return ""
    return (
        "decisions of the first day that delivers items have no category (action.item_categories counts from the day "
        "after): deliver items a day before the first decisions; "
    )


def repeated_total(manifests: Iterable[Manifest]) -> int:
    """Return how many events told of a decision again, over all the dates."""
    return sum(manifest.counters.get(REPEATED_DECISIONS, 0) for manifest in manifests)


def quarantined_totals(manifests: Iterable[Manifest]) -> dict[str, int]:
    """Return how many episodes and decisions are set aside, and why, over all the dates."""
    total: Counter[str] = Counter(dict.fromkeys(("episodes", "decisions"), 0))
    for manifest in manifests:
        for name, n in manifest.counters.items():
            if name.startswith(_PREFIX):
                total[name.removeprefix(_PREFIX)] += n
    return dict(total)


def _told(day: date, decided: DateDecisions) -> list[str]:
    n = decided.n_unusable
    head = f"  date={day}: {n} of {decided.n} decisions ({n / decided.n:.2%})"
    reasons = [
        f"    {n} {reason}: they {DECISION_FAULTS[reason]}; the first: {decided.examples[reason]}"
        for reason, n in decided.n_unfit.most_common()
    ]
    return [head, *reasons]
