"""Freshness and rejected shares are those of the manifests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rl.site.deliveries import read_source, reasons_of
from rl.site.left_files import LeftFiles
from tests.rl.site.conftest import DAY, Home


def test_bots_lines_are_rejected_and_not_wrong(home: Home) -> None:
    """What withholds a delivery is what couldn't be read, not what was read and means nothing."""
    home.deliver(0, n_lines=200, bot=60, unreadable=10)
    (delivery,) = read_source(home.lake, LeftFiles()).deliveries
    assert delivery.rejected_share == pytest.approx(0.35)
    assert delivery.wrong_share == pytest.approx(0.05)


def test_days_without_a_delivery_are_named(home: Home) -> None:
    for n in (0, 1, 4):
        home.deliver(n)
    found = read_source(home.lake, LeftFiles())
    assert found.missing == (DAY + timedelta(days=2), DAY + timedelta(days=3))
    assert found.last is not None
    assert found.last.day == DAY + timedelta(days=4)


def test_an_empty_delivery_has_no_share(home: Home) -> None:
    home.deliver(0, n_lines=0)
    (delivery,) = read_source(home.lake, LeftFiles()).deliveries
    assert (delivery.rejected_share, delivery.wrong_share) == (None, None)


def test_reasons_add_up_over_deliveries(home: Home) -> None:
    home.deliver(0, bot=5, unreadable=1)
    home.deliver(1, bot=1, unreadable=9)
    found = reasons_of(read_source(home.lake, LeftFiles()).deliveries)
    assert (found.n_lines, list(found.by_reason.items())) == (200, [("unreadable", 10), ("bot_rate", 6)])


def test_lines_that_a_column_sets_aside_are_counted_by_column(home: Home) -> None:
    """Over all feeds; what an earlier release published says nothing of it."""
    profile = {"shop": {"n_lines": 90, "ignored/channel": 7, "rejected/bad_id": 2}, "till": {"ignored/channel": 1}}
    home.deliver(0, profile=profile)
    home.deliver(1, profile={"shop": {"ignored/test_order": 20}})
    home.deliver(2)
    deliveries = read_source(home.lake, LeftFiles()).deliveries
    assert [dict(one.ignored_where) for one in deliveries] == [{"channel": 8}, {"test_order": 20}, {}]
    assert reasons_of(deliveries).ignored_where == {"test_order": 20, "channel": 8}


def test_what_a_person_accepted_and_what_drifted_is_told(home: Home) -> None:
    home.deliver(0, notes={"accepted": "the feed was late"}, drift=("half as many lines as usual",))
    (delivery,) = read_source(home.lake, LeftFiles()).deliveries
    assert delivery.notes == ("accepted: the feed was late", "half as many lines as usual")


def test_a_broken_pointer_is_a_problem_and_the_others_are_read(home: Home) -> None:
    home.deliver(0)
    home.deliver(1)
    broken = home.lake.pointer(home.lake.table("events"), f"delivery_date={DAY}")
    broken.write_text('{"files": []')
    found = read_source(home.lake, left := LeftFiles())
    assert [one.day for one in found.deliveries] == [DAY + timedelta(days=1)]
    assert len(left.problems) == 1
    assert str(broken) in left.problems[0]


def test_a_source_without_a_spec_is_shown_by_its_name(home: Home) -> None:
    """Its YAML is gone; what it delivered is still there."""
    lake = type(home.lake)(home.settings.lake, "gone_shop")
    home.publish(lake.table("events"), f"delivery_date={DAY}")
    found = read_source(lake, left := LeftFiles())
    assert (found.title, found.may_reject, len(found.deliveries)) == ("gone_shop", None, 1)
    assert "gone_shop" in left.problems[0]
