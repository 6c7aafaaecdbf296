"""A server that keeps the registry and is down."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from structlog.testing import capture_logs

from conf.settings import Settings
from rl.errors import RegistryError
from rl.registry import server
from rl.registry.server import await_server


def settings_for(uri: str) -> Settings:
    return Settings.from_environment({"NIGHTCART_MLFLOW_URI": uri})


@pytest.fixture
def closed_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def busy_server() -> Iterator[str]:
    """A server that knows no health page."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize(
    "address", ["http://me:secret-word@127.0.0.1:{}", "postgresql+psycopg://me:secret-word@127.0.0.1:{}/x"]
)
def test_a_server_that_is_down_is_one_line(address: str, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is told at once and is short; no password is shown."""
    monkeypatch.setattr(server, "SECONDS_TO_WAIT", 0.05)
    monkeypatch.setattr(server, "_SECONDS_BETWEEN", 0.04)
    with capture_logs() as logs, pytest.raises(RegistryError, match="doesn't answer after") as raised:
        await_server(settings_for(address.format(closed_port)))
    assert "secret-word" not in f"{raised.value} {logs}"
    assert "NIGHTCART_MLFLOW_URI" in str(raised.value)
    assert [line["event"] for line in logs] == ["waiting for MLflow"]


def test_any_answer_is_an_answer(busy_server: str) -> None:
    """What stands before MLflow may ask for a password on the health page."""
    await_server(settings_for(busy_server))


@pytest.mark.parametrize("uri", ["sqlite:////nowhere/mlflow.db", "file:///nowhere", "databricks", "/nowhere"])
def test_what_is_no_server_is_not_asked(uri: str) -> None:
    """Nobody listens for a file."""
    await_server(settings_for(uri))


@pytest.mark.parametrize("password", ["pa/ss", "12/ss", "p#w", "p?w", "a:b"])
def test_a_password_may_hold_what_ends_the_host_elsewhere(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's own reading of its address counts; the password is never shown."""
    monkeypatch.setattr(server, "SECONDS_TO_WAIT", 2.0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        settings = settings_for(f"postgresql://me:{password}@127.0.0.1:{listener.getsockname()[1]}/mlflow")
        await_server(settings)
    assert password not in settings.shown_mlflow_uri


def test_hosts_named_beside_the_address_are_not_asked() -> None:
    """Several hosts, or a socket: the driver chooses among them."""
    await_server(settings_for("postgresql://me@nowhere.invalid/mlflow?host=one:5432&host=two:5432"))
    await_server(settings_for("postgresql:///mlflow?host=/var/run/postgresql"))
