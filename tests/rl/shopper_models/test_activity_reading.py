"""Published events become daily activity; who hasn't consented is nowhere in it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conf.errors import DamagedFile
from conf.kernel.calendar import day_number
from conf.paths import Lake
from conf.specs.side_table import ConsentTable
from conf.specs.source import load_source
from rl.errors import DatasetError
from rl.shopper_models.activity_reading import Consent, read_activity
from tests.rl.shopper_models.events_lake import FIRST, event, write_consent, write_events

ZERO = day_number(FIRST)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", "simulated_shop")


def read(lake, last=4, *, n_days=100, **changes):
    source = load_source("simulated_shop").model_copy(update={"lateness_days": 1, **changes})
    return read_activity(source, lake, FIRST + timedelta(days=last), n_days=n_days)


def asking():
    """A source that asks shoppers; what its files are is no matter once they are ingested."""
    return {"consent": table_of_consents()}


def table_of_consents(**changes):
    columns = {"user_id": {"column": "who"}, "is_given": {"column": "ok"}}
    return ConsentTable.model_validate({"files": ["c.jsonl"], "columns": columns} | changes)


def rows_of(activity):
    columns = ("day", "visible_from", "n_purchases", "spend", "discount")
    return [
        (activity.shoppers[activity.shopper[row]], *(int(getattr(activity, name)[row]) for name in columns))
        for row in range(len(activity))
    ]


def test_money_is_exact_and_counts_purchases_alone(lake):
    """The amount counts where there is one, else price times pieces; a view's price is nobody's spend."""
    rows = [
        event("a", 0, "view", price=5_000_000),
        event("a", 0, "purchase", event_id="1", price=333_333, quantity=3, discount=7),
        event("a", 0, "purchase", event_id="2", price=1, quantity=1, amount=2_000_001),
        event("a", 0, "purchase", event_id="3", price=9_000_000),
        event("a", 1, "impression"),
        event("", 1, "stock"),
    ]
    write_events(lake, rows, n_days=5)
    found = read(lake).activity
    assert rows_of(found) == [("a", ZERO, ZERO + 1, 3, 999_999 + 2_000_001, 7)]
    assert found.complete_through == ZERO + 3


def test_of_an_event_in_two_deliveries_the_earlier_row_counts(lake):
    """Another purchase of the day that comes late stays one of its own, known from the day after its delivery."""
    one = {"event_id": "same", "price": 1_000_000, "quantity": 1}
    rows = [
        event("a", 0, "purchase", **one),
        event("a", 0, "purchase", delivered=2, **(one | {"price": 9_000_000})),
        event("a", 0, "purchase", delivered=2, event_id="late", price=4_000_000, quantity=1),
    ]
    write_events(lake, rows, n_days=5)
    assert rows_of(read(lake).activity) == [
        ("a", ZERO, ZERO + 1, 1, 1_000_000, 0),
        ("a", ZERO, ZERO + 3, 1, 4_000_000, 0),
    ]


def test_later_deliveries_and_earlier_days_stay_unread(lake):
    rows = [event("a", 0), event("a", 3), event("a", 3, delivered=4, event_id="late"), event("b", 4)]
    write_events(lake, rows, n_days=5)
    assert [row[:2] for row in rows_of(read(lake, 3).activity)] == [("a", ZERO), ("a", ZERO + 3)]
    assert [row[:2] for row in rows_of(read(lake, 3, n_days=2).activity)] == [("a", ZERO + 3)]


def test_first_hours_of_the_next_day_are_not_known_yet(lake):
    """Files of whole sessions have them; the next day's own delivery makes the day known."""
    rows = [event("a", 3), event("a", 4, delivered=3, event_id="past midnight"), event("b", 4)]
    write_events(lake, rows, n_days=5)
    assert [row[:2] for row in rows_of(read(lake, 3).activity)] == [("a", ZERO + 3)]
    known = rows_of(read(lake, 4).activity)
    assert [row[:3] for row in known] == [
        ("a", ZERO + 3, ZERO + 4),
        ("a", ZERO + 4, ZERO + 5),
        ("b", ZERO + 4, ZERO + 5),
    ]


def test_shoppers_without_consent_are_left_out_whole(lake):
    """The latest row that holds counts, however long the shopper had consented before; who said nothing has not."""
    write_events(lake, [event(user, day) for user in "abcde" for day in (0, 2)], n_days=5)
    write_consent(lake, 0, [("a", 0, True), ("b", 0, True), ("c", 0, False), ("e", 0, True), ("e", 0, False)])
    write_consent(lake, 3, [("b", 3, False), ("c", 2, True), ("a", 30, False)])
    found = read(lake, **asking())
    assert found.activity.shoppers == ("a", "c")
    assert found.n_left_out == 3
    assert sum(name.startswith("consent/") for name in found.inputs) == 2
    before = read(lake, 2, **asking())
    assert before.activity.shoppers == ("a", "b")


def test_whoever_is_not_listed_may_count_as_consenting(lake):
    """A list of those who opted out leaves them out, from the day on which they did, and nobody else."""
    write_events(lake, [event(user, day) for user in "abcde" for day in (0, 2)], n_days=5)
    write_consent(lake, 0, [("b", 0, False), ("c", 0, False)])
    write_consent(lake, 3, [("c", 2, True), ("d", 3, False), ("e", 30, False)])
    listed = {"consent": table_of_consents(unlisted="given")}
    found = read(lake, **listed)
    assert found.activity.shoppers == ("a", "c", "e")
    assert found.n_left_out == 2
    assert found.inputs["consent/unlisted"] == "given"
    assert "consent/unlisted" not in read(lake, **asking()).inputs
    assert read(lake, 2, **listed).activity.shoppers == ("a", "d", "e")
    source = load_source("simulated_shop").model_copy(update=listed)
    consent = Consent.read(source, lake, FIRST + timedelta(days=4))
    assert [shopper in consent for shopper in "abcdez"] == [True, False, True, False, True, True]
    source = load_source("simulated_shop").model_copy(update=asking())
    consent = Consent.read(source, lake, FIRST + timedelta(days=4))
    assert [shopper in consent for shopper in "abcdez"] == [False, False, True, False, False, False]


def test_an_empty_list_of_opt_outs_leaves_nobody_out(lake):
    write_events(lake, [event("a", 0)], n_days=5)
    found = read(lake, consent=table_of_consents(unlisted="given"))
    assert (found.activity.shoppers, found.n_left_out) == (("a",), 0)


def test_with_nobodys_consent_nothing_is_left(lake):
    write_events(lake, [event("a", 0)], n_days=5)
    found = read(lake, **asking())
    assert len(found.activity) == 0
    assert found.n_left_out == 1


def test_what_cannot_be_read_together_is_refused(lake):
    write_events(
        lake,
        [event(kind, 0, "purchase", price=1, quantity=1, currency=kind) for kind in ("EUR", "USD")],
        n_days=5,
    )
    with pytest.raises(DatasetError, match="EUR, USD, which can't be added up"):
        read(lake)
    with pytest.raises(DatasetError, match=r"no delivery of 2026-01-14 .*ingested are 2026-01-05 to 2026-01-09"):
        read(lake, 9)
    write_events(lake, [event("b", 1)], n_days=2, key_id="another")
    with pytest.raises(DatasetError, match="several kinds or keys"):
        read(lake)


def test_a_damaged_file_is_refused(lake):
    write_events(lake, [event("a", 0)], n_days=5)
    file = next(lake.table("events").glob("v-*/**/*.parquet"))
    content = bytearray(file.read_bytes())
    content[10] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedFile, match="make repair SOURCE=simulated_shop"):
        read(lake)
