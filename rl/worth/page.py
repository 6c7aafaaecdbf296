"""The worth-it page: one self-contained HTML file with the sentence at the top, drawn from the findings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import rl.page
from rl.figures.night import Role
from rl.page import wording
from rl.page.axis import Axis, Tick, axis_over
from rl.page.content import Estimate, PolicyReport
from rl.page.environment import page_environment
from rl.page.forest import Forest, forest_of
from rl.worth.findings import Bounded, Comparison, Movement, WorthFindings
from rl.worth.wording import answer_word, nights, p_value, policy_name, response_sentence

_FOLDER = Path(__file__).parent
_ROLES: dict[str, Role] = {"behavior": "behavior", "one_step": "champion", "look_ahead": "candidate"}


@dataclass(frozen=True)
class MovementChart:
    """Effective sample size against distance, as points in a box of 100 by 100; `floor` counts from the top."""

    points: str
    band: str
    floor: float
    farthest: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def render_worth_page(findings: WorthFindings) -> str:
    """Return the page as HTML; every text from the findings is escaped."""
    css = Path(rl.page.__file__).parent / "review.css"
    context: dict[str, Any] = {
        "found": findings,
        "css": Markup(css.read_text(encoding="utf-8")),
        "forest": None if findings.comparison is None else comparison_forest(findings.comparison),
        "chart": None if findings.movement is None else movement_chart(findings.movement),
    }
    return _environment().get_template("worth.html.jinja").render(context).strip() + "\n"


def comparison_forest(comparison: Comparison) -> Forest | None:
    """Return the values of the three policies on one axis."""
    policies = tuple(
        PolicyReport(
            role=_ROLES[figure.policy],
            name=policy_name(figure.policy),
            estimates=(
                Estimate(
                    estimator=comparison.estimator,
                    value=figure.value.value,
                    lower=figure.value.lower,
                    upper=figure.value.upper,
                    is_gate=True,
                    is_prediction=comparison.is_prediction,
                ),
            ),
            level=comparison.level,
        )
        for figure in comparison.policies
    )
    return forest_of(policies)


def movement_chart(movement: Movement) -> MovementChart:
    """Return the curve with its band, the floor of the effective sample size, and where the first floor is crossed."""
    sizes = [point.effective_sample_size for point in movement.points]
    top = max((_known(size.upper) for size in sizes), default=1.0)
    y_axis = axis_over([0.0, movement.min_effective_sample_size, top], margin=0.0)
    farthest_distance = movement.points[-1].distance / movement.points[-1].share
    x_axis = Axis(0.0, max(movement.points[-1].distance, 1e-9))
    spots = [(x_axis.percent(point.distance), point.effective_sample_size) for point in movement.points]
    lower = [f"{x:g},{_from_top(y_axis, _known(size.lower)):g}" for x, size in spots]
    upper = [f"{x:g},{_from_top(y_axis, _known(size.upper)):g}" for x, size in spots]
    return MovementChart(
        points=" ".join(f"{x:g},{_from_top(y_axis, _known(size.value)):g}" for x, size in spots),
        band=" ".join([*lower, *reversed(upper)]),
        floor=_from_top(y_axis, movement.min_effective_sample_size),
        farthest=x_axis.percent(_known(movement.farthest.value) * farthest_distance),
        x_ticks=x_axis.ticks(4),
        y_ticks=y_axis.ticks(4),
    )


def _environment() -> jinja2.Environment:
    return page_environment(
        _FOLDER,
        {
            "count": wording.count,
            "number": wording.number,
            "signed": wording.signed,
            "share": wording.share,
            "level": wording.level,
            "day": wording.day,
            "estimator": wording.estimator,
            "between": _between,
            "share_between": _share_between,
            "nights": nights,
            "p_value": p_value,
            "policy_name": policy_name,
            "answer_word": answer_word,
            "response_sentence": response_sentence,
        },
    )


def _between(found: Bounded) -> str:
    return wording.interval(found.lower, found.upper)


def _share_between(found: Bounded) -> str:
    if found.lower is None or found.upper is None:
        return wording.UNKNOWN
    return f"{wording.share(found.lower)} to {wording.share(found.upper)}"


def _from_top(axis: Axis, value: float) -> float:
    return round(100 - axis.percent(value), 2)


def _known(value: float | None) -> float:
    return 0.0 if value is None else value
