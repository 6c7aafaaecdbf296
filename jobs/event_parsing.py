"""Raw lines become canonical fields, as the source's mapping says; dirt becomes null with a note, never an exception.

Everything is exact: numbers go through decimals, money ends as int64 millionths, times as UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from conf.scenario import MILLIONTHS
from conf.source import CsvFormat, FieldMapping, NumberMapping, Source
from conf.tables import PROPENSITY_TYPE
from jobs.source_columns import mapped_columns, number_mappings, text_mappings

# Events that the shop itself may cause: they need no shopper.
SHOP_EVENT_TYPES = ("stock", "receipt", "order", "promotion", "consent")

_EPOCH_UNITS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_FIRST_MICROS, _LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
_ISO = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*(Z|[+-]\d{2}:?\d{2})?$"
_ISO_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"
_ZONE_LETTERS = "VzOXxZ"
_WHOLE_TYPES = {"quantity": "bigint", "position": "int"}


def parse_lines(lines: DataFrame, source: Source, headers: Sequence[Sequence[str]]) -> DataFrame:
    """Return the lines with their canonical fields, and what could not be read.

    Args:
        lines: as `read_lines` gives them.
        source: the mapping.
        headers: column names for each `header_id`; none where the format names its fields.

    Added columns: event_time and every text and number field of the events table (null where the source has none),
    event_type; `_has_record` (the line could be cut into values), `_missing_field` and `_bad_number` (name of the first
    such field), `_bad_timestamp`, `_unknown_type`, `_derived` (array of further event types on the line).
    """
    recorded = lines.withColumn("_raw", _record(source, headers))
    return recorded.select(
        *[F.col(name) for name in lines.columns if name != "line"],
        (F.col("is_readable") & F.col("_raw.is_record")).alias("_has_record"),
        *_time_columns(source),
        *_type_columns(source),
        *_text_columns(source),
        *_number_columns(source),
        _derived(source).alias("_derived"),
    ).transform(lambda parsed: _note_missing(parsed, source))


def event_times(lines: DataFrame, source: Source, headers: Sequence[Sequence[str]]) -> DataFrame:
    """Return the lines with event_time alone: null where it can't be read."""
    recorded = lines.withColumn("_raw", _record(source, headers))
    time = _event_time(source)
    has_record = F.col("is_readable") & F.col("_raw.is_record")
    return recorded.select(*lines.columns, F.when(has_record, time).alias("event_time"))


def _record(source: Source, headers: Sequence[Sequence[str]]) -> Column:
    """Return struct of the mapped raw values as trimmed text, null where empty: `c0`, `c1`, ... and `is_record`.

    Unreadable lines aren't shown to Spark's readers: some of them would end the job.
    """
    if source.csv is None:
        return _json_record(mapped_columns(source))
    if source.csv.columns is not None:
        return _csv_record(source.csv, source.csv.columns, mapped_columns(source))
    records = [_csv_record(source.csv, header, mapped_columns(source)) for header in headers]
    record = records[0]
    for header_id, other in enumerate(records[1:], start=1):
        record = F.when(F.col("header_id") == header_id, other).otherwise(record)
    return record


def _csv_record(csv: CsvFormat, header: Sequence[str], names: Sequence[str]) -> Column:
    # Positions, not names: a header may hold an empty name. A value beyond the last column shows in `beyond`.
    fields = ", ".join([f"v{place} string" for place in range(len(header))] + ["beyond string"])
    options = {"sep": csv.delimiter, "quote": csv.quote, "escape": csv.quote, "mode": "PERMISSIVE"}
    parsed = F.from_csv(_readable_line(), fields, options)
    values = [_text(parsed[f"v{list(header).index(name)}"]).alias(f"c{n}") for n, name in enumerate(names)]
    return F.struct(*values, parsed["beyond"].isNull().alias("is_record"))


