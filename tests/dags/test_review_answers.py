"""Reviews under a real Airflow: people answer by its API, or don't, and what they said reaches the commands.

The commands are stand-ins; that they do what they are told is tested with a real MLflow beside them.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dags.deployment.airflow_api import AirflowRefused
from tests.dags.airflow_api import AirflowApi
from tests.dags.fake_pipeline import calls, write_fake_pipeline
from tests.dags.test_scheduler import free_port, run, wait

pytestmark = pytest.mark.timeout(900)

DAG = "review_recommendation"
APPROVED, REJECTED, OVERDUE, BOLD = "2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"
ENDED = ("success", "failed")
SECONDS_TO_READ, SECONDS_BUSY = 8, 9
PEOPLE = 8

# The review of the shipped scenario, with two people who may answer and a limit above which both have to.
DAGS = """# A DAG of Airflow, which looks for the two words before it reads a file.
from conf.specs.review import Review
from dags import review_request, specs

found, problems = specs.read_pipelines("simulated_shop")
review = Review(respondents=("ann", "bob"), second_person_above=0.5)
pipelines = {
    name: one.model_copy(update={"scenario": one.scenario.model_copy(update={"review": review})})
    for name, one in found.items()
}
specs.read_pipelines = lambda _: (pipelines, problems)
review_request.load_pipeline = lambda name, _: pipelines[name]
from dags.scenario_dags import review_recommendation
"""


class PersonsApi(AirflowApi):
    """The API as a person sees it who may answer."""

    def __init__(self, address: str, passwords: Path, person: str) -> None:
        super().__init__(address, passwords)
        password = json.loads(passwords.read_text(encoding="ascii"))[person]
        body = {"username": person, "password": password}
        self._token = str(self._send("POST", "/auth/token", body)["access_token"])


@dataclass
class Reviewed:
    """What is left when everybody has answered, or not."""

    home: Path
    address: str
    venv: Path
    states: dict[str, dict[str, str]]
    question: dict[str, Any]
    refused: list[str]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    """Four nights were registered; people answer about three of them, and about one nobody does."""
    home = tmp_path_factory.mktemp("reviews")
    venv = write_fake_pipeline(home / "venv")
    for number, day in enumerate((APPROVED, REJECTED, OVERDUE, BOLD), start=1):
        register(home, day, number, share_changed=0.9 if day == BOLD else 0.2)
    (home / "dags").mkdir()
    (home / "dags" / "reviews.py").write_text(DAGS, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "NIGHTCART"))}
    environment = kept | {
        "NIGHTCART_HOME": str(home),
        "NIGHTCART_PIPELINE_VENV": str(venv),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,ann:op,bob:op,eve:op",
    }
    port = free_port()
    run([sys.executable, "-m", "dags.deployment.services", "up", f"--port={port}", "--mlflow-port=0"], environment)
    try:
        address = f"http://127.0.0.1:{port}"
        yield answered(home, address, venv)
    finally:
        run([sys.executable, "-m", "dags.deployment.services", "down"], environment)


def register(home: Path, day: str, version: int, *, share_changed: float) -> None:
    folder = home / "runs" / "simulated_shop" / "recommendation" / day
    folder.mkdir(parents=True)
    request = {
        "gain": "+12.3% (+0.12 points per episode)",
        "rests_on": "310 of 1,200 shoppers",
        "guardrails": ["clicks: kept; doesn't fall"],
        "share_changed": share_changed,
        "changes": f"{share_changed:.0%} of the decisions",
    }
    registration = {"model": "recommendation-policy", "version": version, "verdict": "promote", "reasons": ["passed"]}
    content = json.dumps(registration | {"request": request, "run_id": "r1"})
    (folder / "registration.json").write_text(content, encoding="utf-8")
    (folder / "review.html").write_text(f"<!doctype html><title>night of {day}</title>", encoding="utf-8")


def answered(home: Path, address: str, venv: Path) -> Reviewed:
    """Every run has ended."""
    passwords = home / "airflow" / "passwords.json"
    admin = AirflowApi(address, passwords)
    wait(lambda: DAG in admin.dag_ids(), "the review is known", admin, 240)
    assert admin.import_errors() == []
    people = {name: PersonsApi(address, passwords, name) for name in ("ann", "bob", "eve")}
    days = (APPROVED, REJECTED, OVERDUE, BOLD)
    for day in days:
        admin.trigger(DAG, day)

    def waits(day: str, task: str = "approve") -> bool:
        return bool(admin.latest_runs(DAG, day)) and admin.task_states(DAG, day).get((task, -1)) == "awaiting_input"

    for day in days:
        wait(lambda day=day: waits(day), f"{day} waits for an answer", admin, 180)  # type: ignore[misc]
    # An answer within a second or two finds the scheduler before it has heard that the task waits, which Airflow takes
    # for a task that was killed. No person reads so fast.
    time.sleep(SECONDS_TO_READ)
    question = admin.question(DAG, APPROVED, "approve")
    refused = [refusal(people["eve"], APPROVED, "approve")]
    people["ann"].answer(DAG, APPROVED, "approve", "Approve", comment="bold, but fine; it's {{ 1 }} step")
    people["bob"].answer(DAG, REJECTED, "approve", "Reject", comment="too many vouchers")
    people["ann"].answer(DAG, BOLD, "approve", "Approve")
    wait(lambda: waits(BOLD, "approve_second"), "a second person is asked", admin, 120)
    # Not while answers are taken in: Airflow's server doesn't expect anybody else to write into its database.
    let_time_pass(home, OVERDUE)
    time.sleep(SECONDS_TO_READ)
    refused.append(refusal(people["ann"], BOLD, "approve_second"))
    people["bob"].answer(DAG, BOLD, "approve_second", "Approve", comment="me too")
    wait(lambda: all(admin.runs(DAG).get(day) in ENDED for day in days), "all reviews are over", admin, 240)
    states = {day: {name: state for (name, _), state in admin.task_states(DAG, day).items()} for day in days}
    return Reviewed(home, address, venv, states, question, refused)


def refusal(api: AirflowApi, day: str, task: str) -> str:
    with pytest.raises(AirflowRefused) as raised:
        api.answer(DAG, day, task, "Approve")
    return str(raised.value)


def let_time_pass(home: Path, day: str) -> None:
    """The time to answer about the day is over, as Airflow's database has it."""
    with sqlite3.connect(home / "airflow" / "airflow.db", timeout=60) as database:
        changed = database.execute(
            "UPDATE task_instance SET trigger_timeout = '2026-01-01 00:00:00.000000' WHERE task_id = 'approve' "
            "AND run_id IN (SELECT run_id FROM dag_run WHERE dag_id = ? AND partition_key = ?)",
            (DAG, day),
        )
        assert changed.rowcount == 1
    database.close()


