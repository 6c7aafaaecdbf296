"""Files beside a log become the tables that they are: consents aren't views."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.specs.source import Source
from conf.specs.strict_yaml import parse_model
from jobs.commands.check_source import main
from jobs.commands.side_check import check_side_tables
from jobs.commands.source_check import check_source
from jobs.parsing.side_parsing import SideParser
from jobs.proposal.proposal import propose


def _shop(folder: Path, name: str, text: str) -> Path:
    """A log of views with the file beside it."""
    folder.mkdir()
    rows = [f"2026-01-05T10:{n:02d}:00Z,u{n % 7},s{n % 5},view" for n in range(40)]
    (folder / "clicks.csv").write_text("\n".join(["at,user_id,sku,event", *rows, ""]))
    (folder / name).write_text(text)
    return folder


def _draft(folder: Path) -> Source:
    content = yaml.safe_load(propose([folder], "shop"))
    return parse_model(Source, content | {"zone": content["zone"] or "UTC"}, "draft")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "consent.csv",
            "user_id,consent,since\nu1,true,2026-01-01T00:00:00Z\nu2,false,2026-01-01T00:00:00Z\n",
            [True, False],
        ),
        ("opt.csv", "user_id,opt_out,since\nu1,1,2026-01-01T00:00:00Z\nu2,0,2026-01-01T00:00:00Z\n", [False, True]),
        ("e.csv", "Kunde;Einwilligung;seit\nu1;ja;01.01.2026\nu2;nein;02.01.2026\n", [True, False]),
        (
            "consent.csv",
            "user_id,status,at\nu1,opt-in,2026-01-01T00:00:00Z\nu2,opt-out,2026-01-01T00:00:00Z\n",
            [True, False],
        ),
        (
            "consent.jsonl",
            '{"user": {"id": "u1"}, "opt_in": true}\n{"user": {"id": "u2"}, "opt_in": false}\n',
            [True, False],
        ),
    ],
)
def test_consents_are_a_table(tmp_path: Path, name: str, text: str, expected: list[bool]) -> None:
    """Whoever opted out has not consented, in whichever words; what was read is asked."""
    folder = _shop(tmp_path / "shop", name, text)
    draft = _draft(folder)
    assert draft.feeds == ()
    table = draft.consent
    assert table is not None
    assert "read as consents, not as a log" in propose([folder], "shop")
    (check,) = check_side_tables(draft, folder, 100)
    assert (check.n_lines, check.n_rejected.total()) == (2, 0)
    header = text.split("\n", maxsplit=1)[0].split(table.csv.delimiter) if table.csv is not None else ()
    parser = SideParser("consent", table, header, zone="UTC", pseudonym=str)
    lines = text.splitlines()[1 if table.csv is not None else 0 :]
    from datetime import date  # noqa: PLC0415

    assert [parser.parse(line, date(2026, 1, 1)).rows[0]["is_given"] for line in lines] == expected


@pytest.mark.parametrize(
    ("name", "text", "is_given"),
    [
        (
            "unsubscribed.csv",
            "email,at\na@x.org,2026-01-01T00:00:00Z\nb@x.org,2026-01-01T00:00:00Z\n",
            {"constant": "false"},
        ),
        (
            "people.csv",
            "user_id,opt_out,at\nu1,1,2026-01-01T00:00:00Z\nu2,1,2026-01-01T00:00:00Z\n",
            {"column": "opt_out", "map": {"0": "true", "1": "false"}},
        ),
        (
            "optouts.csv",
            "customer,opt_out,since\nu1,yes,2026-01-01T00:00:00Z\nu2,yes,2026-01-01T00:00:00Z\n",
            {"column": "opt_out", "map": {"no": "true", "yes": "false"}},
        ),
        (
            "widerspruch.csv",
            "Kunde;Widerspruch;seit\nu1;JA;01.01.2026\nu2;JA;02.01.2026\n",
            {"column": "Widerspruch", "map": {"JA": "false", "NEIN": "true"}},
        ),
        ("consent.csv", "user_id,consent\nu1,false\n", {"column": "consent"}),
    ],
)
def test_a_list_of_those_who_opted_out_leaves_all_others_in(
    tmp_path: Path, name: str, text: str, is_given: dict[str, Any]
) -> None:
    """Else nobody would be left to learn from; the word that means the opposite is known before it occurs."""
    folder = _shop(tmp_path / "shop", name, text)
    draft = _draft(folder)
    assert draft.feeds == ()
    assert draft.consent is not None
    assert draft.consent.unlisted == "given"
    mapping = draft.consent.columns["is_given"]
    assert {key: getattr(mapping, key) for key in is_given} == is_given
    has_time = len(text.partition("\n")[0].replace(";", ",").split(",")) == 3 or name == "unsubscribed.csv"
    assert (draft.consent.valid_from is not None) == has_time
    assert "it lists those alone who opted out" in propose([folder], "shop")


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("Ja", "Nein"), ("1", "0"), ("y", "n")])
def test_a_column_of_opt_outs_is_turned_round(tmp_path: Path, yes: str, no: str) -> None:
    """Whatever the words are; its time says from when."""
    lines = [f"u{n},{yes if n % 3 else no},2026-01-0{n + 1}T08:00:00Z" for n in range(6)]
    draft = _draft(_shop(tmp_path / "shop", "optouts.csv", "\n".join(["customer,opt_out,since", *lines, ""])))
    assert draft.consent is not None
    assert draft.consent.columns["is_given"].map == {no: "true", yes: "false"}
    assert draft.consent.valid_from is not None
    assert (draft.consent.valid_from.column, draft.consent.unlisted) == ("since", "refused")


def test_a_log_that_holds_a_flag_of_consent_is_a_log(tmp_path: Path) -> None:
    """It names items, and what happened."""
    rows = [f"2026-01-05T11:{n:02d}:00Z,u{n},s1,purchase,true,{n}.50,1" for n in range(9)]
    text = "\n".join(["at,user_id,sku,event,consent,price,quantity", *rows, ""])
    draft = _draft(_shop(tmp_path / "shop", "orders.csv", text))
    assert draft.consent is None
    assert sorted(feed.name for feed in draft.feeds) == ["clicks", "orders"]


def test_a_second_table_of_a_kind_is_no_feed(tmp_path: Path) -> None:
    folder = _shop(tmp_path / "shop", "consent_web.csv", "user_id,consent\nu1,true\n")
    (folder / "consent_till.csv").write_text("user_id,consent\nu2,true\n")
    assert _draft(folder).feeds == ()
    assert "looks like consent too, and a source has one such table" in propose([folder], "shop")


def test_every_path_that_nothing_maps_is_named(tmp_path: Path) -> None:
    """Of orders with lines: what a unit cost would else be missed by whoever reads the draft alone."""
    lines = [{"sku": "s1", "unit_ct": 1999, "tax": {"rate": 7}}, {"sku": "s2", "unit_ct": 450, "tax": {"rate": 7}}]
    more = {f"x{n}": n for n in range(20)}
    rows = [{"at": 1767607300000 + n, "event": "order", "user_id": f"u{n}", "lines": lines} | more for n in range(9)]
    path = tmp_path / "orders.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    told = [line for line in propose([path]).splitlines() if "mapped to nothing: " in line]
    named = [name for line in told for name in line.partition("nothing: ")[2].split(", ")]
    assert named == [
        "lines[].unit_ct",
        "lines[].tax.rate",
        *[f"{one} (whole numbers)" if len(one) < 3 else one for one in more],
    ]


def test_a_file_without_items_is_asked_about(tmp_path: Path) -> None:
    """Customers with the day that they came are no views; the draft can't know, and says so."""
    folder = _shop(tmp_path / "shop", "people.csv", "user_id,city,joined\nu1,Ulm,2026-01-01T00:00:00Z\n")
    assert "if this is a table beside the events" in propose([folder], "shop")


