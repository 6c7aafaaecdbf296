"""The plugin by which Airflow's web server shows review pages; `make up` names this folder to Airflow."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from dags.deployment.review_pages import PREFIX, ReviewPages


class NightcartPages(AirflowPlugin):
    """Review pages below /nightcart/pages."""

    name = "nightcart_pages"
    fastapi_apps: list[dict[str, Any]] = [  # noqa: RUF012  (an instance's, as Airflow has it)
        {"app": ReviewPages(), "url_prefix": PREFIX, "name": "nightcart review pages"}
    ]
