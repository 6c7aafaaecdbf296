"""Deliveries hold every real line, the dirt that the record says, and the exact money."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from rl.errors import ShopError
from rl.shops.promotion.promotion_settings import SHOP_FILE, FeedDirt, PromotionSettings
from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.week_responses import NEVER
from rl.shops.promotion.writer import write_promotion_logs
from rl.shops.settings_file import changed_settings

BERLIN = ZoneInfo("Europe/Berlin")
# Five weeks over the end of summer time, on 26 October 2025.
DIRTY = PromotionSettings(
    first_monday=date(2025, 10, 6),
    n_weeks=5,
    n_shoppers=250,
    seed=3,
    dirt=FeedDirt(
        duplicate_rate=0.04,
        late_rate=0.03,
        broken_rate=0.02,
        unknown_type_rate=0.02,
        bad_number_rate=0.02,
        bad_timestamp_rate=0.02,
        missing_shopper_rate=0.02,
        unknown_offer_rate=0.03,
    ),
)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's deliveries with a lot of dirt."""
    out = tmp_path_factory.mktemp("dirty")
    write_promotion_logs(out, DIRTY)
    return out


def money(text: str) -> int:
    """Millionths of an amount as German exports write it."""
    return int(Decimal(text.replace(".", "").replace(",", ".")) * 1_000_000)


def order_rows(logs: Path) -> Iterator[tuple[date, list[str], dict[str, str]]]:
    for file in sorted(logs.glob("*/orders.csv")):
        header, *lines = file.read_bytes().decode("latin-1").splitlines()
        for line in lines:
            values = line.split(";")
            yield date.fromisoformat(file.parent.name), values, dict(zip(header.split(";"), values, strict=False))


def order_reason(values: list[str], row: dict[str, str], seen: set[str]) -> str | None:
    """Why a reader rejects a line of the till; None where it takes it."""
    if len(values) < 13:
        return "half_record"
    identity = "|".join(row[name] for name in ("Beleg", "Zeile", "Art"))
    checks = {
        "ignored": row["Art"] == "G",
        "missing_field": row["Kunde"] in ("", "NULL"),
        "bad_timestamp": not _is_time(row["Zeitpunkt"]),
        "bad_number": not _is_money(row["Betrag"]),
        "unknown_event_type": row["Art"] not in ("K", "R"),
        "duplicate": identity in seen,
    }
    seen.add(identity)
    return next((reason for reason, is_violated in checks.items() if is_violated), None)


def at(text: str) -> datetime:
    """The moment that a line of the till says, on the clock of its zone."""
    return datetime.strptime(text, "%d.%m.%Y %H:%M:%S")


def _is_time(text: str) -> bool:
    try:
        at(text)
    except ValueError:
        return False
    return True


def _is_money(text: str) -> bool:
    try:
        money(text)
    except ArithmeticError:
        return False
    return True


