"""What a version is promoted on, as its evaluation has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rl.figures.values import Gain
from rl.registry.promises import promise_of

GAIN = Gain(
    baseline="champion (version 2)", estimator="dr", value=0.5, lower=0.1, upper=0.9, level=0.975, corrected=0.3
)
OVER_CONTROL = Gain(
    baseline="control", estimator="dr", value=1.1, lower=0.2, upper=2.0, level=0.975, corrected=0.9, baseline_value=0.8
)
FIRST = GAIN.model_copy(update={"baseline": "behavior"})


def figures(**given: Any) -> Any:
    """An evaluation, as far as a promise reads it; one of an earlier release doesn't tell the gain over control."""
    content = {
        "facts": SimpleNamespace(reward_unit="points", steps=40),
        "gain": GAIN,
        "over_control": None,
        "champion_in_force": "behavior",
    }
    return SimpleNamespace(**(content | given), model_fields_set=frozenset({"gain", *given}))


def test_a_promise_over_a_champion_is_also_one_over_control() -> None:
    promise = promise_of(figures(over_control=OVER_CONTROL))
    assert promise is not None
    assert (promise.gain.value, promise.gain.corrected) == (0.5, 0.3)
    over = promise.against_control
    assert over is not None
    assert (over.baseline, over.value, over.lower, over.upper) == ("control", 1.1, 0.2, 2.0)
    assert (over.corrected, over.baseline_value, over.is_paired) == (0.9, 0.8, True)


def test_what_the_night_could_not_tell_is_not_promised() -> None:
    """Also where the log's own policy was the baseline: versions before it may have made a part of that log."""
    for gain in (GAIN, FIRST):
        promise = promise_of(figures(gain=gain, over_control=None))
        assert promise is not None
        assert promise.against_control is None


def test_an_evaluation_of_an_earlier_release_promises_over_the_shops_log_alone() -> None:
    """Beside a champion its behavior policy is mostly that champion."""
    first, later = promise_of(figures(gain=FIRST)), promise_of(figures())
    uncompared = promise_of(figures(gain=FIRST, champion_in_force="2"))
    assert first is not None
    assert first.against_control == first.gain
    for one in (later, uncompared):
        assert one is not None
        assert one.against_control is None


def test_without_a_gain_there_is_no_promise() -> None:
    assert promise_of(figures(gain=None, over_control=None)) is None
