"""Which file an address of a page means; that pages are served is tested under a real Airflow."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conf.paths import Run, ShopperModelRun, comparison_page, site_folder
from dags.deployment.served_pages import HOME_PAGE, PREFIX, page_address, page_file

DAY = date(2026, 1, 31)


def test_an_address_leads_to_the_page_of_its_night(tmp_path: Path) -> None:
    run = Run(tmp_path, "shop", "weekly-offers", DAY)
    address = page_address("http://127.0.0.1:8080/", run)
    assert address == "http://127.0.0.1:8080/nightcart/pages/shop/weekly-offers/2026-01-31/review.html"
    assert page_file(tmp_path, address.partition(f"{PREFIX}/")[2]) == run.page


def test_other_addresses_are_paths_in_the_home(tmp_path: Path) -> None:
    """So that a link between two pages is the same on disk and below the web server."""
    run = Run(tmp_path, "shop", "weekly-offers", DAY)
    pages = [
        site_folder(tmp_path) / "index.html",
        site_folder(tmp_path) / "tables" / "shop" / "transitions.weekly-offers.0123ab.html",
        run.page,
        run.monitor_page,
        run.worth_page,
        run.experiment_page,
        ShopperModelRun(tmp_path, "shop", "will_purchase", DAY).page,
        comparison_page(tmp_path, "weekly-offers-policy", 1, 2),
    ]
    for page in pages:
        assert page_file(tmp_path, str(page.relative_to(tmp_path))) == page
    assert page_file(tmp_path, HOME_PAGE.removeprefix(f"{PREFIX}/")) == pages[0]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "pages/../x/2026-01-31/review.html",
        "runs/shop/a b/2026-01-31/review.html",
        "runs/shop/x/../review.html",
        "runs/shop/x/2026/review.html",
        "runs/shop/x/2026-01-31/evaluation.json",
        "runs/shop/x/2026-01-31/.html",
        "site/../approvals.json",
        "site/tables/../index.html",
        "site/tables/shop/../index.html",
        "site/tables/shop/..html",
        "site/_lock",
        "comparisons/../pseudonym.key",
        "pseudonym.key",
        "site/tables/shop/events.html/x",
    ],
)
def test_no_address_leads_elsewhere(tmp_path: Path, address: str) -> None:
    assert page_file(tmp_path, address) is None
