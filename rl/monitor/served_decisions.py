"""Ids of served decisions: as the service logged them, and as they arrived among the events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from conf.id_form import has_keyed_ids, keyed_id
from conf.intact_files import refuse_damaged, repair_command, sums_among
from conf.paths import Lake
from conf.publication import Pointer
from conf.tables import EVENTS
from rl.data.pinned_versions import versions_in
from rl.errors import DatasetError
from rl.serving.decision_log import logged_lines
from rl.shopper_models.activity_reading import date_of, read_columns

_COLUMNS = ("decision_id", "event_type", "policy_version")


def logged_decisions(folder: Path, day: date, lake: Lake, key: bytes) -> frozenset[str] | None:
    """Return the ids of a day's decisions in a service's log, as the tables write them; None without such a log.

    Args:
        folder: of the log.
        day: business day.
        lake: whose tables hold ids as keyed hashes, or as they were delivered.
        key: of the pseudonyms.

    Raises:
        DatasetError: a line that no service wrote.
    """
    is_hashed = has_keyed_ids(lake)
    found = set()
    for number, line in enumerate(logged_lines(folder, day), start=1):
        try:
            name = str(json.loads(line)["decision_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{folder}: line {number} of {day} is no decision of a service; put back the file that it wrote"
            ) from error
        found.add(keyed_id(name, key) if is_hashed else name)
    return frozenset(found) or None


class ArrivedDecisions:
    """Ids of decisions among the published events."""

    def __init__(self, lake: Lake, horizon: date) -> None:
        """Look at which files there are of deliveries up to the horizon."""
        self._lake = lake
        self._pointers: Mapping[date, Pointer] = versions_in(lake.table(EVENTS.name), "delivery_date=", horizon)

    def of_day(self, day: date, event_type: str, policy_versions: Set[str]) -> frozenset[str]:
        """Return the ids of a day's decisions by these policies.

        Raises:
            DatasetError: unreadable files.
            DamagedFile: a file isn't what was published.
        """
        folder = self._lake.table(EVENTS.name)
        files = [name for one in self._pointers.values() for name in one.files if date_of(name, "event_date") == day]
        refuse_damaged(folder, sums_among(self._pointers.values(), files), repair_command(self._lake.source))
        found: set[str] = set()
        for name in files:
            table = read_columns(folder / name, _COLUMNS)
            is_served = pc.is_in(table["policy_version"], value_set=pa.array(sorted(policy_versions), pa.string()))
            kept = table.filter(pc.and_(is_served, pc.equal(table["event_type"], event_type)))
            found.update(one for one in kept["decision_id"].to_pylist() if one is not None)
        return frozenset(found)
