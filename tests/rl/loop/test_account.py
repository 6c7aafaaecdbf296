"""What a loop's account tells of the versions that served."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta

import numpy as np
import pytest

from conf.specs.scenario import load_pipeline
from rl.figures.loop import LoopFigures, NightSeconds
from rl.loop.account import Truths, _final_gain, _worse, loop_nights, paired_figures, served_days
from rl.loop.realised import Realised
from rl.loop.state import LivedDay, LoopState, RunNight
from rl.shops.recommendation.true_value import TrueValue

FIRST = date(2026, 3, 2)


def truly(value: float) -> dict[date, TrueValue]:
    told = {"value": value, "standard_error": 0.01}
    one = TrueValue(**{field.name: told.get(field.name, 60_000) for field in fields(TrueValue)})
    return {FIRST + timedelta(days=number): one for number in range(2, 6)}


@pytest.mark.parametrize(("last", "gain"), [(1, 0.3), (2, -0.3), (None, None)])
def test_the_final_gain_is_that_of_what_decided_on_the_last_day(last: int | None, gain: float | None) -> None:
    """Whatever was promoted last: it may have been taken back."""
    found = _final_gain(lived(None, None, 1, 2, 1, last), Truths(truly(1.0), {1: truly(1.3), 2: truly(0.7)}))
    assert (None if found is None else found.value) == (None if gain is None else pytest.approx(gain))


def lived(*served: int | None) -> LoopState:
    """A loop on whose days these versions decided, and whose nights promoted 1, 2 and 3 one after the other."""
    days = tuple(LivedDay(date=FIRST + timedelta(days=number), version=one) for number, one in enumerate(served))
    nights = tuple(
        RunNight(date=FIRST + timedelta(days=number), verdict="promote", version=number, is_promoted=True)
        for number in (1, 2, 3)
    )
    return LoopState(scenario="recommendation", seed=1, n_past=1, n_days=len(served) - 1, days=days, nights=nights)


@pytest.mark.parametrize(
    ("served", "worse"),
    [((None, None, 1, 3), [3]), ((None, None, 1, 2, 1, 3), [2, 3]), ((None, None, 2, None, 3), [2]), ((1, 1, 1), [])],
)
def test_a_version_is_held_against_what_decided_before_it(served: tuple[int | None, ...], worse: list[int]) -> None:
    """Version 1 gains .3, 2 loses .3, 3 gains .1; one that was promoted and never decided harmed nobody."""
    truths = Truths(truly(1.0), {1: truly(1.3), 2: truly(0.7), 3: truly(1.1)})
    assert _worse(lived(*served), truths) == worse


@pytest.mark.parametrize(("last", "gain"), [(1, 10 / 3), (2, -3.0), (None, None)])
def test_days_count_for_the_final_gain_that_the_last_version_decided(last: int | None, gain: float | None) -> None:
    """Version 1 earns 2, 2 and then 6 more; version 2 earns 5 less, and 1 less at last."""
    state = lived(None, 1, 2, 1, last)
    more = np.array([0.0, 2.0, -5.0, 2.0, 6.0 if last == 1 else -1.0])
    pipeline = load_pipeline("inventory", "simulated_inventory")
    found = paired_figures(pipeline, state, 10 + more, np.full(5, 10.0), of="a day", gain_of="a product").final_gain
    assert (None if found is None else found.value) == (None if gain is None else pytest.approx(gain))


def paired(state: LoopState, more: list[float]) -> LoopFigures:
    """The account of a loop of orders that earned so much more than by the shop's own rule, which earns 10 a day."""
    pipeline = load_pipeline("inventory", "simulated_inventory")
    own = np.full(len(more), 10.0)
    return paired_figures(pipeline, state, own + more, own, of="a day", gain_of="a product")


