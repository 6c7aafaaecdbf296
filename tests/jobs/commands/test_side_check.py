"""`make check-source` says what the tables beside the events become, without Spark."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.specs.source import Source
from jobs.commands.side_check import SideCheck, check_side_tables, consent_line
from jobs.errors import DeliveryError
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, day_lines, deliver

FIRST = DAYS[0]
ITEMS = {
    "files": ["**/items.csv"],
    "format": "csv",
    "csv": {"has_header": True, "delimiter": ";"},
    "encoding": "latin-1",
    "columns": {
        "item_id": {"column": "Größe"},
        "price": {"column": "eur", "decimal_comma": True},
        "cost": {"column": "ek"},
    },
    "valid_from": {"column": "since", "unit": "pattern", "pattern": "dd.MM.yyyy"},
}
CONSENT = {
    "files": ["**/consent.parquet"],
    "format": "parquet",
    "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}},
}


def shop() -> Source:
    return Source.model_validate(source().model_dump() | {"items": ITEMS, "consent": CONSENT})


def checks_of(folder: Path, items: str, *, header: str = "Größe;eur;ek;since", n_lines: int = 1000) -> list[SideCheck]:
    deliver(folder, FIRST, day_lines(FIRST))
    below = next(folder.rglob(f"*{FIRST}*"))
    (below / "items.csv").write_bytes(f"{header}\n{items}".encode("latin-1"))
    pq.write_table(pa.table({"who": [17850, 2], "ok": [True, False]}), below / "consent.parquet")
    return checked(shop(), folder, n_lines)


def checked(shop: Source, folder: Path, n_lines: int) -> list[SideCheck]:
    """Of tables whose columns are mapped: the canonical source has two without."""
    return [one for one in check_side_tables(shop, folder, n_lines) if getattr(shop, one.name).columns]


@pytest.mark.parametrize(
    ("unlisted", "expected"),
    [
        (
            "refused",
            "consent: 1 of 3 shoppers in these lines consent at some time; nobody else is learned from; if the table "
            "lists those alone who opted out, give consent.unlisted: given",
        ),
        (
            "given",
            "consent: 2 of 3 shoppers in these lines consent; 1 refused at some time, and whoever isn't listed "
            "consents",
        ),
    ],
)
def test_it_is_said_how_many_shoppers_consent(tmp_path: Path, unlisted: str, expected: str) -> None:
    deliver(tmp_path, FIRST, day_lines(FIRST))
    below = next(tmp_path.rglob(f"*{FIRST}*"))
    pq.write_table(pa.table({"who": [17850, 2], "ok": [True, False]}), below / "consent.parquet")
    table = CONSENT | {"unlisted": unlisted}
    checks = check_side_tables(Source.model_validate(source().model_dump() | {"consent": table}), tmp_path, 10)
    assert consent_line(checks, ["17850", "2", "3"]) == expected


@pytest.mark.parametrize(
    ("listed", "shoppers", "told"),
    [
        (["00017850", "2"], ["17850", "3"], "Of 2 listed ids 1 are spelled otherwise than shoppers' (such as 00099999"),
        (["00017850", "2"], ["4", "3"], "Of 2 listed ids 1 are spelled otherwise than shoppers' (such as 00099999, wh"),
        (["00017850", "2"], ["04", "3"], None),
        (["17850", "2"], ["17850", "3"], None),
    ],
)
def test_a_listed_id_that_only_its_spelling_keeps_apart_is_told(
    tmp_path: Path, listed: list[str], shoppers: list[str], told: str | None
) -> None:
    """An opt-out that reaches nobody is the worst of what a list can hide; the id itself isn't shown."""
    deliver(tmp_path, FIRST, day_lines(FIRST))
    below = next(tmp_path.rglob(f"*{FIRST}*"))
    pq.write_table(pa.table({"who": listed, "ok": [False] * len(listed)}), below / "consent.parquet")
    table = CONSENT | {"unlisted": "given"}
    checks = check_side_tables(Source.model_validate(source().model_dump() | {"consent": table}), tmp_path, 10)
    line = consent_line(checks, shoppers)
    assert line is not None
    assert (told in line) if told else ("listed ids" not in line)
    assert "17850" not in line.replace("(such as", "")


