"""The published versions that a dataset is made of, by name: what later steps read, whatever is published meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from conf.paths import Lake
from conf.publication import Pointer, read_pointers, write_atomically
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from rl.errors import DatasetError

VERSIONS_FILE = "versions.json"
_LATER = ("item_attributes",)

Versions = Mapping[date, Pointer]


@dataclass(frozen=True)
class PinnedVersions:
    """Pointers by date of each table that a dataset reads, ascending.

    Versions are immutable and are never removed by a build, so that their files stay as long as somebody names them.

    Attributes:
        transitions: by date of the sessions' start.
        availability: by delivery date.
        items: by delivery date.
        item_attributes: by delivery date; what earlier releases pinned has none.
    """

    transitions: Versions
    availability: Versions
    items: Versions
    item_attributes: Versions = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write versions.json to the folder of the prepared dataset."""
        content = {
            one.name: {str(day): pointer.model_dump(mode="json") for day, pointer in getattr(self, one.name).items()}
            for one in fields(self)
        }
        write_atomically(folder / VERSIONS_FILE, json.dumps(content))


def current_versions(pipeline: Pipeline, lake: Lake, horizon: date) -> PinnedVersions:
    """Return the versions that are current now of all dates up to the horizon.

    Raises:
        DatasetError: a pointer that isn't named for a date.
    """
    return PinnedVersions(
        transitions=versions_in(lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline)), "date=", horizon),
        availability=versions_in(lake.table("availability"), "delivery_date=", horizon),
        items=versions_in(lake.table("items"), "delivery_date=", horizon),
        item_attributes=versions_in(lake.table("item_attributes"), "delivery_date=", horizon),
    )


def read_versions(folder: Path) -> PinnedVersions | None:
    """Return the versions that `prepare` pinned; None where an earlier release prepared the dataset without pins.

    Raises:
        DatasetError: the file can't be read.
    """
    path = folder / VERSIONS_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return PinnedVersions(
            **{
                one.name: {
                    date.fromisoformat(day): Pointer.model_validate(pointer)
                    for day, pointer in content[one.name].items()
                }
                for one in fields(PinnedVersions)
                if one.name in content or one.name not in _LATER
            }
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise DatasetError(f"{path}: can't be read ({error}); run prepare again") from error


def with_current_files(pinned: PinnedVersions, pipeline: Pipeline, lake: Lake, horizon: date) -> PinnedVersions:
    """Return the pinned versions, each with the files of the current one where that holds the same rows.

    Files that were damaged and made anew, or whose sums were added since, are so read like any others.

    Raises:
        DatasetError: a pointer that isn't named for a date.
    """
    current = current_versions(pipeline, lake, horizon)
    return PinnedVersions(
        **{
            one.name: _with_files(getattr(pinned, one.name), getattr(current, one.name))
            for one in fields(PinnedVersions)
        }
    )


def _with_files(pinned: Versions, current: Versions) -> Versions:
    return {
        day: pointer.model_copy(update={"files": current[day].files, "sums": current[day].sums})
        if day in current and current[day].manifest.content_hash == pointer.manifest.content_hash
        else pointer
        for day, pointer in pinned.items()
    }


def versions_in(folder: Path, prefix: str, horizon: date) -> dict[date, Pointer]:
    """Return the current versions of a table's dates up to the horizon, ascending.

    Raises:
        DatasetError: a pointer that isn't named for a date.
    """
    found = {_day(name, prefix): pointer for name, pointer in read_pointers(folder).items()}
    return {day: found[day] for day in sorted(found) if day <= horizon}


def _day(partition: str, prefix: str) -> date:
    try:
        return date.fromisoformat(partition.removeprefix(prefix))
    except ValueError as error:
        raise DatasetError(f"pointer {partition!r}: expected a name like {prefix}2026-01-31") from error
