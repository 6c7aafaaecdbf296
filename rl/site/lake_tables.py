"""The tables of a source as their manifests tell: rows by day, checks that held, and what each was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import chain

from conf.errors import NightcartError
from conf.observation_features import feature_named
from conf.paths import Lake, path_value
from conf.publication import Manifest, Pointer
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.table_reference import MEANINGS, every_table
from conf.tables import EVENTS, SIDE_TABLES, Table
from rl.site.left_files import LeftFiles

_EXAMPLE = ("recommendation", "simulated_shop")
_ONE_A_SPEC = ("transitions", "histories", "attributes", "observations")
_OF_OBSERVATIONS = ("transitions", "observations")
RAW = "raw"


@dataclass(frozen=True)
class Partition:
    """A published version of a partition: its manifest, its bytes (None where they weren't kept), and when."""

    name: str
    manifest: Manifest
    n_bytes: int | None
    published_at: datetime

    @property
    def day(self) -> date | None:
        """The date that it is named by; None where it is named by none."""
        try:
            return date.fromisoformat(self.name.rpartition("=")[2])
        except ValueError:
            return None


@dataclass(frozen=True)
class TableState:
    """A table of a source, as it is published.

    Attributes:
        source: that it is of.
        name: such as `events` or `transitions/recommendation`.
        table: its columns; None where this release knows no such table, or its scenario's spec can't be read.
        meaning: what a row is.
        features: of its observations, with their meaning; of another spec's table none are known.
        spec_hash: that its folder is named for; empty for tables that aren't kept by spec.
        is_current: whether the scenario's present spec says what it holds.
        partitions: by name, the last one last.
    """

    source: str
    name: str
    table: Table | None
    meaning: str
    features: tuple[tuple[str, str], ...]
    spec_hash: str
    is_current: bool
    partitions: tuple[Partition, ...]

    @property
    def slug(self) -> str:
        """File name of its page, without `.html`."""
        name = self.name.replace("/", ".")
        return f"{name}.{self.spec_hash}" if self.spec_hash and not self.is_current else name

    @property
    def last(self) -> Partition:
        return self.partitions[-1]

    @property
    def n_rows(self) -> int:
        return sum(one.manifest.n_rows for one in self.partitions)

    @property
    def made_from(self) -> Mapping[str, int]:
        """How many inputs the last partition was made from, by the table (or folder of delivered files) they are of."""
        found = Counter(table for name in self.last.manifest.inputs if (table := input_table(name)))
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class CheckRecord:
    """A check over the partitions: a version that fails one is never published."""

    name: str
    n_passed: int
    n_partitions: int
    first: str
    missing: tuple[str, ...]


def read_tables(lake: Lake, left: LeftFiles) -> list[TableState]:
    """Return the source's published tables, by name; one that is empty of partitions is left out."""
    found = [_table(lake, str(folder.relative_to(lake.folder)), left) for folder in lake.published_folders()]
    return [one for one in found if one is not None]


def input_table(name: str) -> str:
    """Return the table that an input is of: `events` of `events/delivery_date=…`, `raw` of a delivered file.

    Other inputs are facts that a version rests on, such as a file's header or that a day had passed: empty.
    """
    head, _, rest = name.partition("/")
    if "=" in rest:
        return head
    return RAW if "/" in rest and head in (EVENTS.name, *SIDE_TABLES) else ""


def check_records(partitions: Sequence[Partition]) -> tuple[CheckRecord, ...]:
    """Return what is known of each check over the partitions, in the order of the manifests."""
    names = dict.fromkeys(chain.from_iterable(one.manifest.checks for one in partitions))
    records = []
    for name in names:
        passed = [one.name for one in partitions if one.manifest.checks.get(name)]
        others = tuple(one.name for one in partitions if not one.manifest.checks.get(name))
        records.append(CheckRecord(name, len(passed), len(partitions), passed[0] if passed else "", others))
    return tuple(records)


def _table(lake: Lake, place: str, left: LeftFiles) -> TableState | None:
    pointers = left.pointers(lake.folder / place)
    if not pointers:
        return None
    kind, _, rest = place.partition("/")
    scenario = rest.partition("/")[0]
    spec_hash = path_value(place, "spec") if "/spec=" in place else ""
    pipeline = _pipeline(scenario, lake.source) if kind in _ONE_A_SPEC else None
    is_current = not spec_hash or (pipeline is not None and data_spec_hash(pipeline) == spec_hash)
    table = _definition(kind, pipeline if is_current else None)
    return TableState(
        source=lake.source,
        name=f"{kind}/{scenario}" if scenario else kind,
        table=table,
        meaning="Files as the shop delivered them, one folder a delivery." if kind == RAW else MEANINGS.get(kind, ""),
        features=_features(pipeline) if is_current and pipeline is not None and kind in _OF_OBSERVATIONS else (),
        spec_hash=spec_hash,
        is_current=is_current,
        partitions=tuple(_partition(name, *found) for name, found in sorted(pointers.items())),
    )


def _partition(name: str, pointer: Pointer, published_at: datetime) -> Partition:
    n_bytes = sum(one.n_bytes for one in pointer.sums.values()) if pointer.sums or not pointer.files else None
    return Partition(name, pointer.manifest, n_bytes, published_at)


def _definition(kind: str, pipeline: Pipeline | None) -> Table | None:
    """Return the table's columns; those of a scenario's own tables as its spec names them, else as an example's."""
    known = _tables_of(*_EXAMPLE) if pipeline is None else every_table(pipeline.scenario)
    return next((one for one in known if one.name == kind), None)


@cache
def _tables_of(scenario: str, source: str) -> tuple[Table, ...]:
    return every_table(load_pipeline(scenario, source).scenario)


def _features(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    named = (one.name for one in pipeline.scenario.observation.features)
    return tuple((name, "" if (known := feature_named(name)) is None else known.meaning) for name in named)


def _pipeline(scenario: str, source: str) -> Pipeline | None:
    """Return the specs of the scenario on the source; None where they can't be read, or don't go together any more."""
    try:
        return load_pipeline(scenario, source)
    except NightcartError:
        return None
