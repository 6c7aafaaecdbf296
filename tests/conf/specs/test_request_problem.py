"""Scenarios whose decisions no request can ask for."""

from __future__ import annotations

from typing import Any

from conf.specs.scenario import Pipeline, load_pipeline


def with_features(*features: dict[str, Any]) -> Pipeline:
    content = load_pipeline("recommendation", "canonical").model_dump()
    content["scenario"]["observation"] |= {"features": list(features)}
    return Pipeline.model_validate(content)


def test_decisions_of_sessions_can_be_asked_for() -> None:
    """Those of the project's own scenario, on every source."""
    assert load_pipeline("recommendation", "simulated_shop").scenario.request_problem == ""


def test_weekly_decisions_cannot() -> None:
    """They are made for all shoppers at once."""
    problem = load_pipeline("promotion", "simulated_promotion").scenario.request_problem
    assert "decides by shopper_week" in problem


def test_features_that_the_service_does_not_make_are_named() -> None:
    """It would see the running session alone, where training saw days of history."""
    made = with_features({"name": "session_step"}, {"name": "spend_7d"})
    assert "observes spend_7d" in made.scenario.request_problem
