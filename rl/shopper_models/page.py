"""The page of one fit: a self-contained HTML file with the reliability curve first, drawn from the figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import rl.page
from rl.page import wording
from rl.page.axis import Axis, Tick
from rl.page.environment import page_environment
from rl.shopper_models.figures import BoundedFigure, LearnerFigures, ReliabilityPoint, ShopperModelFigures
from rl.shopper_models.judging import correction_reach

NAMES = {
    "trees": "Gradient-boosted trees",
    "logistic": "Logistic regression",
    "blend": "Blend of trees and BG/NBD",
    "constant": "Constant",
    "rfm": "Recency, frequency, spend",
    "bg_nbd": "BG/NBD",
}
_LOG_LINEAR = "Log-linear regression"
_SO_FAR = "Clicks, carts and time so far"
_TONES = {"logistic": "champion", "rfm": "behavior", "bg_nbd": "behavior"}


@dataclass(frozen=True)
class Spot:
    """A group of rows with like predictions: its place, counted from left and bottom in percent, and what it is."""

    x: float
    y: float
    size: float
    title: str


@dataclass(frozen=True)
class ReliabilityLine:
    """The curve of one learner or rule, as points of a box of 100 by 100; `dash` is its pattern."""

    name: str
    tone: str
    dash: int
    points: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class ReliabilityChart:
    """What came true against what was predicted; both axes are one, so that the diagonal is the truth."""

    lines: tuple[ReliabilityLine, ...]
    ticks: tuple[Tick, ...]


def render_shopper_page(figures: ShopperModelFigures) -> str:
    """Return the page as HTML; every text from the figures is escaped."""
    css = Path(rl.page.__file__).parent / "review.css"
    own = figures.of(figures.learner)
    context: dict[str, Any] = {
        "found": figures,
        "own": own,
        "css": Markup(css.read_text(encoding="utf-8")),
        "is_amount": figures.model.target == "spend",
        "chart": reliability_chart(figures),
        "sentence": sentence(figures),
        "correction": correction_sentence(figures),
        "names": {name: shown_name(name, figures) for name in NAMES},
    }
    return _environment().get_template("shopper_model.html.jinja").render(context).strip() + "\n"


def shown_name(name: str, figures: ShopperModelFigures) -> str:
    """Return what the page calls a learner, a rule or the champion."""
    if name == "logistic" and figures.model.target == "spend":
        return _LOG_LINEAR
    if name == "rfm" and figures.model.is_of_sessions:
        return _SO_FAR
    return NAMES.get(name, name)


def sentence(figures: ShopperModelFigures) -> str:
    """Return in one sentence what became of the fit."""
    own, slope = figures.of(figures.learner), figures.of(figures.learner).slope
    if figures.gate.verdict == "reject":
        return "It is not to be used: see why below. The scores stay those of the champion, where there is one."
    said = (
        ""
        if slope is None
        else ", and the predictions are as far apart as what comes true "
        f"(slope {slope.value:.2f}, {slope.lower:.2f} to {slope.upper:.2f} by the shoppers tested)"
    )
    return f"It saves {wording.share(own.skill.value)} of the error that saying the mean for everybody makes{said}."


def correction_sentence(figures: ShopperModelFigures) -> str:
    """Return how much of the calibration slope is chance of the calibration days; empty where it isn't known."""
    own, n_rarer = figures.of(figures.learner), figures.counts.n_calibration_rarer
    if own.correction_error is None or n_rarer is None:
        return ""
    reach = correction_reach(own.correction_error, figures.model.level)
    which = "spent anything" if figures.model.target == "spend" else "had the rarer outcome"
    return (
        f"The predictions were corrected by {wording.counted(n_rarer, 'shopper')} of the calibration days who {which}: "
        f"by chance alone that leaves the slope up to {wording.number(reach)} beside 1, whatever the test days' range "
        "says. It takes a longer log, or more shoppers, to make that smaller."
    )


def reliability_chart(figures: ShopperModelFigures) -> ReliabilityChart:
    """Return the curves of all that predict different things of different shoppers, the registered one last, on top."""
    shown = [one for one in figures.learners if one.name != "constant"]
    shown.sort(key=lambda one: one.name == figures.learner)
    top = max((max(point.predicted, point.observed) for one in shown for point in one.reliability), default=1.0)
    axis = Axis(0.0, top * 1.05 or 1.0)
    patterns = [figures.learner, *(one.name for one in shown if one.name != figures.learner)]
    return ReliabilityChart(
        tuple(_line(one, figures, axis, dash=patterns.index(one.name)) for one in shown),
        axis.ticks(4),
    )


def _line(one: LearnerFigures, figures: ShopperModelFigures, axis: Axis, *, dash: int) -> ReliabilityLine:
    is_own = one.name == figures.learner
    places = [(axis.percent(point.predicted), axis.percent(point.observed)) for point in one.reliability]
    return ReliabilityLine(
        name=shown_name(one.name, figures),
        tone="candidate" if is_own else _TONES.get(one.name, "behavior"),
        dash=dash,
        points=" ".join(f"{x:g},{100 - y:g}" for x, y in places),
        spots=tuple(_spots(one.reliability, places, is_amount=figures.model.target == "spend")) if is_own else (),
    )


def _spots(points: tuple[ReliabilityPoint, ...], places: list[tuple[float, float]], *, is_amount: bool) -> list[Spot]:
    most = max((point.n for point in points), default=1)
    worded = wording.number if is_amount else wording.share
    return [
        Spot(
            x,
            y,
            round(0.35 + 0.4 * math.sqrt(point.n / most), 2),
            f"{wording.counted(point.n, 'row')}: predicted {worded(point.predicted)}, came to {worded(point.observed)}",
        )
        for point, (x, y) in zip(points, places, strict=True)
    ]


def bounded(figure: BoundedFigure | None) -> str:
    """Return `0.98 (0.91 to 1.05)`; a dash where there is none."""
    if figure is None:
        return wording.UNKNOWN
    return f"{wording.number(figure.value)} ({wording.number(figure.lower)} to {wording.number(figure.upper)})"


def bounded_share(figure: BoundedFigure) -> str:
    """Return `42.3% (38.6% to 45.8%)`."""
    return f"{wording.share(figure.value)} ({wording.share(figure.lower)} to {wording.share(figure.upper)})"


def _environment() -> jinja2.Environment:
    return page_environment(
        Path(__file__).parent,
        {
            "count": wording.count,
            "number": wording.number,
            "share": wording.share,
            "level": wording.level,
            "day": wording.day,
            "bounded": bounded,
            "bounded_share": bounded_share,
        },
    )
