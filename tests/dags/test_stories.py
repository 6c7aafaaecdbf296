"""Five stories of a deployment on PostgreSQL, each with real nights: `make test-stories` runs them.

Airflow and MLflow each have a database of their own; the services are started as `make up` starts them, days come as
`make deliver` delivers them, and people answer by Airflow's API. The shop is small, and its gate lets nearly every
candidate pass: what is tried is what people do with a version, not when one passes.

The stories are told in their order, since each begins where the one before ended; when one fails the others are left
out. A version that waits while another one becomes champion is of the third night, the champion of the fourth.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.settings import PROJECT_ROOT
from dags.deployment.airflow_api import AirflowRefused
from dags.deployment.service_processes import processes_of
from tests.dags.airflow_api import AirflowApi
from tests.dags.test_scheduler import free_port
from tests.postgres import ask, own_database

# A shop of one decision a visit whose own rule hardly chooses among six items, some of which are liked far better: a
# few hundred shoppers tell much of other rules, and nearly any of them is better.
WRITE_SHOP = """
import sys
from pathlib import Path
from rl.shops.recommendation.shop_settings import Dynamics, LoggingRule, ShopSettings
from rl.shops.recommendation.writer import write_shop_logs
chosen = {"n_days": 6, "n_shoppers": 800, "n_items": 6, "n_categories": 3, "appeal_spread": 1.5, "taste_spread": 0.2}
rules = {"dynamics": Dynamics(max_steps=1), "logging": LoggingRule(uniform_share=0.9)}
write_shop_logs(Path(sys.argv[1]), ShopSettings(**chosen, **rules))
"""
MODEL, REVIEW = "recommendation-policy", "review_recommendation"
DAGS = ("ingest_events", "build_recommendation", "train_recommendation", REVIEW)
PAUSED = ("observe_recommendation", "decide_recommendation", "monitor_recommendation")
"""Histories, lists and looks for tomorrow's service, which the stories aren't about."""
ENDED = ("success", "failed")
SECONDS = 1800.0
SECONDS_TO_READ = 20
FAILS_AGAIN = 65

pytestmark = [
    pytest.mark.skipif(not os.environ.get("NIGHTCART_TEST_STORIES"), reason="make test-stories runs it"),
    pytest.mark.timeout(SECONDS + 300),
]


@dataclass
class Deployment:
    """A checkout with a small spec, its home, and its services on two databases.

    n_failed_before: tests of this run that had failed before the first story.
    seconds: how long each part of the stories took, by its name.
    sessions: Airflow's API to each of its users who was needed.
    """

    root: Path
    environment: dict[str, str]
    port: int
    mlflow_port: int
    airflow_database: str
    mlflow_database: str
    n_failed_before: int
    seconds: dict[str, float] = field(default_factory=dict)
    sessions: dict[str, AirflowApi] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return Path(self.environment["NIGHTCART_HOME"])

    def api(self, user: str = "admin") -> AirflowApi:
        """Airflow's API to somebody who is logged in."""
        if user not in self.sessions:
            passwords = self.home / "airflow" / "passwords.json"
            self.sessions[user] = AirflowApi(f"http://127.0.0.1:{self.port}", passwords, user)
        return self.sessions[user]

    def services(self, *words: str) -> None:
        self.ended([str(self.root / ".venv-airflow/bin/python"), "-m", "dags.deployment.services", *words])

    def rl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """How a command of `python -m rl` ended, as a target of make starts it."""
        return self.run([str(self.root / ".venv/bin/python"), "-m", "rl", *words])

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )

    def ended(self, command: list[str]) -> str:
        """What a command that has succeeded left on stdout."""
        ended = self.run(command)
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        return ended.stdout

    def deliver(self) -> str:
        """The shop's next day, whose night has been started by `make deliver`."""
        told = json.loads(self.ended([str(self.root / ".venv-airflow/bin/python"), "-m", "dags.nights.deliver"]))
        (day,), (run_id,) = told["days"], told["runs"]
        assert run_id.startswith(f"manual__{day}")
        return str(day)

    def night(self) -> str:
        """The next day, once its night waits for a person's answer; its seconds are kept."""
        began = time.monotonic()
        day = self.deliver()
        self.wait(lambda: self.is_asked(day), f"somebody is asked about the night of {day}")
        self.seconds[f"night of {day}, from its delivery to the question"] = time.monotonic() - began
        return day

    def is_asked(self, day: str) -> bool:
        runs = self.api().latest_runs(REVIEW, day)
        if runs and runs[0]["state"] in ENDED:
            pytest.fail(f"nobody is asked about {day}: {self.log_of(REVIEW, day, 'read_registration')}")
        return bool(runs) and self.states(day).get("approve") == "awaiting_input"

    def states(self, day: str) -> dict[str, str]:
        """State of each task of the day's last review, by its name."""
        return {name: state for (name, _), state in self.api().task_states(REVIEW, day).items()}

    def answer(self, day: str, user: str, option: str, comment: str) -> dict[str, str]:
        """States of the review's tasks once the answer was acted on; a person reads first.

        Airflow takes an answer that comes before it has noted the end of the process that asked for a lost task.
        """
        time.sleep(SECONDS_TO_READ)
        self.api(user).answer(REVIEW, day, "approve", option, comment=comment)
        return self.reviewed(day)

    def reviewed(self, day: str) -> dict[str, str]:
        """States of the tasks of the day's last review, once it is over."""
        self.wait(lambda: self.api().latest_runs(REVIEW, day)[0]["state"] in ENDED, f"{day} is reviewed", (REVIEW,))
        return self.states(day)

    def log_of(self, dag_id: str, day: str, task_id: str) -> str:
        """All that the last try of a task logged."""
        task = next(one for one in self.api().tasks(dag_id, day) if one["task_id"] == task_id)
        return "\n".join(str(line.get("event", "")) for line in self.api().log(task, task["try_number"]))

    def wait(self, is_so: Callable[[], bool], what: str, may_fail: tuple[str, ...] = ()) -> None:
        """It is so; the deadline, or a run that fails and may not, ends the wait with what is known."""
        deadline, failed_before = time.monotonic() + SECONDS, self.failed_runs()
        while not is_so():
            failed = [one for one in self.failed_runs() - failed_before if not one.startswith(may_fail)]
            if failed or time.monotonic() > deadline:
                pytest.fail(f"waiting until {what}; failed: {failed}\n" + "\n".join(self.api().troubles()))
            time.sleep(2)

    def failed_runs(self) -> set[str]:
        """DAG and name of each run that failed."""
        return set(self.airflow("SELECT dag_id, run_id FROM dag_run WHERE state = 'failed'"))

    def airflow(self, statement: str) -> list[str]:
        """What Airflow's own database answers."""
        return ask(self.airflow_database, statement)

    def mlflow(self, statement: str) -> list[str]:
        """What MLflow's own database answers."""
        return ask(self.mlflow_database, statement)

    def aliases(self) -> dict[str, int]:
        """Version of each alias, as it stands in MLflow's database."""
        rows = self.mlflow(f"SELECT alias, version FROM registered_model_aliases WHERE name = '{MODEL}'")
        return {alias: int(version) for alias, version in (row.split("|") for row in rows)}

    def tags(self, version: int) -> dict[str, str]:
        """Tags of a version as MLflow's API shows them, by their names without the project's own prefix."""
        told = self.mlflow_api(f"model-versions/get?name={MODEL}&version={version}")
        return {tag["key"].removeprefix("nightcart."): tag["value"] for tag in told["model_version"]["tags"]}

    def version_of(self, day: str) -> int:
        """Version that was registered for the day."""
        path = self.home / "runs" / "simulated_shop" / "recommendation" / day / "registration.json"
        return int(json.loads(path.read_text(encoding="utf-8"))["version"])

    def mlflow_api(self, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What the page's API answers to somebody who knows its password."""
        password = json.loads((self.home / "mlflow" / "passwords.json").read_text())["nightcart"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.mlflow_port}/api/2.0/mlflow/{path}",
            data=None if body is None else json.dumps(body).encode(),
        )
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", "Basic " + base64.b64encode(f"nightcart:{password}".encode()).decode())
        with urllib.request.urlopen(request, timeout=60) as response:
            found: dict[str, Any] = json.loads(response.read())
        return found

    def decisions(self) -> list[tuple[str, int, str, str]]:
        """The home's record of what people decided: kind, version, who and why, the first one first."""
        path = self.home / "approvals.json"
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return [(one["kind"], one["version"], one["who"], one["why"]) for one in entries]


