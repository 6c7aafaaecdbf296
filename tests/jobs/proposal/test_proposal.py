"""A draft loads, reads most lines of the files it was made from, and says what it is unsure of."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.errors import FAILS_AGAIN, NightcartError
from conf.specs.source import Source, load_source
from conf.specs.strict_yaml import parse_model
from jobs.commands.propose_source import main
from jobs.commands.side_check import check_side_tables
from jobs.commands.source_check import FeedCheck, check_source
from jobs.errors import DeliveryError
from jobs.proposal.proposal import propose
from tests.jobs.formats.plain_events import SAMPLES

WRONG = {"ignored", "duplicate"}


def _draft(*paths: Path) -> Source:
    content = yaml.safe_load(propose(paths, "shop"))
    return parse_model(Source, content | {"zone": content["zone"] or "UTC"}, "draft")


def _n_wrong(check: FeedCheck) -> int:
    return sum(len(lines) for (reason, _), lines in check.rejected.items() if reason not in WRONG)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_draft_reads_what_the_shipped_source_reads(name: str) -> None:
    """Of each public format's sample, not one line more is rejected than by the source that people wrote."""
    checks, _ = check_source(_draft(SAMPLES / name), SAMPLES / name)
    shipped, _ = check_source(load_source(name), SAMPLES / name)
    assert sum(check.n_lines for check in checks) == sum(check.n_lines for check in shipped)
    assert sum(map(_n_wrong, checks)) <= sum(map(_n_wrong, shipped))
    n_events = sum(check.n_events.total() for check in checks)
    assert n_events >= sum(check.n_events.total() for check in shipped) * 0.7


@pytest.mark.real_data
@pytest.mark.parametrize("folder", ["taobao", "online_retail", "obd"])
def test_draft_reads_public_logs(real_data: Path, folder: str) -> None:
    """Nine in ten of the lines become events; besides, a quarter of the retailer's later lines name no shopper."""
    checks, _ = check_source(_draft(real_data / folder), real_data / folder)
    assert [check.n_lines for check in checks] == [1000]
    n_nobodys = [len(check.rejected.get(("missing_field", "user_id"), [])) for check in checks]
    assert all(check.n_rejected - n <= 100 for check, n in zip(checks, n_nobodys, strict=True))
    assert all(n <= (300 if folder == "online_retail" else 0) for n in n_nobodys)
    assert all(check.problem() is None for check in checks)


def test_retailrocket_columns_are_known_by_name(tmp_path: Path) -> None:
    """The log itself isn't at hand; these lines have its form."""
    lines = ["timestamp,event,visitorid,itemid,transactionid", "1433221332117,view,257597,355908,"]
    lines += ["1433224214164,addtocart,992329,248676,", "1433222276276,transaction,599528,356475,4000"]
    (tmp_path / "events.csv").write_text("".join(f"{line}\n" for line in lines))
    events = _draft(tmp_path).events
    assert events.event_time.model_dump(exclude_defaults=True) == {"column": "timestamp", "unit": "milliseconds"}
    assert events.event_type.map == {"view": "view", "addtocart": "cart", "transaction": "purchase"}
    assert (events.user_id.column, events.item_id and events.item_id.column) == ("visitorid", "itemid")


