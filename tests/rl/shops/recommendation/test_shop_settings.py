"""Settings say exactly what a shop is, survive JSON, and refuse what can't be."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rl.errors import ShopError
from rl.shops.recommendation.shop_settings import SHOP_FILE, Dirt, Dynamics, LoggingRule, ShopSettings
from rl.shops.settings_file import changed_settings


@given(
    first_date=st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    seed=st.integers(0, 2**40),
    n_items=st.integers(7, 40),
    leave_base=st.floats(0, 1),
    uniform_share=st.floats(0.01, 1),
    late_rate=st.floats(0, 0.5),
)
def test_settings_survive_json(
    first_date: date, seed: int, n_items: int, leave_base: float, uniform_share: float, late_rate: float
) -> None:
    """Reading what was written gives equal settings, to the last digit."""
    settings = ShopSettings(
        first_date=first_date,
        seed=seed,
        n_items=n_items,
        dynamics=Dynamics(leave_base=leave_base),
        logging=LoggingRule(uniform_share=uniform_share),
        dirt=Dirt(late_rate=late_rate),
    )
    assert ShopSettings.model_validate_json(settings.model_dump_json()) == settings


def test_load_shop_reads_file_or_folder(tmp_path: Path) -> None:
    """The shop's folder and its file name the same shop."""
    settings = ShopSettings(seed=5)
    SHOP_FILE.save(settings, tmp_path / "shop")
    assert SHOP_FILE.load(tmp_path / "shop") == SHOP_FILE.load(tmp_path / "shop" / "shop.json") == settings
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["shop.json"]


@pytest.mark.parametrize(
    "content", ["", "{", '{"n_itemz": 3}', '{"n_items": 2, "n_categories": 3}', '{"n_days": 0}', "\udcff"]
)
def test_load_shop_refuses_what_is_no_shop(tmp_path: Path, content: str) -> None:
    """A broken or contradicting file is one clear error that names it."""
    (tmp_path / "shop.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ShopError, match=r"shop\.json"):
        SHOP_FILE.load(tmp_path)


def test_load_shop_refuses_missing_file(tmp_path: Path) -> None:
    """Where there is no shop, the error says what was expected."""
    with pytest.raises(ShopError, match="no such file"):
        SHOP_FILE.load(tmp_path / "nowhere.json")


def test_settings_refuse_visits_past_midnight() -> None:
    """Visits that could take so long that they cross midnight can't be asked for."""
    with pytest.raises(ValidationError, match="minutes"):
        Dynamics(max_steps=40, looking_seconds_max=120)


def test_changed_settings_are_checked() -> None:
    """A change is as strict as the settings are."""
    assert changed_settings(ShopSettings(), n_days=3).n_days == 3
    with pytest.raises(ShopError, match="n_day"):
        changed_settings(ShopSettings(), n_day=3)


def test_flat_shop_differs_in_dynamics_alone() -> None:
    """The flat shop sells the same to the same shoppers."""
    settings = ShopSettings()
    assert settings.flat().model_copy(update={"dynamics": settings.dynamics}) == settings
    assert settings.flat().dynamics.leave_boredom == 0
