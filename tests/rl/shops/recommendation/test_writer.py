"""Deliveries: every real event arrives intact, dirt is added and counted, the same settings give the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from conf.event_types import EVENT_TYPE_RANK
from rl.errors import ShopError
from rl.shops.recommendation.canonical_lines import event_records
from rl.shops.recommendation.shop import availability_id, build_shop
from rl.shops.recommendation.shop_settings import SHOP_FILE, Dirt, ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.writer import write_shop_logs
from rl.shops.settings_file import changed_settings

BERLIN = ZoneInfo("Europe/Berlin")
DIRTY = ShopSettings(
    n_shoppers=60,
    n_days=4,
    seed=3,
    dirt=Dirt(
        duplicate_rate=0.1,
        late_rate=0.1,
        broken_rate=0.05,
        unknown_event_type_rate=0.03,
        bad_number_rate=0.03,
        bad_timestamp_rate=0.03,
        missing_field_rate=0.03,
        outside_window_rate=0.03,
        bots_per_day=1.5,
    ),
)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's logs with a lot of dirt."""
    out = tmp_path_factory.mktemp("dirty")
    write_shop_logs(out, DIRTY)
    return out


def lines_of(logs: Path) -> Iterator[tuple[date, str]]:
    for file in sorted(logs.glob("*/events-*.jsonl.gz")):
        for line in gzip.decompress(file.read_bytes()).decode("utf-8").splitlines():
            yield date.fromisoformat(file.parent.name), line


def reason_for(line: str, delivery: date, seen: set[str]) -> str | None:
    """Why a reader of the canonical source rejects a line, bots aside; None where it takes it."""
    try:
        record = json.loads(line)
        moment = datetime.fromisoformat(record["event_time"])
    except json.JSONDecodeError:
        return "unreadable"
    except ValueError:
        return "bad_timestamp" if "user_id" in record else "missing_field"
    lateness = delivery - moment.astimezone(BERLIN).date()
    numbers = [record.get(name, 0.5) for name in ("price", "quantity", "position", "propensity")]
    checks = {
        "missing_field": "user_id" not in record,
        "bad_number": any(not isinstance(value, int | float) or value < 0 for value in numbers) or numbers[3] > 1,
        "unknown_event_type": record["event_type"] not in EVENT_TYPE_RANK,
        "outside_window": not timedelta(0) <= lateness <= timedelta(days=1),
        "duplicate": record["event_id"] in seen,
    }
    seen.add(record["event_id"])
    return next((reason for reason, is_violated in checks.items() if is_violated), None)


def bots_of(lines: list[tuple[date, str]]) -> set[str]:
    per_hour: Counter[tuple[str, str]] = Counter()
    for _, line in lines:
        if line.endswith("}"):
            record = json.loads(line)
            per_hour[(record.get("user_id", ""), record["event_time"][:13])] += 1
    return {user for (user, _), n_events in per_hour.items() if n_events > 600}


def test_counts_reconcile_with_what_a_reader_rejects(dirty: Path) -> None:
    """A plain reader rejects, reason by reason, as many lines as the writer says it spoiled, and takes the rest."""
    lines = list(lines_of(dirty / "logs"))
    bots, found = bots_of(lines), Counter[str]()
    seen: dict[date, set[str]] = {}
    for delivery, line in lines:
        reason = reason_for(line, delivery, seen.setdefault(delivery, set()))
        is_bot = reason is None and json.loads(line)["user_id"] in bots
        found["bot_rate" if is_bot else reason or "accepted"] += 1
    delivered = json.loads((dirty / "delivered.json").read_text())
    assert found.pop("accepted") == delivered["n_events"]
    assert found == delivered["rejected"]
    assert set(found) == {
        "unreadable",
        "missing_field",
        "bad_timestamp",
        "bad_number",
        "unknown_event_type",
        "outside_window",
        "duplicate",
        "bot_rate",
    }


def test_counts_add_up(dirty: Path) -> None:
    """Lines are events and rejected ones; kinds sum to lines over the days."""
    delivered = json.loads((dirty / "delivered.json").read_text())
    assert (
        delivered["n_lines"] == delivered["n_events"] + delivered["n_rejected"] == len(list(lines_of(dirty / "logs")))
    )
    assert delivered["n_rejected"] == sum(delivered["rejected"].values())
    by_day: Counter[str] = sum((Counter(kinds) for kinds in delivered["days"].values()), Counter())
    assert by_day == delivered["kinds"]


def test_every_real_event_arrives_intact_on_its_day_or_the_next(dirty: Path) -> None:
    """No dirt costs an event: its line is there, whole, with the delivery of its own day, or of the next if late."""
    settings = SHOP_FILE.load(dirty)
    simulation = simulate(build_shop(settings), is_observed=False)
    arrived: dict[str, list[date]] = {}
    for delivery, line in lines_of(dirty / "logs"):
        arrived.setdefault(line, []).append(delivery)
    n_late = n_after = 0
    for record, is_late in zip(event_records(simulation), simulation.events.is_late.tolist(), strict=True):
        own_day = datetime.fromisoformat(str(record["event_time"])).astimezone(BERLIN).date()
        due = own_day + timedelta(days=int(is_late))
        if due > settings.last_date:
            n_after += 1
            continue
        assert arrived[json.dumps(record)][0] == due
        n_late += is_late
    delivered = json.loads((dirty / "delivered.json").read_text())
    assert delivered["n_after_last_delivery"] == n_after
    assert delivered["kinds"]["late"] == n_late > 0


