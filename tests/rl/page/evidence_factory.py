"""Segments, explanation, support and history of a review page, whole and plausible; tests override what matters."""

from __future__ import annotations

from datetime import date
from typing import Any

from rl.figures.evidence import (
    ClippedGain,
    Confounding,
    Contribution,
    DecisionExample,
    DepartureRow,
    DepartureSummary,
    Doubts,
    ExplanationSummary,
    FeatureWeight,
    ImitationNode,
    ImitationTree,
    LoggerRow,
    Loggers,
    Opinion,
    Opinions,
    RemovalFigures,
    SegmentRow,
    Segments,
    SplitLossFigures,
    Support,
    SupportBand,
    UnseenAction,
    WeightCurve,
)
from rl.figures.values import Spread
from rl.page.content import HistoryRow


def spread(value: float, reach: float = 0.1) -> Spread:
    return Spread(value=value, lower=value - reach, upper=value + reach)


def segment(label: str, gain: Spread | None, **overrides: Any) -> SegmentRow:
    content = {
        "dimension": "past purchases",
        "label": label,
        "n_episodes": 500,
        "n_units": 300,
        "share": 0.5,
        "effective_rewarded": 60.0,
        "gain": gain,
        "candidate": spread(1.5),
        "baseline": spread(1.2),
        "refusal": None if gain else "too few to tell: effectively 18 rewarded shoppers of 25 needed",
    }
    return SegmentRow(**{**content, **overrides})


def segments(**overrides: Any) -> Segments:
    content: dict[str, Any] = {
        "rows": (
            segment("no past purchase", spread(0.3)),
            segment("1 or more past purchases", spread(0.05)),
            segment("new shopper", None, dimension="new or returning", share=0.02),
        ),
        "baseline": "behavior policy",
        "estimator": "dr",
        "confidence": 0.95,
        "level": 0.975,
        "n_shown": 2,
    }
    return Segments(**{**content, **overrides})


def support(**overrides: Any) -> Support:
    content: dict[str, Any] = {
        "bands": (
            SupportBand(least=0, most=0, n_actions=2, log=0.0, candidate=0.01),
            SupportBand(least=1, most=9, n_actions=0, log=0.0, candidate=0.0),
            SupportBand(least=1000, most=None, n_actions=59, log=1.0, candidate=0.99),
        ),
        "unseen": (UnseenAction(action="item-998", candidate=0.007), UnseenAction(action="item-999", candidate=0.003)),
        "n_unseen": 3,
        "weights": WeightCurve(shoppers=(0.0, 0.1, 0.5, 1.0), held=(0.0, 0.4, 0.8, 1.0), n_units=1800, n_for_half=250),
    }
    return Support(**{**content, **overrides})


def example(**overrides: Any) -> DecisionExample:
    content: dict[str, Any] = {
        "quantile": 0.5,
        "chosen": "item-001",
        "runner_up": "item-002",
        "logged": "item-003",
        "margin": 0.7,
        "start": 0.1,
        "others": 0.2,
        "contributions": (
            Contribution(feature="n_past_purchases", observed="2", log_odds=0.6),
            Contribution(feature="favorite_categories", observed="category-1", log_odds=-0.2),
        ),
    }
    return DecisionExample(**{**content, **overrides})


def tree(**overrides: Any) -> ImitationTree:
    content: dict[str, Any] = {
        "speaks_of": "category",
        "nodes": (
            ImitationNode(
                label="category-1",
                n=1000,
                share=0.5,
                feature="n_past_purchases",
                kind="number",
                threshold=1.5,
                low=1,
                high=2,
            ),
            ImitationNode(label="category-1", n=600, share=0.7),
            ImitationNode(
                label="category-2",
                n=400,
                share=0.8,
                feature="favorite_categories",
                kind="holds",
                name="category-2",
                threshold=0.5,
                low=3,
                high=4,
            ),
            ImitationNode(label="category-3", n=100, share=0.6),
            ImitationNode(label="category-2", n=300, share=0.9),
        ),
        "fidelity": spread(0.62, 0.02),
        "majority": spread(0.41, 0.02),
        "n_labels": 3,
        "n_grown": 1000,
        "n_held_out": 990,
    }
    return ImitationTree(**{**content, **overrides})


