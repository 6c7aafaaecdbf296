"""Which file an address of a review page means; that pages are served is tested under a real Airflow."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conf.paths import Run
from dags.deployment.review_pages import page_address, page_file


def test_an_address_leads_to_the_page_of_its_night(tmp_path: Path) -> None:
    run = Run(tmp_path, "shop", "weekly-offers", date(2026, 1, 31))
    address = page_address("http://127.0.0.1:8080/", run)
    assert address == "http://127.0.0.1:8080/nightcart/pages/shop/weekly-offers/2026-01-31/review.html"
    assert page_file(tmp_path, *address.split("/")[5:8]) == run.page


@pytest.mark.parametrize(
    "parts", [("..", "x", "2026-01-31"), ("shop", "a/b", "2026-01-31"), ("shop", "x", ".."), ("shop", "x", "2026")]
)
def test_no_address_leads_elsewhere(tmp_path: Path, parts: tuple[str, str, str]) -> None:
    assert page_file(tmp_path, *parts) is None
