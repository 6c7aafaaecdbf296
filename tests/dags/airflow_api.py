"""A client of a running Airflow's public API: what the scheduler's test asks and answers."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any


class AirflowApi:
    """The API of the Airflow at an address, as its administrator."""

    def __init__(self, address: str, passwords: Path) -> None:
        self._address = address
        self._token = ""
        password = json.loads(passwords.read_text())["admin"]
        answer = self._ask("POST", "/auth/token", {"username": "admin", "password": password})
        self._token = answer["access_token"]

    def dag_ids(self) -> set[str]:
        return {dag["dag_id"] for dag in self._ask("GET", "/api/v2/dags?limit=100")["dags"]}

    def trigger(self, dag_id: str, partition_key: str) -> str:
        """A run of the partition is queued; given is its id."""
        body = {"logical_date": None, "partition_key": partition_key}
        return str(self._ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str) -> dict[str | None, str]:
        """State of the DAG's runs by partition key; a partition that was run twice counts once."""
        found = self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return {run["partition_key"]: run["state"] for run in found}

    def task_states(self, dag_id: str, partition_key: str) -> dict[tuple[str, int], str]:
        """State of every task of a partition's run, by task and map index."""
        return {(task["task_id"], task["map_index"]): task["state"] for task in self.tasks(dag_id, partition_key)}

    def tasks(self, dag_id: str, partition_key: str) -> list[dict[str, Any]]:
        runs = self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        run_id = next(run["dag_run_id"] for run in runs if run["partition_key"] == partition_key)
        found: list[dict[str, Any]] = self._ask(
            "GET", f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances?limit=100"
        )["task_instances"]
        return found

    def question(self, dag_id: str, partition_key: str, task_id: str) -> dict[str, Any]:
        """What a waiting approval asks."""
        found: dict[str, Any] = self._ask("GET", self._question_path(dag_id, partition_key, task_id))
        return found

    def answer(self, dag_id: str, partition_key: str, task_id: str, option: str) -> None:
        """The waiting approval is answered."""
        body = {"chosen_options": [option], "params_input": {}}
        self._ask("PATCH", self._question_path(dag_id, partition_key, task_id), body)

    def troubles(self) -> list[str]:
        """For each task that failed, for good or until its next try: which it is, and the end of its log."""
        tasks = "/api/v2/dags/~/dagRuns/~/taskInstances?limit=100"
        found = self._ask("GET", f"{tasks}&state=failed&state=up_for_retry&state=upstream_failed")["task_instances"]
        return [self._log(task) for task in found]

    def _log(self, task: dict[str, Any]) -> str:
        where = f"/api/v2/dags/{task['dag_id']}/dagRuns/{_quoted(task['dag_run_id'])}/taskInstances/{task['task_id']}"
        query = f"/logs/{max(task['try_number'], 1)}?map_index={task['map_index']}"
        content = self._ask("GET", where + query)["content"]
        lines = [str(line.get("event", "")) if isinstance(line, dict) else str(line) for line in content]
        return "\n".join([f"{task['dag_run_id']} {task['task_id']}: {task['state']}", *lines[-60:]])

    def import_errors(self) -> list[str]:
        return [error["stack_trace"] for error in self._ask("GET", "/api/v2/importErrors")["import_errors"]]

    def _question_path(self, dag_id: str, partition_key: str, task_id: str) -> str:
        run_id = next(task["dag_run_id"] for task in self.tasks(dag_id, partition_key) if task["task_id"] == task_id)
        return f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}/-1/hitlDetails"

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._address}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            content: dict[str, Any] = json.loads(response.read() or b"{}")
        return content


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