def judged(state: LoopState, number: int, **found: object) -> LoopState:
    """The loop in which the night that promoted a version has found this."""
    nights = (night.model_copy(update=found) if night.version == number else night for night in state.nights)
    return state.model_copy(update={"nights": tuple(nights)})


@pytest.mark.parametrize(
    ("found", "worse", "untold"),
    [
        ({"compared_with": "1", "true_gain": -1.2, "true_baseline": 12.0}, (2,), ()),
        ({"compared_with": "1", "true_gain": -0.2, "true_baseline": 12.0}, (), ()),
        ({"compared_with": "1", "true_gain": 0.3}, (), ()),
        ({"compared_with": "1", "true_gain": -0.2}, (), (2,)),
        ({"compared_with": "behavior", "true_gain": 0.8, "true_baseline": 10.0}, (), (2,)),
        ({}, (), (2,)),
    ],
)
def test_a_second_promotion_is_held_against_the_champion_that_it_replaced(
    found: dict[str, object], worse: tuple[int, ...], untold: tuple[int, ...]
) -> None:
    """Version 1 earns 12 a day and version 2 earns 10.8: more than the shop's own rule, 10% less than version 1."""
    figures = paired(judged(lived(None, 1, 1, 2, 2), 2, **found), [0.0, 2.0, 2.0, 0.8, 0.8])
    assert (figures.worse, figures.untold) == (worse, untold)


def test_a_first_promotion_is_held_against_the_shops_own_rule_on_its_own_days() -> None:
    figures = paired(lived(None, 1, 1, None), [0.0, -0.3, -0.3, 0.0])
    assert (figures.worse, figures.untold) == ((1,), ())


@pytest.mark.parametrize("own_rule", ["popularity-1", "weekly-1"])
def test_control_is_the_shops_own_rule_whatever_else_decided(own_rule: str) -> None:
    """The service's fallback and mixtures are versions of the same day, some of which sort before the shop's own."""
    state = lived(None, None, 1)
    served = state.days[-1].model_copy(update={"policy_version": "cql-1"})
    state = state.model_copy(update={"days": (*state.days[:-1], served)})
    names = {"cql-1": 4.0, own_rule: 3.0, "uniform-1": 1.0, "explore-1": 2.0}
    realised = [Realised(served.date, name, value, 0.1, 100) for name, value in names.items()]
    day = served_days(state, Truths(truly(1.0), {1: truly(1.3)}), realised, own_rule=own_rule)[-1]
    assert day.served is not None and day.control is not None
    assert (day.served.value, day.control.value) == (4.0, 3.0)


def test_the_seconds_of_a_resumed_loop_are_those_of_all_its_nights() -> None:
    """The state keeps them; nights of which nothing is known count for nothing."""
    state = lived(None, 1, 1, 1)
    seconds: tuple[dict[str, float], ...] = ({"ingest": 44.0}, {"ingest": 20.0, "train": 31.0}, {})
    nights = (night.model_copy(update={"seconds": one}) for night, one in zip(state.nights, seconds, strict=True))
    state = LoopState.model_validate_json(state.model_copy(update={"nights": tuple(nights)}).model_dump_json())
    found = paired(state, [0.0] * 4).seconds_a_night
    assert found == NightSeconds(median=47.5, slowest=51.0, slowest_date=FIRST + timedelta(days=2), n_nights=2)


def test_a_state_of_the_release_before_goes_on() -> None:
    """Its nights hold the gate's bounds alone, which are told as such."""
    night = {
        "date": str(FIRST),
        "verdict": "reject",
        "version": 1,
        "compared_with": "behavior",
        "gain": {"value": 0.4, "lower": -0.1, "upper": 0.9},
        "true_gain": 0.5,
        "is_promoted": False,
        "seconds": {"ingest": 20.0},
    }
    (found,) = loop_nights(lived(None, None).model_copy(update={"nights": (RunNight.model_validate(night),)}))
    assert (found.interval, found.is_held, found.shown) == (None, True, found.gain)
