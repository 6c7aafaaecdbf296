"""The plugin by which Airflow's web server shows a home's pages; `make up` names this folder to Airflow."""

from __future__ import annotations

from typing import Any

from airflow.configuration import conf as airflow_settings
from airflow.plugins_manager import AirflowPlugin

from conf.database_address import SQLITE
from dags.deployment.one_writer import OneWriter
from dags.deployment.served_pages import PREFIX, ServedPages


class NightcartPages(AirflowPlugin):
    """The home page, pages of tables and review pages below /nightcart, and a place in Airflow's menu."""

    name = "nightcart_pages"
    fastapi_apps: list[dict[str, Any]] = [  # noqa: RUF012  (an instance's, as Airflow has it)
        {"app": ServedPages(), "url_prefix": PREFIX, "name": "nightcart pages"}
    ]
    external_views: list[dict[str, Any]] = [  # noqa: RUF012
        {"name": "nightcart", "href": f"{PREFIX}/", "destination": "nav", "nav_top_level": True}
    ]


class OneWriterOnSqlite(AirflowPlugin):
    """Requests that write go through one after the other where Airflow's database takes one writer."""

    name = "nightcart_one_writer"
    fastapi_root_middlewares: list[dict[str, Any]] = (
        [{"middleware": OneWriter, "name": "one writer"}]
        if airflow_settings.get("database", "sql_alchemy_conn").startswith(SQLITE)
        else []
    )
