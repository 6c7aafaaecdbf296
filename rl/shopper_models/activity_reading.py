"""What shoppers did on each day, read from the published events; who hasn't consented is left out whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.event_types import ENGAGEMENT_TYPES
from conf.id_form import mixed_ids
from conf.intact_files import refuse_damaged, repair_command, sums_among
from conf.kernel.arrays import BoolArray, IntArray
from conf.kernel.calendar import day_number
from conf.paths import Lake
from conf.publication import Pointer
from conf.specs.source import Source
from conf.tables import CONSENT, EVENTS
from rl.data.arrow_schema import arrow_schema
from rl.data.pinned_versions import versions_in
from rl.errors import DatasetError
from rl.shopper_models.daily_activity import DailyActivity, daily_activity

_SHOPPER = ("user_id", "event_type")
_MONEY = ("price", "quantity", "currency", "amount", "discount")
_MOST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class ReadActivity:
    """The activity and what it was read from.

    Attributes:
        activity: of shoppers who consent.
        inputs: content hash of each delivery that was read, by `<table>/delivery_date=<date>`.
        n_left_out: shoppers without consent.
        key_id: of the pseudonyms' key.
        currency: that all amounts are in; empty where no purchase has any.
    """

    activity: DailyActivity
    inputs: Mapping[str, str]
    n_left_out: int
    key_id: str
    currency: str


def read_activity(source: Source, lake: Lake, last_delivery: date, *, n_days: int) -> ReadActivity:
    """Return what is known of shoppers by the last delivery, of its day and as many days before it.

    Only the columns that are needed are read, a business day at a time. Of an event that several deliveries hold for
    one day the earliest delivery's row counts. Days are complete once the source's lateness has passed.

    Args:
        source: whose zone and lateness hold.
        lake: of the source.
        last_delivery: its date; later deliveries stay unread, whatever they hold.
        n_days: how far back events are read.

    Raises:
        DatasetError: nothing published for that date, ids or keys of two kinds, several currencies, unreadable files.
        DamagedFile: a file isn't what was published.
    """
    pointers = versions_in(lake.table(EVENTS.name), "delivery_date=", last_delivery)
    _refuse_unfit(lake, pointers, last_delivery)
    first = last_delivery - timedelta(days=n_days)
    # Files that hold whole sessions have the next day's first hours: it is not over, and nobody knows of it yet.
    files = [
        file for one in pointers.values() for file in one.files if first <= date_of(file, "event_date") <= last_delivery
    ]
    refuse_damaged(lake.table(EVENTS.name), sums_among(pointers.values(), files), repair_command(source.name))
    by_day: dict[date, list[str]] = {}
    for file in files:
        by_day.setdefault(date_of(file, "event_date"), []).append(file)
    parts = [_visits_of_day(lake.table(EVENTS.name), day, by_day[day]) for day in sorted(by_day)]
    visits = pa.concat_tables(parts) if parts else _empty()
    consent = Consent.read(source, lake, last_delivery)
    kept = visits if consent is None else visits.filter(consent.is_of(visits["user_id"]))
    n_left_out = 0 if consent is None else _n_shoppers(visits) - _n_shoppers(kept)
    complete_through = day_number(last_delivery) - source.lateness_days
    return ReadActivity(
        activity=daily_activity(
            {name: kept[name].to_numpy() for name in kept.column_names if name != "currency"},
            complete_through=complete_through,
        ),
        inputs={
            **{f"{EVENTS.name}/delivery_date={day}": one.manifest.content_hash for day, one in pointers.items()},
            **({} if consent is None else consent.inputs),
        },
        n_left_out=n_left_out,
        key_id=next(iter(pointers.values())).manifest.key_id,
        currency=_one_currency(lake, kept),
    )


@dataclass(frozen=True)
class Consent:
    """Who consents, as of the end of the last delivery's day, and what says so.

    Attributes:
        given: shoppers who gave it.
        refused: shoppers who refused it, or took it back.
        takes_unlisted: whether everybody else consents.
        inputs: content hash of each delivery of the table; and what holds for everybody else, where they consent.
    """

    given: pa.Array
    refused: pa.Array
    takes_unlisted: bool
    inputs: Mapping[str, str]

    def is_of(self, shoppers: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return whether each of the shoppers consents."""
        if self.takes_unlisted:
            return pc.invert(pc.is_in(shoppers, value_set=self.refused))
        return pc.is_in(shoppers, value_set=self.given)

    def __contains__(self, shopper: object) -> bool:
        """Return whether the shopper consents."""
        return (shopper not in self._named) if self.takes_unlisted else (shopper in self._named)

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset((self.refused if self.takes_unlisted else self.given).to_pylist())

    @classmethod
    def read(cls, source: Source, lake: Lake, last_delivery: date) -> Consent | None:
        """Return who consents; None where the source asks nobody.

        A shopper's latest row that holds then counts; of rows that say both of one moment, the one that takes it back.
        Of whom no row says anything, the source's `consent.unlisted` does.
        """
        if source.consent is None:
            return None
        pointers = versions_in(lake.table(CONSENT.name), "delivery_date=", last_delivery)
        files = [file for one in pointers.values() for file in one.files]
        folder = lake.table(CONSENT.name)
        refuse_damaged(folder, sums_among(pointers.values(), files), repair_command(source.name))
        schema = arrow_schema(CONSENT)
        told = [
            read_columns(folder / file, schema.names).append_column(
                "delivered", pa.array([day_number(date_of(file, "delivery_date"))] * n_rows, pa.int64())
            )
            for file in files
            if (n_rows := pq.read_metadata(folder / file).num_rows)
        ]
        inputs = {f"{CONSENT.name}/delivery_date={day}": one.manifest.content_hash for day, one in pointers.items()}
        takes_unlisted = source.consent.takes_unlisted
        if takes_unlisted:
            inputs[f"{CONSENT.name}/unlisted"] = source.consent.unlisted
        if not told:
            nobody = pa.array([], pa.string())
            return cls(nobody, nobody, takes_unlisted, inputs)
        rows = pa.concat_tables(told)
        end = datetime.combine(last_delivery + timedelta(days=1), time.min, tzinfo=ZoneInfo(source.zone))
        rows = rows.filter(pc.less(rows["valid_from"], pa.scalar(end, pa.timestamp("us", tz="UTC"))))
        rows = rows.append_column("is_taken_back", pc.invert(rows["is_given"]))
        order = [("user_id", "ascending"), ("valid_from", "ascending"), ("delivered", "ascending")]
        rows = rows.sort_by([*order, ("is_taken_back", "ascending")])
        user = rows["user_id"].to_numpy()
        is_last: BoolArray = np.append(user[1:] != user[:-1], True) if len(user) else np.zeros(0, dtype=np.bool_)
        latest = rows.filter(pa.array(is_last))
        given, refused = (
            latest.filter(latest[name])["user_id"].combine_chunks().cast(pa.string())
            for name in ("is_given", "is_taken_back")
        )
        return cls(given, refused, takes_unlisted, inputs)


