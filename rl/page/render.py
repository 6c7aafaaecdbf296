"""The review page as one self-contained HTML file: no network, light and dark, wide and narrow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rl.figures.candidates import ActionShare
from rl.figures.data import CalibrationBin, SplitSummary
from rl.figures.values import PlayedValue
from rl.page import wording
from rl.page.axis import Axis
from rl.page.content import Estimate, PolicyReport, ReviewContent
from rl.page.curve_charts import charts_of
from rl.page.effect_charts import bounded, line_meanings, line_name, spend_rows
from rl.page.environment import page_environment
from rl.page.evidence_context import evidence_context
from rl.page.exploration_sentences import doubt_sentence, plan_sentence
from rl.page.forest import forest_of
from rl.page.headline import headline_tiles
from rl.page.launches_chart import launches_chart
from rl.page.terms import TERMS, Explainer

_FOLDER = Path(__file__).parent
_SHOWN_ACTIONS = 12
_SPLIT_TONES = {"train": "behavior", "validation": "champion", "test": "candidate"}


@dataclass(frozen=True)
class _TruthRow:
    name: str
    estimate: Estimate
    truth: PlayedValue
    inside: str


def render_page(page: ReviewContent) -> str:
    """Return the page as HTML; every text from the content is escaped."""
    charts = charts_of(page.curves)
    context: dict[str, Any] = {
        "page": page,
        "css": Markup((_FOLDER / "review.css").read_text(encoding="utf-8")),
        "candidate": next((policy for policy in page.policies if policy.role == "candidate"), None),
        "tiles": headline_tiles(page),
        "explain": Explainer(),
        "shown_estimators": _shown_estimators(page),
        "value_level": page.policies[0].level if page.policies else 0.95,
        "forest": forest_of(page.policies),
        "truth_rows": _truth_rows(page.policies),
        "refusals": _refusals(page.policies),
        "overlap_rows": _overlap_rows(page.policies, page.night.units),
        "overlap_bars": _overlap_bars(page.policies, page.night.units),
        "calibration": _calibration_spots(page.propensities.calibration),
        "calibration_ticks": Axis(0, 1).ticks(4),
        "actions": _action_bars(page.actions),
        "n_hidden_actions": max(0, page.data.n_actions - _SHOWN_ACTIONS) if page.actions else 0,
        "rejected": _rejected_bars({} if page.data.ingest is None else page.data.ingest.rejected),
        "timeline": _timeline(page.data.splits),
        "charts": charts,
        "curve_splits": sorted({line.split for chart in charts for line in chart.lines}),
        "n_dashes": max((line.dash + 1 for chart in charts for line in chart.lines), default=0),
        "sections": _sections(page),
        "ledger": page.ledger,
        "exploration_sentence": None
        if page.exploration is None
        else plan_sentence(page.exploration, reward_unit=page.night.reward_unit),
        "exploration_doubt": None if page.exploration is None else doubt_sentence(page.exploration),
        "launches": None if page.ledger is None else launches_chart(page.ledger),
        **evidence_context(page),
    }
    return _environment().get_template("review.html.jinja").render(context).strip() + "\n"


def _environment() -> jinja2.Environment:
    filters = (
        "count",
        "number",
        "signed",
        "signed_range",
        "odds",
        "interval",
        "share",
        "tail_in_words",
        "is_heavy_tail",
        "level",
        "duration",
        "day",
        "moment",
        "date_range",
        "reason",
        "estimator",
        "example_title",
        "short_estimator",
        "millionths",
    )
    own: dict[str, Callable[..., Any]] = {"of": _share_of_lines, "bounded": bounded, "line_name": line_name}
    own |= {"line_meanings": line_meanings, "spend_rows": spend_rows}
    return page_environment(_FOLDER, own | {name: getattr(wording, name) for name in filters})


def _share_of_lines(part: int, whole: int) -> str:
    return f"{wording.share(part / whole)} of lines" if whole else ""


def _sections(page: ReviewContent) -> list[tuple[str, str]]:
    """Return the ids and short names of the sections to jump to, in their order."""
    return [
        ("value", "earns"),
        ("certainty", "how sure"),
        ("segments", "for whom"),
        *([("exploration", "explore")] if page.exploration else []),
        ("difference", "different"),
        ("departures", "departures"),
        ("reasons", "why"),
        ("support", "never seen"),
        ("history", "earlier versions"),
        *([("launches", "launches")] if page.ledger and page.ledger.launches else []),
        *([("ranking", "ranking")] if page.ranking else []),
        ("data", "data"),
        ("training", "training"),
        ("lineage", "lineage"),
    ]


def _shown_estimators(page: ReviewContent) -> tuple[str, ...]:
    """Return the estimators that the page names among values, each once, in their order.

    One that a shop added from outside has no meaning here: it stands under its name, unexplained.
    """
    shown = dict.fromkeys(one.estimator for policy in page.policies for one in policy.estimates)
    return tuple(name for name in shown if name in TERMS)


def _truth_rows(policies: tuple[PolicyReport, ...]) -> list[_TruthRow]:
    return [
        _TruthRow(policy.name, estimate, policy.truth, _inside(estimate, policy.truth))
        for policy in policies
        if policy.truth is not None
        for estimate in policy.estimates
        if estimate.value is not None
    ]


def _inside(estimate: Estimate, truth: PlayedValue) -> str:
    if estimate.lower is None or estimate.upper is None:
        return "no interval"
    if estimate.lower <= truth.value <= estimate.upper:
        return "✓ inside"
    return "✕ too low" if truth.value > estimate.upper else "✕ too high"


def _refusals(policies: tuple[PolicyReport, ...]) -> list[dict[str, str]]:
    """Return one row for each policy and reason, with all estimators that gave it."""
    found: dict[tuple[str, str], list[str]] = {}
    for policy in policies:
        for estimate in policy.estimates:
            if estimate.refusal is not None:
                name = wording.short_estimator(estimate.estimator)
                found.setdefault((policy.name, estimate.refusal), []).append(name)
    return [
        {"policy": policy, "reason": reason, "estimators": ", ".join(names)}
        for (policy, reason), names in found.items()
    ]


def _overlap_rows(policies: tuple[PolicyReport, ...], units: str) -> list[dict[str, Any]]:
    rows: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
        ("Episodes", "n_episodes", wording.count),
        ("Share of episodes that the log cuts", "share_cut", wording.share),
        (f"{units.capitalize()} (independent units)", "n_units", wording.count),
        (f"Effective sample size, {units}", "effective_sample_size", wording.count),
        (f"Effective rewarded {units}", "effective_rewarded", wording.count),
        ("Largest importance weight", "max_weight", wording.number),
        ("Limit on importance weights", "weight_clip", _limit),
        ("Share of decisions at which it bites", "share_clipped", wording.share),
        ("Share of decisions that the log can have made", "mean_ratio", wording.share),
        ("Share of decisions by actions nowhere in the log", "share_outside_support", wording.share),
    )
    return [
        {
            "name": name,
            "cells": [wording.UNKNOWN if p.overlap is None else worded(getattr(p.overlap, field)) for p in policies],
        }
        for name, field, worded in rows
    ]


def _limit(clip: float | None) -> str:
    return "none" if clip is None else wording.number(clip)


def _overlap_bars(policies: tuple[PolicyReport, ...], units: str) -> list[dict[str, Any]]:
    """Return a bar for each policy: how many of the units its estimates rest on, where that is known."""
    fields = (
        (units.capitalize(), "n_units"),
        ("Effectively weighted", "effective_sample_size"),
        ("Effectively rewarded", "effective_rewarded"),
    )
    known = [policy.overlap for policy in policies if policy.overlap is not None]
    most = max((getattr(one, field) or 0 for one in known for _, field in fields), default=1) or 1
    rows = []
    for name, field in fields:
        figures = [(policy, getattr(policy.overlap, field)) for policy in policies if policy.overlap is not None]
        bars = [
            {"role": policy.role, "n": value, "width": round(78 * value / most, 2)}
            for policy, value in figures
            if value is not None
        ]
        if bars:
            rows.append({"name": name, "bars": bars})
    return rows


def _calibration_spots(bins: tuple[CalibrationBin, ...]) -> list[dict[str, Any]]:
    most = max((spot.n for spot in bins), default=1)
    return [
        {
            "x": round(100 * spot.predicted, 2),
            "y": round(100 * spot.observed, 2),
            "size": round(0.35 + 0.65 * math.sqrt(spot.n / most), 2),
            "title": f"{wording.counted(spot.n, 'decision')}: estimated {wording.share(spot.predicted)}, "
            f"was so {wording.share(spot.observed)}",
        }
        for spot in bins
    ]


def _action_bars(actions: tuple[ActionShare, ...]) -> list[dict[str, Any]]:
    shown = sorted(actions, key=lambda row: (-max(row.log, row.candidate), row.action))[:_SHOWN_ACTIONS]
    widest = max((max(row.log, row.candidate) for row in shown), default=1) or 1
    return [
        {
            "action": row.action,
            "log": row.log,
            "candidate": row.candidate,
            "log_width": round(78 * row.log / widest, 2),  # the rest of the line holds the number
            "candidate_width": round(78 * row.candidate / widest, 2),
        }
        for row in shown
    ]


def _rejected_bars(rejected: dict[str, int]) -> list[dict[str, Any]]:
    most = max(rejected.values(), default=1) or 1
    ordered = sorted(rejected.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"name": wording.reason(code), "n": n, "width": round(78 * n / most, 2)} for code, n in ordered]


def _timeline(splits: tuple[SplitSummary, ...]) -> list[dict[str, Any]]:
    """Return the splits as spans along a bar; empty where a boundary isn't a time."""
    try:
        ends = [
            (datetime.fromisoformat(s.start).timestamp(), datetime.fromisoformat(s.end).timestamp()) for s in splits
        ]
    except ValueError:
        return []
    if not ends or max(end for _, end in ends) <= min(start for start, _ in ends):
        return []
    axis = Axis(min(start for start, _ in ends), max(end for _, end in ends))
    return [
        {
            "name": split.name,
            "tone": _SPLIT_TONES.get(split.name, "behavior"),
            "start": axis.percent(start),
            "width": round(axis.percent(end) - axis.percent(start), 2),
        }
        for split, (start, end) in zip(splits, ends, strict=True)
    ]
