"""Figures of doubts, opinions and loggers, of findings made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rl.figures.evidence import LoggerRow, Opinion, SplitLossFigures
from rl.figures.values import Spread
from rl.gate.split_losses import SplitLosses
from rl.night.doubts.loggers import LoggersReport
from rl.night.figures.doubts import doubts_of, loggers_of, opinions_of
from rl.night.second_look.opinions import SecondOpinion
from rl.ope.intervals.intervals import Interval

GAIN = Interval(2.0, 1.0, 3.5, 0.9, "by hand", 0.5)


def night(**found: Any) -> Any:
    """The parts of a night's evaluation that doubts are read from."""
    return SimpleNamespace(
        **{"evidence": SimpleNamespace(tail=None, losses=None), "confounding": None, "clipping": (), "loggers": None}
        | found
    )


def test_doubts_that_were_not_asked_for_are_unknown() -> None:
    """None, rather than a figure that would read as no doubt."""
    found = doubts_of(night())
    assert (found.confounding, found.tail_index, found.largest_share, found.top_percent_share) == (None,) * 4
    assert found.clipping == ()


@pytest.mark.parametrize(("index", "expected"), [(0.25, 0.25), (float("nan"), None), (float("inf"), None)])
def test_tail_is_told_as_far_as_it_is_a_number(index: float, expected: float | None) -> None:
    """A file that any reader takes holds no NaN."""
    tail = SimpleNamespace(tail_index=index, largest_share=0.125, top_percent_share=0.5)
    found = doubts_of(night(evidence=SimpleNamespace(tail=tail, losses=None)))
    assert (found.tail_index, found.largest_share, found.top_percent_share) == (expected, 0.125, 0.5)


def test_losses_of_all_splits_are_told_with_the_rarest_that_could_be_seen() -> None:
    """Three in as many as differ; fewer than three of them could show nothing, so there is no such share."""
    seen = SplitLosses(shift=0.5, standard_error=0.1, n_units=90, n_differing=600.0)
    found = doubts_of(night(evidence=SimpleNamespace(tail=None, losses=seen))).losses
    assert found == SplitLossFigures(shift=0.5, rarest=0.005, n_differing=600.0)
    assert SplitLosses(0.0, 0.1, 90, 2.0).rarest is None
    assert SplitLosses(0.0, 0.1, 90, 0.0).rarest is None


def test_gain_at_each_limit_on_weights_keeps_its_bounds() -> None:
    """In the given order."""
    limits = [SimpleNamespace(clip=clip, share_clipped=0.1, value=clip, lower=1.0, upper=9.0) for clip in (2.0, 5.0)]
    found = doubts_of(night(clipping=limits)).clipping
    assert [(one.clip, one.gain) for one in found] == [
        (2.0, Spread(value=2.0, lower=1.0, upper=9.0)),
        (5.0, Spread(value=5.0, lower=1.0, upper=9.0)),
    ]


def test_opinions_hold_a_gain_or_the_reason() -> None:
    """The gate's own is marked; no opinions at all are no figures."""
    found = opinions_of([SecondOpinion("dr", True, (), GAIN), SecondOpinion("dm", False, (), None, "no Q")], level=0.9)
    assert found is not None
    assert found.level == 0.9
    assert found.rows == (
        Opinion(estimator="dr", is_gate=True, gain=Spread(value=2.0, lower=1.0, upper=3.5)),
        Opinion(estimator="dm", refusal="no Q"),
    )
    assert opinions_of([], level=0.9) is None


def test_versions_stand_by_size_then_by_name() -> None:
    """The largest part of the log first, each with its own value and share."""
    by: Any = SimpleNamespace(
        versions=("b", "c", "a"), n_episodes=(5, 9, 5), values=(1.0, 2.0, 3.0), shares=(0.2, 0.5, 0.3)
    )
    found = loggers_of(night(loggers=LoggersReport("dr", by, GAIN)))
    assert found is not None
    assert found.rows == (
        LoggerRow(version="c", n_episodes=9, value=2.0, share=0.5),
        LoggerRow(version="a", n_episodes=5, value=3.0, share=0.3),
        LoggerRow(version="b", n_episodes=5, value=1.0, share=0.2),
    )
    assert found.value == Spread(value=2.0, lower=1.0, upper=3.5)


def test_versions_that_could_not_be_weighted_say_why() -> None:
    """And where one version made the log, nothing is said."""
    found = loggers_of(night(loggers=LoggersReport("dr", refusal="too few")))
    assert found is not None
    assert (found.rows, found.value, found.refusal) == ((), None, "too few")
    assert loggers_of(night()) is None