def _visits_of_day(folder: Path, day: date, files: Sequence[str]) -> pa.Table:
    """Return the shoppers' visits of a business day: every purchase, and of all else one row a shopper and delivery."""
    deliveries = sorted({date_of(file, "delivery_date") for file in files})
    has_repeats = len(deliveries) > 1
    names = [*_SHOPPER, *_MONEY, *(["event_id"] if has_repeats else [])]
    seen: list[pa.Table] = []
    known = pa.array([], pa.string())
    for delivered in deliveries:
        read = [read_columns(folder / file, names) for file in files if date_of(file, "delivery_date") == delivered]
        rows = pa.concat_tables(read)
        if has_repeats:
            given = rows["event_id"].combine_chunks()
            rows = rows.filter(pc.invert(pc.is_in(rows["event_id"], value_set=known))).drop_columns(["event_id"])
            known = pa.concat_arrays([known, given])
        seen.append(_visits(rows, day, delivered))
    return pa.concat_tables(seen)


def _visits(rows: pa.Table, day: date, delivered: date) -> pa.Table:
    is_visit = pc.is_in(rows["event_type"], value_set=pa.array(ENGAGEMENT_TYPES))
    rows = rows.filter(pc.and_(is_visit, pc.not_equal(rows["user_id"], "")))
    is_purchase = pc.equal(rows["event_type"], "purchase")
    others = rows.filter(pc.invert(is_purchase)).group_by("user_id").aggregate([("event_type", "min")])
    bought = rows.filter(is_purchase)
    n_others, n_bought = others.num_rows, bought.num_rows
    whole = n_others + n_bought
    return pa.table(
        {
            "user_id": pa.chunked_array([*others["user_id"].chunks, *bought["user_id"].chunks], pa.string()),
            "event_type": pa.chunked_array(
                [*others["event_type_min"].chunks, *bought["event_type"].chunks], pa.string()
            ),
            "day": np.full(whole, day_number(day), dtype=np.int64),
            "delivery_day": np.full(whole, day_number(delivered), dtype=np.int64),
            "spend": np.concatenate([np.zeros(n_others, dtype=np.int64), _paid(bought)]),
            "discount": np.concatenate([np.zeros(n_others, dtype=np.int64), _whole(bought["discount"])]),
            "currency": pa.chunked_array([pa.nulls(n_others, pa.string()), *bought["currency"].chunks], pa.string()),
        }
    )