def _write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def _csv(rows: list[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (_csv(["when;user;item", "05.01.2026 10:00;ann;café", "05.01.2026 10:01;bob;tea"] * 2), "latin-1", "latin-1"),
        (_csv(["when;user;item", "05.01.2026 10:00;ann;5 €", "05.01.2026 10:01;bob;tea"]), "cp1252", "cp1252"),
        (_csv(["when;user;item", "05.01.2026 10:00;ann;café", "05.01.2026 10:01;bob;tea"]), "utf-8-sig", "utf-8"),
    ],
)
def test_encoding_and_delimiter_are_found(tmp_path: Path, text: str, encoding: str, expected: str) -> None:
    """Bytes say which, where they can."""
    source = _draft(_write(tmp_path / "log.csv", text, encoding))
    assert source.encoding == expected
    assert source.csv is not None
    assert (source.csv.delimiter, source.csv.has_header) == (";", True)
    assert source.events.event_time.pattern == "d.M.yyyy H:mm[:ss]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time,user_id,item_id\n1767607200,7,8\n", {"column": "time", "unit": "seconds"}),
        ("time,user_id,item_id\n1767607200123,7,8\n", {"column": "time", "unit": "milliseconds"}),
        ("ts,user_id,item_id\n2026-01-05T10:00:00+01:00,7,8\n", {"column": "ts", "unit": "iso"}),
        (
            "date,time,user_id\n2026-01-05,10:00,7\n",
            {"columns": ("date", "time"), "unit": "pattern", "pattern": "yyyy-MM-dd H:mm"},
        ),
        (
            "DAY,TRANS_TIME,user_id\n1,905,7\n",
            {"columns": ("DAY", "TRANS_TIME"), "unit": "day_number"},
        ),
        ("created,received_time,user_id\n1767607200,1767607300,7\n", {"column": "created", "unit": "seconds"}),
        (
            "at,user_id\n1/13/2026 1:00:00 PM,7\n2/1/2026 1:00:00 AM,8\n",
            {"column": "at", "unit": "pattern", "pattern": "M/d/yyyy h:mm:ss a"},
        ),
        (
            "at,user_id\n13/1/2026 13:00,7\n2/1/2026 1:00,8\n",
            {"column": "at", "unit": "pattern", "pattern": "d/M/yyyy H:mm[:ss]"},
        ),
    ],
)
def test_times_are_found_with_their_units(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    """By what stands in the columns, and by their names where several would do."""
    found = _draft(_write(tmp_path / "log.csv", text)).events.event_time.model_dump(exclude_defaults=True)
    found.pop("day_one", None)
    assert found == expected


@pytest.mark.parametrize(
    ("lines", "encoding", "doubt"),
    [
        ([b"caf\xe9"] + [b"caf\xc3\xa9"] * 20, "utf-8", "1 lines hold bytes that aren't UTF-8"),
        (["5 €".encode("cp1252"), "“x”".encode("cp1252")] * 5, "cp1252", None),
        ([b"K\x81che"] * 5, "cp850", "DOS code page"),
        ([b"caf\xc3\xa9"] * 5 + [b"caf\xc3"], "utf-8", None),
    ],
)
def test_broken_bytes_neither_end_a_draft_nor_turn_its_encoding(
    tmp_path: Path, lines: list[bytes], encoding: str, doubt: str | None
) -> None:
    """One bad byte among many letters is a bad byte; the file's last letter may be cut."""
    rows = [b"05.01.2026 10:%02d;ann%d;" % (number % 60, number) + line for number, line in enumerate(lines)]
    (tmp_path / "log.csv").write_bytes(b"when;user;item\n" + b"\n".join(rows))
    text = propose([tmp_path / "log.csv"])
    assert _draft(tmp_path / "log.csv").encoding == encoding
    assert doubt is None or doubt in text


def test_kinds_of_events_are_found_among_words_that_nobody_knows(tmp_path: Path) -> None:
    """Four lines in five are of a kind without a known word; a draft of purchases alone would be wrong for all."""
    kinds = ["Foo"] * 16 + ["Klick"] * 3 + ["Kauf"]
    rows = [f"2026-01-05T10:{n:02d}:00Z;{kind};u{n};i{n % 3};9,50" for n, kind in enumerate(kinds)]
    source = _draft(_write(tmp_path / "log.csv", _csv(["Zeit;Ereignis;Kunde;Artikel;Preis", *rows])))
    assert source.events.event_type.column == "Ereignis"
    assert (source.events.event_type.map or {})["Kauf"] == "purchase"


def test_money_in_lists_of_objects_that_nothing_maps_is_named(tmp_path: Path) -> None:
    line = (
        '{"at": "2026-01-05T10:%02d:00Z", "user_id": "u%d", "event": "view", "item_id": "i1",'
        ' "order": {"lines": [{"sku": "s1", "unit_price": 9.5}]}}'
    )
    text = propose([_write(tmp_path / "log.jsonl", _csv([line % (n, n) for n in range(20)]))])
    assert "mapped to nothing: " in text
    assert "order.lines[].sku" in text


def test_orders_that_the_words_leave_out_are_said(tmp_path: Path) -> None:
    """A shop whose orders are checkouts has no other word of a purchase; prices in cents have their own names."""
    view = '{"at": "2026-01-05T10:%02d:00Z", "user_id": "u1", "event": "view", "sku": "i1", "fareCents": 95}'
    checkout = '{"at": "2026-01-05T11:%02d:00Z", "user_id": "u1", "event": "checkout", "sku": "i1", "qty": 2}'
    lines = [one % n for n in range(20) for one in (view, checkout)]
    text = propose([_write(tmp_path / "log.jsonl", _csv(lines))])
    assert "event_type: checkout is ignored, though its lines hold qty and no other word is a purchase" in text
    assert "mapped to nothing: fareCents" in text
    begun = [line.replace('"view"', '"purchase"') for line in lines]
    assert "is ignored, though" not in propose([_write(tmp_path / "sold.jsonl", _csv(begun))])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at,user_id\n3/1/2026 13:00,7\n", "# asked: at: is 3/4 the 3rd of April or the 4th of March?"),
        ("at,time,user_id\n3/1/2026,13:00,7\n", "for the other order write pattern: d/M/yyyy"),
        ("at,user_id\n2026-01-05 13:00,7\n", "times that don't say their zone"),
        ("at,user_id,qty,amount\n2026-01-05 13:00,7,2,5.0\n", "amount is read as the sum of all pieces"),
        ("at,user_id,price\n" + "2026-01-05 13:00,7,1999\n" * 30, "are they cents? then add scale: 0.01"),
        (
            "at,user_id,event\n" + "2026-01-05 13:00,7,view\n2026-01-05 13:01,7,zoom\n",
            "no word says what they are: zoom (1 of 2 lines)",
        ),
        (
            "at,user_id,event\n" + "2026-01-05 13:00,7,view\n" * 9 + "2026-01-05 13:01,7,purchse\n",
            "is purchse (1 of 10 lines) purchase mistyped? give it a type in map, or ignore it",
        ),
        (
            "at,user_id,sku,price,qty\n" + "2026-01-05 13:00,7,a,2.5,1\n" * 3 + "2026-01-05 13:01,7,a,2.5,0\n",
            "quantity: 1 of 4 lines say 0 pieces in qty, and are read as what the others are; write above: 0",
        ),
        ("at,user_id,note,note\n2026-01-05 13:00,7,x,y\n", "columns of the same name can't be mapped: note"),
        ("2026-01-05 13:00,aa1,b7\n2026-01-05 14:00,aa2,b8\n", "user_id: c2 is a guess by its place"),
    ],
)
def test_doubts_are_said(tmp_path: Path, text: str, expected: str) -> None:
    """As comments, where a person reads them."""
    assert expected in propose([_write(tmp_path / "log.csv", text)])