def _json_record(names: Sequence[str]) -> Column:
    schema = StructType([*[StructField(name, StringType()) for name in names], StructField("_corrupt", StringType())])
    parsed = F.from_json(_readable_line(), schema, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "_corrupt"})
    values = [_text(parsed.getField(name)).alias(f"c{n}") for n, name in enumerate(names)]
    is_record = parsed.isNotNull() & parsed.getField("_corrupt").isNull()
    return F.struct(*values, F.coalesce(is_record, F.lit(False)).alias("is_record"))


def _readable_line() -> Column:
    return F.when(F.col("is_readable"), F.col("line"))


def _text(value: Column) -> Column:
    trimmed = F.trim(value)
    return F.when(trimmed != "", trimmed)


def _raw(source: Source, name: str) -> Column:
    return F.col(f"_raw.c{mapped_columns(source).index(name)}")


def _time_columns(source: Source) -> list[Column]:
    given, time = _raw(source, source.events.event_time.column), _event_time(source)
    return [
        time.alias("event_time"),
        given.isNull().alias("_no_time"),
        (given.isNotNull() & time.isNull()).alias("_bad_timestamp"),
    ]


def _event_time(source: Source) -> Column:
    mapping = source.events.event_time
    given = _raw(source, mapping.column)
    if mapping.unit == "iso":
        time = iso_time(given, source.zone)
    elif mapping.pattern is not None:
        local = F.try_to_timestamp(given, F.lit(mapping.pattern))
        has_zone = any(letter in _without_quoted(mapping.pattern) for letter in _ZONE_LETTERS)
        time = local if has_zone else F.to_utc_timestamp(local, source.zone)
    else:
        micros = given.try_cast("decimal(24,6)") * F.lit(Decimal(_EPOCH_UNITS[mapping.unit]))
        time = F.timestamp_micros(F.floor(micros).try_cast("bigint"))
    return _in_calendar(time)


def iso_time(given: Column, zone: str) -> Column:
    """Return ISO 8601 text as a UTC timestamp; in the zone where it has no offset; null where it isn't whole."""
    # A bare cast would take "2019", and "12:30" as today: the whole form is asked for.
    whole = F.when(given.rlike(_ISO), given)
    with_colon = F.regexp_replace(whole, r"([+-]\d{2}):?(\d{2})$", "$1:$2")
    local = F.to_utc_timestamp(whole.try_cast("timestamp"), zone)
    return _in_calendar(F.when(whole.rlike(_ISO_OFFSET), with_colon.try_cast("timestamp")).otherwise(local))


def _in_calendar(time: Column) -> Column:
    # Outside these years Spark holds times that neither Python nor a calendar can.
    return F.when(F.unix_micros(time).between(_FIRST_MICROS, _LAST_MICROS), time)


def _without_quoted(pattern: str) -> str:
    return "".join(pattern.split("'")[::2])


def _type_columns(source: Source) -> list[Column]:
    mapping = source.events.event_type
    if mapping.column is None:
        return [F.lit(mapping.constant).alias("event_type"), F.lit(False).alias("_no_type")]
    given = _raw(source, mapping.column)
    if mapping.map is not None:
        rules = [(given == value, kind) for value, kind in mapping.map.items()]
    else:
        rules = [(given.rlike(f"^(?:{rule.pattern})$"), rule.type) for rule in mapping.match or ()]
    kind = F.lit(None).cast("string")
    for condition, name in reversed(rules):
        kind = F.when(condition, F.lit(name)).otherwise(kind)
    return [kind.alias("event_type"), given.isNull().alias("_no_type")]


def _text_columns(source: Source) -> list[Column]:
    mappings = text_mappings(source.events)
    names = (
        "event_id",
        "user_id",
        "item_id",
        "category_id",
        "currency",
        "decision_id",
        "slate_id",
        "action",
        "availability_id",
        "policy_version",
    )
    nothing = F.lit(None).cast("string")
    return [(_value(mappings[name], source) if name in mappings else nothing).alias(name) for name in names]