def _paid(bought: pa.Table) -> IntArray:
    """Return what was paid for each purchase, millionths: the amount, else price times pieces; 0 where neither is."""
    price, quantity = _whole(bought["price"]), _whole(bought["quantity"])
    fits = (quantity == 0) | (np.abs(price) <= _MOST // np.maximum(np.abs(quantity), 1))
    product = np.where(fits, price * np.where(fits, quantity, 0), 0)
    has_amount = pc.is_valid(bought["amount"]).to_numpy()
    found: IntArray = np.where(has_amount, _whole(bought["amount"]), product)
    return found


def _whole(column: pa.ChunkedArray) -> IntArray:
    return np.asarray(pc.fill_null(column, 0).to_numpy(), dtype=np.int64)


def _n_shoppers(visits: pa.Table) -> int:
    return int(pc.count_distinct(visits["user_id"]).as_py())


def _one_currency(lake: Lake, visits: pa.Table) -> str:
    found = sorted(str(one) for one in pc.unique(visits["currency"]).to_pylist() if one is not None)
    if len(found) > 1:
        raise DatasetError(
            f"{lake.folder}: purchases are in {', '.join(found)}, which can't be added up; map the source's `currency` "
            "with rates (`currencies`), and ingest again"
        )
    return found[0] if found else ""


def _refuse_unfit(lake: Lake, pointers: Mapping[date, Pointer], last_delivery: date) -> None:
    if last_delivery not in pointers:
        known = f"ingested are {min(pointers)} to {max(pointers)}" if pointers else "nothing is ingested up to then"
        raise DatasetError(
            f"{lake.table(EVENTS.name)}: no delivery of {last_delivery} ({known}); ingest it, or name another date"
        )
    keys = sorted({one.manifest.key_id for one in pointers.values()})
    if len(keys) > 1 or mixed_ids([one for one in pointers.values() if one.files]):
        raise DatasetError(
            f"{lake.table(EVENTS.name)}: deliveries hold pseudonyms of several kinds or keys ({', '.join(keys)}), so "
            f"that a shopper would be two; ingest all up to {last_delivery} again"
        )


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Return the columns, null where a file of an earlier release lacks one that came later."""
    types = {field.name: field.type for table in (EVENTS, CONSENT) for field in arrow_schema(table)}
    later = {column.name for column in EVENTS.columns if column.is_later}
    try:
        with pq.ParquetFile(path) as file:
            held = set(file.schema_arrow.names)
            if lacking := [name for name in names if name not in held and name not in later]:
                raise DatasetError(f"{path}: columns {', '.join(lacking)} are missing; ingest the delivery again")
            table = file.read(columns=[name for name in names if name in held])
        columns = {
            name: table[name].cast(types[name]) if name in held else pa.nulls(table.num_rows, types[name])
            for name in names
        }
        return pa.table(columns)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DatasetError(f"{path}: can't be read as the table it belongs to: {error}") from error


def _empty() -> pa.Table:
    text, number = pa.string(), pa.int64()
    fields = [("user_id", text), ("event_type", text), *((name, number) for name in ("day", "delivery_day"))]
    return pa.schema([*fields, ("spend", number), ("discount", number), ("currency", text)]).empty_table()


def date_of(path: str, column: str) -> date:
    """Return the date that a published file's path names for the column."""
    part = next(part for part in PurePosixPath(path).parts if part.startswith(f"{column}="))
    return date.fromisoformat(part.removeprefix(f"{column}="))