def test_a_mistyped_word_is_neither_mapped_nor_ignored(tmp_path: Path) -> None:
    """Its lines are counted as unknown, until somebody answers; words that resemble none are ignored as before."""
    words = ["view"] * 20 + ["purchase", "purchse", "Veiw", "zoom"]
    path = _write(tmp_path / "log.csv", _csv(["at,user_id,event", *[f"2026-01-05 13:00,7,{one}" for one in words]]))
    types = _draft(path).events.event_type
    assert (types.map, types.ignore) == ({"view": "view", "purchase": "purchase"}, ("zoom",))
    (check,), _ = check_source(_draft(path), path)
    assert check.unknown_words() == {"purchse": 1, "Veiw": 1}


def test_german_names_and_decimal_commas_are_known(tmp_path: Path) -> None:
    """And what no field was found for is listed."""
    rows = ["Zeit;Kunde;Artikel;Aktion;Preis;Filiale", "05.01.2026 10:00;17850;A1;angesehen;1.012,50;3"]
    path = _write(tmp_path / "log.csv", _csv([*rows, "05.01.2026 10:01;17850;A1;gekauft;12,50;3"]), "latin-1")
    events = _draft(path).events
    assert (events.user_id.column, events.item_id and events.item_id.column) == ("Kunde", "Artikel")
    assert events.event_type.map == {"angesehen": "view", "gekauft": "purchase"}
    assert events.price is not None
    assert events.price.decimal_comma
    assert "mapped to nothing: Filiale" in propose([path])
    (check,), _ = check_source(_draft(path), path)
    assert [event.fields["price"] for event in check.events] == [1_012_500_000, 12_500_000]