def decision_rows(logs: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(logs.glob("*/campaign.parquet")):
        yield from pq.read_table(file).to_pylist()


def is_decision(row: dict[str, Any]) -> bool:
    is_known = row["offer"] in {"KEIN", "NL-ERINNERUNG", "NL-15PROZENT", "GS-5", "BRIEF-10"}
    return is_known and row["sent_at"] is not None and row["customer"] is not None and 0 < row["propensity"] <= 1


def accepted_orders(logs: Path) -> list[dict[str, str]]:
    """Each accepted line of the till once, whatever delivery it came with."""
    by_day: dict[date, set[str]] = defaultdict(set)
    taken: dict[str, dict[str, str]] = {}
    for day, values, row in order_rows(logs):
        if order_reason(values, row, by_day[day]) is None:
            taken["|".join(row[name] for name in ("Beleg", "Zeile", "Art"))] = row
    return list(taken.values())


def week_of(moment: datetime) -> int:
    """The week whose decision, on Monday at nine in Berlin, is the latest before a moment."""
    first = datetime.combine(DIRTY.first_monday, datetime.min.time())
    return (moment - first - timedelta(hours=9)) // timedelta(weeks=1)


def test_money_of_the_files_is_the_record_to_the_millionth(dirty: Path) -> None:
    """Summed by a plain reader of the raw files, margin and cost of offers are the record's, week by week."""
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    rows = accepted_orders(dirty / "logs")
    bought = {row["Beleg"]: week_of(at(row["Zeitpunkt"])) for row in rows if row["Art"] == "K"}
    for row in rows:
        before = "refunded_" if row["Art"] == "R" else ""
        week = sums[bought[row["Beleg"]]]
        week[f"{before}amount"] += abs(money(row["Betrag"]))
        week[f"{before}cost"] += abs(money(row["Wareneinsatz"])) if row["Wareneinsatz"] else 0
        week["discount"] += money(row["Rabatt"]) if row["Rabatt"] else 0
    committed = {"KEIN": 0, **{offer.code: offer.committed_millionths for offer in DIRTY.offers}}
    seen: set[str] = set()
    for decided in filter(is_decision, decision_rows(dirty / "logs")):
        if decided["send_id"] not in seen:
            seen.add(decided["send_id"])
            week = sums[week_of(decided["sent_at"].astimezone(BERLIN).replace(tzinfo=None))]
            week["contact_cost"] += int(decided["contact_cost"] * 1_000_000)
            week["committed"] += committed[decided["offer"]]
    for one in json.loads((dirty / "money.json").read_text())["weeks"]:
        found = sums[one["week"]]
        assert {name: found[name] for name in one if name not in ("week", "margin", "profit")} == {
            name: value for name, value in one.items() if name not in ("week", "margin", "profit")
        }
        margin = found["amount"] - found["cost"] - found["refunded_amount"] + found["refunded_cost"]
        assert (one["margin"], one["profit"]) == (margin, margin - found["contact_cost"])
    assert sum(week["refunded_amount"] for week in sums.values()) > 0


def test_counts_reconcile_with_what_a_reader_of_orders_rejects(dirty: Path) -> None:
    """A plain reader of the till's lines rejects, reason by reason, as many as the record says."""
    found, by_day = Counter[str](), defaultdict[date, set[str]](set)
    for day, values, row in order_rows(dirty / "logs"):
        found[order_reason(values, row, by_day[day]) or "accepted"] += 1
    said = json.loads((dirty / "delivered.json").read_text())["feeds"]["orders"]
    assert found.pop("accepted") == said["n_accepted"]
    assert found == said["rejected"]
    assert len(found) == 7


def test_counts_add_up(dirty: Path) -> None:
    """Every feed's lines are the accepted and the rejected ones, and kinds sum over the days."""
    for feed, said in json.loads((dirty / "delivered.json").read_text())["feeds"].items():
        assert said["n_lines"] == said["n_accepted"] + sum(said["rejected"].values()), feed
        assert sum((Counter(kinds) for kinds in said["days"].values()), Counter[str]()) == said["kinds"]
        assert said["kinds"]["late"] > 0
        assert said["kinds"]["duplicate_next_delivery"] > 0


def test_every_decision_is_delivered_with_its_propensity(dirty: Path) -> None:
    """Each week has a row for each shopper who is there, nothing sent included, with the exact probability."""
    simulation = simulate(DIRTY)
    rows = {row["send_id"]: row for row in decision_rows(dirty / "logs") if is_decision(row)}
    codes = ["KEIN", *[offer.code for offer in DIRTY.offers]]
    n_decisions = 0
    for week in simulation.weeks:
        due = datetime.combine(DIRTY.first_monday + timedelta(weeks=week.week), datetime.min.time(), BERLIN)
        columns = (week.row.tolist(), week.action.tolist(), week.propensity.tolist())
        for row, action, propensity in zip(*columns, strict=True):
            found = rows[f"S{week.week:03d}-{17_000 + row}"]
            seen = found["offer"], found["propensity"], found["customer"]
            assert seen == (codes[action], propensity, 17_000.0 + row)
            assert found["sent_at"] == (due.replace(hour=9)).astimezone(UTC)
        n_decisions += len(week.row)
    assert n_decisions == len(rows)
    table = pq.read_table(dirty / "decisions.parquet")
    assert table.num_rows == n_decisions
    assert sum(table["committed"].to_pylist()) == sum(int(week.committed.sum()) for week in simulation.weeks)


def test_decisions_hold_the_true_probabilities(dirty: Path) -> None:
    """Purchases are as likely as each column says, within four standard deviations; offers move some up, some down."""
    table = pq.read_table(dirty / "decisions.parquet").to_pydict()
    bought = np.array(table["n_orders"]) > 0
    for column, happened in (
        ("purchase_probability", bought),
        ("expected_probability", bought),
        ("usual_probability", np.array(table["would_buy"])),
    ):
        chance = np.array(table[column])
        assert abs((happened - chance).sum()) < 4 * np.sqrt((chance * (1 - chance)).sum()), column
    moved = np.array(table["purchase_probability"]) - np.array(table["usual_probability"])
    is_sent = np.array(table["action"]) != "none"
    assert (moved[~is_sent] == 0).all()
    assert moved[is_sent].min() < 0 < moved[is_sent].max()


def test_opt_outs_stand_in_the_register_and_block_the_audience(dirty: Path) -> None:
    """From the week after an opt-out on, the register says no and the campaign tool's set holds nothing but none."""
    out: dict[str, datetime] = {}
    for file in sorted((dirty / "logs").glob("*/customers.csv")):
        for line in file.read_bytes().decode("latin-1").splitlines()[1:]:
            shopper, _, _, newsletter, since = line.split(";")
            if newsletter == "nein":
                out[shopper] = datetime.fromisoformat(since)
                assert out[shopper].astimezone(BERLIN).date() == date.fromisoformat(file.parent.name)
    n_blocked = 0
    for row in filter(is_decision, decision_rows(dirty / "logs")):
        is_out = out.get(f"{row['customer']:.0f}", row["sent_at"]) < row["sent_at"]
        assert (row["audience"] == "gesperrt") == is_out
        assert not is_out or (row["offer"], row["propensity"]) == ("KEIN", 1.0)
        n_blocked += is_out
    assert n_blocked > 5
    sets = [json.loads(line) for line in (dirty / "logs/2025-10-06/audiences.jsonl").read_text().splitlines()]
    assert sets[1] == {"audience": "gesperrt", "offers": ["KEIN"]}


def test_web_events_lie_within_their_weeks_and_lead_to_every_purchase(dirty: Path) -> None:
    """Carts name the pieces of each order a minute before it, and visits never cross a decision."""
    carts, views = Counter[tuple[int, int]](), 0
    for file in sorted((dirty / "logs").glob("*/web-*.jsonl.gz")):
        for line in gzip.decompress(file.read_bytes()).decode().splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "customer" not in record["visitor"] or not isinstance(record["ts"], int):
                continue
            carts[int(float(record["visitor"]["customer"])), record["ts"]] += record["event"] == "add_to_cart"
            views += record["event"] == "product_view"
    n_missing = n_orders = 0
    for week in simulate(DIRTY).weeks:
        for place in (0, 1):
            for row, time in zip(week.row.tolist(), week.order_time[:, place].tolist(), strict=True):
                if time != NEVER:
                    n_orders += 1
                    n_missing += not carts[17_000 + row, time // 1000 - 60_000]
    # What comes after the last delivery, or is late by then, is missing.
    undelivered = json.loads((dirty / "delivered.json").read_text())["feeds"]["web"]["n_after_last_delivery"]
    assert n_orders - n_missing > 0
    assert n_missing <= undelivered
    assert views > 1000


def test_ids_have_other_forms(dirty: Path) -> None:
    """Orders hold 17850 and 17850.0; web events numbers with and without a point, and both as text."""
    forms = {"." in row["Kunde"] for _, values, row in order_rows(dirty / "logs") if len(values) > 5}
    assert forms == {True, False}
    kinds: set[str] = set()
    for file in (dirty / "logs").glob("*/web-0.jsonl.gz"):
        for line in gzip.decompress(file.read_bytes()).decode().splitlines():
            if line.endswith("}") and '"customer": ' in line:
                written = line.split('"customer": ')[1].split(",")[0]
                kinds.add("".join("9" if letter.isdigit() else letter for letter in written))
    assert kinds >= {"99999", "99999.9", '"99999"', '"99999.9"'}


def digest(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    named = [str(file.relative_to(folder)).encode() + file.read_bytes() for file in files]
    return hashlib.sha256(b"".join(named)).hexdigest()


def test_same_settings_give_the_same_bytes(tmp_path: Path, dirty: Path) -> None:
    """Writing again, over other logs too, leaves exactly the same files; another seed leaves others."""
    write_promotion_logs(tmp_path, changed_settings(DIRTY, seed=4))
    other = digest(tmp_path)
    write_promotion_logs(tmp_path, DIRTY)
    assert digest(tmp_path) == digest(dirty) != other
    assert SHOP_FILE.load(tmp_path) == DIRTY


def test_clean_shop_has_nothing_to_reject(tmp_path: Path) -> None:
    """Without dirt every line is accepted, each once, on its day."""
    write_promotion_logs(tmp_path, changed_settings(DIRTY, n_weeks=2, dirt=FeedDirt.none()))
    for feed in json.loads((tmp_path / "delivered.json").read_text())["feeds"].values():
        assert feed["rejected"] == {}
        assert set(feed["kinds"]) == {"on_time"}


def test_folder_that_can_not_be_written_is_one_clear_error(tmp_path: Path) -> None:
    """A file where the folder should be is named in the error, and stays."""
    (tmp_path / "shop").write_text("mine")
    with pytest.raises(ShopError, match="can't be written"):
        write_promotion_logs(tmp_path / "shop", changed_settings(DIRTY, n_weeks=1))
    assert (tmp_path / "shop").read_text() == "mine"
