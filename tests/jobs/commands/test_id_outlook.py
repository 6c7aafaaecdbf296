"""`make check-source` says which ids among a log's first lines nothing knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conf.specs.event_mapping import EventMapping
from jobs.commands.check_source import main
from jobs.commands.id_outlook import NamedIds, named_ids
from jobs.commands.source_check import check_source
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, deliver, line

FIRST = DAYS[0]


def _named(folder: Path, items: list[str], known: list[str]) -> NamedIds:
    shop = source()
    deliver(folder, FIRST, [line(FIRST, 600 + n, item_id=one) for n, one in enumerate(items)])
    rows = [{"item_id": one, "valid_from": f"{FIRST}T00:00:00Z", "price": "1"} for one in known]
    deliver(folder, FIRST, [json.dumps(row) for row in rows], "items.jsonl")
    return named_ids(check_source(shop, folder)[0], shop, folder)


@pytest.mark.parametrize(
    ("items", "known", "expected"),
    [
        (["1", "2"], ["00001", "00002"], "0 of 2 item ids of feed canonical stand in items; e.g. '1' against '00001'"),
        (["a-1"], ["b", "A1"], "0 of 1 item ids of feed canonical stand in items; e.g. 'a-1' against 'A1'"),
        (["shoe"], ["7", "8"], "0 of 1 item ids of feed canonical stand in items; e.g. 'shoe' against '7'"),
        (["1", "2", "9"], ["1", "2"], "2 of 3 item ids of feed canonical stand in items"),
        (
            ["1", "85123a", "84029e", "9"],
            ["1", "85123A", "84029E"],
            "1 of 4 item ids of feed canonical stand in items; 2 of the others are spelled otherwise, e.g. '84029e' "
            "against '84029E': they are items of their own; map both alike: extract:",
        ),
        (["1"], ["1", "2"], None),
        (["1"], [], None),
    ],
)
def test_items_that_no_table_has_are_told(
    tmp_path: Path, items: list[str], known: list[str], expected: str | None
) -> None:
    """With a pair that differs in its spelling alone, where there is one."""
    told = list(_named(tmp_path, items, known).lines())
    assert [one[: len(expected or "")] for one in told] == ([expected] if expected else [])


def test_refunds_of_orders_nobody_placed_are_told(tmp_path: Path) -> None:
    """Their share is of the orders that refunds name, each once."""
    sold = [line(FIRST, 600 + n, event_type="purchase", order_id=f"s{n}", price="9", quantity=1) for n in range(3)]
    back = [
        line(FIRST, 700 + n, event_type="refund", order_id=one, price="9", quantity=1)
        for n, one in enumerate(["s1", "r1", "r1", "r2", "r3"])
    ]
    deliver(tmp_path, FIRST, [*sold, *back])
    events = source().events.model_dump(exclude_none=True) | {"order_id": {"column": "order_id"}}
    shop = source(events=EventMapping.model_validate(events))
    found = named_ids(check_source(shop, tmp_path)[0], shop, tmp_path)
    (told,) = found.lines()
    assert told.startswith("3 of 4 orders that refunds name (75%) have no purchase among these lines")
    assert found.result() == {"items": {}, "refunded_orders": {"n": 4, "n_known": 1}}
    found = named_ids(check_source(shop, tmp_path, 7)[0], shop, tmp_path)
    (told,) = found.lines()
    assert "whether the others have one can't be told from a part of the log" in told
    assert "numbers of their own" not in told


def test_command_shows_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the report, and as numbers on stdout."""
    _named(tmp_path, ["1", "2"], ["00001"])
    assert main(["--source", "canonical", "--logs", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "e.g. '1' against '00001'" in captured.err
    assert json.loads(captured.out)["ids"]["items"] == {"canonical": {"n": 2, "n_known": 0}}


@pytest.mark.parametrize(
    ("refunded", "told"),
    [
        ({"1-2-0045", "1-2-0046"}, ["give the field that is joined separator: '-'"]),
        ({"1|2|0945"}, []),
        ({"R45", "R46"}, []),
        ({"1-2-0045", "7", "8", "9"}, []),
    ],
)
def test_orders_whose_parts_are_joined_otherwise_are_told(refunded: set[str], told: list[str]) -> None:
    """The till writes a receipt with a dash, and the columns of purchases are joined by the usual sign."""
    found = NamedIds(refunded=refunded, purchased={f"1|2|{n:04d}" for n in range(60)}, is_all=False)
    lines = [one for one in found.lines() if "between their parts" in one]
    assert [one[-len(expected) :] for one, expected in zip(lines, told, strict=True)] == told
