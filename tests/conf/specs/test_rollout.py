"""How a promotion grows, as a scenario says it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from conf.errors import SpecError
from conf.specs.rollout import Rollout, Schedule
from conf.specs.scenario import Scenario, load_pipeline
from conf.specs.strict_yaml import parse_model

SCENARIO = load_pipeline("recommendation", "simulated_shop").scenario


@pytest.mark.parametrize("stages", [[1.0, 1.0], [0.0, 1.0], [0.5, 0.25, 1.0], [0.05, 0.5], [0.5, 0.5, 1.0]])
def test_stages_that_do_not_ascend_to_all_shoppers_are_refused(stages: list[float]) -> None:
    with pytest.raises(ValidationError, match="expected shares above 0 that ascend to 1"):
        Rollout.model_validate({"stages": stages})


def test_each_share_has_the_next_one() -> None:
    rollout = Rollout()
    assert [rollout.next_share(share) for share in (0.0, 0.05, 0.25, 0.3, 0.5)] == [0.05, 0.25, 0.5, 0.5, 1.0]
    assert rollout.n_tested == 3


def test_a_scenario_of_lists_has_none() -> None:
    """Lists are decided for all at once."""
    content: dict[str, Any] = load_pipeline("promotion", "simulated_promotion").scenario.model_dump()
    with pytest.raises(SpecError, match="rollout shares out requests of shoppers"):
        parse_model(Scenario, content | {"rollout": {}}, "test")


def test_a_scenario_without_one_is_written_as_before() -> None:
    """Its hash stays what it was."""
    assert "rollout" not in SCENARIO.model_dump()


def test_a_rollout_without_lasting_is_written_as_before() -> None:
    """Its hash stays what it was, and past a quarter it asks whether what the version earns lasts even so."""
    rollout = Rollout()
    assert "lasting" not in rollout.model_dump()
    assert (rollout.lasting.share, rollout.lasting.margin, rollout.lasting.days) == (0.25, 0.1, None)
    assert Rollout.model_validate({"lasting": {"days": 14}}).model_dump()["lasting"]["days"] == 14


def test_a_schedule_without_beyond_is_written_as_before() -> None:
    """Its hash stays what it was, and past a quarter it asks for the default even so."""
    schedule = Schedule(days=7, margin=0.2)
    assert schedule.model_dump() == {"days": 7, "margin": 0.2}
    assert (schedule.beyond.share, schedule.beyond.margin, schedule.beyond.level) == (0.25, 0.1, 0.005)
    assert Schedule.model_validate({"days": 7, "margin": 0.2, "beyond": {"margin": 0.05}}).model_dump() == {
        "days": 7,
        "margin": 0.2,
        "beyond": {"share": 0.25, "margin": 0.05, "level": 0.005},
    }
