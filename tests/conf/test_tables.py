"""The tables' contracts."""

import re

import pytest

from conf.observation_features import OBSERVATION_FEATURES, id_hash
from conf.specs.scenario import load_pipeline
from conf.tables import (
    EVENTS,
    EVENTS_REJECTED,
    HISTORIES,
    RAW_LINES,
    SESSIONS,
    SIDE_TABLES,
    Table,
    transitions_table,
)

TRANSITIONS = transitions_table(load_pipeline("recommendation", "simulated_shop").scenario)
TABLES = [RAW_LINES, EVENTS, EVENTS_REJECTED, *SIDE_TABLES.values(), SESSIONS, HISTORIES, TRANSITIONS]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_holds_exact_types_only(table: Table) -> None:
    """No column is a float, alone or inside a list or struct: sums of floats depend on the partitioning."""
    assert not re.search(r"\b(float|double)\b", table.ddl)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_key_is_made_of_columns_that_are_never_null(table: Table) -> None:
    """Every key column is a column or a partition, and can't be null."""
    nullable = {column.name for column in table.columns if column.is_nullable}
    assert set(table.key) <= set(table.column_names) | set(table.partitioned_by)
    assert not nullable & set(table.key)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_names_the_unit_of_every_number(table: Table) -> None:
    """A 64-bit column is an id or says what it counts."""
    bare = {column.name for column in table.columns if column.type == "bigint" and not column.unit}
    assert bare <= {"action_id", "category_hash", "line_number"}


def test_transitions_observation_holds_the_features_of_the_spec_in_order() -> None:
    """The struct's fields are the spec's features."""
    columns = {column.name: column.type for column in TRANSITIONS.columns}
    fields = re.findall(r"(\w+):", columns["observation"])
    assert fields == [f.name for f in load_pipeline("recommendation", "simulated_shop").scenario.observation.features]
    assert columns["observation"] == columns["next_observation"]


def test_id_hash_is_signed_64_bit_and_never_the_padding() -> None:
    """Known values: SHA-256 of the key's UTF-8 form, first 8 bytes, big-endian."""
    assert id_hash("abc") == int.from_bytes(bytes.fromhex("ba7816bf8f01cfea"), "big", signed=True)
    assert all(-(2**63) <= id_hash(str(n)) < 2**63 and id_hash(str(n)) != 0 for n in range(100))


def test_observation_features_of_lists_name_their_id_space() -> None:
    """A list of ids says what the ids are of; a scalar says nothing."""
    assert all((d.kind == "list") == bool(d.id_space) for d in OBSERVATION_FEATURES.values())
