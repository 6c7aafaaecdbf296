"""Pictures of Airflow's own pages, where `make up` runs in the home and a version waits for an answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conf.paths import services_record
from tests.browser.chromium import Chromium

SIZE = (1400, 1000, 0.65)
USER = "admin"


def take_airflow_pictures(chromium: Chromium, home: Path, folder: Path) -> list[str]:
    """Take the run's grid and the approval's form, wide, and return what is wrong with them, or why there are none."""
    try:
        address = json.loads(services_record(home).read_text(encoding="utf-8"))["address"]
        token = _token(home, address)
        waiting = _ask(address, "/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false", token)["hitl_details"]
    except (OSError, ValueError, KeyError) as error:
        return [f"Airflow's pages: no services answer ({error}); start them: make up"]
    if not waiting:
        return ["Airflow's pages: nothing waits for an answer"]
    task = waiting[-1]["task_instance"]
    run = f"{address}/dags/{task['dag_id']}/runs/{quote(task['dag_run_id'])}"
    chromium.set_cookie("_token", token, address)
    pages = {
        "airflow-grid": (run, "Awaiting Input"),
        "airflow-approval": (f"{run}/tasks/{task['task_id']}/required_actions", "Comment"),
    }
    return [told for name, page in pages.items() for told in _take(chromium, folder / f"{name}.png", *page)]


def _take(chromium: Chromium, path: Path, address: str, text: str) -> list[str]:
    width, height, scale = SIZE
    seen = chromium.open(address, width=width, height=height)
    chromium.wait_for_text(text)
    chromium.picture(path, width=width, height=height, scale=scale)
    return [f"{path.name}: {problem}" for problem in seen.errors]


def _token(home: Path, address: str) -> str:
    password = json.loads((home / "airflow" / "passwords.json").read_text(encoding="utf-8"))[USER]
    return str(_ask(address, "/auth/token", body={"username": USER, "password": password})["access_token"])


def _ask(address: str, path: str, token: str = "", body: dict[str, str] | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    content = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address + path, content, headers), timeout=30) as response:
        return json.loads(response.read())