def _delivered(folder: Path) -> Path:
    """A log in German, its products in two versions, and rates."""
    folder.mkdir()
    rows = [f"05.01.2026 10:{n % 60:02d};Käufer-{n % 40};A{n % 9};Anzeige;12,50;EUR" for n in range(120)]
    _write(folder / "log.csv", _csv(["Zeit;Wer;Artikel;Vorgang;Preis;Währung", *rows]), "latin-1")
    items = [f"A{n};Möbel;12,50;7,00;0{day}.01.2026" for day in (1, 3) for n in range(9)]
    _write(folder / "products.csv", _csv(["Artikel;Kategorie;Preis;EK;gültig ab", *items]), "latin-1")
    _write(folder / "rates.jsonl", '{"day": "2026-01-05", "currency": "CHF", "rate": "1.05"}\n')
    return folder


def test_tables_beside_a_log_are_no_feeds(tmp_path: Path) -> None:
    """Products and rates name no shopper: read as events they would be views by nobody."""
    draft = _draft(_delivered(tmp_path / "shop"))
    assert (draft.feeds, draft.currency, draft.currencies and draft.currencies.files) == (
        (),
        "EUR",
        ("**/rates.jsonl",),
    )
    assert draft.items is not None
    named = {name: mapping.column for name, mapping in draft.items.columns.items()}
    assert named == {"item_id": "Artikel", "category_id": "Kategorie", "price": "Preis", "cost": "EK"}
    assert draft.items.valid_from is not None
    assert draft.items.valid_from.column == "gültig ab"
    (check,) = check_side_tables(draft, tmp_path / "shop", 1000)
    assert (check.n_lines, check.n_rejected.total(), check.empty_fields) == (18, 0, [])


def test_shopper_is_guessed_by_values_where_no_name_is_known(tmp_path: Path) -> None:
    """The draft doesn't say that the log names none."""
    path = _delivered(tmp_path / "shop") / "log.csv"
    assert _draft(path).events.user_id.column == "Wer"
    assert "user_id: Wer is a guess by its values" in propose([path])


def test_columns_that_may_say_what_happened_are_named(tmp_path: Path) -> None:
    """Words nobody knows are still words."""
    rows = [f"2026-01-05 10:00,u{n},{'abc'[n % 3]}" for n in range(30)]
    text = propose([_write(tmp_path / "log.csv", _csv(["at,user_id,what", *rows]))])
    assert "event_type: no word of what is known to say what happened; every line is read as a view" in text


