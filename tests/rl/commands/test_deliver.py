"""The command that delivers a simulated shop's next days."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import FAILS_AGAIN, exit_code
from conf.settings import Settings
from rl.commands import deliver
from rl.errors import ShopError
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.writer import write_shop_logs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})


def test_days_are_delivered_in_a_row(settings: Settings) -> None:
    """The result names them, and where they lie."""
    folder = settings.home / "shops" / "simulated_shop"
    folder.mkdir(parents=True)
    write_shop_logs(folder, ShopSettings(n_days=3, n_shoppers=30))
    result = deliver.run(settings=settings, source="simulated_shop", n_days=2)
    assert result == {
        "source": "simulated_shop",
        "days": ["2026-03-05", "2026-03-06"],
        "logs": str(folder / "logs"),
    }
    assert all((folder / "logs" / day).is_dir() for day in result["days"])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("simulated_shop", "no simulated shop yet; make nightly SOURCE=simulated_shop writes it"),
        ("taobao", "no further days can be delivered for source 'taobao'; expected one of simulated_shop"),
    ],
)
def test_what_cannot_go_on_says_so(settings: Settings, source: str, told: str) -> None:
    """A repeat doesn't help: exit code 65."""
    with pytest.raises(ShopError, match=told) as caught:
        deliver.run(settings=settings, source=source, n_days=1)
    assert exit_code(caught.value) == FAILS_AGAIN
