"""A night that declares a second look, and the later night that takes it: passed, failed, void, repeated, killed."""

from __future__ import annotations

import json
import random
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from pydantic import ValidationError

from conf.paths import trials_record
from conf.specs.scenario import Scenario, load_pipeline
from rl.commands import evaluate, promote, register, reject, review
from rl.figures.night import read_figures
from rl.gate.alpha_spending import Look, night_level
from rl.registry.memory import known_looks
from rl.registry.store import aliases, open_store
from rl.registry.trials import Trial, read_trials
from tests.rl.commands.conftest import SMALL, NightHome, made_up_night
from tests.rl.factories import (
    availability_id,
    available_items,
    make_pipeline,
    shop_rows,
    write_availability,
    write_transitions,
)

pytestmark = pytest.mark.xdist_group("nights")

MODEL = "recommendation-policy"
DAYS = 8
FLOOR = 110.0
LOOKING_TWICE: dict[str, Any] = SMALL | {
    "candidates": SMALL["candidates"][1:],
    "gate": SMALL["gate"] | {"min_effective_sample_size": FLOOR, "second_look_days": DAYS},
}


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    """The night of the first look, evaluated, and that of the second, trained; nothing is registered."""
    night = made_up_night(tmp_path_factory.mktemp("twice") / "home", make_pipeline("canonical", **LOOKING_TWICE))
    night.command(evaluate)
    for number in range(1, DAYS + 1):
        day = night.run_date + timedelta(days=number)
        write_transitions(night.lake, night.pipeline, day, shop_rows(night.pipeline, day, n_episodes=300, n_users=3000))
        write_availability(night.lake, night.pipeline, day, {availability_id(day): available_items(day, 12)})
    later_than(night).train_all()
    return night


def later_than(night: NightHome) -> NightHome:
    return NightHome(night.home, night.pipeline, night.run_date + timedelta(days=DAYS))


@pytest.fixture
def first(two_nights: NightHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NightHome:
    """A copy of the night of the first look, registered."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    night = two_nights.copied_to(tmp_path / "home")
    night.command(register)
    return night


def trials(night: NightHome) -> tuple[Trial, ...]:
    return read_trials(night.settings, MODEL)


def held(night: NightHome) -> dict[str, int]:
    with open_store(night.settings) as client:
        return aliases(client, MODEL)


def tag(night: NightHome, version: int, name: str) -> str:
    with open_store(night.settings) as client:
        return str(client.get_model_version(MODEL, str(version)).tags[f"nightcart.{name}"])


def edited(night: NightHome, **changes: Any) -> None:
    """The record of the home's only second look is changed."""
    (entry,) = json.loads(trials_record(night.home).read_text(encoding="utf-8"))
    trials_record(night.home).write_text(json.dumps([entry | changes]), encoding="utf-8")


def judged(night: NightHome) -> dict[str, Any]:
    night.command(evaluate)
    return night.command(register)


def test_a_night_that_weights_alone_kept_back_declares_a_second_look(first: NightHome) -> None:
    """Its version is on trial, and has spent the night's level, of which the first look spent nothing."""
    figures = read_figures(first.run.evaluation)
    assert (figures.verdict.decision, figures.verdict.spends_level) == ("abstain", False)
    (found,) = trials(first)
    assert (found.version, found.night, found.planned) == (1, first.run_date, later_than(first).run_date)
    assert held(first) == {"on_trial": 1}
    assert float(tag(first, 1, "level")) == found.level == figures.level
    assert "A second look is declared" in first.run.page.read_text(encoding="utf-8")


def test_what_passes_its_second_look_waits_for_approval_as_any_version(first: NightHome) -> None:
    """The frozen policy is the later night's version; nothing more is spent, and approval makes it champion."""
    later = later_than(first)
    result = judged(later)
    assert (result["verdict"], result["version"], result["is_challenger"]) == ("promote", 2, True)
    assert held(later) == {"challenger": 2}
    (settled,) = trials(later)
    assert (settled.outcome, settled.settled_on) == ("promote", later.run_date), settled.why
    assert tag(later, 2, "policy_version") == tag(later, 1, "policy_version") == settled.policy_version
    assert tag(later, 2, "level") == "0"
    assert [look.version for look in known_looks(later.settings)] == [1]
    figures = read_figures(later.run.evaluation)
    assert figures.verdict.headlines[0].startswith("This is a second look, at version 1")
    starts = {split.name: (split.start, split.end) for split in figures.data.splits}
    assert starts["test"][0] == read_figures(first.run.evaluation).data.splits[-1].end == starts["validation"][1]
    page = later.run.page.read_text(encoding="utf-8")
    assert page.index("This is a second look") < page.index('id="verdict"')
    (waiting,) = review.run(settings=later.settings, scenario="recommendation")["waiting"]
    assert (waiting["version"], waiting["stale"], waiting["page"]) == (2, "", str(later.run.page))
    assert waiting["second_look"].startswith("a second look at version 1, ")
    assert result["request"]["second_look"] == waiting["second_look"] == tag(later, 2, "second_look")
    assert later.command(promote, version=2)["champion"] == 2


def test_a_person_may_reject_what_passed_its_second_look(first: NightHome) -> None:
    """For good: its night repeated offers it no more."""
    later = later_than(first)
    judged(later)
    reject.run(settings=later.settings, scenario="recommendation", version=2, why="not now", who="ann")
    assert judged(later)["is_challenger"] is False
    assert held(later) == {}


def test_a_second_look_that_fails_lets_the_night_judge_its_own_candidates(first: NightHome) -> None:
    edited(first, level=1e-12)
    later = later_than(first)
    result = judged(later)
    (settled,) = trials(later)
    assert settled.outcome == "reject"
    assert "on_trial" not in held(later)
    assert tag(later, result["version"], "policy_version") != settled.policy_version
    assert "The second look at version 1" in later.run.page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"champion_in_force": "7"}, "champion version 7 was in force, and now no champion is"),
        ({"compared_with": "7"}, "its gain was over 7"),
        ({"spec_hash": "other"}, "the specs have changed"),
        ({"policy_version": "other"}, "declared was other"),
    ],
)
def test_what_has_changed_since_voids_a_second_look(first: NightHome, changes: dict[str, str], told: str) -> None:
    """Also before it is due; the record says why, and its level stays spent."""
    edited(first, **changes, planned=str(later_than(first).run_date + timedelta(days=30)))
    later = later_than(first)
    judged(later)
    (settled,) = trials(later)
    assert settled.outcome == "void"
    assert told in settled.why
    assert next(look.version for look in known_looks(later.settings)) == 1
    again = judged(later)
    assert trials(later) == (settled,)
    assert again["is_new"] is False


