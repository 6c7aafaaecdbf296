"""The page of an experiment: one self-contained HTML file, drawn from the figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import rl.page
from rl.experiment.figures import ExperimentFigures, OutcomeFigures, PolicyFigures
from rl.experiment.wording import (
    answer_word,
    outcome_name,
    policy_name,
    resolution_sentence,
    share_name,
    told_sentences,
)
from rl.figures.effects import Bounded
from rl.page import wording
from rl.page.axis import Tick, axis_over
from rl.page.effect_charts import bounded, decile_chart, line_meanings, line_name, spend_lines_chart, spend_rows
from rl.page.environment import page_environment

_TONES = {"arm": "behavior", "learner": "champion", "night": "candidate"}


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


def render_experiment_page(figures: ExperimentFigures) -> str:
    """Return the page as HTML; every text from the figures is escaped."""
    css = Path(rl.page.__file__).parent / "review.css"
    context: dict[str, Any] = {
        "found": figures,
        "css": Markup(css.read_text(encoding="utf-8")),
        "forests": [gain_forest(outcome) for outcome in figures.outcomes],
        "told": told_sentences(figures),
        "resolution": resolution_sentence(figures),
        "spend": None if figures.spend is None else spend_lines_chart(figures.spend),
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
            "bounded": bounded,
            "plain": _plain,
            "policy_name": policy_name,
            "share_name": share_name,
            "outcome_name": outcome_name,
            "answer_word": answer_word,
            "line_name": line_name,
            "line_meanings": line_meanings,
            "spend_rows": spend_rows,
        },
    )
