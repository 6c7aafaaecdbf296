"""The page of an experiment: one self-contained HTML file, drawn from the figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import rl.page
from rl.experiment.figures import Bounded, DecileFigures, ExperimentFigures, OutcomeFigures, PolicyFigures, SpendFigures
from rl.experiment.wording import (
    answer_word,
    line_name,
    outcome_name,
    policy_name,
    resolution_sentence,
    share_name,
    told_sentences,
)
from rl.page import wording
from rl.page.axis import Axis, Tick, axis_over
from rl.page.environment import page_environment

_TONES = {"arm": "behavior", "learner": "champion", "night": "candidate"}
_LINE_TONES = ("candidate", "champion", "behavior", "behavior", "behavior")
_N_DASHES = 4


@dataclass(frozen=True)
class GainRow:
    """A policy's gain over the best arm, as places on the axis in percent."""

    policy: PolicyFigures
    tone: str
    start: float
    width: float
    point: float


@dataclass(frozen=True)
class GainForest:
    """All gains of one outcome on one axis; `zero` is where the best arm stands."""

    outcome: OutcomeFigures
    rows: tuple[GainRow, ...]
    ticks: tuple[Tick, ...]
    zero: float


@dataclass(frozen=True)
class SpendLine:
    """A curve as points of a box of 100 by 100; `dash` is its pattern."""

    name: str
    tone: str
    dash: int
    points: str


@dataclass(frozen=True)
class SpendChart:
    """Curves of gain against spend; `even` is where what is brought is what was spent."""

    lines: tuple[SpendLine, ...]
    even: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class DecileRow:
    """A tenth's effect as places on the axis in percent; `predicted` is the place of what was predicted."""

    number: int
    n: int
    effect: Bounded
    told: float
    start: float
    width: float
    point: float
    predicted: float


@dataclass(frozen=True)
class DecileChart:
    """Effects by tenths, on one axis with its zero."""

    rows: tuple[DecileRow, ...]
    ticks: tuple[Tick, ...]
    zero: float


def render_experiment_page(figures: ExperimentFigures) -> str:
    """Return the page as HTML; every text from the figures is escaped."""
    css = Path(rl.page.__file__).parent / "review.css"
    context: dict[str, Any] = {
        "found": figures,
        "css": Markup(css.read_text(encoding="utf-8")),
        "forests": [gain_forest(outcome) for outcome in figures.outcomes],
        "told": told_sentences(figures),
        "resolution": resolution_sentence(figures),
        "spend": None if figures.spend is None else spend_chart(figures.spend),
        "deciles": None if figures.deciles is None else decile_chart(figures.deciles),
    }
    return _environment().get_template("experiment.html.jinja").render(context).strip() + "\n"


def gain_forest(outcome: OutcomeFigures) -> GainForest:
    """Return the gains of all policies of an outcome over its best arm."""
    ends = [end for one in outcome.policies for end in (one.gain.lower, one.gain.upper)]
    axis = axis_over([0.0, *ends])
    rows = []
    for one in outcome.policies:
        start, end = axis.percent(one.gain.lower), axis.percent(one.gain.upper)
        rows.append(GainRow(one, _TONES[one.kind], start, round(end - start, 2), axis.percent(one.gain.value)))
    return GainForest(outcome, tuple(rows), axis.ticks(), axis.percent(0.0))


def spend_chart(spend: SpendFigures) -> SpendChart:
    """Return all curves in one box, from no spend to the largest."""
    most = max(max(line.spend) for line in spend.lines)
    x_axis = Axis(0.0, max(most, spend.spends[-1]))
    y_axis = axis_over([0.0, x_axis.high, *[value for line in spend.lines for value in line.gain]])
    lines = []
    for number, line in enumerate(spend.lines):
        # Beyond its last step a curve stays where it is: there is nothing left to buy.
        points = [*zip(line.spend, line.gain, strict=True), (x_axis.high, line.gain[-1])]
        lines.append(
            SpendLine(
                line_name(line),
                _LINE_TONES[min(number, len(_LINE_TONES) - 1)],
                number % _N_DASHES,
                _path(points, x_axis, y_axis),
            )
        )
    even = _path([(0.0, 0.0), (x_axis.high, x_axis.high)], x_axis, y_axis)
    return SpendChart(tuple(lines), even, x_axis.ticks(4), y_axis.ticks(4))


def decile_chart(deciles: DecileFigures) -> DecileChart:
    """Return the tenths on one axis, the highest prediction first."""
    ends = [end for one in deciles.deciles for end in (one.effect.lower, one.effect.upper, one.predicted)]
    axis = axis_over([0.0, *ends])
    rows = []
    for number, one in enumerate(deciles.deciles, start=1):
        start, end = axis.percent(one.effect.lower), axis.percent(one.effect.upper)
        rows.append(
            DecileRow(
                number=number,
                n=one.n,
                effect=one.effect,
                told=one.predicted,
                start=start,
                width=round(end - start, 2),
                point=axis.percent(one.effect.value),
                predicted=axis.percent(one.predicted),
            )
        )
    return DecileChart(tuple(rows), axis.ticks(), axis.percent(0.0))


def _path(points: list[tuple[float, float]], x_axis: Axis, y_axis: Axis) -> str:
    return " ".join(f"{x_axis.percent(x):g},{round(100 - y_axis.percent(y), 2):g}" for x, y in points)


def _bounded(figure: Bounded) -> str:
    """Return `+0.012 (−0.004 to +0.028)`."""
    return f"{wording.signed(figure.value)} ({wording.signed_range(figure.lower, figure.upper)})"


def _plain(figure: Bounded) -> str:
    """Return `0.326 (0.288 to 0.364)`."""
    return f"{wording.number(figure.value)} ({wording.interval(figure.lower, figure.upper)})"


def _environment() -> jinja2.Environment:
    return page_environment(
        Path(__file__).parent,
        {
            "count": wording.count,
            "number": wording.number,
            "signed": wording.signed,
            "share": wording.share,
            "level": wording.level,
            "day": wording.day,
            "bounded": _bounded,
            "plain": _plain,
            "policy_name": policy_name,
            "share_name": share_name,
            "outcome_name": outcome_name,
            "answer_word": answer_word,
            "line_name": line_name,
        },
    )
