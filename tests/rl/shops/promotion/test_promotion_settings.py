"""Settings are strict, and come back from their file as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from rl.errors import ShopError
from rl.shops.promotion.promotion_settings import SHOP_FILE, Offer, PromotionSettings
from rl.shops.settings_file import changed_settings


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    """A saved shop is the shop that is loaded, from its folder or its file."""
    settings = changed_settings(PromotionSettings(), seed=9, n_weeks=4)
    SHOP_FILE.save(settings, tmp_path)
    assert SHOP_FILE.load(tmp_path) == SHOP_FILE.load(tmp_path / SHOP_FILE.name) == settings


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no such file"), ("{}x", "not the settings"), ('{"n_week": 3}', "n_week")]
)
def test_files_that_hold_no_shop_are_refused(tmp_path: Path, content: str | None, reason: str) -> None:
    """A missing file, or one with anything else in it, is one clear error."""
    if content is not None:
        (tmp_path / SHOP_FILE.name).write_text(content)
    with pytest.raises(ShopError, match=reason):
        SHOP_FILE.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"first_monday": "2026-01-06"}, "no Monday"),
        ({"offers": (Offer(key="one", code="A", contact_cost_millionths=0),)}, "one for each offer"),
        ({"n_items": 2}, "can't fill"),
        ({"kinds": PromotionSettings().kinds[:1] * 2}, "different names"),
        ({"n_wks": 3}, "n_wks"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(change: dict[str, object], reason: str) -> None:
    """Each is refused with its reason."""
    with pytest.raises(ShopError, match=reason):
        changed_settings(PromotionSettings(), **change)


def test_actions_begin_with_nobody() -> None:
    """Action 0 sends nothing; offers follow in the order of the settings."""
    assert PromotionSettings().action_keys == ["none", "reminder", "percent_15", "voucher_5", "letter_10"]


def test_what_an_offer_commits_is_its_contact_and_its_largest_discount() -> None:
    """A letter of ten units that costs 1.1375 to send commits 11.1375."""
    assert PromotionSettings().offers[3].committed_millionths == 11_137_500
