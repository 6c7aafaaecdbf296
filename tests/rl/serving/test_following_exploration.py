"""A plan is followed once a person approved it, while it is what it was approved as; from a real MLflow store."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path

import pytest

import rl.registry.exploration as exploring_room
from conf.specs.scenario import Pipeline, load_pipeline
from rl.errors import RegistryError
from rl.figures.exploration import PLAN_FILE, ExplorationPlan
from rl.policy.action_rules import ActionRules
from rl.registry.approvals import read_approvals, standing
from rl.registry.exploration import set_exploring
from rl.registry.person import Person
from rl.registry.store import open_store
from rl.registry.switching import turn_off, turn_on
from rl.registry.versions import load_version
from rl.serving.bodies import DecideRequest
from rl.serving.following import Follower
from rl.serving.in_use import in_use_file, policy_folder, read_in_use, write_in_use
from rl.serving.service import Service, ServingOptions
from tests.rl.serving.served_home import ACTIONS, MODEL, SCENARIO, SOURCE, promote, register, settings_at

ANN = Person("ann", "for a test")


@pytest.fixture(autouse=True)
def _spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec of the scenario allows plans, wherever it is loaded."""
    monkeypatch.setattr(exploring_room, "load_pipeline", lambda *_: a_pipeline(0.3))


def a_pipeline(max_share: float) -> Pipeline:
    pipeline = load_pipeline(SCENARIO, SOURCE)
    exploration = pipeline.scenario.exploration.model_copy(update={"max_share": max_share})
    return pipeline.model_copy(update={"scenario": pipeline.scenario.model_copy(update={"exploration": exploration})})


def planned(home: Path, number: int, *, champion: int = 1, told_version: int | None = None) -> int:
    """The night of that number registers its candidate with a plan; its version."""
    version = register(home, number)
    plan = ExplorationPlan(
        model=MODEL,
        version=version if told_version is None else told_version,
        champion=champion,
        dimension="all shoppers",
        shares={"all shoppers": 0.1},
        last_day=date(2026, 4, 1),
    )
    with open_store(settings_at(home)) as client:
        registered = load_version(client, MODEL, version)
        assert registered is not None
        client.log_text(registered.run_id, plan.model_dump_json(), PLAN_FILE)
    return version


def explore(home: Path, version: int | None) -> None:
    with open_store(settings_at(home)) as client:
        set_exploring(client, settings_at(home), MODEL, ANN, version)


def test_an_approved_plan_is_followed_until_it_is_ended(home: Path) -> None:
    """Its version's policy lies beside the champion's; without a person's word nothing is explored."""
    version = planned(home, 1)
    one = Follower(settings_at(home), a_pipeline(0.3))
    assert one.look().exploring is None
    explore(home, version)
    found = one.look()
    assert (found.version, found.problem) == (1, "")
    assert found.exploring is not None
    assert (found.exploring.version, found.exploring.shares) == (version, {"all shoppers": 0.1})
    assert policy_folder(home, SOURCE, SCENARIO, version).is_dir()
    explore(home, None)
    assert one.look().exploring is None
    with pytest.raises(RegistryError, match="no exploration plan is followed"):
        explore(home, None)


def test_off_ends_a_plan_and_on_does_not_begin_it_again(home: Path) -> None:
    explore(home, planned(home, 1))
    settings = settings_at(home)
    with open_store(settings) as client:
        turn_off(client, settings, MODEL, ANN)
        assert standing(settings, MODEL).exploring is None
        with pytest.raises(RegistryError, match="is off already"):
            turn_off(client, settings, MODEL, ANN)
        turn_on(client, settings, MODEL, ANN)
    assert Follower(settings, a_pipeline(0.3)).look().exploring is None
    assert [one.kind for one in read_approvals(settings, MODEL)][-4:] == ["explore", "off", "no_explore", "on"]


def test_another_champion_or_a_spec_that_forbids_it_ends_what_is_followed(home: Path) -> None:
    explore(home, planned(home, 1))
    forbidding = Follower(settings_at(home), a_pipeline(0.0)).look()
    assert forbidding.exploring is None
    assert "exploration.max_share of the spec is 0" in forbidding.problem
    promote(home, 2)
    found = Follower(settings_at(home), a_pipeline(0.3)).look()
    assert (found.exploring, found.problem) == (None, "")


def test_only_a_registered_plan_beside_this_champion_can_be_approved(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, stale = register(home, 1), planned(home, 2, champion=9)
    foreign, fit = planned(home, 3, told_version=77), planned(home, 4)
    for version, words in (
        (bare, "has no exploration plan"),
        (stale, "made beside champion 9, and the champion is 1"),
        (foreign, "holds the exploration plan of recommendation-policy version 77"),
        (99, "has no exploration plan"),
    ):
        with pytest.raises(RegistryError, match=words):
            explore(home, version)
    monkeypatch.setattr(exploring_room, "load_pipeline", lambda *_: a_pipeline(0.0))
    with pytest.raises(RegistryError, match=r"set exploration\.max_share, such as 0\.2"):
        explore(home, fit)
    assert standing(settings_at(home), MODEL).exploring is None


def test_a_service_follows_the_plan_until_its_last_day(home: Path) -> None:
    """Its decisions are the mixture's up to then, and the champion's from the next day on; /ready's figures say so."""
    version, settings, pipeline = planned(home, 1), settings_at(home), a_pipeline(0.3)
    explore(home, version)
    Follower(settings, pipeline).look()
    last = date(2026, 4, 1)
    for today, is_followed in ((last, True), (last + timedelta(days=1), False)):
        options = ServingOptions(decisions=home / f"decisions-{today}", rules=ActionRules(), today=today)
        service = Service(settings, pipeline, options)
        try:
            service.look()
            assert service.readiness().exploring == ((version, last) if is_followed else None)
            body = DecideRequest(user_id="ann", available_actions=tuple(ACTIONS))
            (decided,) = asyncio.run(service.decide([body]))
            assert decided.choices[0].policy_version.startswith("explored-") == is_followed
        finally:
            service.close()


def test_a_service_whose_spec_doesnt_observe_the_dimension_says_so(home: Path) -> None:
    settings, pipeline = settings_at(home), a_pipeline(0.3)
    Follower(settings, pipeline).look()
    found = read_in_use(in_use_file(home, SOURCE, SCENARIO))
    assert found is not None
    plan = ExplorationPlan(
        model=MODEL, version=1, champion=1, dimension="shoe size", shares={"42": 0.1}, last_day=date(2026, 4, 1)
    )
    write_in_use(in_use_file(home, SOURCE, SCENARIO), found.model_copy(update={"exploring": plan}))
    service = Service(settings, pipeline, ServingOptions(decisions=home / "decisions", rules=ActionRules()))
    try:
        service.look()
        told = service.readiness()
        assert (told.version, told.exploring) == (1, None)
        assert "no decisions are told apart by 'shoe size'" in " ".join(told.problems)
    finally:
        service.close()
