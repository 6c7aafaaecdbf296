from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.exploration.planning import ExplorationLimits, NightPlan, plan_night
from rl.exploration.prediction import Strata
from rl.exploration.strata import EVERYBODY, strata_of, stratifications
from tests.rl.exploration.logs import rows_of, shop, tonight

LIMITS = ExplorationLimits(max_share=0.2, max_cost=0.02)


def everybody(n: int) -> Strata:
    return Strata(EVERYBODY, (EVERYBODY,), np.zeros(n, dtype=np.int64))


def test_a_plan_keeps_its_limits_and_is_sooner_than_uniform_choices_and_than_waiting() -> None:
    rows, strata, _ = rows_of(shop(), n=3_000)

    plan = plan_night(rows, [everybody(3_000), strata], tonight(rows), LIMITS)

    assert isinstance(plan, NightPlan)
    assert plan.shares.max() <= 0.2
    assert plan.worst_cost <= 0.02 * rows.baseline_value * 400 * (1 + 1e-6)
    assert plan.cost <= plan.worst_cost
    assert plan.forecast.median < plan.uniform_nights
    assert plan.forecast.median < plan.unexplored_nights
    assert plan.forecast.median <= plan.planned_nights <= 2 * plan.forecast.median


def test_strata_are_told_apart_only_where_that_saves_nights() -> None:
    rows, strata, _ = rows_of(shop(), n=3_000)
    same = Strata("halves", ("one", "other"), np.arange(3_000) % 2)

    plan = plan_night(rows, [everybody(3_000), same], tonight(rows), LIMITS)

    assert isinstance(plan, NightPlan)
    assert plan.strata.dimension == EVERYBODY
    assert strata.dimension != EVERYBODY


def test_a_candidate_that_looks_worse_is_not_explored() -> None:
    rows, _, _ = rows_of(shop(), n=3_000)

    told = plan_night(rows, [everybody(3_000)], tonight(rows, gain=-1.0), LIMITS)

    assert isinstance(told, str)
    assert "looks worse" in told


def test_floors_that_no_year_reaches_are_told_with_the_limits() -> None:
    rows, _, _ = rows_of(shop(), n=3_000)

    told = plan_night(rows, [everybody(3_000)], tonight(rows, floors=(1e9, 1e9, 1e9)), LIMITS)

    assert isinstance(told, str)
    assert "within a year is less likely than none" in told


def test_a_shop_that_earns_nothing_may_spend_nothing() -> None:
    rows, _, _ = rows_of(shop(), n=3_000)

    told = plan_night(replace(rows, baseline_value=0.0), [everybody(3_000)], tonight(rows), LIMITS)

    assert isinstance(told, str) or told.worst_cost == 0.0


def test_the_same_observation_lies_in_the_same_stratum_alone_and_among_others() -> None:
    observation = {"n_past_purchases": np.array([0, 3, 1]), "session_step": np.array([0, 2, 9])}

    ways = {one.dimension: one for one in stratifications(observation, 3)}

    assert set(ways) == {EVERYBODY, "past purchases", "place in the session"}
    for dimension in ("past purchases", "place in the session"):
        for row in range(3):
            alone = strata_of({name: values[row : row + 1] for name, values in observation.items()}, dimension)
            assert alone.labels == ways[dimension].labels
            assert alone.code[0] == ways[dimension].code[row]


def test_a_dimension_that_is_unknown_or_not_observed_is_refused() -> None:
    with pytest.raises(EvaluationError, match="'favorite category'; expected one of new or returning"):
        strata_of({}, "favorite category")
    with pytest.raises(EvaluationError, match="the feature n_past_clicks, which the scenario doesn't observe"):
        strata_of({"hour_of_day": np.zeros(1, dtype=np.int64)}, "past clicks")