def explanation(**overrides: Any) -> ExplanationSummary:
    content: dict[str, Any] = {
        "n_decisions": 1000,
        "level": 0.95,
        "largest_gap": 0.004,
        "features": tuple(
            FeatureWeight(feature=name, mean_absolute=spread(size, 0.02), share=size / 1.5)
            for name, size in (("n_past_purchases", 0.8), ("favorite_categories", 0.5), ("hour_of_day", 0.2))
        ),
        "examples": (example(),),
        "removal": RemovalFigures(
            n_removed=3,
            margin_named=spread(1.2),
            margin_random=spread(0.1),
            moved_named=spread(0.2, 0.01),
            moved_random=spread(0.1, 0.01),
            is_faithful=True,
        ),
        "imitation": tree(),
        "departures": DepartureSummary(
            overall=spread(0.34, 0.01),
            rows=tuple(
                DepartureRow(
                    dimension="past clicks",
                    label=f"{n} past clicks",
                    n_decisions=900 - n,
                    n_shoppers=200,
                    distance=spread(0.4 - 0.02 * n, 0.01),
                )
                for n in range(10)
            ),
            n_too_small=2,
        ),
    }
    return ExplanationSummary(**{**content, **overrides})


def history() -> tuple[HistoryRow, ...]:
    """Three versions: rejected, served, and one whose log could tell nothing."""
    rows: tuple[tuple[int, str, str, float | None, tuple[str, ...]], ...] = (
        (3, "reject", "2", 0.1, ()),
        (2, "promote", "behavior", 0.6, ("champion",)),
        (1, "abstain", "behavior", None, ()),
    )
    return tuple(
        HistoryRow(
            version=number,
            date=date(2026, 1, 20 + number),
            source="simulated_shop",
            verdict=verdict,
            candidate="discrete_cql-1",
            against=against,
            gain=gain,
            lower=None if gain is None else gain - 0.3,
            upper=None if gain is None else gain + 0.3,
            aliases=aliases,
        )
        for number, verdict, against, gain, aliases in rows
    )


def opinions(**overrides: Any) -> Opinions:
    """The gate's, one that agrees, and one that refuses."""
    content: dict[str, Any] = {
        "rows": (
            Opinion(estimator="dr", is_gate=True, gain=spread(0.3)),
            Opinion(estimator="drl_s", gain=spread(0.2)),
            Opinion(estimator="drl_sa", refusal="too many pairs"),
        ),
        "level": 0.95,
    }
    return Opinions(**{**content, **overrides})


def clipping() -> tuple[ClippedGain, ...]:
    """Gains that shrink with the limit."""
    rows = ((1.5, 0.1, 0.02), (4.0, 0.01, 0.2), (None, 0.0, 0.3))
    return tuple(
        ClippedGain(clip=clip, share_clipped=share, gain=Spread(value=gain, lower=gain - 0.1, upper=gain + 0.1))
        for clip, share, gain in rows
    )


def loggers() -> Loggers:
    """A champion and a control group."""
    rows = (
        LoggerRow(version="champion-3", n_episodes=900, value=3.2, share=0.95),
        LoggerRow(version="control", n_episodes=100, value=2.4, share=0.05),
    )
    return Loggers(estimator="dr", rows=rows, value=Spread(value=3.16, lower=2.9, upper=3.4))


def doubts(**overrides: Any) -> Doubts:
    content = {
        "confounding": Confounding(flips="gain", gamma=1.4, largest_gamma=100.0, bounded="wdr", longest_steps=40),
        "tail_index": 0.4,
        "largest_share": 0.03,
        "top_percent_share": 0.11,
        "clipping": clipping(),
        "losses": SplitLossFigures(shift=0.02, rarest=0.005, n_differing=600.0),
    }
    return Doubts(**{**content, **overrides})
