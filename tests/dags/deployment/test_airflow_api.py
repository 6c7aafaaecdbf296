"""The client of Airflow's API, against a server that answers as told; the scheduler's test asks a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dags.deployment.airflow_api import AirflowApi, AirflowRefused


class Forgetful(BaseHTTPRequestHandler):
    """Takes the password `right`, and each token for two requests."""

    n_logins = 0
    n_served = 0

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).n_logins += 1
        type(self).n_served = 0
        self._answer(201 if given["password"] == "right" else 401, {"access_token": f"token {self.n_logins}"})

    def do_GET(self) -> None:
        type(self).n_served += 1
        is_known = self.headers["Authorization"] == f"Bearer token {self.n_logins}" and self.n_served <= 2
        self._answer(200 if is_known else 401, {"import_errors": []})

    def _answer(self, code: int, content: object) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api(tmp_path: Path) -> Iterator[AirflowApi]:
    Forgetful.n_logins = Forgetful.n_served = 0
    (tmp_path / "passwords.json").write_text('{"admin": "right"}')
    with HTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield AirflowApi(f"http://127.0.0.1:{server.server_port}", tmp_path / "passwords.json")
        server.shutdown()


def test_api_logs_in_again_when_its_login_has_expired(api: AirflowApi) -> None:
    """A night may be followed for longer than a token lives."""
    assert [api.import_errors() for _ in range(5)] == [[]] * 5
    assert Forgetful.n_logins == 3


def test_api_with_another_password_is_refused(api: AirflowApi, tmp_path: Path) -> None:
    """Asking again won't help."""
    (tmp_path / "passwords.json").write_text('{"admin": "wrong"}')
    with pytest.raises(AirflowRefused, match="/auth/token: answered 401"):
        api.import_errors()
    assert Forgetful.n_logins == 1
