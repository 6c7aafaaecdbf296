"""The parameters of `make nightly`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conf.errors import NightcartError
from conf.settings import Settings
from dags.nights.nightly_request import NightlyRequest, read_request


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(tmp_path / "home")})


def written_shop(settings: Settings, *days: str) -> Path:
    """A simulated shop's folder with logs of the days."""
    shop = settings.home / "shops" / "simulated_shop"
    for day in days:
        (shop / "logs" / day).mkdir(parents=True)
    (shop / "shop.json").write_text("{}")
    return shop


def test_request_with_nothing_writes_a_simulated_shop_first(settings: Settings) -> None:
    """The date is then the last day it delivers logs for."""
    shop = settings.home / "shops" / "simulated_shop"
    assert read_request([], settings) == NightlyRequest("recommendation", "simulated_shop", None, shop / "logs", shop)


def test_request_keeps_a_written_shop(settings: Settings) -> None:
    """Its days are ingested already; writing it anew would change them."""
    shop = written_shop(settings, "2026-01-30", "2026-01-31")
    found = read_request(["--source=", "--date="], settings)
    assert found == NightlyRequest("recommendation", "simulated_shop", date(2026, 1, 31), shop / "logs")


def test_request_of_logs_without_source_is_canonical(settings: Settings, tmp_path: Path) -> None:
    """The format that shops are asked to deliver; its files name their day."""
    logs = tmp_path / "logs"
    for day in ("2026-01-29", "2026-01-30"):
        (logs / day).mkdir(parents=True)
        (logs / day / "events.jsonl").touch()
    found = read_request([f"--logs={logs}"], settings)
    assert (found.source, found.date, found.logs) == ("canonical", date(2026, 1, 30), logs)


def test_request_of_landed_deliveries_takes_the_last(settings: Settings) -> None:
    """Without LOGS the source's landed deliveries are used."""
    pointers = settings.lake / "taobao" / "raw" / "_pointers"
    pointers.mkdir(parents=True)
    for day in ("2017-11-25", "2017-12-02"):
        (pointers / f"delivery_date={day}.json").touch()
    assert read_request(["--source=taobao"], settings).date == date(2017, 12, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario=recomendation"], "SCENARIO=recomendation: no such scenario; did you mean 'recommendation'?"),
        (["--source=taobo"], "SOURCE=taobo: no such source; did you mean 'taobao'?"),
        (["--logs=/no/such"], "LOGS=/no/such: no such file or folder"),
        (["--date=31.1.2026"], "got '31.1.2026' as date; expected a date like 2026-01-31"),
        (["--source=taobao"], "nothing of SOURCE=taobao is landed"),
        (["--source=taobao", "--date=2017-12-02"], "say where its logs are, such as LOGS=path/to/logs"),
    ],
)
def test_request_that_cannot_be_served_says_why(settings: Settings, arguments: list[str], message: str) -> None:
    """One clear message, before Airflow starts."""
    with pytest.raises(NightcartError) as caught:
        read_request(arguments, settings)
    assert message in str(caught.value)


def test_request_of_a_log_that_names_no_days_needs_a_date(settings: Settings, tmp_path: Path) -> None:
    """One big file: only its lines tell their days, and its last line isn't the day to train for."""
    (tmp_path / "orders.csv").touch()
    with pytest.raises(NightcartError, match="DATE is missing"):
        read_request(["--source=shopify_orders", f"--logs={tmp_path / 'orders.csv'}"], settings)


def test_a_log_is_used_up_to_the_end_of_its_window(settings: Settings, tmp_path: Path) -> None:
    """Whoever described the source said which days are whole."""
    (tmp_path / "UserBehavior.csv").touch()
    request = read_request(["--source=taobao", f"--logs={tmp_path / 'UserBehavior.csv'}"], settings)
    assert request.date == date(2017, 12, 3)


def test_request_of_an_empty_folder_is_refused(settings: Settings, tmp_path: Path) -> None:
    """A folder without files holds no logs."""
    (tmp_path / "logs").mkdir()
    with pytest.raises(NightcartError, match="the folder holds no files"):
        read_request([f"--logs={tmp_path / 'logs'}"], settings)


def test_request_beyond_the_simulated_days_is_refused(settings: Settings) -> None:
    """The shop's logs end somewhere; the message says where."""
    written_shop(settings, "2026-01-31")
    with pytest.raises(NightcartError, match="the simulated shop's logs end on 2026-01-31"):
        read_request(["--date=2026-02-01"], settings)


@pytest.mark.parametrize(
    ("scenario", "source"), [("inventory", "simulated_inventory"), ("orders_from_sales", "simulated_sales")]
)
def test_orders_have_a_simulated_shop_that_counts_or_one_that_doesn_t(
    settings: Settings, scenario: str, source: str
) -> None:
    """The same shop; each scenario reads what it asks for."""
    shop = settings.home / "shops" / source
    assert read_request([f"--scenario={scenario}"], settings) == NightlyRequest(
        scenario, source, None, shop / "logs", shop
    )


def test_a_scenario_of_weeks_has_a_simulated_shop_of_its_own(settings: Settings) -> None:
    """Its logs are written by another command, into another folder, and known by another file."""
    shop = settings.home / "shops" / "simulated_promotion"
    asked = ["--scenario=promotion"]
    assert read_request(asked, settings) == NightlyRequest(
        "promotion", "simulated_promotion", None, shop / "logs", shop
    )
    (shop / "logs" / "2026-08-30").mkdir(parents=True)
    (shop / "shop.json").touch()
    assert read_request(asked, settings).shop_to_write == shop
    (shop / "promotion_shop.json").touch()
    found = read_request(asked, settings)
    assert (found.shop_to_write, found.date) == (None, date(2026, 8, 30))


def test_a_scenario_of_another_clock_is_refused(settings: Settings) -> None:
    """Before anything is written."""
    with pytest.raises(NightcartError, match="decides by shopper_week"):
        read_request(["--scenario=promotion", "--source=simulated_shop"], settings)


def test_request_of_landed_deliveries_follows_a_shared_lake_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another home may have landed later ones; a store that can't be followed ends the request with its sentence."""
    variables = {"NIGHTCART_HOME": str(settings.home), "NIGHTCART_LAKE_STORE": "ftp://host/lake"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NightcartError, match="'ftp://host/lake' is no object store"):
        read_request(["--source=taobao"], Settings.from_environment(variables))
