"""Sessions of shoppers, read from the published events; who hasn't consented is left out whole."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.event_types import ENGAGEMENT_TYPES
from conf.intact_files import refuse_damaged, repair_command, sums_among
from conf.kernel.calendar import day_number
from conf.kernel.sessions import DAYS_BEFORE
from conf.kernel_rules import session_rule
from conf.paths import Lake
from conf.specs.shopper_model import SESSION_DAYS, ShopperModel
from conf.specs.source import Source
from conf.tables import EVENTS
from rl.data.pinned_versions import versions_in
from rl.errors import NothingToLearn
from rl.shopper_models.activity_reading import Consent, date_of, read_columns
from rl.shopper_models.running_sessions import RunningSessions, running_sessions

_COLUMNS = ("user_id", "event_type", "event_id", "event_time")


def read_sessions(source: Source, lake: Lake, last_delivery: date, model: ShopperModel) -> RunningSessions:
    """Return the sessions of the model's as-of days, of as many shoppers as it asks for.

    Of an event that several deliveries hold for one day the earliest delivery's row counts. The shoppers whose
    pseudonyms come first are taken: these are hashes, so that it is a draw by chance, and the same every time.

    Args:
        source: whose zone, session rule and steps hold: its decisions where they are of sessions, else every event
            that shows interest.
        lake: of the source.
        last_delivery: its date; later deliveries stay unread.
        model: of sessions.

    Raises:
        NothingToLearn: no events of these days.
        DatasetError: files that can't be read.
        DamagedFile: a file isn't what was published.
    """
    pointers = versions_in(lake.table(EVENTS.name), "delivery_date=", last_delivery)
    n_days = model.step_days * model.n_as_of_days + SESSION_DAYS + source.lateness_days + DAYS_BEFORE
    first = last_delivery - timedelta(days=n_days)
    # The next day's first hours, which files of whole sessions have, are not known yet.
    files = [
        file for one in pointers.values() for file in one.files if first <= date_of(file, "event_date") <= last_delivery
    ]
    folder = lake.table(EVENTS.name)
    refuse_damaged(folder, sums_among(pointers.values(), files), repair_command(source.name))
    steps = (source.decisions.event_type,) if source.decisions.clock == "session_step" else ENGAGEMENT_TYPES
    consent = Consent.read(source, lake, last_delivery)
    types = pa.array(sorted({*ENGAGEMENT_TYPES, *steps}))
    parts = []
    for file in sorted(files, key=lambda one: (date_of(one, "event_date"), date_of(one, "delivery_date"), one)):
        rows = read_columns(folder / file, _COLUMNS)
        rows = rows.filter(pc.and_(pc.is_in(rows["event_type"], value_set=types), pc.not_equal(rows["user_id"], "")))
        if consent is not None:
            rows = rows.filter(consent.is_of(rows["user_id"]))
        for name, column in (("day", "event_date"), ("delivery_day", "delivery_date")):
            rows = rows.append_column(name, pa.array([day_number(date_of(file, column))] * rows.num_rows, pa.int64()))
        parts.append(rows)
    if not parts:
        raise NothingToLearn(f"no events of {first} to {last_delivery} were delivered")
    return _sessions(_of_first_shoppers(_each_once(pa.concat_tables(parts)), model.max_shoppers), source, steps)


def _each_once(rows: pa.Table) -> pa.Table:
    """Return the rows without later ones of an event that an earlier delivery brought for the same day."""
    keys = pa.table({"event_id": rows["event_id"], "day": rows["day"], "row": np.arange(rows.num_rows)})
    first = keys.group_by(["event_id", "day"], use_threads=False).aggregate([("row", "min")])["row_min"]
    return rows.take(pc.take(first, pc.sort_indices(first)))


def _of_first_shoppers(rows: pa.Table, most: int) -> pa.Table:
    shoppers = pc.unique(rows["user_id"]).sort()
    return rows if len(shoppers) <= most else rows.filter(pc.is_in(rows["user_id"], value_set=shoppers[:most]))


def _sessions(rows: pa.Table, source: Source, steps: tuple[str, ...]) -> RunningSessions:
    columns = {name: rows[name].to_numpy() for name in ("user_id", "event_type", "event_id", "day", "delivery_day")}
    columns["time_us"] = rows["event_time"].cast(pa.int64()).to_numpy()
    return running_sessions(columns, session_rule(source), step_types=steps, zone=source.zone)
