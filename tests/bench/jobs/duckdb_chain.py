"""The same chain in DuckDB's SQL, in a Python that has DuckDB and nothing of this project; prints what each stage used.

It does what a log without rejected, repeated or late lines asks for, and no more: no line is judged, nothing is
published, no content hash is made and no sum is checked. Keyed hashes are HMAC-SHA256 as this project makes them,
written out in SQL, so that ids are equal too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from tests.bench.jobs.process_tree import TreeWatch

_SQL = Path(__file__).parent / "duckdb_sql"
_BLOCK = 64


def main() -> None:
    order = json.loads(sys.stdin.read())
    with TreeWatch() as watch:
        stages = run_chain(order, watch)
    print(json.dumps({"stages": stages, "peak_bytes": watch.peak_bytes, "version": duckdb.__version__}))


def run_chain(order: Mapping[str, Any], watch: TreeWatch) -> dict[str, dict[str, float]]:
    """Return seconds and processor seconds of each stage.

    Args:
        order: `form` (csv, jsonl), `logs`, `home`, `variables` (of the SQL, by name), `key` (hex; none leaves ids as
            they are), `threads`, `memory_bytes`, `temporary`; `stages`, which are run.
        watch: of this process.
    """
    stages: dict[str, dict[str, float]] = {}
    home = Path(order["home"])
    database = connect(order)
    for name in order["stages"]:
        watch.timed(stages, name, lambda stage=name: STAGES[stage](database, order, home))
    database.close()
    return stages


def connect(order: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """Return a database in memory, bounded as the order says, with its variables set."""
    temporary = Path(order["temporary"])
    database = duckdb.connect(config={"threads": order["threads"], "temp_directory": str(temporary)})
    database.execute(f"SET memory_limit = '{order['memory_bytes']}B'")
    database.execute("SET preserve_insertion_order = false")
    for name, value in (order["variables"] | _pads(order.get("key"))).items():
        database.execute(f"SET VARIABLE {name} = $1", [value])
    return database


def _pads(key: str | None) -> dict[str, bytes]:
    """Return what goes before a text and before its inner hash. Source: RFC 2104, section 2."""
    if key is None:
        return {}
    known = bytes.fromhex(key)
    block = (sha256(known).digest() if len(known) > _BLOCK else known).ljust(_BLOCK, b"\0")
    return {"inner_pad": bytes(one ^ 0x36 for one in block), "outer_pad": bytes(one ^ 0x5C for one in block)}


def _keyed(text: str) -> str:
    return f"left(sha256(getvariable('outer_pad') || unhex(sha256(getvariable('inner_pad') || encode({text})))), 32)"


def _ingest(database: duckdb.DuckDBPyConnection, order: Mapping[str, Any], home: Path) -> None:
    form, is_keyed = order["form"], order.get("key") is not None
    files = f"{order['logs']}/**/events*.{'csv' if form == 'csv' else 'jsonl.gz'}"
    reading = (_READINGS if is_keyed else _READINGS_WITHOUT_IDS)[form].format(
        files=files, line_id=_keyed("line"), user_id=_keyed("visitorid")
    )
    _run(database, "events", reading=reading, folder=home / "events")


def _sessions(database: duckdb.DuckDBPyConnection, order: Mapping[str, Any], home: Path) -> None:
    _number(database, order, home)
    _run(database, "sessions", folder=home / "sessions")


def _build(database: duckdb.DuckDBPyConnection, order: Mapping[str, Any], home: Path) -> None:
    if "sessions" not in order["stages"]:
        _number(database, order, home)
    _run(database, "transitions", folder=home / "transitions")


def _number(database: duckdb.DuckDBPyConnection, order: Mapping[str, Any], home: Path) -> None:
    files = sorted(str(path) for path in (home / "events").rglob("*.parquet"))
    database.execute("SET VARIABLE event_files = $1", [files])
    _run(database, "numbered_events")


def _run(database: duckdb.DuckDBPyConnection, name: str, **words: Any) -> None:
    database.execute((_SQL / f"{name}.sql").read_text(encoding="utf-8").format(**words))


STAGES: dict[str, Callable[[duckdb.DuckDBPyConnection, Mapping[str, Any], Path], None]] = {
    "ingest": _ingest,
    "sessions": _sessions,
    "build": _build,
}

# A line's keyed hash is its event's id, so that lines are read whole.
_READINGS = {
    "csv": """
        SELECT
            {line_id} AS event_id, f[1]::BIGINT AS time_ms, {user_id} AS user_id, f[3] AS event, f[4] AS item_id,
            f[5] AS category_id, f[6] AS price
        FROM (
            SELECT line, f, f[2] AS visitorid
            FROM (
                SELECT line, string_split(line, ',') AS f
                FROM read_csv(
                    '{files}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', header = true
                )
            )
        )""",
    "jsonl": """
        SELECT
            {line_id} AS event_id, f[1]::BIGINT AS time_ms, {user_id} AS user_id, f[3] AS event, f[4] AS item_id,
            f[5] AS category_id, f[6] AS price
        FROM (
            SELECT line, f, f[2] AS visitorid
            FROM (
                SELECT
                    json::VARCHAR AS line,
                    json_extract_string(
                        json, ['$.timestamp', '$.visitorid', '$.event', '$.itemid', '$.categoryid', '$.price']
                    ) AS f
                FROM read_json_objects('{files}', format = 'newline_delimited')
            )
        )""",
}
_TYPED = """
        SELECT
            "timestamp"::VARCHAR AS event_id, "timestamp" AS time_ms, visitorid AS user_id, event, itemid AS item_id,
            categoryid AS category_id, price
        FROM {reader}"""
_COLUMNS = (
    "{{'timestamp': 'BIGINT', 'visitorid': 'VARCHAR', 'event': 'VARCHAR', 'itemid': 'VARCHAR', "
    "'categoryid': 'VARCHAR', 'price': 'VARCHAR'}}"
)
_READINGS_WITHOUT_IDS = {
    "csv": _TYPED.replace("{reader}", f"read_csv('{{files}}', columns = {_COLUMNS}, header = true)"),
    "jsonl": _TYPED.replace("{reader}", f"read_json('{{files}}', columns = {_COLUMNS}, format = 'newline_delimited')"),
}


if __name__ == "__main__":
    main()