def told(reviewed: Reviewed, version: int) -> dict[str, Any]:
    """The one command that was run for the version."""
    (call,) = [one for one in calls(reviewed.venv) if one["options"].get("version") == str(version)]
    return {"command": call["command"], **call["options"]}


def test_an_approval_reaches_the_command_with_who_and_why(reviewed: Reviewed) -> None:
    """The comment as it was written; the second person isn't asked below the limit."""
    assert reviewed.states[APPROVED] == {
        "read_registration": "success",
        "approve": "success",
        "approve_second": "success",
        "promote": "success",
        "reject": "skipped",
    }
    found = told(reviewed, 1)
    assert (found["command"], found["who"], found["why"]) == ("promote", "ann", "bold, but fine; it's {{ 1 }} step")


def test_a_rejection_is_recorded_and_nothing_is_promoted(reviewed: Reviewed) -> None:
    assert reviewed.states[REJECTED]["promote"] == "skipped"
    assert reviewed.states[REJECTED]["reject"] == "success"
    found = told(reviewed, 2)
    assert (found["command"], found["who"], found["why"]) == ("reject", "bob", "too many vouchers")
    assert "overdue" not in found


def test_no_answer_in_time_rejects(reviewed: Reviewed) -> None:
    """Nobody in particular did, and the record says so."""
    assert (reviewed.states[OVERDUE]["promote"], reviewed.states[OVERDUE]["reject"]) == ("skipped", "success")
    found = told(reviewed, 3)
    assert (found["command"], found["who"], found["why"]) == ("reject", "nobody", "no answer in 3 days")
    assert "overdue" in found


def test_a_bold_version_is_approved_by_two_people(reviewed: Reviewed) -> None:
    """The second is another one: who has answered can't answer again, nor can somebody who isn't listed."""
    assert reviewed.states[BOLD]["approve_second"] == reviewed.states[BOLD]["promote"] == "success"
    (call,) = [one for one in calls(reviewed.venv) if one["options"].get("version") == "4"]
    assert (call["command"], call["options"]["who"], call["options"]["why"]) == ("promote", "bob", "me too")
    eve, ann = reviewed.refused
    assert "is not a respondent" in eve
    assert "is not a respondent" in ann