def test_check_source_passes_what_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Orders with lines in cents, and consents beside them: published as drafted."""
    folder = tmp_path / "shop"
    folder.mkdir()
    views = [{"at": 1767607200000 + n, "event": "view", "user_id": f"u{n % 5}", "sku": f"s{n % 3}"} for n in range(30)]
    orders = [
        {
            "at": 1767607300000 + n,
            "event": "order_placed",
            "user_id": f"u{n % 5}",
            "order": {
                "id": f"o{n}",
                "line_items": [
                    {"sku": "s1", "price_cents": 1999, "quantity": 2},
                    {"sku": "s2", "price_cents": 450, "quantity": 1},
                ],
            },
        }
        for n in range(10)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in [*views, *orders]))
    (folder / "consent.csv").write_text("user_id,consent,since\nu1,true,2026-01-01T00:00:00Z\n")
    draft = tmp_path / "sources" / "shop.yaml"
    draft.parent.mkdir()
    draft.write_text(propose([folder], "shop"))
    monkeypatch.setattr("conf.specs.source.SOURCES_FOLDER", draft.parent)
    monkeypatch.setattr(
        "jobs.commands.check_source.load_source",
        lambda name: parse_model(Source, yaml.safe_load(draft.read_text()), name),
    )
    assert main(["--source", "shop", "--logs", str(folder)]) == 0
    told = capsys.readouterr()
    assert "consent: 1 of 5 shoppers in these lines consent at some time; nobody else is learned from" in told.err
    assert "give consent.unlisted: given" in told.err
    result = json.loads(told.out)
    assert result["feeds"]["shop"]["events"] == {"purchase": 20, "view": 30}
    assert result["feeds"]["shop"]["warnings"] == [
        "money of 20 events has no currency: add currency: EUR (or another) to the source"
    ]
    assert result["side_tables"]["consent"]["n_accepted"] == 1


def test_a_table_without_a_day_counts_from_before_the_first_delivery(tmp_path: Path) -> None:
    """Beside files of days; a table that lies in the folder of a day has its own."""
    for day in ("2026/01/05", "2026/01/06"):
        folder = tmp_path / "logs" / day
        folder.mkdir(parents=True)
        rows = [f"{day.replace('/', '-')}T10:{n:02d}:00Z,u{n},A{n},view" for n in range(30)]
        (folder / "clicks.csv").write_text("\n".join(["at,user_id,sku,event", *rows, ""]))
    items = "\n".join(["sku,category,price", *[f"A{n},K{n % 3},{n}.50" for n in range(30)], ""])
    (tmp_path / "logs" / "products.csv").write_text(items)
    text = propose([tmp_path / "logs"], "shop")
    assert str(yaml.safe_load(text)["items"]["delivered"]) == "2026-01-04"
    source = parse_model(Source, yaml.safe_load(text), "draft")
    assert [check.n_lines for check in check_side_tables(source, tmp_path / "logs", 100)] == [30]
    (tmp_path / "logs" / "products.csv").rename(tmp_path / "logs" / "2026" / "01" / "05" / "products.csv")
    assert "delivered" not in yaml.safe_load(propose([tmp_path / "logs"], "shop"))["items"]


def test_rates_of_exchange_in_words_of_their_own_are_a_table(tmp_path: Path) -> None:
    """A column of currencies, one of numbers, one of days: no feed whose lines would be events."""
    orders = "".join(
        f"{n},2026-06-01 10:{n % 60:02d}:00,C{n % 9},A{n % 7},1,5.00,{('EUR', 'DKK')[n % 2]}\n" for n in range(60)
    )
    (tmp_path / "orders_2026-06-01.csv").write_text(
        f"order_no,placed,customer_id,sku,units,unit_price,currency\n{orders}"
    )
    rates = "".join(f"2026-06-{day:02d},DKK,0.134{day}\n" for day in range(1, 29))
    (tmp_path / "kurs.csv").write_text(f"day,currency,eur\n{rates}")
    content = yaml.safe_load(propose([tmp_path], "shop"))
    assert "feeds" not in content
    assert content["currency"] == "EUR"
    table = content["currencies"]
    assert table["columns"] == {"currency": {"column": "currency"}, "rate": {"column": "eur"}}
    assert (table["valid_from"]["column"], str(table["delivered"])) == ("day", "2026-05-31")
    source = parse_model(Source, content | {"zone": "Europe/Copenhagen"}, "draft")
    (check,), _ = check_source(source, tmp_path)
    assert (check.n_lines, check.n_rejected) == (60, 0)


def test_members_who_opted_out_since_a_day_are_consents(tmp_path: Path) -> None:
    """No feed of views at midnight, each of a shopper of its own."""
    (tmp_path / "optout.csv").write_text(
        "member,opted_out_on\n" + "".join(f"{n},2026-05-{n:02d}\n" for n in range(1, 29))
    )
    lines = "".join(f"{1767600000000 + n},{n % 30},A{n % 7},prod_view\n" for n in range(200))
    (tmp_path / "clicks_2026-01-05.csv").write_text(f"ts,member,sku,action\n{lines}")
    content = yaml.safe_load(propose([tmp_path], "shop"))
    assert content["consent"]["columns"] == {"user_id": {"column": "member"}, "is_given": {"constant": "false"}}
    assert content["consent"]["valid_from"]["column"] == "opted_out_on"
    assert content["events"]["user_id"]["column"] == "member"