def test_duplicates_come_with_the_same_or_the_next_delivery(dirty: Path) -> None:
    """A repeated line is identical, and at most a day behind the first."""
    arrived: dict[str, list[date]] = {}
    for delivery, line in lines_of(dirty / "logs"):
        if line.endswith("}"):
            arrived.setdefault(line, []).append(delivery)
    repeated = [days for days in arrived.values() if len(days) > 1]
    gaps = Counter((days[-1] - days[0]).days for days in repeated)
    kinds = json.loads((dirty / "delivered.json").read_text())["kinds"]
    assert gaps == {0: kinds["duplicate_same_delivery"], 1: kinds["duplicate_next_delivery"]}


def test_lines_are_out_of_order(dirty: Path) -> None:
    """A delivery isn't sorted by time."""
    file = next(iter(sorted((dirty / "logs").glob("*/events-0.jsonl.gz"))))
    times = [
        json.loads(line)["event_time"]
        for line in gzip.decompress(file.read_bytes()).decode().splitlines()
        if line.endswith("}")
    ]
    assert times != sorted(times)


def test_side_files_cover_every_decision(dirty: Path) -> None:
    """Each decision's set was delivered, is the content its id says, and holds the action; its item has a price."""
    sets: dict[str, list[str]] = {}
    items: dict[str, dict[str, Any]] = {}
    for file in (dirty / "logs").glob("*/availability.jsonl"):
        sets |= {row["availability_id"]: row["actions"] for row in map(json.loads, file.read_text().splitlines())}
    for file in (dirty / "logs").glob("*/items.jsonl"):
        items |= {row["item_id"]: row for row in map(json.loads, file.read_text().splitlines())}
    assert all(availability_id(actions) == identity for identity, actions in sets.items())
    simulation = simulate(build_shop(SHOP_FILE.load(dirty)), is_observed=False)
    for record in event_records(simulation):
        item = items[str(record["item_id"])]
        assert item["category_id"] == record["category_id"]
        if record["event_type"] == "impression":
            assert record["action"] in sets[str(record["availability_id"])]
        else:
            assert record["price"] == item["price"] > item["cost"]


def digest(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    named = [str(file.relative_to(folder)).encode() + file.read_bytes() for file in files]
    return hashlib.sha256(b"".join(named)).hexdigest()


def test_same_settings_give_the_same_bytes(tmp_path: Path, dirty: Path) -> None:
    """Writing again, over older logs too, leaves exactly the same files; another seed leaves others."""
    write_shop_logs(tmp_path, changed_settings(DIRTY, seed=4))
    other = digest(tmp_path)
    write_shop_logs(tmp_path, DIRTY)
    assert digest(tmp_path) == digest(dirty) != other


def test_days_can_be_given(tmp_path: Path) -> None:
    """The shop that is saved is the one that was delivered."""
    write_shop_logs(tmp_path, DIRTY, date(2026, 10, 24), 3)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["2026-10-24", "2026-10-25", "2026-10-26"]
    assert (SHOP_FILE.load(tmp_path).first_date, SHOP_FILE.load(tmp_path).n_days) == (date(2026, 10, 24), 3)
    with pytest.raises(ShopError, match="n_days"):
        write_shop_logs(tmp_path, DIRTY, date(2026, 10, 24), 0)


def test_clean_shop_has_nothing_to_reject(tmp_path: Path) -> None:
    """Without dirt, all lines are events, each once, on its day, in order of time."""
    delivered = write_shop_logs(tmp_path, changed_settings(DIRTY, dirt=Dirt.none()))
    lines = [line for _, line in lines_of(tmp_path / "logs")]
    assert delivered["n_rejected"] == 0
    assert delivered["kinds"] == {"on_time": len(set(lines))} == {"on_time": len(lines)}


def test_folder_that_can_not_be_written_is_one_clear_error(tmp_path: Path) -> None:
    """A file where the folder should be is named in the error, and stays."""
    (tmp_path / "shop").write_text("mine")
    with pytest.raises(ShopError, match="can't be written"):
        write_shop_logs(tmp_path / "shop", DIRTY)
    assert (tmp_path / "shop").read_text() == "mine"


def test_event_times_are_utc() -> None:
    """Times are ISO 8601 with Z, to the microsecond."""
    record = next(event_records(simulate(build_shop(DIRTY), is_observed=False)))
    text = str(record["event_time"])
    assert text.endswith("Z")
    assert datetime.fromisoformat(text).tzinfo == UTC
    assert len(text) == len("2026-03-02T00:00:00.000000Z")
