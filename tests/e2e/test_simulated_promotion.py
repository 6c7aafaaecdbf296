"""The shipped source reads what the simulated shop of offers delivers: every line, its reason, and every field."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from conf.specs.source import Source, load_source
from jobs.commands.side_check import check_side_tables
from jobs.commands.source_check import FeedCheck, check_source
from rl.shops.promotion.promotion_settings import FeedDirt, PromotionSettings
from rl.shops.promotion.visible_history import OBSERVED_COLUMNS
from rl.shops.promotion.writer import write_promotion_logs

ALL_LINES = 10**7
SOURCE = load_source("simulated_promotion")
SETTINGS = PromotionSettings(
    n_weeks=3,
    n_shoppers=200,
    dirt=FeedDirt(
        duplicate_rate=0.03,
        broken_rate=0.02,
        unknown_type_rate=0.02,
        bad_number_rate=0.02,
        bad_timestamp_rate=0.02,
        missing_shopper_rate=0.02,
        unknown_offer_rate=0.03,
    ),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shop")
    write_promotion_logs(out, SETTINGS)
    return out


@pytest.fixture(scope="module")
def checks(shop: Path) -> dict[str, FeedCheck]:
    found, unread = check_source(SOURCE, shop / "logs", ALL_LINES)
    assert unread == []
    return {check.name: check for check in found}


@pytest.mark.parametrize("feed", ["campaign", "web", "orders"])
def test_every_line_is_accepted_or_rejected_as_the_shop_says(
    shop: Path, checks: dict[str, FeedCheck], feed: str
) -> None:
    """Counts by reason are those of the shop's own record, to the line."""
    said = json.loads((shop / "delivered.json").read_text())["feeds"][feed]
    found: Counter[str] = Counter()
    for name, n_lines in checks[feed].result()["rejected"].items():
        found[name.split()[0]] += n_lines
    assert found == said["rejected"]
    assert len(found) >= 4
    assert checks[feed].n_lines == said["n_lines"]
    assert checks[feed].n_lines - checks[feed].n_rejected == said["n_accepted"]
    assert checks[feed].empty_fields() == []


def test_feeds_know_each_shopper_by_one_id(checks: dict[str, FeedCheck]) -> None:
    """Whatever form an id was written in, buyers and visitors are shoppers whom the campaign tool knows."""
    assert checks["web"].users | checks["orders"].users <= checks["campaign"].users
    assert len(checks["campaign"].users) == SETTINGS.n_shoppers
    assert len(checks["orders"].users) > 20


def test_side_tables_are_read_whole(shop: Path) -> None:
    """Register, consents, offers and sets have no line that is rejected, and no field that is empty."""
    sides = {check.name: check for check in check_side_tables(SOURCE, shop / "logs", ALL_LINES)}
    assert set(sides) == {"availability", "consent", "offers", "shoppers"}
    for name, check in sides.items():
        assert not check.n_rejected, name
        assert check.n_lines > 0, name
        assert check.empty_fields == [], name


def test_source_names_the_offers_of_the_shop() -> None:
    """The codes that the source maps are the shop's, each to its action."""
    mapped = _events(SOURCE, "campaign").action.map
    assert mapped == dict(zip(["KEIN", *[one.code for one in SETTINGS.offers]], SETTINGS.action_keys, strict=True))
    for table in (SOURCE.offers.columns["offer_id"], SOURCE.availability.columns["actions"]):
        assert table.map == mapped
    assert "segment" in OBSERVED_COLUMNS
    assert {"segment", "region", "newsletter"} <= set(SOURCE.shoppers.columns)


def _events(source: Source, feed: str):
    return source.feeds_alone()[feed].events
