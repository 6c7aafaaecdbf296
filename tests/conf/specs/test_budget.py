"""Budgets: of scenarios that decide by the week, on sources that say what sending commits."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from conf.errors import SpecError
from conf.specs.pipeline_fit import misfits
from conf.specs.scenario import SCENARIOS_FOLDER, Pipeline, Scenario
from conf.specs.source import load_source
from conf.specs.spec_hash import data_spec_hash, full_spec_hash
from conf.specs.strict_yaml import parse_model


def scenario(name: str = "promotion", **changes: Any) -> Scenario:
    content = yaml.safe_load((SCENARIOS_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    content.pop("overrides", None)
    content |= changes
    return parse_model(Scenario, {key: value for key, value in content.items() if value is not None}, "test")


def problems(given: Scenario, source: str = "simulated_promotion") -> dict[str, str]:
    return {one.key: one.problem for one in misfits(given, load_source(source))}


def test_a_clock_that_decides_one_by_one_has_no_budget() -> None:
    """And the message says what a budget is of."""
    for key, value in (("budget", {"weekly": 5}), ("eligibility", {"active_days": 5})):
        with pytest.raises(
            SpecError, match=f"{key}: session_step decides one by one, and a budget is of all decisions"
        ):
            scenario("recommendation", **{key: value})


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"weekly": 0}, "greater than 0"),
        ({"weekly": 5, "committed": {"mail": -1}}, "mail -1: expected what sending commits"),
        ({"weekly": 5, "committed": {}}, "expected what each action commits"),
        ({"weekly": 5, "caps": [{"offers": 1, "weeks": 3}]}, "read off n_offers_21d, which observation.features lacks"),
        ({"weekly": 5, "caps": [{"offers": 1, "weeks": 4}, {"offers": 2, "weeks": 4}]}, "two caps over 4 weeks"),
        ({"weekly": 5, "pacing": {"weeks": 1, "starts": "2026-01-05"}}, "greater than or equal to 2"),
        (
            {"weekly": 5, "pacing": {"weeks": 13, "starts": "2026-01-06"}},
            r"starts \(2026-01-06\) is a tuesday, and weeks start on each monday",
        ),
    ],
)
def test_what_no_budget_can_be_is_refused(budget: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        scenario(budget=budget)


@pytest.mark.parametrize(
    ("eligibility", "said"),
    [
        ({"active_days": 92, "available": "a", "unavailable": "b"}, r"\(92\) looks back further than .* \(91\)"),
        ({"active_days": 91, "available": "a"}, "eligibility.available and eligibility.unavailable, both"),
        ({"active_days": 91}, "both, with action.mask: availability"),
    ],
)
def test_what_eligibility_cannot_be_is_refused(eligibility: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        scenario(eligibility=eligibility)


def test_a_source_must_say_what_sending_commits() -> None:
    """Unless the budget says it; attributes of who opted out must be the source's."""
    assert problems(scenario()) == {}
    assert "budget.committed" in problems(scenario(), "online_retail")
    stated = {"weekly": 5, "committed": {"voucher_5": 5}}
    assert "budget.committed" not in problems(scenario(budget=stated), "online_retail")
    said = scenario(eligibility={"active_days": 9, "opted_out": {"news": ["x"]}, "available": "a", "unavailable": "b"})
    assert "has no attribute news" in problems(said)["eligibility.opted_out"]


def test_a_budget_changes_nothing_of_the_data() -> None:
    """Transitions are named as they were without it: money is what a night learns with, not what tables hold."""
    source = load_source("simulated_promotion")
    hashes = {
        data_spec_hash(Pipeline(source=source, scenario=one))
        for one in (scenario(), scenario(budget={"weekly": 5}), scenario(budget=None, eligibility=None))
    }
    assert len(hashes) == 1


def test_pacing_changes_no_version() -> None:
    """Policies are priced and judged at the weekly budget either way, so that a version keeps its name."""
    source, paced = load_source("simulated_promotion"), {"weekly": 5, "pacing": {"weeks": 13, "starts": "2026-01-05"}}
    plain, spread = (Pipeline(source=source, scenario=scenario(budget=budget)) for budget in ({"weekly": 5}, paced))
    assert full_spec_hash(plain) == full_spec_hash(spread)
    budget = plain.scenario.budget
    assert budget is not None
    assert "pacing" not in budget.model_dump()


def test_lists_are_for_weeks_observed_from_the_day_before() -> None:
    assert scenario().list_problem == ""
    assert "lists are for decisions by the week" in scenario("recommendation").list_problem
    assert "write eligibility" in scenario(eligibility=None).list_problem
    running = {"history_days": 91, "features": [{"name": "session_step"}, {"name": "spend_28d"}]}
    assert "observes session_step" in scenario(observation=running, budget=None).list_problem