def test_object_that_holds_an_id_names_it(tmp_path: Path) -> None:
    """`visitor.id` is the visitor's; the day is read off the folder."""
    folder = tmp_path / "logs" / "20260105"
    folder.mkdir(parents=True)
    lines = [
        {"hit": f"h{n}", "ts": 1767607200000 + n, "visitor": {"id": f"v{n}"}, "product": {"id": "a"}, "event": "view"}
        for n in range(5)
    ]
    _write(folder / "hits.jsonl", "".join(f"{json.dumps(one)}\n" for one in lines))
    draft = _draft(tmp_path / "logs")
    assert (draft.events.user_id.column, draft.events.item_id and draft.events.item_id.column) == (
        "visitor.id",
        "product.id",
    )
    assert draft.delivery.layout == "dated_files"


def test_draft_knows_what_only_a_file_in_the_middle_holds(tmp_path: Path) -> None:
    """An event type that no line of the first and the last file has."""
    for day, kind in enumerate(("view", "view", "purchase", "view", "view"), start=1):
        lines = [{"user": f"u{n}", "sku": "a", "ts": 1767225600 + 86400 * day + n, "event": kind} for n in range(20)]
        lines[0]["event"] = "cart"
        _write(tmp_path / f"log_2026-01-0{day}.jsonl", "".join(f"{json.dumps(one)}\n" for one in lines))
    assert _draft(tmp_path).events.event_type.map == {"view": "view", "cart": "cart", "purchase": "purchase"}


def _visits(key: str, shopper: str, *, n_visits: int, n_hits: int = 3) -> str:
    """Visits, two a shopper: each stands in `n_hits` lines, with its key before the shopper's."""
    lines = [
        {
            key: f"s{n:04}",
            "country": ("de", "fr", "nl")[n % 3],
            shopper: f"v{n // 2:04}",
            "ts": 1767607200 + 60 * n + hit,
        }
        | {"event": "view", "sku": f"p{hit}"}
        for n in range(n_visits)
        for hit in range(n_hits)
    ]
    return "".join(f"{json.dumps(one)}\n" for one in lines)


@pytest.mark.parametrize("key", ["sid", "sessionId", "visit_id", "besuch"])
@pytest.mark.parametrize(("n_visits", "n_hits"), [(80, 3), (20, 1)])
def test_shopper_is_the_key_that_outlives_visits(tmp_path: Path, key: str, n_visits: int, n_hits: int) -> None:
    """Its name says nothing, and the visit's key stands first; in a long log, and in one too short to tell."""
    path = tmp_path / "hits.jsonl"
    _write(path, _visits(key, "fp", n_visits=n_visits, n_hits=n_hits))
    assert _draft(path).events.user_id.column == "fp"
    assert "key of a visit" not in propose([path])


