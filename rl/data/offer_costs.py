"""What sending each action commits: as the scenario says it, or as the source's table of offers told before a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from conf.intact_files import refuse_damaged, repair_command, sums_among
from conf.observation_features import NOTHING_OFFERED
from conf.paths import Lake
from conf.specs.reward import millionths
from conf.specs.scenario import Pipeline
from conf.tables import OFFERS
from rl.data.arrow_schema import arrow_schema
from rl.data.pinned_versions import versions_in
from rl.errors import DatasetError


def committed_costs(pipeline: Pipeline, lake: Lake, keys: Sequence[str], last_delivery: date) -> tuple[int, ...]:
    """Return what sending each action commits, in millionths, as known on the day after the last delivery.

    Args:
        pipeline: with a budget.
        lake: of the source.
        keys: natural keys of the actions.
        last_delivery: its date; later deliveries stay unread.

    Raises:
        DatasetError: an action whose cost nobody told, or a table that can't be read.
        DamagedFile: a file isn't what was published.
    """
    budget = pipeline.scenario.budget
    if budget is None:
        raise DatasetError(f"{pipeline.scenario.name} has no budget; write one, or ask for no costs")
    if budget.committed == "offers":
        told, place = _told(pipeline, lake, last_delivery), f"{lake.table(OFFERS.name)} up to {last_delivery}"
    else:
        told = {key: millionths(cost) for key, cost in budget.committed.items()}
        place = "budget.committed"
    known = {NOTHING_OFFERED: 0, **told}
    if missing := [key for key in keys if key not in known]:
        raise DatasetError(
            f"{place}: nothing says what sending {', '.join(missing)} commits (it knows {', '.join(sorted(known))}); "
            "deliver its cost, or write budget.committed"
        )
    return tuple(known[key] for key in keys)


def _told(pipeline: Pipeline, lake: Lake, last_delivery: date) -> dict[str, int]:
    """Return the costs by offer: of the rows that hold at the day's start, the latest; told first, of two such."""
    folder = lake.table(OFFERS.name)
    pointers = versions_in(folder, "delivery_date=", last_delivery)
    files = [file for one in pointers.values() for file in one.files]
    refuse_damaged(folder, sums_among(pointers.values(), files), repair_command(lake.source))
    next_day = datetime.combine(last_delivery + timedelta(days=1), time.min, tzinfo=ZoneInfo(pipeline.source.zone))
    found: dict[str, tuple[datetime, int]] = {}
    names = arrow_schema(OFFERS).names
    for pointer in pointers.values():
        for file in pointer.files:
            try:
                rows = pq.ParquetFile(folder / file).read(columns=names).cast(arrow_schema(OFFERS)).to_pylist()
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
                raise DatasetError(f"{folder / file}: can't be read as the table of offers: {error}") from error
            for row in rows:
                offer, valid_from, cost = row["offer_id"], row["valid_from"], row["cost"]
                is_later = offer not in found or valid_from > found[offer][0]
                if cost is not None and valid_from <= next_day and is_later:
                    found[offer] = (valid_from, cost)
    return {offer: cost for offer, (_, cost) in found.items()}
