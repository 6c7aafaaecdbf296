"""One night under a real Airflow: API server, scheduler, DAG processor and triggerer, with the real commands.

The services are started as `make up` starts them. `make nightly` takes a small simulated shop's logs through all four
DAGs by them; an older partition is backfilled beside it, which must end after its transitions.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from conf.settings import PROJECT_ROOT
from dags.deployment.service_processes import processes_of, running
from tests.dags.airflow_api import AirflowApi

TONIGHT, EARLIER = "2026-01-31", "2026-01-30"
SECONDS_FOR_THE_NIGHT = 900.0
ENDED = ("success", "failed")
SERVICES = {"supervisor", "api-server", "mlflow", "dag-processor", "triggerer", "scheduler"}

pytestmark = pytest.mark.timeout(SECONDS_FOR_THE_NIGHT + 120)


@dataclass
class Night:
    """What is left when the night is over: states of runs by DAG and partition, of tasks by DAG, and what was asked.

    nightly: how `make nightly` ended.
    listening: addresses that processes of the services listened on while tasks ran.
    """

    runs: dict[str, dict[str | None, str]]
    tasks: dict[tuple[str, str], dict[tuple[str, int], str]]
    names: list[str | None]
    question: dict[str, Any] | None
    nightly: subprocess.CompletedProcess[str]
    listening: set[str]
    mlflow_address: str


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home of its own, and tonight fixed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "NIGHTCART"))}
    return kept | {
        "NIGHTCART_HOME": str(tmp_path_factory.mktemp("scheduler")),
        "NIGHTCART_TONIGHT": TONIGHT,
        "OMP_NUM_THREADS": "1",
        # Files are read again soon after the backfill: what Airflow then plans shows within the night.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
    }


@pytest.fixture(scope="module")
def night(environment: dict[str, str]) -> Iterator[Night]:
    """The night, lived through once."""
    home = Path(environment["NIGHTCART_HOME"])
    shop = f"--out={home / 'shops' / 'simulated_shop'}"
    size = [f"--last-date={TONIGHT}", "--n-days=8", "--n-shoppers=300", "--seed=1"]
    run([str(PROJECT_ROOT / ".venv" / "bin" / "python"), "-m", "rl", "simulate-shop", shop, *size], environment)
    port, mlflow_port = free_port(), free_port()
    ports = [f"--port={port}", f"--mlflow-port={mlflow_port}"]
    run([sys.executable, "-m", "dags.deployment.services", "up", *ports], environment)
    try:
        api = AirflowApi(f"http://127.0.0.1:{port}", home / "airflow" / "passwords.json")
        yield live_through(api, environment, f"http://127.0.0.1:{mlflow_port}")
    finally:
        run([sys.executable, "-m", "dags.deployment.services", "down"], environment)
        assert processes_of(home, []) == []
        for one in (port, mlflow_port):
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", one)) != 0


def test_nightly_goes_through_the_services_that_run(night: Night) -> None:
    """It follows the scheduler's tasks and tells what it tells of a night in process: stages, one JSON object."""
    assert night.nightly.returncode == 0, night.nightly.stderr
    assert "through the services at" in night.nightly.stderr
    stages = set(re.findall(r"^\[.*?\] (.*): (?:done|skipped), ", night.nightly.stderr, re.MULTILINE))
    candidates = {f"train {name}" for name in ("bc-1", "bc-2", "discrete_cql-1", "discrete_cql-2")}
    assert stages >= {"ingest", "build", "prepare", *candidates, "evaluate", "register", "read_registration"}
    (line,) = night.nightly.stdout.splitlines()
    result = json.loads(line)
    assert (result["date"], result["version"], result["model"]) == (TONIGHT, 1, "recommendation-policy")
    assert {"ingest", "train", "register", "airflow", "total"} <= set(result["seconds"])
    asked = night.question is not None
    assert asked == (
        f"make promote SOURCE=simulated_shop SCENARIO=recommendation DATE={TONIGHT}" in night.nightly.stderr
    )


def test_services_listen_on_this_machine_alone(night: Night) -> None:
    """Airflow's log servers would listen on all interfaces; Spark's drivers listen while they run."""
    assert night.listening == {"127.0.0.1"}


def test_mlflow_page_asks_for_a_password(night: Night, environment: dict[str, str]) -> None:
    """Nobody local moves the alias `champion` without it."""
    alias = b'{"name": "recommendation-policy", "alias": "champion", "version": "1"}'
    assert ask_mlflow(night, "registered-models/alias", None, alias) == 401
    passwords = Path(environment["NIGHTCART_HOME"]) / "mlflow" / "passwords.json"
    password = json.loads(passwords.read_text())["nightcart"]
    assert ask_mlflow(night, "registered-models/get?name=recommendation-policy", password) == 200


def test_scheduler_passes_tonights_partition_along_all_dags(night: Night) -> None:
    """One trigger: each DAG ran once for the partition, started by the asset of the one before."""
    for dag_id in ("ingest_events", "build_recommendation", "train_recommendation", "review_recommendation"):
        assert night.runs[dag_id].get(TONIGHT) == "success", f"{dag_id}: {night.runs[dag_id]}"


def test_scheduler_trains_every_candidate_under_its_name(night: Night) -> None:
    """Mapped tasks carry the candidates' names in the web page."""
    states = night.tasks["train_recommendation", TONIGHT]
    assert set(states.values()) == {"success"}
    assert sorted(str(name) for name in night.names) == ["bc-1", "bc-2", "discrete_cql-1", "discrete_cql-2"]