def test_side_tables_are_counted_with_reasons_and_places(tmp_path: Path) -> None:
    """One line of two without its day is more than a fifth; what is empty in every row is named."""
    items, consent = checks_of(tmp_path, "1;2,50;;01.01.2026\n2;1,00;;yesterday\n")
    assert (items.n_lines, dict(items.n_rejected), items.empty_fields) == (2, {"bad_timestamp valid_from": 1}, ["cost"])
    assert items.problem() == "  items: 1 of 2 lines are rejected: 1 bad_timestamp valid_from"
    report = "\n".join(items.lines())
    for expected in ("accepted 1, rejected 1", f"first in {FIRST}/items.csv line 3", "empty in every row: cost"):
        assert expected in report
    assert "yesterday" not in report
    assert (consent.n_lines, consent.problem(), consent.empty_fields) == (2, None, [])


def test_only_some_lines_of_a_table_are_read(tmp_path: Path) -> None:
    """A catalogue of any size is checked in seconds."""
    items, _ = checks_of(tmp_path, "1;2;3;01.01.2026\n" * 9, n_lines=4)
    assert (items.n_lines, items.n_filled["cost"]) == (4, 4)


@pytest.mark.parametrize("place", [20, 39])
def test_what_stands_late_in_a_table_is_found(tmp_path: Path, place: int) -> None:
    """In the middle of its lines or at their end, under its number in the file."""
    lines = ["1;2;3;01.01.2026\n"] * 40
    lines[place] = "1;free;3;01.01.2026\n"
    items, _ = checks_of(tmp_path, "".join(lines), n_lines=8)
    assert (items.n_lines, dict(items.n_rejected)) == (8, {"bad_number price": 1})
    assert items.first["bad_number price"].endswith(f"items.csv line {place + 2}")
    assert "8 lines of about 40, from the beginning, middle and end of 1 file(s)" in next(items.lines())


def test_a_column_that_the_table_lacks_is_named(tmp_path: Path) -> None:
    """A night would find it only after the logs were read."""
    with pytest.raises(DeliveryError, match="column 'ek' is missing; did you mean 'EK'"):
        checks_of(tmp_path, "1;2;3;01.01.2026\n", header="Größe;eur;EK;since")


def test_a_table_without_a_file_is_said(tmp_path: Path) -> None:
    """A pattern that matches nothing leaves no table empty without a word."""
    deliver(tmp_path, FIRST, day_lines(FIRST))
    items, consent = checked(shop(), tmp_path, 1000)
    assert [*items.lines(), *consent.lines()] == [
        "items: no file matches **/items.csv",
        "consent: no file matches **/consent.parquet",
    ]


def test_elements_of_side_rows_that_no_column_reads_are_counted(tmp_path: Path) -> None:
    """A product of which the first variant alone is read would lose the others without a word."""
    items = {"files": ["**/items.jsonl"], "format": "jsonl", "columns": {"item_id": {"column": "variants[0].sku"}}}
    items["columns"] |= {"price": {"column": "price"}}
    shop = Source.model_validate(source().model_dump() | {"items": items})
    deliver(tmp_path, FIRST, day_lines(FIRST))
    deliver(tmp_path, FIRST, ['{"variants": [{"sku": "a"}, {"sku": "b"}], "price": 2}'], "items.jsonl")
    (check,) = checked(shop, tmp_path, 10)
    assert check.result()["passed_over"] == {"variants": 1}
    assert "1 lines hold further elements of variants that no column reads" in "\n".join(check.lines())


