"""The service as it runs: asked by HTTP, killed, out of disk, and following the registry."""

from __future__ import annotations

import resource
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conf.pseudonyms import pseudonym
from rl.main import app
from rl.registry.launches import ROLLOUT, begin_stage, launches, running_launch
from rl.registry.person import Person
from rl.registry.store import aliases, open_store
from rl.registry.switching import roll_back, turn_off, turn_on
from tests.rl.serving.callers import Load
from tests.rl.serving.served_home import ACTIONS, KEY, MODEL, Running, policy_of, promote, running, settings_at

ANN = Person("ann", "for a test")

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    promote(folder, 0)
    return folder


def test_decisions_are_answered_as_they_are_logged(home: Path) -> None:
    """Alone, as a slate and in a batch; the shopper's id stands nowhere in the log."""
    with running(home, version=1) as service:
        events = [{"event_type": "click", "event_time": "2026-03-30T09:00:00Z", "item_id": "item-001", "price": 3.5}]
        status, alone = service.decide(user_id="ann-77", events=events)
        assert (status, alone["history"]["state"], alone["use_yours"]) == (200, "unavailable", False)
        _, slate = service.decide(user_id="ann-77", n=3)
        requests = [{"user_id": f"shopper-{n}", "available_actions": ACTIONS[: n + 1]} for n in range(3)]
        _, batch = service.ask("POST", "/v1/recommendation/decide-batch", {"requests": requests})
        answers = [alone, slate, *batch["answers"]]
        told = [one for answer in answers for one in answer["decisions"]]
        assert [len(answer["decisions"]) for answer in answers] == [1, 3, 1, 1, 1]
        names = ("decision_id", "position", "action", "propensity", "policy_version", "group")
        logged = [{name: line[name] for name in names} for line in service.logged()]
        assert logged == [{name: one[name] for name in names} for one in told]
        assert {line["user_id"] for line in service.logged()[:4]} == {pseudonym("ann-77", KEY.encode())}
        assert "ann-77" not in "".join(path.read_text() for path in service.decisions.glob("*.jsonl"))
        _check_refusals(service)
        _check_pages(service)


def _check_refusals(service: Running) -> None:
    n_logged = len(service.logged())
    for body, field in (
        ({"hour_of_day": 99}, "hour_of_day"),
        ({"events": [{"event_type": "view", "event_time": "2026-03-30T99:00:00Z"}]}, "events.0.event_time"),
        ({"available_actions": None}, "available_actions"),
    ):
        status, answer = service.decide(**body)
        assert (status, answer["fields"][0]["field"]) == (422, field)
        assert field in answer["error"]
    assert service.ask("POST", "/v1/promotion/decide", {"user_id": "a"})[0] in (404, 422)
    assert len(service.logged()) == n_logged


def _check_pages(service: Running) -> None:
    assert service.ask("GET", "/health")[0] == 200
    status, page = service.ask("GET", "/openapi.json")
    assert (status, "examples" in page["components"]["schemas"]["DecideRequest"]) == (200, True)
    _, counts = service.ask("GET", "/metrics")
    assert "nightcart_served_version 1.0" in counts
    assert 'nightcart_refused_total{status="422"}' in counts


def test_callers_need_the_key_where_there_is_one(home: Path) -> None:
    """Whether the service lives and is ready anybody may ask."""
    key = "a key of sixteen characters"
    with running(home, environment={"NIGHTCART_SERVING_KEY": key}, version=1) as service:
        body = {"user_id": "ann", "available_actions": ACTIONS}
        assert service.ask("POST", "/v1/recommendation/decide", body)[0] == 401
        assert service.ask("POST", "/v1/recommendation/decide", body, **{"X-API-Key": "another"})[0] == 401
        assert service.ask("GET", "/metrics")[0] == 401
        assert service.ask("POST", "/v1/recommendation/decide", body, **{"X-API-Key": key})[0] == 200


def test_every_answered_decision_survives_kills(home: Path) -> None:
    """Under load, three times; the service that starts again goes on in the same log."""
    told: list[str] = []
    for _ in range(3):
        with running(home, version=1) as service, Load(service) as load:
            load.wait_for(30)
            service.kill()
        told += load.told
        counts = Counter(line["decision_id"] for line in service.logged())
        assert {one: counts[one] for one in told} == dict.fromkeys(told, 1)
        assert max(counts.values()) == 1


