"""A published version as OpenLineage's events: a run that started, read datasets, wrote one and is complete.

Source: OpenLineage 1.54, spec 2-0-2. A table is the dataset `file` + its folder; a feed is one of the namespace
`nightcart://SOURCE`. Partitions of both stand in a facet of our own, and so does what the version was made under.
"""

from __future__ import annotations

from datetime import UTC, datetime

import attr
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    dataset_version_dataset,
    nominal_time_run,
    output_statistics_output_dataset,
    schema_dataset,
)

from conf.tables import Table
from jobs.lineage.published_versions import PublishedVersion

PRODUCER = "https://nightcart"
_FILE = "file"


@attr.define
class PartitionsFacet(DatasetFacet):
    """Which partitions of a dataset were read or written; of a feed, which files."""

    partitions: list[str] = attr.field(factory=list)


@attr.define
class VersionFacet(RunFacet):
    """What a version was made under: hashes as in its manifest, the horizon, and the counts that people read."""

    spec_hash: str = attr.field(default="")
    code_hash: str = attr.field(default="")
    horizon: str = attr.field(default="")
    counters: dict[str, int] = attr.field(factory=dict)


def events_of(version: PublishedVersion, table: Table | None) -> list[RunEvent]:
    """Return the START and the COMPLETE of a version, both at the moment when its pointer was written.

    Manifests don't say when the work on a version began.

    Args:
        version: what was published.
        table: its columns; None where today's specs know them no more.
    """
    job = Job(namespace=f"nightcart://{version.lake.source}", name=version.table)
    run = Run(runId=version.run_id, facets=_run_facets(version))
    moment = datetime.fromtimestamp(version.published_at, UTC).isoformat()
    inputs = _inputs(version)
    return [
        RunEvent(eventTime=moment, producer=PRODUCER, run=run, job=job, eventType=kind, inputs=inputs, outputs=outputs)
        for kind, outputs in ((RunState.START, []), (RunState.COMPLETE, [_output(version, table)]))
    ]


def _run_facets(version: PublishedVersion) -> dict[str, RunFacet]:
    manifest = version.pointer.manifest
    made = VersionFacet(
        spec_hash=manifest.spec_hash,
        code_hash=manifest.code_hash,
        horizon=str(manifest.horizon),
        counters=dict(manifest.counters),
        producer=PRODUCER,
    )
    facets: dict[str, RunFacet] = {"nightcart_version": made}
    if version.day is not None:
        nominal = nominal_time_run.NominalTimeRunFacet(f"{version.day}T00:00:00Z", producer=PRODUCER)
        facets["nominalTime"] = nominal
    return facets


def _inputs(version: PublishedVersion) -> list[InputDataset]:
    tables = [
        InputDataset(_FILE, str(version.lake.folder / name), facets={"nightcart_partitions": _partitions(read)})
        for name, read in version.read_tables().items()
    ]
    feeds = [
        InputDataset(f"nightcart://{version.lake.source}", name, facets={"nightcart_partitions": _partitions(read)})
        for name, read in version.read_feeds().items()
    ]
    return tables + feeds


def _output(version: PublishedVersion, table: Table | None) -> OutputDataset:
    manifest = version.pointer.manifest
    facets: dict[str, DatasetFacet] = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(manifest.content_hash, producer=PRODUCER),
        "nightcart_partitions": _partitions([manifest.partition]),
    }
    if table is not None:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(column.name, column.type, column.meaning)
                for column in table.columns
            ],
            producer=PRODUCER,
        )
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=manifest.n_rows,
        size=sum(one.n_bytes for one in version.pointer.sums.values()) if version.pointer.sums else None,
        fileCount=len(version.pointer.files),
        producer=PRODUCER,
    )
    return OutputDataset(_FILE, str(version.folder), outputFacets={"outputStatistics": statistics}, facets=facets)


def _partitions(names: list[str]) -> PartitionsFacet:
    return PartitionsFacet(partitions=names, producer=PRODUCER)