def test_attributes_of_shoppers_are_counted_by_their_names(tmp_path: Path) -> None:
    """An attribute with values isn't called empty; one without any is."""
    shoppers = {
        "files": ["**/customers.jsonl"],
        "columns": {"user_id": {"column": "id"}, "tier": {"column": "tier"}, "country": {"column": "land"}},
    }
    shop = Source.model_validate(source().model_dump() | {"shoppers": shoppers})
    deliver(tmp_path, FIRST, day_lines(FIRST))
    deliver(tmp_path, FIRST, ['{"id": 1, "tier": "gold"}', '{"id": 2}'], "customers.jsonl")
    (check,) = checked(shop, tmp_path, 10)
    assert check.empty_fields == ["country"]
    assert check.n_filled["tier"] == 1


def test_tables_without_columns_are_looked_at(tmp_path: Path) -> None:
    """They are rejected by the same rules as mapped ones, so that a night would stop for them, too."""
    deliver(tmp_path, FIRST, day_lines(FIRST))
    at = f'"valid_from": "{FIRST}T00:00:00Z"'
    deliver(tmp_path, FIRST, [f'{{"item_id": 1.0, {at}}}', f'{{"item_id": 2, {at}, "cost": "1,5"}}'], "items.jsonl")
    items, availability = check_side_tables(source(), tmp_path, 10)
    assert items.problem() == "  items: 1 of 2 lines are rejected: 1 bad_number cost"
    assert (availability.n_lines, availability.problem()) == (0, None)


def test_rows_that_contradict_each_other_are_said(tmp_path: Path) -> None:
    """Of one key and moment one row alone stands: which, the file doesn't say. Equal rows are no matter."""
    lines = "1;2,50;;01.01.2026\n1;2,50;;01.01.2026\n1;3,00;;01.01.2026\n1;9;;01.01.2026\n1;3,00;;02.01.2026\n"
    items, _ = checks_of(tmp_path, lines)
    assert items.result()["n_contradicted"] == 1
    assert f"1 keys have lines that say different things; first in {FIRST}/items.csv line 4" in "\n".join(items.lines())


def test_one_action_a_line_contradicts_nothing(tmp_path: Path) -> None:
    """Lists that lines hold whole do."""
    deliver(tmp_path, FIRST, day_lines(FIRST))
    deliver(tmp_path, FIRST, ['{"id": "s", "can": "a"}', '{"id": "s", "can": "b"}'], "sets.jsonl")
    deliver(tmp_path, FIRST, ['{"id": "s", "can": ["a"]}', '{"id": "s", "can": ["b"]}'], "lists.jsonl")
    for name, column, n_contradicted in (("sets", "can", 0), ("lists", "can[]", 1)):
        mapped = {"availability_id": {"column": "id"}, "actions": {"column": column}}
        table = {"availability": {"files": [f"**/{name}.jsonl"], "columns": mapped}}
        (check,) = checked(Source.model_validate(source().model_dump() | table), tmp_path, 10)
        assert len(check.contradicted) == n_contradicted


def test_a_table_that_names_no_day_is_said_with_a_log_that_is_split(tmp_path: Path) -> None:
    """It comes with the log's first day, unless the source gives another."""
    delivery = {"layout": "by_event_date", "files": ["events.jsonl"]}
    content = source().model_dump() | {"items": ITEMS, "delivery": delivery}
    (tmp_path / "events.jsonl").write_text("".join(f"{one}\n" for one in day_lines(FIRST)))
    (tmp_path / "items.csv").write_bytes("Größe;eur;ek;since\n1;2,50;;01.01.2026\n".encode("latin-1"))
    told = "no day in the path of items.csv: delivered with the log's first day, and known from the day after"
    (items,) = checked(Source.model_validate(content), tmp_path, 10)
    assert told in "\n".join(items.lines())
    stated = content | {"items": ITEMS | {"delivered": "2026-01-04"}}
    (items,) = checked(Source.model_validate(stated), tmp_path, 10)
    assert told not in "\n".join(items.lines())