def test_nights_repeated_take_and_declare_nothing_twice(first: NightHome) -> None:
    later = later_than(first)
    before, seen = judged(later), trials(later)
    assert {**judged(later), "is_new": True} == before
    assert judged(first)["version"] == 1
    assert trials(later) == seen
    assert held(later) == {"challenger": 2}
    assert [look.version for look in known_looks(later.settings)] == [1]


def test_a_settled_second_look_is_not_taken_again_on_other_data(first: NightHome) -> None:
    """The night prepared anew, from other data than those that settled it, judges its own candidates."""
    later = later_than(first)
    judged(later)
    day = later.run_date
    write_transitions(later.lake, later.pipeline, day, shop_rows(later.pipeline, day, n_episodes=250, n_users=3000))
    later.train_all()
    judged(later)
    assert read_figures(later.run.evaluation).taken is None


@pytest.mark.parametrize("place", ["begin_trial", "settle_trial"])
def test_a_night_killed_after_its_version_ends_alike_when_repeated(
    two_nights: NightHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Between version and record, where the second look is declared or settled."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    night = two_nights.copied_to(tmp_path / "home")
    killed = night
    if place == "settle_trial":
        night.command(register)
        killed = later_than(night)
        killed.command(evaluate)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(register, place, die)
        with pytest.raises(KeyboardInterrupt):
            killed.command(register)
    killed.command(register)
    (found,) = trials(night)
    assert found.outcome == ("promote" if place == "settle_trial" else None)
    assert held(night) == ({"challenger": 2} if place == "settle_trial" else {"on_trial": 1})
    assert len(MlflowClient(tracking_uri=night.settings.mlflow_uri).search_model_versions()) == max(
        held(night).values()
    )


def test_levels_spent_with_second_looks_never_exceed_the_allowance() -> None:
    """Whatever spends, declares or does neither: a declared level is a night's own, so that the sum stays accrued."""
    for seed in range(300):
        chance = random.Random(seed)
        per_year, start = chance.choice([0.5, 4.0, 50.0]), date(2026, 1, 1)
        day, looks = start, list[Look]()
        for number in range(80):
            level = night_level(per_year, day, looks).level
            spends = chance.random() < chance.choice([0.1, 0.5, 1.0])  # its own look, or a declared one; never both
            looks.append(Look(day, level if spends else 0.0, number + 1))
            allowed = per_year * ((day - start).days + 1) / 365
            assert sum(look.level for look in looks) <= allowed * (1 + 1e-6), seed
            day += timedelta(days=chance.choice([0, 1, 1, 1, 3, 20]))


def test_a_scenario_with_orders_or_a_budget_takes_none() -> None:
    """Neither prices of money nor orders are frozen with a policy; the error names what stands in the way."""
    content = load_pipeline("inventory", "simulated_inventory").scenario.model_dump(mode="json")
    content["gate"]["second_look_days"] = 14
    with pytest.raises(ValidationError, match=r"gate\.second_look_days: no second look is taken with orders"):
        Scenario.model_validate(content)
