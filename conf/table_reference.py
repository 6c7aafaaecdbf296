"""The page of every table, docs/tables.md, written from `conf/tables.py` by `python -m conf.table_reference`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conf.settings import PROJECT_ROOT
from conf.specs.scenario import Scenario, load_pipeline
from conf.tables import (
    ATTRIBUTES,
    DECISIONS,
    EVENTS,
    EVENTS_REJECTED,
    HISTORIES,
    ORDER_LISTS,
    RAW_LINES,
    RECOMMENDATIONS,
    SESSIONS,
    SHOPPER_SCORES,
    SIDE_TABLES,
    Table,
    observations_table,
    transitions_table,
)

PAGE = "docs/tables.md"

_EXAMPLE = ("recommendation", "simulated_shop")
MEANINGS = {
    "raw_lines": "Deliveries of a log that isn't daily, split by business date; others lie as they were delivered.",
    "events": "What shoppers did and what they were shown, one row an event, at exact times and in exact money.",
    "events_rejected": "Lines that are no event, each with the first reason that holds.",
    "items": "What a shop said of its items, and from when on it holds.",
    "availability": "Sets of actions that decisions refer to by id.",
    "consent": "From when a shopper gave or took back consent to being learned from.",
    "recommendations": "Tomorrow's decisions for every shopper with a history, in bulk; also as CSV files in `csv/`.",
    "offers": "What a shop's offers cost it, and from when on.",
    "stock": "How many pieces of an item a shop had, and from when on.",
    "holidays": "Days that a shop names as holidays.",
    "shoppers": "What a shop says of its shoppers, an attribute a row, and from when on it holds.",
    "item_attributes": "What a shop says of its items beside `items`, an attribute a row, and from when on it holds.",
    "currencies": "What other currencies were worth on a day, where their columns are mapped.",
    "sessions": "Events of a shopper without a gap longer than the source allows, by the day they start.",
    "histories": "What shoppers did on the days before one, for the service that decides on it.",
    "attributes": "What was told of shoppers before a day, as far as it can matter from then on, for the same service.",
    "shopper_scores": "What a [model of shoppers](shopper-models.md) says of each of them as of a day, in "
    "`shopper_scores/MODEL`; `csv/DATE.csv` there holds the same in plain numbers. It has no Delta log.",
    "observations": "What is known of every consenting shopper at the start of a week, from which a "
    "[weekly list](promotion.md#the-weekly-list) is decided.",
    "order_lists": "How much of each product to order on a morning, with what it rests on.",
    "decisions": "A weekly list, one row a shopper, in `decisions/SCENARIO`; `csv/DATE.csv` there holds the same. It "
    "is a decision log: sent as it stands and delivered, it is what the next night learns from. It has no Delta log.",
    "transitions": "One row a decision: what was known, what was done, what it earned, what was known next.",
}
_HEAD = """# Tables

Everything that is published of a source lies below `.nightcart/lake/SOURCE/`. Made from `conf/tables.py` by
`make reference`: change the columns and meanings there, not on this page. Types are Spark's; money is in exact
millionths, times are UTC in microseconds.

## Reading them

Each table but `shopper_scores` and `decisions` has a Delta log over its current files, brought up to date by every
publication. A table's Delta table lies in `TABLE/delta`, that of a scenario's transitions in
`transitions/SCENARIO/delta/HASH` (the spec's hash). Rows that the pipeline leaves out on reading are left out there
too: of an event id that several deliveries hold for one day, the earliest delivery's row counts. So counts and sums
are those of the manifests, less such repeats. Side tables (items, availability, consent, offers, stock, holidays,
shoppers, item_attributes, currencies) are as delivered.

```python
from deltalake import DeltaTable

events = DeltaTable(".nightcart/lake/simulated_shop/events/delta")
table = events.to_pyarrow_table(columns=["event_date", "event_type", "price"])  # pyarrow
frame = events.to_pandas(columns=["event_date", "event_type"])  # pandas

import duckdb

views = events.to_pyarrow_dataset()
duckdb.sql("SELECT event_date, count(*) FROM views WHERE event_type = 'view' GROUP BY ALL")

import polars

polars.scan_delta(".nightcart/lake/simulated_shop/events/delta").group_by("event_date").len().collect()
```

A Delta table is links to the published files (a file with repeats is a copy without them): what others write or vacuum
there takes nothing from the pipeline, and the next publication undoes it. Never change a file there in place: it is the
published one. `_pointers/*.json` in the table's folder are the record: files with size and SHA-256, row count, content
hash, inputs. `make repair` finds files that have changed since and makes them anew; `make migrate` writes the logs of
an earlier release's home.
"""


def page() -> str:
    """Return the page as Markdown."""
    return _HEAD + "".join(map(_section, every_table(load_pipeline(*_EXAMPLE).scenario)))


def every_table(scenario: Scenario) -> tuple[Table, ...]:
    """Return all tables, the scenario's own ones with the fields that its spec names; `MEANINGS` says what each is."""
    return (
        RAW_LINES,
        EVENTS,
        EVENTS_REJECTED,
        *SIDE_TABLES.values(),
        SESSIONS,
        HISTORIES,
        ATTRIBUTES,
        SHOPPER_SCORES,
        observations_table(scenario),
        DECISIONS,
        RECOMMENDATIONS,
        ORDER_LISTS,
        transitions_table(scenario),
    )


def write_page(root: Path) -> Path:
    """Write the page below the root of the project and return its path."""
    path = root / PAGE
    path.write_text(page(), encoding="utf-8")
    return path


def _section(table: Table) -> str:
    rows = [
        (f"`{one.name}`", f"`{_short(one.type)}`", one.unit, "yes" if one.is_nullable else "", one.meaning)
        for one in table.columns
    ]
    facts = [
        f"Key: {_named(table.key)}",
        f"partitioned by {_named(table.partitioned_by)} (in the path and the log, in no file)",
    ]
    if table.settled_by:
        facts.append(f"settled by {_named(table.settled_by)}: the earliest delivery's row counts")
    unhashed = [one.name for one in table.columns if not one.is_hashed]
    if unhashed:
        facts.append(f"not part of the content hash: {_named(unhashed)}")
    text = f"\n## {table.name}\n\n{MEANINGS[table.name]} {'; '.join(facts)}.\n\n"
    return text + _table(("column", "type", "unit", "may be null", "meaning"), rows)


def _short(type_: str) -> str:
    """Return the type, of a struct no more than that it is one: its fields are what a scenario's spec names."""
    return "struct of the scenario's fields" if type_.startswith("struct") else type_


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, tuple("---" for _ in head), *rows])


if __name__ == "__main__":
    print(write_page(PROJECT_ROOT).relative_to(PROJECT_ROOT))