def _value(mapping: FieldMapping, source: Source) -> Column:
    if mapping.constant is not None:
        return F.lit(str(mapping.constant))
    if mapping.from_path is not None:
        return _text(F.regexp_extract("file", mapping.from_path, 1))
    if mapping.columns is not None:
        parts = [_raw(source, name) for name in mapping.columns]
        is_whole = F.lit(True)
        for part in parts:
            is_whole = is_whole & part.isNotNull()
        return F.when(is_whole, F.concat_ws("|", *parts))
    return _raw(source, str(mapping.column))


def _number_columns(source: Source) -> list[Column]:
    mappings = number_mappings(source.events)
    types = {"price": "bigint", "quantity": "bigint", "position": "int", "propensity": PROPENSITY_TYPE}
    columns = []
    for name, kind in types.items():
        if name not in mappings:
            columns += [
                F.lit(None).cast(kind).alias(name),
                F.lit(False).alias(f"_bad_{name}"),
                F.lit(True).alias(f"_no_{name}"),
            ]
            continue
        given = _value(mappings[name], source)
        number = _number(given, name, mappings[name])
        columns += [
            number.alias(name),
            (given.isNotNull() & number.isNull()).alias(f"_bad_{name}"),
            given.isNull().alias(f"_no_{name}"),
        ]
    return columns


def _number(given: Column, name: str, mapping: NumberMapping) -> Column:
    """Return the number as stored: bounds are checked after rounding, so that what is stored keeps them."""
    value = given.try_cast("decimal(38,18)")
    if mapping.absolute:
        value = F.abs(value)
    if name in _WHOLE_TYPES:
        value = F.when(value == F.floor(value), value)
    elif name == "price":
        value = F.round(value, 6)
    else:
        value = F.round(value, 15)
    is_within = value.isNotNull()
    if mapping.above is not None:
        is_within = is_within & (value > F.lit(Decimal(str(mapping.above))))
    if mapping.at_least is not None:
        is_within = is_within & (value >= F.lit(Decimal(str(mapping.at_least))))
    if mapping.at_most is not None:
        is_within = is_within & (value <= F.lit(Decimal(str(mapping.at_most))))
    return F.when(is_within, _stored(value, name))


def _stored(value: Column, name: str) -> Column:
    if name == "price":
        return (value.cast("decimal(32,6)") * F.lit(MILLIONTHS)).try_cast("bigint")
    return value.try_cast(_WHOLE_TYPES.get(name, PROPENSITY_TYPE))


def _derived(source: Source) -> Column:
    kinds = [F.when(_raw(source, one.column).isin(list(one.values)), F.lit(one.type)) for one in source.events.derived]
    return F.array_compact(F.array(*kinds)) if kinds else F.array().cast("array<string>")


def _note_missing(parsed: DataFrame, source: Source) -> DataFrame:
    """Return which required field is missing first, which number is bad first, whether the type is unknown."""
    texts, numbers = text_mappings(source.events), number_mappings(source.events)
    missing = [F.when(F.col("_no_time"), F.lit("event_time")), F.when(F.col("_no_type"), F.lit("event_type"))]
    needs_user = ~F.coalesce(F.col("event_type").isin(*SHOP_EVENT_TYPES), F.lit(False))
    missing += [
        F.when(F.col(name).isNull() & (needs_user if name == "user_id" else F.lit(True)), F.lit(name))
        for name, mapping in texts.items()
        if mapping.required or name == "user_id"
    ]
    missing += [F.when(F.col(f"_no_{name}"), F.lit(name)) for name, mapping in numbers.items() if mapping.required]
    bad = [F.when(F.col(f"_bad_{name}"), F.lit(name)) for name in ("price", "quantity", "position", "propensity")]
    flags = [name for name in parsed.columns if name.startswith(("_no_", "_bad_")) and name != "_bad_timestamp"]
    return parsed.select(
        *[F.col(name) for name in parsed.columns if name not in flags],
        F.coalesce(*missing).alias("_missing_field"),
        F.coalesce(*bad).alias("_bad_number"),
        F.col("event_type").isNull().alias("_unknown_type"),
    )
