"""`make deliver`: days land, and a deployment that runs is told of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conf.settings import Settings
from dags.deployment.service_processes import Record, places_of, write_record
from dags.nights import deliver as command
from dags.tonight import tonights_date
from tests.dags.fake_pipeline import write_fake_pipeline

_DELIVER = """#!/bin/sh
echo "rl deliver: {said}" >&2
echo '{{"source": "simulated_shop", "days": ["2026-03-16", "2026-03-17"], "logs": "/logs"}}'
exit {code}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NIGHTCART_LAKE", str(tmp_path / "home" / "lake"))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    return tmp_path / "home"


def pipeline_that(tmp_path: Path, *, code: int = 0, said: str = "delivered") -> None:
    """The command delivers two days, or fails as told."""
    python = write_fake_pipeline(tmp_path / "venv") / "bin" / "python"
    python.write_text(_DELIVER.format(code=code, said=said))


@pytest.fixture
def api(home: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An API that takes runs, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"access_token": "t"}
            if self.path != "/auth/token":
                asked.append({"path": self.path} | body)
                answer = {"dag_run_id": f"run-{len(asked)}"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    (home / "airflow").mkdir(parents=True)
    (home / "airflow" / "passwords.json").write_text('{"admin": "x"}')
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_days_land_without_services(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What to do next is said; the result is one object."""
    pipeline_that(tmp_path)
    assert command.main(["--days", "2"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["runs"] == []
    assert "delivered 2026-03-16: /logs/2026-03-16" in said.err
    assert "make nightly SOURCE=simulated_shop" in said.err


def test_a_deployment_that_runs_gets_a_run_for_each_day(
    home: Path,
    tmp_path: Path,
    api: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In their order, by partition key: what follows is the deployment's own chain."""
    pipeline_that(tmp_path)
    address, asked = api
    settings = Settings.from_environment()
    record = Record(address=address, source="simulated_shop", places=places_of(settings), is_ready=True)
    write_record(home, record)
    monkeypatch.setattr(command, "services_that_run", lambda *_: record)
    assert command.main([]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == ["run-1", "run-2"]
    assert [(one["path"], one["partition_key"]) for one in asked] == [
        ("/api/v2/dags/ingest_events/dagRuns", "2026-03-16"),
        ("/api/v2/dags/ingest_events/dagRuns", "2026-03-17"),
    ]


def test_a_delivery_that_fails_says_why(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the command's words."""
    pipeline_that(tmp_path, code=65, said="no simulated shop yet; make nightly writes it")
    assert command.main([]) == 1
    assert capsys.readouterr().err.startswith("error: no simulated shop yet; make nightly writes it")


@pytest.mark.parametrize("days", ["0", "-1", "x", "367"])
def test_a_number_of_days_is_checked(home: Path, days: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is done."""
    assert command.main([f"--days={days}"]) == 1
    assert f"DAYS={days}: expected a number of days from 1 to 366" in capsys.readouterr().err


def test_the_last_simulated_day_is_tonights(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop whose days are past would train on none of them; a setting says otherwise."""
    for day in ("2026-03-15", "2026-03-16"):
        (home / "shops" / "simulated_shop" / "logs" / day).mkdir(parents=True)
    assert tonights_date(Settings.from_environment()) == "2026-03-16"
    monkeypatch.setenv("NIGHTCART_TONIGHT", "2026-03-15")
    assert tonights_date(Settings.from_environment()) == "2026-03-15"