def test_a_full_disk_stops_the_decisions_until_there_is_room(home: Path) -> None:
    """Not one is answered that isn't logged; /ready says why."""
    with running(home, version=1) as service:
        service.decide()
        n_bytes = sum(path.stat().st_size for path in service.decisions.glob("*.jsonl"))
        process, limits = service.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
        with Load(service) as load:
            load.wait_for(5)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (n_bytes + 100, limits[1]))
            service.wait_until(lambda found: found["status"] == "not ready")
            assert "decisions can't be written" in service.ready()["problems"][0]
            assert service.decide()[0] == 503
            resource.prlimit(process, resource.RLIMIT_FSIZE, limits)
            service.wait_until(lambda found: found["status"] == "ready")
            load.wait_for(5)
        counts = Counter(line["decision_id"] for line in service.logged())
        assert {one: counts[one] for one in load.told} == dict.fromkeys(load.told, 1)
        assert set(load.statuses) == {200, 503}


def test_promotion_rollback_off_and_on_are_followed_without_a_dropped_request(home: Path) -> None:
    """Under load, every request is answered, and each is served by somebody who was approved."""
    settings = settings_at(home)
    with running(home, version=1) as service, Load(service, n_callers=2) as load:
        promote(home, 1)
        service.wait_until(lambda found: found["version"] == 2)
        for switch, expected in ((turn_off, (None, True)), (turn_on, (2, False)), (roll_back, (1, False))):
            with open_store(settings) as client:
                switch(client, settings, MODEL, ANN)
            service.wait_until(lambda found, so=expected: (found["version"], found["is_off"]) == so)
            load.wait_for(3)
        assert set(load.statuses) == {200}
        groups = Counter(line["group"] for line in service.logged())
        assert groups["fallback"] > 0
        assert groups["champion"] > 0


def test_a_launch_by_stages_is_served_to_its_share_and_taken_back_without_a_dropped_request(home: Path) -> None:
    """Under load: to a share, to a greater one that keeps its shoppers, and to nobody after a retreat."""
    settings = settings_at(home)
    with open_store(settings) as client:
        before = aliases(client, MODEL)["champion"]
    number = before + 5  # a night that no test registered
    with running(home, version=before) as service, Load(service, n_callers=2) as load:
        version = promote(home, number, policy_of(number), share=0.25)
        found = service.wait_until(lambda found: found["version"] == version)
        assert (found["share"], found["incumbent_version"]) == (0.25, before)
        first = _groups_of_shoppers(service)
        launch = running_launch(settings, MODEL, version)
        assert launch is not None
        begin_stage(settings, launch, 0.5)
        service.wait_until(lambda found: found["share"] == 0.5)
        second = _groups_of_shoppers(service)
        assert 5 < sum(group == "champion" for group in first) < sum(group == "champion" for group in second) < 55
        kept = [now for earlier, now in zip(first, second, strict=True) if earlier == "champion"]
        assert set(kept) == {"champion"}
        assert {*first, *second} == {"champion", "incumbent"}
        with open_store(settings) as client:
            roll_back(client, settings, MODEL, Person(ROLLOUT, "it earns less"))
        found = service.wait_until(lambda found: found["version"] == before)
        assert (found["share"], found["incumbent_version"]) == (1.0, None)
        assert set(_groups_of_shoppers(service)) == {"champion"}
        load.wait_for(3)
        assert set(load.statuses) == {200}
    assert launches(home, MODEL)[-1].end is not None
    assert {line["rollout_share"] for line in service.logged() if line["group"] == "incumbent"} == {0.25, 0.5}


def _groups_of_shoppers(service: Running) -> list[str]:
    """Who decides for each of 60 shoppers."""
    answers = [service.decide(user_id=f"shopper-{number}") for number in range(60)]
    assert {status for status, _ in answers} == {200}
    return [answer["group"] for _, answer in answers]


def test_an_address_beyond_this_machine_needs_a_key(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["serve", "--source", "simulated_shop", "--scenario", "recommendation", "--host", "0.0.0.0"]
    done = CliRunner().invoke(app, arguments, env={"NIGHTCART_HOME": str(tmp_path)})
    assert done.exit_code == 65
    assert "reachable from other machines: give a key" in capfd.readouterr().err + done.stderr