def test_scheduler_starts_no_training_after_a_backfill(night: Night) -> None:
    """The older partition has its transitions, its announcement is skipped, and neither training nor review ran."""
    assert night.runs["ingest_events"][EARLIER] == "success"
    assert night.runs["build_recommendation"][EARLIER] == "success"
    states = night.tasks["build_recommendation", EARLIER]
    assert states == {("build", -1): "success", ("announce_tonight", -1): "skipped"}
    assert set(night.runs["train_recommendation"]) == {TONIGHT}
    assert set(night.runs["review_recommendation"]) == {TONIGHT}


def test_scheduler_backfills_the_days_before_the_last_midnight(night: Night) -> None:
    """From 30th to 31st makes the 30th alone; no other partition was run."""
    assert set(night.runs["ingest_events"]) == {TONIGHT, EARLIER}


def test_scheduler_asks_a_person_only_about_a_promotable_version(night: Night) -> None:
    """Where the gate said promote, the question named the version; where not, everything was skipped, nothing red."""
    states = {name: state for (name, _), state in night.tasks["review_recommendation", TONIGHT].items()}
    if night.question is None:
        assert set(states.values()) == {"skipped"}
    else:
        assert "version 1 to champion" in night.question["subject"]
        assert states.pop("reject") == "skipped"
        assert set(states.values()) == {"success"}


def live_through(api: AirflowApi, environment: dict[str, str], mlflow_address: str) -> Night:
    """Tonight is triggered, the day before backfilled, a question answered; all runs have ended."""
    dags = ("ingest_events", "build_recommendation", "train_recommendation", "review_recommendation")
    wait(lambda: api.dag_ids() >= set(dags), "the DAGs are known", api, 90)
    assert api.import_errors() == []
    assert {service.name for service in running(Path(environment["NIGHTCART_HOME"]))} == SERVICES
    nightly = subprocess.Popen(
        [sys.executable, "-m", "dags.nights.nightly"],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    listening: set[str] = set()

    def is_built() -> bool:
        listening.update(listening_addresses(environment))
        return api.runs("build_recommendation").get(TONIGHT) in ENDED

    wait(is_built, "tonight is built", api)
    backfill = ["backfill", "create", "--dag-id", "ingest_events", "--from-date", EARLIER, "--to-date", TONIGHT]
    run([sys.executable, "-m", "dags.deployment.airflow_environment", "airflow", *backfill], environment)
    stdout, stderr = nightly.communicate(timeout=SECONDS_FOR_THE_NIGHT)
    ended = subprocess.CompletedProcess(nightly.args, nightly.returncode, stdout, stderr)
    question: dict[str, Any] | None = None

    def is_over() -> bool:
        nonlocal question
        reviewed = api.runs("review_recommendation").get(TONIGHT)
        if reviewed == "running" and question is None and is_asked(api):
            question = api.question("review_recommendation", TONIGHT, "approve")
            api.answer("review_recommendation", TONIGHT, "approve", "Approve")
        return reviewed in ENDED and api.runs("build_recommendation").get(EARLIER) in ENDED

    wait(is_over, "tonight is reviewed and the day before is built", api)
    runs = {dag_id: api.runs(dag_id) for dag_id in dags}
    tasks = {(dag_id, key): api.task_states(dag_id, key) for dag_id in dags for key in runs[dag_id] if key}
    trained = [task for task in api.tasks("train_recommendation", TONIGHT) if task["task_id"] == "train"]
    names = [task["rendered_map_index"] for task in trained]
    return Night(runs, tasks, names, question, ended, listening, mlflow_address)


def listening_addresses(environment: dict[str, str]) -> set[str]:
    """Addresses that any process of the services listens on now."""
    found = set()
    for process in processes_of(Path(environment["NIGHTCART_HOME"]), []):
        with suppress(psutil.Error):
            sockets = process.net_connections("inet")
            found |= {one.laddr.ip.removeprefix("::ffff:") for one in sockets if one.status == psutil.CONN_LISTEN}
    return found


def ask_mlflow(night: Night, path: str, password: str | None, body: bytes | None = None) -> int:
    """Status that MLflow's API answers with."""
    request = urllib.request.Request(f"{night.mlflow_address}/api/2.0/mlflow/{path}", data=body)
    request.add_header("Content-Type", "application/json")
    if password is not None:
        token = base64.b64encode(f"nightcart:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def is_asked(api: AirflowApi) -> bool:
    return api.task_states("review_recommendation", TONIGHT).get(("approve", -1)) == "awaiting_input"


def wait(is_so: Callable[[], bool], what: str, api: AirflowApi, seconds: float = SECONDS_FOR_THE_NIGHT) -> None:
    """It is so; a failed task or the deadline ends the wait with what can be told."""
    deadline = time.monotonic() + seconds
    while not is_so():
        troubles = api.troubles()
        if troubles or time.monotonic() > deadline:
            states = {dag_id: api.runs(dag_id) for dag_id in sorted(api.dag_ids())}
            pytest.fail(f"waiting until {what}: {states}\n" + "\n".join(troubles))
        time.sleep(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(command: list[str], environment: dict[str, str]) -> None:
    """The command has succeeded."""
    ended = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
