"""What the scheduler's test asks a running Airflow beside what a night does."""

from __future__ import annotations

import urllib.parse
from typing import Any

import dags.deployment.airflow_api


class AirflowApi(dags.deployment.airflow_api.AirflowApi):
    """The API of the Airflow at an address, as its administrator."""

    def dag_ids(self) -> set[str]:
        return set(self.paused())

    def runs(self, dag_id: str) -> dict[str | None, str]:
        """State of the DAG's runs by partition key; a partition that was run twice counts once."""
        found = self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return {run["partition_key"]: run["state"] for run in found}

    def task_states(self, dag_id: str, partition_key: str) -> dict[tuple[str, int], str]:
        """State of every task of a partition's run, by task and map index."""
        return {(task["task_id"], task["map_index"]): task["state"] for task in self.tasks(dag_id, partition_key)}

    def tasks(self, dag_id: str, partition_key: str) -> list[dict[str, Any]]:
        return self.tasks_of(dag_id, self.latest_runs(dag_id, partition_key)[0]["dag_run_id"])

    def question(self, dag_id: str, partition_key: str, task_id: str) -> dict[str, Any]:
        """What a waiting approval asks."""
        found: dict[str, Any] = self._ask("GET", self._question_path(dag_id, partition_key, task_id))
        return found

    def answer(self, dag_id: str, partition_key: str, task_id: str, option: str, *, comment: str = "") -> None:
        """The waiting approval is answered."""
        body = {"chosen_options": [option], "params_input": {"comment": comment} if comment else {}}
        self._ask("PATCH", self._question_path(dag_id, partition_key, task_id), body)

    def pause(self, dag_id: str) -> None:
        """Nothing starts the DAG any more."""
        self._ask("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})

    def clear(self, dag_id: str, partition_key: str, task_id: str) -> None:
        """The failed task of the partition's last run is to be tried again, and what follows it."""
        run_id = self.latest_runs(dag_id, partition_key)[0]["dag_run_id"]
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "include_downstream": True}
        self._ask("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body | {"only_failed": True})

    def troubles(self) -> list[str]:
        """For each task that failed, for good or until its next try: which it is, and the end of its log."""
        tasks = "/api/v2/dags/~/dagRuns/~/taskInstances?limit=100"
        found = self._ask("GET", f"{tasks}&state=failed&state=up_for_retry&state=upstream_failed")["task_instances"]
        return [self._end_of_log(task) for task in found]

    def _end_of_log(self, task: dict[str, Any]) -> str:
        lines = [str(line.get("event", "")) for line in self.log(task, task["try_number"])]
        return "\n".join([f"{task['dag_run_id']} {task['task_id']}: {task['state']}", *lines[-60:]])

    def _question_path(self, dag_id: str, partition_key: str, task_id: str) -> str:
        run_id = next(task["dag_run_id"] for task in self.tasks(dag_id, partition_key) if task["task_id"] == task_id)
        return f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}/-1/hitlDetails"


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
