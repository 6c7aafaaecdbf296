"""What was delivered day by day: how fresh a source is, and which share of its lines was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

from conf.paths import Lake
from conf.publication import IGNORED_WHERE, Pointer
from conf.shared_lake.binding import BINDING_FILE, read_binding
from conf.specs.source import Source, load_source
from conf.tables import READ_RIGHT
from rl.site.left_files import LeftFiles

_REJECTED = "rejected."


@dataclass(frozen=True)
class Delivery:
    """A delivery as its manifest counts it: accepted + rejected + not yet = lines, where nothing was derived.

    ignored_where: of the ignored lines those that a column of `ignore_where` set aside, by its name.
    """

    day: date
    n_lines: int
    n_events: int
    n_rejected: int
    n_not_yet: int
    reasons: Mapping[str, int]
    published_at: datetime
    notes: tuple[str, ...] = ()
    ignored_where: Mapping[str, int] = field(default_factory=dict)

    @property
    def rejected_share(self) -> float | None:
        """Share of the lines that is rejected; None where there were none."""
        return self.n_rejected / self.n_lines if self.n_lines else None

    @property
    def wrong_share(self) -> float | None:
        """Share of the lines that counts against the delivery: rejected, and neither a bot's, a repeat nor ignored."""
        n_right = sum(n for reason, n in self.reasons.items() if reason in READ_RIGHT)
        return (self.n_rejected - n_right) / self.n_lines if self.n_lines else None


@dataclass(frozen=True)
class Shared:
    """How far a source follows the store of a shared lake, as the home itself knows: the store isn't asked."""

    url: str
    commit: int
    at: datetime


@dataclass(frozen=True)
class SourceState:
    """What a source delivered.

    Attributes:
        name: of the source.
        title: its title; its name where its spec can't be read.
        deliveries: that are published, the oldest first.
        missing: days between the first and the last without a delivery.
        may_reject: `wrong_share` up to which a delivery is published; None where the spec can't be read.
        shared: what is followed of a shared lake; None where the home is alone.
    """

    name: str
    title: str
    deliveries: tuple[Delivery, ...]
    missing: tuple[date, ...]
    may_reject: float | None
    shared: Shared | None = None

    @property
    def last(self) -> Delivery | None:
        return self.deliveries[-1] if self.deliveries else None


@dataclass(frozen=True)
class Reasons:
    """Lines that were rejected over several deliveries, by reason; of ignored ones, by the column that says so."""

    n_lines: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    ignored_where: dict[str, int] = field(default_factory=dict)


def read_source(lake: Lake, left: LeftFiles) -> SourceState:
    """Return what the source delivered, from the manifests of its events."""
    pointers = left.pointers(lake.table("events"))
    read = (left.attempt(partial(_delivery, name, *found), None) for name, found in sorted(pointers.items()))
    deliveries = [one for one in read if one is not None]
    source = left.attempt(lambda: _spec(lake.source), None)
    return SourceState(
        name=lake.source,
        title=lake.source if source is None else source.title,
        deliveries=tuple(deliveries),
        missing=_missing([one.day for one in deliveries]),
        may_reject=None if source is None else float(source.max_rejected_share),
        shared=left.attempt(lambda: _shared(lake), None),
    )


def reasons_of(deliveries: Sequence[Delivery]) -> Reasons:
    """Return the rejected lines of the deliveries by reason, the most frequent first."""
    return Reasons(
        sum(one.n_lines for one in deliveries),
        _summed(one.reasons for one in deliveries),
        _summed(one.ignored_where for one in deliveries),
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the counts added up by name, the largest first, without those of none."""
    added: Counter[str] = Counter()
    for one in counts:
        added.update(one)
    ordered = sorted(((n, name) for name, n in added.items() if n), key=lambda pair: (-pair[0], pair[1]))
    return {name: n for n, name in ordered}


def _shared(lake: Lake) -> Shared | None:
    binding = read_binding(lake.folder)
    if binding is None:
        return None
    changed = (lake.folder / BINDING_FILE).stat().st_mtime
    return Shared(binding.url, binding.followed, datetime.fromtimestamp(changed, UTC))


def _spec(name: str) -> Source | None:
    return load_source(name)


def _delivery(partition: str, pointer: Pointer, published_at: datetime) -> Delivery | None:
    counters, manifest = pointer.manifest.counters, pointer.manifest
    return Delivery(
        day=date.fromisoformat(partition.rpartition("=")[2]),
        n_lines=counters.get("n_lines", 0),
        n_events=counters.get("n_events", manifest.n_rows),
        n_rejected=counters.get("n_rejected", 0),
        n_not_yet=counters.get("n_not_yet", 0),
        reasons={name.removeprefix(_REJECTED): n for name, n in counters.items() if name.startswith(_REJECTED)},
        published_at=published_at,
        ignored_where=_summed(
            {name.removeprefix(IGNORED_WHERE): n for name, n in of_feed.items() if name.startswith(IGNORED_WHERE)}
            for of_feed in manifest.profile.values()
        ),
        notes=(*(f"{name}: {words}" for name, words in manifest.notes.items()), *manifest.drift),
    )


def _missing(days: Sequence[date]) -> tuple[date, ...]:
    if not days:
        return ()
    every = (days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days))
    return tuple(day for day in every if day not in set(days))