def write_checkout(root: Path) -> None:
    """A checkout of its own, less the tests, in which the scenario trains little and asks ann or bob."""
    for folder in ("conf", "dags", "jobs", "rl"):
        shutil.copytree(PROJECT_ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(PROJECT_ROOT / name, root / name)
    for name in (".venv", ".venv-airflow"):
        (root / name).symlink_to((PROJECT_ROOT / name).resolve())
    path = root / "conf" / "scenarios" / "recommendation.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    del spec["overrides"]
    spec |= {
        "candidates": [
            {
                "algorithm": "discrete_cql",
                "seeds": [1],
                "n_updates": 500,
                "conservative_weight": 0.5,
                "target_update_interval": 100,
            }
        ],
        "review": {"respondents": ["ann", "bob"]},
    }
    spec["reward"]["weights"] = {"click": 1}
    spec["evaluation"] |= {"n_bootstrap": 200, "fqe_updates": 50}
    spec["gate"] = {"wrong_promotions_per_year": 50, "min_effective_sample_size": 20, "min_effective_rewarded": 10}
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The deployment, up, with six days in its shop that no night has read."""
    n_failed = request.session.testsfailed
    root = tmp_path_factory.mktemp("stories") / "checkout"
    write_checkout(root)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "NIGHTCART"))}
    with ExitStack() as databases:
        airflow, mlflow = (databases.enter_context(own_database()) for _ in range(2))
        environment = kept | {
            "NIGHTCART_HOME": str(root.parent / "home"),
            "NIGHTCART_AIRFLOW_DATABASE": airflow,
            "NIGHTCART_MLFLOW_URI": mlflow,
            "PYTHONPATH": str(root),
            "OMP_NUM_THREADS": "1",
        }
        made = Deployment(root, environment, free_port(), free_port(), airflow, mlflow, n_failed)
        made.ended([str(root / ".venv/bin/python"), "-c", WRITE_SHOP, str(made.home / "shops" / "simulated_shop")])
        began = time.monotonic()
        try:
            made.services("up", f"--port={made.port}", f"--mlflow-port={made.mlflow_port}")
            made.wait(lambda: made.api().dag_ids() >= {*DAGS, *PAUSED}, "the DAGs are known")
            for dag_id in PAUSED:
                made.api().pause(dag_id)
            made.seconds["make up, until the DAGs are known"] = time.monotonic() - began
            yield made
        finally:
            made.services("down")
            print(json.dumps({name: round(seconds) for name, seconds in made.seconds.items()}, indent=1))
            assert processes_of(made.home, []) == []


@pytest.fixture(autouse=True)
def one_after_the_other(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[None]:
    """A story begins where the one before ended; its seconds are kept."""
    if request.session.testsfailed > deployment.n_failed_before:
        pytest.skip("a story before it failed")
    began = time.monotonic()
    yield
    deployment.seconds[request.node.name] = time.monotonic() - began


def test_a_person_rejects_a_version_for_good(deployment: Deployment) -> None:
    """It is no challenger, its entry says who rejected it and why, and repeating the review doesn't approve it."""
    day = deployment.night()
    version = deployment.version_of(day)
    assert deployment.aliases() == {"challenger": version}
    with pytest.raises(AirflowRefused, match="answered 403"):  # the scenario lists who may answer
        deployment.api().answer(REVIEW, day, "approve", "Approve")

    states = deployment.answer(day, "ann", "Reject", "too many socks")

    assert states == {"read_registration": "success", "approve": "success", "promote": "skipped", "reject": "success"}
    assert deployment.aliases() == {}
    rejection = ("reject", version, "ann", "too many socks")
    assert deployment.decisions() == [rejection]
    tags = deployment.tags(version)
    assert (tags["decision"], tags["decided_by"], tags["decided_because"]) == ("rejected", "ann", "too many socks")

    deployment.api().trigger(REVIEW, day)
    deployment.wait(lambda: deployment.is_asked(day), "somebody is asked again")
    states = deployment.answer(day, "bob", "Approve", "I like socks")

    assert states["promote"] == "failed"
    assert "was rejected" in deployment.log_of(REVIEW, day, "promote")
    assert (deployment.aliases(), deployment.decisions()) == ({}, [rejection])


def test_no_answer_in_time_rejects(deployment: Deployment) -> None:
    """Nobody in particular rejects it. Not waited for are the three days: their end is set to now, in the database."""
    day = deployment.night()
    version = deployment.version_of(day)
    assert deployment.aliases() == {"challenger": version}
    waiting = f"dag_id = '{REVIEW}' AND task_id = 'approve' AND state = 'awaiting_input'"
    (left,) = deployment.airflow(
        f"SELECT round(extract(epoch FROM trigger_timeout - now()) / 86400) FROM task_instance WHERE {waiting}"
    )
    assert left == "3"
    deployment.airflow(f"UPDATE task_instance SET trigger_timeout = now() - interval '1 second' WHERE {waiting}")

    states = deployment.reviewed(day)

    assert states == {"read_registration": "success", "approve": "success", "promote": "skipped", "reject": "success"}
    assert deployment.aliases() == {}
    assert deployment.decisions()[-1] == ("reject", version, "nobody", "no answer in 3 days")
    assert deployment.tags(version)["decision"] == "rejected"


def test_three_delivered_days_chain_to_a_champion(deployment: Deployment) -> None:
    """Each night follows its delivery by assets; the last one's challenger becomes champion on a person's word."""
    waiting, day = deployment.night(), deployment.night()
    version = deployment.version_of(day)
    assert deployment.aliases() == {"challenger": version}
    for dag_id in DAGS[:3]:
        assert set(deployment.api().runs(dag_id).values()) == {"success"}
        assert len(deployment.api().runs(dag_id)) == 4
    triggered = deployment.airflow(
        "SELECT DISTINCT dag_id, run_type FROM dag_run WHERE run_id NOT LIKE 'manual__%' ORDER BY 1"
    )
    assert triggered == [f"{dag_id}|asset_triggered" for dag_id in sorted(DAGS[1:])]

    states = deployment.answer(day, "bob", "Approve", "looks right")

    assert states == {"read_registration": "success", "approve": "success", "promote": "success", "reject": "skipped"}
    assert deployment.aliases() == {"champion": version}
    assert deployment.decisions()[-1] == ("promote", version, "bob", "looks right")
    tags = deployment.tags(version)
    assert (tags["decision"], tags["decided_by"], tags["decided_because"]) == ("approved", "bob", "looks right")
    assert deployment.states(waiting)["approve"] == "awaiting_input"


def test_a_stale_version_is_refused_when_it_is_approved(deployment: Deployment) -> None:
    """The night before still waits; it was held against another champion than there is by now."""
    days = sorted(str(day) for day in deployment.api().runs(REVIEW))
    waiting, day = days[-2:]
    before = (deployment.aliases(), deployment.decisions())

    states = deployment.answer(waiting, "ann", "Approve", "better late than never")

    assert (states["approve"], states["promote"], states["reject"]) == ("success", "failed", "skipped")
    said = deployment.log_of(REVIEW, waiting, "promote")
    assert "stale: gate again" in said
    assert f"now the champion is version {deployment.version_of(day)}" in said
    assert (deployment.aliases(), deployment.decisions()) == before


def test_an_alias_moved_by_hand_is_found_out_by_the_next_night(deployment: Deployment) -> None:
    """The night says so and stops before anybody is asked; once the alias is back where it belongs it goes on."""
    champion = deployment.aliases()["champion"]
    rejected = next(version for kind, version, _, _ in deployment.decisions() if kind == "reject")
    deployment.mlflow_api("registered-models/alias", {"name": MODEL, "alias": "champion", "version": str(rejected)})
    assert deployment.aliases()["champion"] == rejected
    moved = f"alias champion is on version {rejected} and belongs on version {champion}"

    review = deployment.rl("review")
    assert review.returncode == FAILS_AGAIN
    assert moved in review.stderr

    began = time.monotonic()
    day = deployment.deliver()
    runs = deployment.api().latest_runs
    train = DAGS[2]
    deployment.wait(
        lambda: [run["state"] for run in runs(train, day)] == ["failed"], "the night fails", (train, REVIEW)
    )
    deployment.seconds[f"night of {day}, from its delivery to its failure"] = time.monotonic() - began
    states = {task["task_id"]: task["state"] for task in deployment.api().tasks(train, day)}
    assert states == {"prepare": "success", "train": "success", "evaluate": "success", "register": "failed"}
    assert moved in deployment.log_of(train, day, "register")
    assert runs(REVIEW, day) == []

    restored = deployment.rl("restore-aliases", "--scenario=recommendation")
    assert restored.returncode == 0, restored.stderr
    assert deployment.aliases()["champion"] == champion
    review = deployment.rl("review")
    assert review.returncode == 0, review.stderr
    deployment.api().clear(train, day, "register")
    deployment.wait(
        lambda: bool(runs(REVIEW, day)) and (runs(REVIEW, day)[0]["state"] in ENDED or deployment.is_asked(day)),
        "the night goes on",
        (train, REVIEW),
    )
    assert deployment.api().latest_runs(train, day)[0]["state"] == "success"
    assert deployment.aliases()["champion"] == champion


def test_both_databases_are_the_servers(deployment: Deployment) -> None:
    """Runs and versions stand in PostgreSQL, and no SQLite file of either was made in the home."""
    assert int(deployment.airflow("SELECT count(*) FROM dag_run")[0]) >= 5 * len(DAGS)
    assert deployment.mlflow(f"SELECT count(*) FROM model_versions WHERE name = '{MODEL}'") == ["5"]
    found = {path.relative_to(deployment.home).as_posix() for path in deployment.home.rglob("*.db")}
    assert {name for name in found if re.search(r"(^|/)(airflow|mlflow)\.db$", name)} == set()
