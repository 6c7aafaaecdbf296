"""A client of the public API of the Airflow that `make up` runs: what a night asks of the scheduler."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conf.errors import NightcartError

_ANSWER_SECONDS = 60
"""Longer than the server waits for a database that is busy: what it did all the same is then heard of."""


class AirflowUnreachable(NightcartError):
    """The API doesn't answer, or can't for now."""


class AirflowRefused(NightcartError):
    """The API answers that the request can't be served; asking again won't help."""


class _LoginExpired(AirflowRefused):
    """The token isn't taken any more: it lives for a day."""


class AirflowApi:
    """The API of the Airflow at an address, as its administrator or another of its users.

    Every method raises AirflowUnreachable where no answer can be had, and AirflowRefused where it is a refusal.
    """

    def __init__(self, address: str, passwords: Path, user: str = "admin") -> None:
        self._address = address
        self._passwords = passwords
        self._user = user
        self._token = ""

    def paused(self) -> dict[str, bool]:
        """Return, for every DAG that Airflow knows, whether it is paused."""
        return {dag["dag_id"]: dag["is_paused"] for dag in self._ask("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> list[str]:
        """Return the stack traces of DAG files that can't be read."""
        return [error["stack_trace"] for error in self._ask("GET", "/api/v2/importErrors")["import_errors"]]

    def trigger(self, dag_id: str, partition_key: str, conf: dict[str, Any] | None = None) -> str:
        """Queue a run of the partition and return its id, which begins with the partition, as the grid shows it."""
        now = datetime.now(tz=UTC).isoformat()
        body = {
            "dag_run_id": f"manual__{partition_key}__{now}",
            "logical_date": None,
            "partition_key": partition_key,
            "conf": conf or {},
        }
        return str(self._ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def latest_runs(self, dag_id: str, partition_key: str) -> list[dict[str, Any]]:
        """Return the DAG's runs of the partition, the one queued last first."""
        found = self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100&order_by=-id")["dag_runs"]
        return [run for run in found if run["partition_key"] == partition_key]

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run of a DAG."""
        return self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}")

    def tasks_of(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances?limit=100"
        found: list[dict[str, Any]] = self._ask("GET", path)["task_instances"]
        return found

    def log(self, task: dict[str, Any], try_number: int) -> list[dict[str, Any]]:
        """Return the lines that one try of a task logged, as Airflow keeps them; a line's text is its `event`."""
        where = f"/api/v2/dags/{task['dag_id']}/dagRuns/{_quoted(task['dag_run_id'])}/taskInstances/{task['task_id']}"
        content = self._ask("GET", f"{where}/logs/{max(try_number, 1)}?map_index={task['map_index']}")["content"]
        return [line if isinstance(line, dict) else {"event": str(line)} for line in content]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if self._token:
            with suppress(_LoginExpired):
                return self._send(method, path, body)
            self._token = ""
        password = json.loads(self._passwords.read_text(encoding="ascii"))[self._user]
        answer = self._send("POST", "/auth/token", {"username": self._user, "password": password})
        self._token = str(answer["access_token"])
        return self._send(method, path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._address}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
                content: dict[str, Any] = json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")[:300]
            kind = AirflowUnreachable if error.code >= 500 else _LoginExpired if error.code == 401 else AirflowRefused
            raise kind(f"{method} {self._address}{path}: answered {error.code}: {said}") from error
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            raise AirflowUnreachable(f"{method} {self._address}{path}: no answer ({error})") from error
        return content


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