def test_a_visit_that_is_taken_for_a_shopper_is_in_doubt(tmp_path: Path) -> None:
    """Where nothing else can be one."""
    path = tmp_path / "hits.jsonl"
    _write(path, _visits("sid", "sku", n_visits=80))
    assert "# unsure: user_id: sid reads as the key of a visit" in propose([path])
    assert _draft(path).events.user_id.column == "sid"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("log.json", b'[{"a": 1}]', "one JSON list; write it as JSON lines"),
        ("log.csv", b"", "nothing in it"),
        (
            "log.csv.gz",
            gzip.compress(b"time,user\n" + bytes(range(256)) * 99, mtime=0)[:150],
            "can't be read to the end",
        ),
        ("log.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16; convert it"),
        ("log.csv", "time,user\n1,2\n".encode("utf-16-be"), "UTF-16; convert it before delivery: iconv -f UTF-16"),
        ("log.jsonl", b'{"a": 1\n', "no line is one whole JSON object"),
        ("log.csv", b"name,color\nshoe,red\nhat,blue\n", "no column holds a time"),
    ],
)
def test_what_can_be_no_log_is_refused(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    """With the file's name and what to do."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DeliveryError, match=expected):
        propose([tmp_path / name])
    with pytest.raises(NightcartError, match="no such file or folder"):
        propose([tmp_path / "nowhere"])


def test_no_shopper_stands_in_a_draft(tmp_path: Path) -> None:
    """Words of the event column are shown, and nobody's data."""
    lines = [{"t": 1767607200 + n, "event": "view", "email": f"ann{n}@example.org", "sku": f"s{n}"} for n in range(9)]
    path = _write(tmp_path / "log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    text = propose([path])
    assert "email" in text
    assert not any(word in text for word in ("ann1", "example.org", "1767607201", "s1"))


def test_command_writes_a_new_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout without `--out`; a file that is there stays as it is."""
    log = _write(tmp_path / "log.csv", "time,user_id,item_id,event\n1767607200,7,8,view\n")
    assert main([str(log)]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "log"
    out = tmp_path / "shop.yaml"
    assert main([str(log), "--out", str(out)]) == 0
    assert load_source("shop", tmp_path).events.user_id.column == "user_id"
    before = out.read_bytes()
    assert main([str(log), "--out", str(out)]) == FAILS_AGAIN
    assert "there already" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_money_of_orders_is_proposed_exactly(tmp_path: Path) -> None:
    """The sum of a line as it stands, not price times pieces; which order; what was taken off, and what it cost."""
    rows = [
        "at,customer_id,sku,order_no,qty,line_amount,discount,unit_cost",
        "2026-01-05 10:00,7,A1,o1,3,10.00,-0.50,2",
    ]
    path = _write(tmp_path / "orders.csv", _csv([*rows, "2026-01-05 11:00,8,B2,o2,1,4.00,0,1.5"]))
    events = _draft(path).events
    assert events.event_type.constant == "purchase"
    assert events.order_id is not None
    assert events.order_id.column == "order_no"
    assert events.slate_id is None
    found = {
        name: getattr(events, name).model_dump(exclude_defaults=True)
        for name in ("amount", "price", "cost", "discount")
    }
    assert found == {
        "amount": {"column": "line_amount", "at_least": 0},
        "price": {"column": "line_amount", "divided_by": "qty", "at_least": 0},
        "cost": {"column": "unit_cost", "at_least": 0, "times": "qty"},
        "discount": {"column": "discount", "absolute": True},
    }


def test_a_log_of_clicks_has_no_orders(tmp_path: Path) -> None:
    """What is called an order there may be anything; a list that was shown is a slate."""
    rows = ["at,user_id,item_id,event,list_id", "2026-01-05 10:00,7,A1,view,l1", "2026-01-05 11:00,8,B2,click,l2"]
    events = _draft(_write(tmp_path / "log.csv", _csv(rows))).events
    assert events.order_id is None
    assert events.slate_id is not None


@pytest.mark.parametrize(
    "header",
    [
        "Datum;Kunde;Artikelnummer;Warengruppe;Stück;Betrag (EUR)",
        "Bestelldatum;Kd.-Nr.;Art.-Nr.;Produktgruppe;Menge (Stk.);Umsatz in EUR",
        "Zeitpunkt;Käufernummer;Artikel-Nr.;Kategorie;Anzahl;Gesamtbetrag [€]",
        "Date;N° client;Référence article;Catégorie;Quantité;Montant TTC (€)",
        "Fecha;Cliente;Código producto;Categoría;Cantidad;Importe (€)",
        "Data e ora;Codice cliente;Codice articolo;Reparto;Quantità;Importo",
        "Datum;Klantnummer;Artikelnummer;Productgroep;Aantal;Bedrag (EUR)",
        "Data;ID klienta;Towar;Kategoria;Ilość;Kwota",
        "Date;Customer No.;Item-No;Item Group;Units sold;amount_usd",
    ],
)
def test_headers_of_several_languages_are_known(tmp_path: Path, header: str) -> None:
    """Umlauts and accents folded, units in brackets left out; a sum is divided by its pieces."""
    rows = [f"0{day}.01.2026 10:00;K{day};A{day};Schuhe;{day};{day}9,90" for day in range(1, 9)]
    events = _draft(_write(tmp_path / "verkauf.csv", _csv([header, *rows]))).events
    names = header.split(";")
    found = [getattr(events, name).column for name in ("user_id", "item_id", "category_id", "quantity", "amount")]
    assert [events.event_time.column, *found] == names
    assert events.event_type.constant == "purchase"
    assert events.price is not None
    assert (events.price.divided_by, events.price.decimal_comma) == (names[4], True)


@pytest.mark.parametrize("name", ["Preis", "Stückpreis (€)", "Einzelpreis brutto", "Prix unitaire", "Precio", "Prezzo"])
def test_prices_of_one_piece_are_not_divided(tmp_path: Path, name: str) -> None:
    rows = ["01.01.2026 10:00;K1;A1;2;9,90", "02.01.2026 10:00;K2;A2;3;1,50"]
    path = _write(tmp_path / "verkauf.csv", _csv([f"Datum;Kunde;Artikel;Menge;{name}", *rows]))
    price = _draft(path).events.price
    assert price is not None
    assert (price.column, price.divided_by) == (name, None)


def test_quotes_around_decimal_commas_mean_something(tmp_path: Path) -> None:
    """Cut at every comma, all lines have as many values, one more than the header."""
    rows = [f'"2026-01-0{day} 10:00:00","K{day}","A{day}","{day}9,90"' for day in range(1, 9)]
    path = _write(tmp_path / "log.csv", _csv(['"date","customer","sku","price"', *rows]))
    source = _draft(path)
    assert source.csv is not None
    assert source.csv.quote == '"'
    (check,) = check_source(source, path)[0]
    assert (check.n_lines, check.n_rejected) == (8, 0)


def test_a_visit_is_never_taken_for_an_item(tmp_path: Path) -> None:
    """Nor is an order's number, where no column is known to name an item."""
    rows = [f"2026-01-05 10:{n % 60:02d},s{n // 3:04d},o{n:04d},C{n % 40:03d},A{n % 30:03d}" for n in range(200)]
    text = propose([_write(tmp_path / "log.csv", _csv(["at,SESS,order_no,cust_no,thing", *rows]))])
    events = yaml.safe_load(text)["events"]
    assert (events["user_id"]["column"], events["item_id"]["column"]) == ("cust_no", "thing")


@pytest.mark.parametrize(
    "shape", ["17{:03d}.0", "104587{:03d}.1767607200", "GA1.2.104587{:03d}.1767607200", "u{}@shop.example"]
)
def test_ids_with_a_dot_are_ids(tmp_path: Path, shape: str) -> None:
    """Beside prices, which have dots too."""
    rows = [f"2026-01-05 10:{n % 60:02d},{n % 50}.95,{shape.format(n % 40)}" for n in range(200)]
    path = _write(tmp_path / "log.csv", _csv(["at,worth,whose", *rows]))
    events = _draft(path).events
    assert (events.user_id.column, events.user_id.whole) == ("whose", shape.endswith(".0"))
    (check,), _ = check_source(_draft(path), path)
    assert (check.n_rejected, len(check.users)) == (0, 40)


def test_numbered_lines_of_several_files_are_known_by_their_file(tmp_path: Path) -> None:
    """A log that names nobody: of one file the number tells, of several the number and the file."""
    text = _csv(["at,sku,eur"] + [f"2026-01-05T10:{n:02}:00Z,{n % 7},{n}.50" for n in range(40)])
    (tmp_path / "several").mkdir()
    one = _draft(_write(tmp_path / "receipts.csv", text))
    assert one.events.user_id.column == "row"
    for till in (1, 2):
        _write(tmp_path / "several" / f"receipts-{till}.csv", text)
    several = _draft(tmp_path / "several")
    assert several.csv is not None
    assert several.csv.added == ("row", "file")
    assert several.events.user_id.columns == ("file", "row")


SALES = ["at;customer;sku;eur", *(f"2026-01-05 10:{n:02};c{n % 5};{n % 7};{n},50" for n in range(30))]


@pytest.mark.parametrize(
    ("above", "n_lines"),
    [([], 0), (["Sales report 2026"], 1), (["Sales report;;;"], 1), (["Sales", "exported; 05.01.2026", ""], 3)],
)
def test_lines_above_the_header_are_found(tmp_path: Path, above: list[str], n_lines: int) -> None:
    """Alone, filled up to the header's width, or several with a blank one: the columns are those below."""
    source = _draft(_write(tmp_path / "sales.csv", _csv([*above, *SALES])))
    assert source.csv is not None
    assert source.csv.skip_lines == n_lines
    assert source.events.user_id.column == "customer"


def test_a_broken_first_line_of_values_is_no_title(tmp_path: Path) -> None:
    """Without names below it, leaving it out would lose a line of the log."""
    source = _draft(_write(tmp_path / "log.csv", _csv(["2026-01-05 10:00;c1", *SALES[1:]])))
    assert source.csv is not None
    assert (source.csv.skip_lines, source.csv.has_header) == (0, False)


def test_the_line_taken_for_the_header_is_named(tmp_path: Path) -> None:
    """Where no column holds a time, by its number; what may be a value shows its shape alone."""
    rows = ["Shop report", "sku;Ann7;what", *(f"{n % 7};x{n % 3};word" for n in range(30))]
    told = r"sales.csv \(line 2 was taken for the header: sku, aaa9, what\): no column holds a time"
    with pytest.raises(DeliveryError, match=told):
        propose([_write(tmp_path / "sales.csv", _csv(rows))])


def test_a_closed_day_tells_nothing_of_the_others(tmp_path: Path) -> None:
    """Its file has a title and a header alone; the title is no column of the draft, and days are found in the names."""
    header = "Datum;Uhrzeit;Bon;Karte_Nr;ArtNr;Menge;Betrag"
    for day in (1, 2, 7):
        rows = [
            f"{day:02d}.06.2026;10:{n % 60:02d}:00;{n // 2:04d};K{n % 30:03d};{n % 40:06d};1;2,50" for n in range(90)
        ]
        text = _csv([f"Journal - {day:02d}.06.2026 - alle Filialen", header, *(rows if day < 7 else ())])
        _write(tmp_path / f"KJ_{day:02d}062026.csv", text)
    text = propose([tmp_path], "shop")
    assert "Journal" not in text
    assert yaml.safe_load(text)["csv"]["skip_lines"] == 1


def test_receipts_without_a_card_are_asked_about(tmp_path: Path) -> None:
    """A third name nobody, in the words of several tools: what to write where each receipt is a shopper of its own."""
    cards = ("K{:03d}", "K{:03d}", "", "K{:03d}", "NULL", "K{:03d}")
    rows = [
        f"2026-01-05 10:{n % 60:02d}:00;{n // 2:04d};{cards[n % 6].format(n % 30)};{n % 40:06d};1;2,50"
        for n in range(180)
    ]
    path = _write(tmp_path / "till.csv", _csv(["Zeit;Bon;Kundenkarte;ArtNr;Menge;Betrag", *rows]))
    text = propose([path], "shop")
    assert "user_id: 33% of the lines name no Kundenkarte and are rejected" in text
    assert "write first_of: [Kundenkarte, Bon]" in text
    assert "max_rejected_share: 0.6" in text


def test_returns_are_read_whatever_their_price_is_called(tmp_path: Path) -> None:
    """Pieces with a minus, and no column that the draft takes for money."""
    rows = [f"2026-01-05 10:{n % 60:02d}:00,C{n % 30:03d},A{n % 40:03d},{-1 if n % 9 == 0 else 1}" for n in range(180)]
    path = _write(tmp_path / "orders.csv", _csv(["ordered,customer_id,sku,qty", *rows]))
    (check,), _ = check_source(_draft(path), path)
    assert dict(check.n_events) == {"purchase": 160, "refund": 20}
