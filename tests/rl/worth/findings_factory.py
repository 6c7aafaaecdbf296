"""Findings with plausible figures: each call overrides only what a test is about."""

from __future__ import annotations

from datetime import date
from typing import Any

from rl.worth.findings import (
    Bounded,
    Comparison,
    FutureEffect,
    LogSummary,
    Movement,
    MovementPoint,
    PolicyFigure,
    Response,
    Visibility,
    VisibilityRow,
    WorthFindings,
)


def bounded(value: float | None, lower: float | None, upper: float | None) -> Bounded:
    return Bounded(value=value, lower=lower, upper=upper)


def make_comparison(
    reached: tuple[float, float, float] = (0.95, 0.93, 0.97),
    *,
    gain: tuple[float, float, float] = (0.3, 0.2, 0.4),
    is_prediction: bool = False,
    share_handed: float = 1.0,
) -> Comparison:
    size = None if is_prediction else 600.0
    return Comparison(
        estimator="dm" if is_prediction else "dr",
        is_prediction=is_prediction,
        share_handed=share_handed,
        policies=(
            PolicyFigure(
                policy="behavior",
                value=bounded(3.0, 2.9, 3.1),
                gain=None,
                effective_sample_size=700,
                effective_rewarded=500,
            ),
            PolicyFigure(
                policy="one_step",
                value=bounded(3.3, 3.1, 3.5),
                gain=bounded(*gain),
                effective_sample_size=size,
                effective_rewarded=size,
            ),
            PolicyFigure(
                policy="look_ahead",
                value=bounded(3.5, 3.3, 3.7),
                gain=bounded(0.5, 0.4, 0.6),
                effective_sample_size=size,
                effective_rewarded=size,
            ),
        ),
        share_reached=bounded(*reached),
        margin=0.03,
        level=0.95,
    )


def make_response(name: str = "future return", *, is_moved: bool = True) -> Response:
    p_value = 1e-6 if is_moved else 0.4
    return Response(name=name, explained=bounded(0.9, 0.7, 1.1), p_value=p_value, is_moved=is_moved)


def make_future(*, is_moved: bool = True) -> FutureEffect:
    return FutureEffect(response=make_response(is_moved=is_moved), size=bounded(0.07, 0.05, 0.09))


def make_movement() -> Movement:
    points = tuple(
        MovementPoint(
            share=share,
            distance=0.8 * share,
            effective_sample_size=bounded(size, size - 20, size + 20),
            effective_rewarded=bounded(size / 2, size / 3, size),
            is_enough=size >= 200,
        )
        for share, size in ((0.1, 650.0), (0.5, 250.0), (1.0, 40.0))
    )
    return Movement(
        points=points, min_effective_sample_size=200, min_effective_rewarded=100, farthest=bounded(0.6, 0.5, 0.7)
    )


def make_visibility() -> Visibility:
    rows = (
        VisibilityRow(added_exploration=0.0, nights=bounded(42, 29, 64)),
        VisibilityRow(added_exploration=0.5, nights=bounded(37, 28, 54)),
    )
    return Visibility(gain=0.02, alpha=0.011, power=0.8, share_handed=1.0, nights_now=9.5, rows=rows)


def make_findings(**values: Any) -> WorthFindings:
    log = LogSummary(
        source="simulated_shop",
        source_title="A shop",
        scenario="recommendation",
        scenario_title="What to show next",
        date=date(2026, 3, 15),
        decisions="logged",
        propensities="logged",
        propensity_note="As logged.",
        reward_unit="points",
        n_episodes=8000,
        n_shoppers=1000,
        n_decisions=32000,
        n_actions=30,
        nights=9.5,
        steps=40,
        gamma=0.95,
    )
    content: dict[str, Any] = {
        "log": log,
        "answer": "pays",
        "sentence": "On this log, looking ahead pays.",
        "reasons": ("A reason.",),
        "comparison": make_comparison(),
        "responses": (make_response("continuation"),),
        "future_effect": make_future(),
        "movement": make_movement(),
        "visibility": make_visibility(),
        "visibility_refusal": None,
        "dataset_digest": "d" * 32,
        "code_hash": "c" * 16,
    }
    return WorthFindings(**(content | values))


def make_untold(**values: Any) -> WorthFindings:
    """Findings of a log that can't be weighted."""
    content: dict[str, Any] = {
        "answer": "cannot_tell",
        "sentence": "This log cannot tell.",
        "comparison": make_comparison(is_prediction=True),
        "responses": (),
        "future_effect": None,
        "movement": None,
        "visibility": None,
        "visibility_refusal": "No number of further nights like these would show a gain.",
    }
    return make_findings(**(content | values))