def test_the_form_says_what_it_is_about_and_links_the_page(reviewed: Reviewed) -> None:
    """Gain, guardrails, and an address on the same web server."""
    body = reviewed.question["body"]
    assert "| gain | +12.3% (+0.12 points per episode) |" in body
    assert "| guardrail | clicks: kept; doesn't fall |" in body
    assert f"]({reviewed.address}/nightcart/pages/simulated_shop/recommendation/{APPROVED}/review.html)" in body
    assert "comment" in reviewed.question["params"]
    assert [user["id"] for user in reviewed.question["assigned_users"]] == ["ann", "bob"]


def test_an_answer_waits_for_a_database_that_is_busy(reviewed: Reviewed) -> None:
    """On a slow disk the scheduler writes for longer than SQLite's own five seconds."""
    api = AirflowApi(reviewed.address, reviewed.home / "airflow" / "passwords.json")
    api.paused()
    with sqlite3.connect(reviewed.home / "airflow" / "airflow.db", timeout=60, isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor() as threads:
            answered_late = threads.submit(api.pause, DAG)
            time.sleep(SECONDS_BUSY)
            assert not answered_late.done()
            database.execute("ROLLBACK")
            answered_late.result()
    database.close()
    assert api.paused()[DAG]


def test_people_who_write_at_once_are_all_answered(reviewed: Reviewed) -> None:
    """Airflow's audit log waits for the database in the event loop, without which no other request can end."""
    api = AirflowApi(reviewed.address, reviewed.home / "airflow" / "passwords.json")
    api.pause(DAG)
    days = [f"2026-03-{number:02d}" for number in range(1, 31)]
    with ThreadPoolExecutor(PEOPLE) as threads:
        begun = list(threads.map(lambda day: api.trigger(DAG, day), days))
    assert len(set(begun)) == len(days)
    assert set(days) <= set(api.runs(DAG))


def test_the_page_opens_for_whoever_is_logged_in(reviewed: Reviewed) -> None:
    """By the session's cookie or a token; anybody else is sent to the login, and no other file is served."""
    where = f"{reviewed.address}/nightcart/pages/simulated_shop/recommendation"
    password = json.loads((reviewed.home / "airflow" / "passwords.json").read_text())["ann"]
    token = token_of(reviewed, "ann", password)
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"_token={token}"}):
        status, text, sent = ask(f"{where}/{APPROVED}/review.html", headers)
        assert (status, text) == (200, f"<!doctype html><title>night of {APPROVED}</title>")
        assert "sandbox" in sent["Content-Security-Policy"]
    status, _, sent = ask(f"{where}/{APPROVED}/review.html", {})
    assert status == 303
    assert sent["Location"].startswith("/auth/login")
    assert ask(f"{where}/{APPROVED}/review.html", {"Authorization": "Bearer nonsense"})[0] in (401, 403)
    for other in (f"{where}/2026-02-02/review.html", f"{where}/..%2F..%2F{APPROVED}/review.html"):
        assert ask(other, {"Cookie": f"_token={token}"})[0] == 404


def test_the_home_page_is_behind_the_same_login(reviewed: Reviewed) -> None:
    """The prefix leads there, its links lead to nights' pages, and nobody sees it who isn't logged in."""
    page = reviewed.home / "site" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("<main>what the runs left</main>")
    password = json.loads((reviewed.home / "airflow" / "passwords.json").read_text())["bob"]
    cookie = {"Cookie": f"_token={token_of(reviewed, 'bob', password)}"}
    status, _, sent = ask(f"{reviewed.address}/nightcart/", cookie)
    assert status == 303
    where = urllib.parse.urljoin(f"{reviewed.address}/nightcart/", sent["Location"])
    status, text, sent = ask(where, cookie)
    assert (status, text) == (200, "<main>what the runs left</main>")
    assert "sandbox" in sent["Content-Security-Policy"]
    night = f"../runs/simulated_shop/recommendation/{APPROVED}/review.html"
    assert ask(urllib.parse.urljoin(where, night), cookie)[0] == 200
    for address in (f"{reviewed.address}/nightcart/", where):
        status, _, sent = ask(address, {})
        assert (status, sent["Location"].startswith("/auth/login")) == (303, True)


def token_of(reviewed: Reviewed, name: str, password: str) -> str:
    """A token of Airflow's API, as a session's cookie holds it."""
    body = json.dumps({"username": name, "password": password}).encode()
    request = urllib.request.Request(
        f"{reviewed.address}/auth/token", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        token: str = json.loads(response.read())["access_token"]
    return token


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def ask(address: str, headers: dict[str, str]) -> tuple[int, str, Any]:
    """Status, text and headers that the address answers with."""
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=30) as response:
            return response.status, response.read().decode(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers
