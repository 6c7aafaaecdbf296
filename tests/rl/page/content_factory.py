"""Contents of review pages, whole and plausible; tests override what matters to them."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from rl.figures.candidates import ActionShare, CandidateFigures
from rl.figures.data import CalibrationBin, DataSummary, IngestCounts, Propensities, RewardBalance, SplitSummary
from rl.figures.night import NightFacts
from rl.figures.values import Gain, PlayedValue
from rl.learning.curves import Curve
from rl.page.content import Estimate, GuardrailRow, Judgment, LineageRow, Overlap, PolicyReport, Ranking, ReviewContent

REFUSAL = "no propensity is known for these decisions"


def night(**overrides: Any) -> NightFacts:
    content = {
        "scenario": "recommendation",
        "scenario_title": "What to show next in a session",
        "source": "simulated_shop",
        "source_title": "The simulated shop",
        "date": date(2026, 1, 31),
        "decisions": "logged",
        "is_simulated": False,
        "reward_unit": "points",
        "steps": 40,
        "gamma": 0.95,
        "approval": "human",
    }
    return NightFacts(**{**content, **overrides})


def judgment(outcome: str = "promote", **overrides: Any) -> Judgment:
    content = {
        "outcome": outcome,
        "reasons": ("The lower bound of the gain over the behavior policy is above zero.",),
        "candidate": "discrete_cql-1",
        "gain": Gain(
            baseline="behavior policy",
            estimator="dr",
            value=0.21,
            lower=0.05,
            upper=0.37,
            level=0.98904,
            corrected=0.18,
        ),
    }
    return Judgment(**{**content, **overrides})


def estimate(name: str, value: float | None, reach: float = 0.1, **overrides: Any) -> Estimate:
    bounds = (None, None) if value is None else (value - reach, value + reach)
    content = {"estimator": name, "value": value, "lower": bounds[0], "upper": bounds[1]}
    return Estimate(**{**content, **overrides})


def logged_policies(*, is_simulated: bool = False) -> tuple[PolicyReport, ...]:
    overlap = Overlap(
        n_episodes=2900,
        n_units=1800,
        effective_sample_size=812.0,
        effective_rewarded=233.0,
        max_weight=41.0,
        share_outside_support=0.002,
        mean_ratio=0.974,
        mean_ratio_error=0.011,
    )
    return (
        PolicyReport(
            role="behavior",
            name="behavior policy",
            estimates=(estimate("on_policy", 1.31, 0.07),),
            level=0.95,
            overlap=Overlap(
                n_episodes=2900,
                n_units=1800,
                effective_sample_size=2900.0,
                effective_rewarded=1210.0,
                max_weight=1.0,
                share_outside_support=0.0,
            ),
            truth=PlayedValue(value=1.29, standard_error=0.01, n_episodes=20000) if is_simulated else None,
        ),
        PolicyReport(
            role="candidate",
            name="discrete_cql-1",
            estimates=(
                estimate("dm", 1.44, 0.03),
                estimate("pdis", 1.6, 0.5),
                estimate("wpdis", 1.55, 0.3),
                estimate("dr", 1.52, 0.14, is_gate=True),
                estimate("wdr", 1.5, 0.16),
                estimate("tis", 4.0, 40.0),
            ),
            level=0.95,
            overlap=overlap,
            truth=PlayedValue(value=1.49, standard_error=0.012, n_episodes=20000) if is_simulated else None,
        ),
        PolicyReport(
            role="champion",
            name="champion, version 3",
            estimates=(estimate("dm", 1.4, 0.03), estimate("dr", 1.42, 0.12, is_gate=True)),
            level=0.95,
            overlap=overlap,
        ),
    )


def implied_policies() -> tuple[PolicyReport, ...]:
    refused = tuple(estimate(name, None, refusal=REFUSAL) for name in ("pdis", "wpdis", "dr", "wdr"))
    return (
        PolicyReport(
            role="behavior", name="behavior policy", estimates=(estimate("on_policy", 0.52, 0.04),), level=0.95
        ),
        PolicyReport(
            role="candidate",
            name="discrete_cql-1",
            estimates=(estimate("dm", 0.61, 0.02, is_prediction=True), *refused),
            level=0.95,
        ),
    )


def data(**overrides: Any) -> DataSummary:
    content = {
        "dates": tuple(date(2026, 1, day) for day in range(18, 32)),
        "n_transitions": 62_210,
        "n_episodes": 11_420,
        "n_actions": 61,
        "n_features": 412,
        "splits": (
            SplitSummary(
                name="train",
                start="2026-01-18T00:01:02+00:00",
                end="2026-01-26T05:00:00+00:00",
                n_episodes=6100,
                n_transitions=33_000,
            ),
            SplitSummary(
                name="validation",
                start="2026-01-26T21:00:00+00:00",
                end="2026-01-28T01:00:00+00:00",
                n_episodes=1400,
                n_transitions=8_200,
            ),
            SplitSummary(
                name="test",
                start="2026-01-28T17:00:00+00:00",
                end="2026-01-31T09:00:00+00:00",
                n_episodes=2900,
                n_transitions=16_000,
            ),
        ),
        "ingest": IngestCounts(
            n_lines=84_476,
            n_accepted=83_900,
            n_derived=0,
            n_rejected=536,
            n_not_yet=40,
            rejected={"duplicate": 400, "unreadable": 36, "bot_rate": 100},
        ),
        "reward": RewardBalance(
            events=20_500_000_000, transitions=20_400_500_000, residuals={"unknown_decision": 99_500_000}
        ),
        "counters": {"checked_rows": 62_210},
    }
    return DataSummary(**{**content, **overrides})


def curves() -> tuple[Curve, ...]:
    updates = tuple(range(0, 3001, 100))
    return tuple(
        Curve(
            candidate=f"discrete_cql-{seed}",
            split=split,
            metric=metric,
            updates=updates,
            values=tuple(scale * math.exp(-update / 900) + 0.02 * seed for update in updates),
        )
        for seed in (1, 2)
        for split, metric, scale in (("train", "loss", 1.2), ("train", "td_loss", 0.6), ("validation", "td_error", 0.8))
    )


def candidates() -> tuple[CandidateFigures, ...]:
    return tuple(
        CandidateFigures(
            name=f"{algorithm}-{seed}",
            algorithm=algorithm,
            seed=seed,
            temperature=0.3,
            estimator="dr",
            value=value,
            lower=value - 0.2,
            upper=value + 0.2,
            effective_sample_size=400.0,
            seconds=21.4,
            certainty=value - 1.2,
            is_selected=is_selected,
        )
        for algorithm, seed, value, is_selected in (
            ("bc", 1, 1.3, False),
            ("bc", 2, 1.31, False),
            ("discrete_cql", 1, 1.5, True),
            ("discrete_cql", 2, 1.47, False),
        )
    )


def review(**overrides: Any) -> ReviewContent:
    content: dict[str, Any] = {
        "night": night(),
        "judgment": judgment(),
        "policies": logged_policies(),
        "guardrails": (
            GuardrailRow(
                metric="refunds",
                behavior=0.01,
                candidate=0.011,
                max_relative_increase=0.5,
                relative_increase=0.1,
                is_kept=True,
                detail="may rise by at most 32%",
            ),
            GuardrailRow(
                metric="clicks",
                behavior=1.2,
                candidate=1.19,
                max_relative_decrease=0.05,
                relative_increase=-0.01,
                is_kept=False,
                detail="may fall by at most 7%",
            ),
        ),
        "propensities": Propensities(source="logged", note="The shop logged the probability of each decision."),
        "data": data(),
        "actions": tuple(
            ActionShare(action=f"item-{i:03d}", log=0.03 + 0.001 * (i % 7), candidate=0.25 / (i + 1)) for i in range(30)
        ),
        "distance_from_log": 0.41,
        "curves": curves(),
        "candidates": candidates(),
        "lineage": (
            LineageRow(name="dataset_digest", value="0123456789abcdef" * 4),
            LineageRow(name="spec_hash", value="fedcba9876543210"),
        ),
        "model": "recommendation-policy",
        "version": "4",
    }
    return ReviewContent(**{**content, **overrides})


def simulated_review(**overrides: Any) -> ReviewContent:
    content = {"night": night(is_simulated=True), "policies": logged_policies(is_simulated=True)}
    return review(**{**content, **overrides})


def implied_review(**overrides: Any) -> ReviewContent:
    content = {
        "night": night(source="taobao", source_title="Taobao UserBehavior", decisions="implied"),
        "judgment": judgment(
            "abstain",
            reasons=("This log has no logged decisions, so no estimate of what another policy earns is possible.",),
            gain=None,
        ),
        "policies": implied_policies(),
        "guardrails": (),
        "propensities": Propensities(source="none", note="Decisions are implied: no probability was ever assigned."),
        "ranking": tuple(
            Ranking(name=name, is_baseline=is_baseline, k=10, hit_rate=hit_rate, ndcg=hit_rate / 2, n=16_000)
            for name, is_baseline, hit_rate in (
                ("discrete_cql-1", False, 0.31),
                ("item-kNN", True, 0.36),
                ("popularity", True, 0.12),
            )
        ),
    }
    return review(**{**content, **overrides})


def estimated_review(**overrides: Any) -> ReviewContent:
    bins = tuple(CalibrationBin(n=900 - 80 * i, predicted=0.05 + 0.1 * i, observed=0.04 + 0.105 * i) for i in range(9))
    propensities = Propensities(
        source="estimated", note="Cross-fitted by shopper.", calibration_error=0.012, calibration=bins
    )
    return review(**{"propensities": propensities, **overrides})
