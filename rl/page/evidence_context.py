"""Charts of returns, segments, explanation, support and history for the template; empty where they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rl.figures.evidence import Doubts, ExplanationSummary, Opinions, SegmentRow, Segments, Support
from rl.figures.values import Spread
from rl.page.content import HistoryRow, ReviewContent
from rl.page.effect_charts import decile_chart, spend_lines_chart
from rl.page.effects import EffectMark, Effects, effects_of
from rl.page.explanation_charts import branches_of, departure_bars, example_charts, feature_bars, removal_bars
from rl.page.money_terms import money_sentences
from rl.page.readable_labels import left_out_sentence, readable
from rl.page.returns_chart import returns_context
from rl.page.spend_chart import spend_context
from rl.page.support_charts import band_bars, weight_points
from rl.page.wording import number, share


@dataclass(frozen=True)
class _SegmentLine:
    label: str
    note: str
    mark: EffectMark | None
    refusal: str


@dataclass(frozen=True)
class _SegmentGroup:
    dimension: str
    rows: tuple[_SegmentLine, ...]


def evidence_context(page: ReviewContent) -> dict[str, Any]:
    """Return what the partial templates read beside the content itself."""
    segments = page.segments or Segments()
    told_segments = readable(segments.rows)
    segment_effects, groups = _segments(told_segments)
    history_effects, history = _history(page.history or ())
    one = page.one_decision
    return {
        **returns_context(page.returns),
        **spend_context(page.spend, page.night),
        "money_sentences": money_sentences(page.money, unit=page.night.reward_unit),
        "lines_chart": spend_lines_chart(one.lines) if one and one.lines else None,
        "decile_chart": decile_chart(one.deciles) if one and one.deciles else None,
        "spent_rows": _spent(page),
        "segment_effects": segment_effects,
        "segment_groups": groups,
        "segments_left_out": left_out_sentence(len(segments.rows) - len(told_segments)),
        **_clipping(page.doubts or Doubts()),
        **_opinions(page.opinions or Opinions()),
        "history_effects": history_effects,
        "history_rows": history,
        **_explanation(page.explanation or ExplanationSummary(), page.night.units),
        **_support(page.support or Support()),
    }


def _spent(page: ReviewContent) -> tuple[dict[str, str], ...]:
    """Return what each policy's offers truly cost and on whom it was spent; empty where that isn't known."""
    return tuple(
        {
            "name": policy.name,
            "committed": number(spent.committed),
            "redeemed": number(spent.redeemed),
            "sure": _of(spent.on_sure_things, spent.redeemed),
            "away": _of(spent.on_driven_away, spent.redeemed),
        }
        for policy in page.policies
        if policy.truth is not None and (spent := policy.truth.spent) is not None
    )


def _of(part: float, whole: float) -> str:
    return f"{number(part)} ({share(part / whole)})" if whole > 0 else number(part)


def _segments(rows: tuple[SegmentRow, ...]) -> tuple[Effects | None, list[_SegmentGroup]]:
    effects = effects_of([row.gain for row in rows])
    marks = effects.marks if effects else (None,) * len(rows)
    groups = [
        _SegmentGroup(dimension, tuple(_segment_line(row, mark) for row, mark in pairs))
        for dimension, pairs in groupby(zip(rows, marks, strict=True), key=lambda pair: pair[0].dimension)
    ]
    return effects, groups


def _segment_line(row: SegmentRow, mark: EffectMark | None) -> _SegmentLine:
    return _SegmentLine(row.label, f"{share(row.share)} of episodes", mark, row.refusal or "")


def _clipping(doubts: Doubts) -> dict[str, Any]:
    """Return the gain at each limit, the unlimited one first."""
    rows = tuple(reversed(doubts.clipping))
    effects = effects_of([row.gain for row in rows])
    marks = effects.marks if effects else ()
    return {"clip_effects": effects, "clip_rows": list(zip(rows, marks, strict=True))}


def _opinions(opinions: Opinions) -> dict[str, Any]:
    """Return the gain by each estimator, None in place of the mark where it refuses."""
    effects = effects_of([row.gain for row in opinions.rows])
    marks = effects.marks if effects else (None,) * len(opinions.rows)
    return {"opinion_effects": effects, "opinion_rows": list(zip(opinions.rows, marks, strict=True))}


def _history(history: tuple[HistoryRow, ...]) -> tuple[Effects | None, list[dict[str, Any]]]:
    effects = effects_of([_gain(row) for row in history])
    marks = effects.marks if effects else (None,) * len(history)
    return effects, [{**dict(row), "mark": mark} for row, mark in zip(history, marks, strict=True)]


def _gain(row: HistoryRow) -> Spread | None:
    """Return the predicted gain with its bounds; an unbounded side ends at the gain itself."""
    if row.gain is None:
        return None
    return Spread(
        value=row.gain,
        lower=row.gain if row.lower is None else row.lower,
        upper=row.gain if row.upper is None else row.upper,
    )


def _explanation(found: ExplanationSummary, units: str) -> dict[str, Any]:
    departures = found.departures.rows if found.departures else ()
    told = readable(departures)
    return {
        "feature_bars": feature_bars(found.features),
        "departure_bars": departure_bars(told, units),
        "departures_left_out": left_out_sentence(len(departures) - len(told)),
        "example_charts": example_charts(found.examples),
        "removal_bars": removal_bars(found.removal) if found.removal else (),
        "surrogate": branches_of(found.imitation) if found.imitation else None,
    }


def _support(found: Support) -> dict[str, Any]:
    return {
        "band_bars": band_bars(found.bands),
        "weight_points": weight_points(found.weights) if found.weights else "",
    }
