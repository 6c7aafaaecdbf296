"""The page of tables says what the contracts say, and its examples name what is there."""

from __future__ import annotations

import re

from conf.settings import PROJECT_ROOT
from conf.table_reference import PAGE, page
from conf.tables import EVENTS
from tests.conf.test_tables import TABLES


def test_page_is_as_the_contracts_are() -> None:
    """A change of a table is not done until `make reference` was run."""
    assert (PROJECT_ROOT / PAGE).read_text(encoding="utf-8") == page(), "run `make reference`"


def test_every_column_stands_once_in_its_section() -> None:
    """With its meaning; no table is left out."""
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page(), re.MULTILINE | re.DOTALL))
    for table in TABLES:
        rows = re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", sections[table.name], re.MULTILINE)
        assert rows == [(column.name, column.meaning) for column in table.columns]


def test_examples_read_columns_that_exist() -> None:
    """The columns of the example are columns of events or of its path."""
    (read,) = re.findall(r"to_pyarrow_table\(columns=\[(.+?)\]\)", page())
    assert set(re.findall(r'"(\w+)"', read)) <= {*EVENTS.column_names, *EVENTS.partitioned_by}
