"""One log of the shop of weekly offers: what its night says, and what is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conf.specs.candidate import Candidate
from conf.specs.scenario import Pipeline
from rl.errors import EvaluationError
from rl.gate.alpha_spending import night_level
from rl.gate.evidence import gate_evidence, gate_rules, with_losses
from rl.gate.rules import Verdict, judge
from rl.gate.split_contributions import PolicyOnSplits, split_contributions
from rl.gate.split_losses import split_losses
from rl.night.selection import Selection
from rl.ope.intervals.intervals import Interval, reaching_intervals
from rl.ope.intervals.sums import difference
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from rl.policy import StochasticPolicy
from rl.shops.promotion.episode_values import played_returns
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.played_shop import judged_episodes
from rl.shops.promotion.true_value import PolicyTruth, TrueValue, true_policy_values
from rl.shops.promotion.watched_weeks import Player
from tests.bench.promotion.peers_at_equal_spend import column_peers, expected_spend, player_of, row_peers
from tests.bench.promotion.simulated_night import (
    LAST_DATE,
    SimulatedNight,
    TrainedPolicies,
    promotion_pipeline,
    seen_log,
    shop_of_a_year,
)

Row = dict[str, Any]

SELECTED, UNEXPLORING, MYOPIC = "selected", "selected, not exploring", "same learner of the week"
ABOVE = {"selected_above": SELECTED, "unexploring_above": UNEXPLORING}
"""Gains over each other policy, and whose they are."""

MYOPIC_GAMMA = 1e-6

BUDGETED_SHOPPERS = 1000
"""How many shoppers the scenario's weekly budget is for."""


@dataclass(frozen=True)
class Size:
    """How much is tried.

    Attributes:
        n_shoppers: of each log.
        n_truth: shoppers that truths are played on.
        is_small: learners and Q-functions take few updates.
    """

    n_shoppers: int
    n_truth: int
    is_small: bool = False


@dataclass(frozen=True)
class NightTrial:
    """A log, its night's selected policy, and what the gate said.

    Attributes:
        seed: of the log.
        size: how much is tried.
        night: the log as a night reads it.
        trained: its candidates.
        selection: on validation episodes.
        evaluation: on test episodes.
        verdict: the gate's.
    """

    seed: int
    size: Size
    night: SimulatedNight
    trained: TrainedPolicies
    selection: Selection
    evaluation: PolicyEvaluation
    verdict: Verdict

    @classmethod
    def of(cls, seed: int, size: Size) -> NightTrial:
        """The log is simulated, candidates are trained, and one is chosen and judged."""
        settings, pipeline = shop_of_a_year(seed, size.n_shoppers), bench_pipeline(size)
        night = SimulatedNight(settings, pipeline, seen_log(settings, pipeline))
        return cls.judged(seed, size, night, night.candidates())

    @classmethod
    def judged(cls, seed: int, size: Size, night: SimulatedNight, trained: TrainedPolicies) -> NightTrial:
        """One of the trained candidates is chosen, and judged."""
        pipeline = night.pipeline
        how = EvaluationSettings.from_scenario(pipeline.scenario)
        selection = night.select(trained, night.episodes("train"), night.episodes("validation"), how)
        return cls(seed, size, night, trained, selection, *judged_policy(night, selection.best.policy))

    @property
    def policy(self) -> StochasticPolicy:
        """The selected one."""
        return self.selection.best.policy

    def estimate(self) -> Row:
        """The estimated gain of an episode over the log's policy with its interval, the true one, and the verdict."""
        gain = self._estimated_gain()
        true, true_behavior = true_gain(self.night, self.policy, n_shoppers=self.size.n_truth, seed=self.seed)
        estimator = self.night.pipeline.scenario.evaluation.estimator
        return {
            "kind": "estimate",
            "seed": self.seed,
            "candidate": self.policy.name,
            "temperature": self.policy.temperature,
            "price": None if self.policy.prices is None else round(self.policy.prices.price, 4),
            "spend": round(self.spend, 3),
            "verdict": self.verdict.decision.value,
            "gain": round(gain.value, 3),
            "lower": round(gain.lower, 3),
            "upper": round(gain.upper, 3),
            "true_gain": round(true.value, 3),
            "true_error": round(true.standard_error, 3),
            "is_inside": bool(gain.lower <= true.value <= gain.upper),
            "behavior": rounded(self.evaluation.report(BEHAVIOR, estimator).value),
            "true_behavior": round(true_behavior.value, 3),
            "reasons": list(self.verdict.reasons),
        }

    def worths(self) -> list[Row]:
        """What the selected policy and its peers at equal spend earn and commit per shopper-week of the test's weeks.

        Each follows the log's policy at the first test week and goes on to the last week of the log. Spends are equal
        as planned on validation weeks. Beside the selected policy stands the same without exploring, which its peers
        don't do, and the same learner that looks at the week alone.
        """
        night, spend = self.night, self.spend
        ours: dict[str, StochasticPolicy] = {
            SELECTED: self.policy,
            UNEXPLORING: night.priced_at(self._unpriced(exploration_floor=0.0), self.trained, spend),
            MYOPIC: self._myopic(spend),
        }
        seeing = {**ours, **row_peers(self.policy, night, spend)}
        truths = self._truths({name: player_of(policy, night) for name, policy in seeing.items()}, night.pipeline)
        truths |= self._truths({name: _on_columns(one) for name, one in column_peers(night, spend).items()}, None)
        rows = []
        for name, truth in truths.items():
            above = {key: truths[one].above(truth) for key, one in ABOVE.items() if one != name}
            rows.append(_worth(self.seed, name, truth, above))
        return rows

    def _truths(self, players: Mapping[str, Player], pipeline: Pipeline | None) -> dict[str, PolicyTruth]:
        """Return the truth of players that see the pipeline's rows, or the shop's own columns where there is none."""
        settings = self.night.settings
        judged = judged_episodes(settings, self.night.pipeline, self.night.intervals["test"])
        first = judged.blocks[0].first
        return true_policy_values(
            settings,
            players,
            lead_weeks=first,
            n_weeks=settings.n_weeks - first,
            n_shoppers=self.size.n_truth,
            seed=self.seed,
            pipeline=pipeline,
        )

    @property
    def spend(self) -> float:
        """What a shopper's week of the selected policy is expected to commit on validation weeks, in currency."""
        return expected_spend(self.policy, self.night)

    def _unpriced(self, **changes: float) -> StochasticPolicy:
        return replace(self.policy.with_prices(None), **changes)

    def _myopic(self, spend: float) -> StochasticPolicy:
        """Return the policy of the same learner, to which the next week counts for nothing, at the spend."""
        night, values = self.night, [one for one in self.night.pipeline.scenario.candidates if one.algorithm != "bc"]
        at_once = replace(
            night, pipeline=promotion_pipeline(candidates=[_seed_one(values[0])], discount={"gamma": MYOPIC_GAMMA})
        )
        trained = at_once.candidates()
        (kept,) = trained.kept.values()
        last = replace(kept[max(kept)], temperature=self.policy.temperature)
        return at_once.priced_at(last, trained, spend)

    def _estimated_gain(self) -> Interval:
        scenario, how = self.night.pipeline.scenario, self.evaluation.settings
        estimator = scenario.evaluation.estimator
        paired = difference(
            self.evaluation.sums[self.policy.name, estimator], self.evaluation.sums[BEHAVIOR, estimator]
        )
        return next(iter(reaching_intervals([paired], level=how.confidence, resampling=how.resampling)))


def judged_policy(night: SimulatedNight, policy: StochasticPolicy) -> tuple[PolicyEvaluation, Verdict]:
    """Return what the gate says of a policy over the log's, on test episodes, with the evaluation that it read."""
    pipeline, name = night.pipeline, policy.name
    train, validation, test = (night.episodes("train"), night.episodes("validation"), night.episodes("test"))
    estimator = pipeline.scenario.evaluation.estimator
    judged = replace(EvaluationSettings.from_scenario(pipeline.scenario), estimators=(estimator,))
    evaluation = evaluate_policies({name: policy}, train=train, test=test, settings=judged)
    metrics = {
        rail.metric: evaluate_policies({name: policy}, train=train, test=test, settings=judged, outcome=rail.metric)
        for rail in pipeline.scenario.gate.guardrails
    }
    level = night_level(pipeline.scenario.gate.wrong_promotions_per_year, LAST_DATE).level
    evidence = gate_evidence(
        evaluation,
        metrics,
        candidate=name,
        baseline=BEHAVIOR,
        estimator=estimator,
        gate=pipeline.scenario.gate,
        alpha=level,
        unit_of_value=pipeline.scenario.reward.unit,
    )
    on_splits = PolicyOnSplits(name, policy, (train, validation), test)
    losses = split_losses(split_contributions([on_splits], settings=judged, estimator=estimator))
    evidence = with_losses(evidence, losses, evaluation, alpha=level)
    return evaluation, judge(evidence, gate_rules(pipeline.scenario.gate, alpha=level))


def true_gain(
    night: SimulatedNight, policy: StochasticPolicy, *, n_shoppers: int, seed: int
) -> tuple[TrueValue, TrueValue]:
    """Return the true gain of a test episode over the log's policy, and the true value of that one."""
    settings, pipeline = night.settings, night.pipeline
    behavior = logging_policy(settings)
    players: dict[str, Player] = {
        BEHAVIOR: lambda weeks: weeks.play_on_columns(behavior),
        SELECTED: player_of(policy, night),
    }
    judged = judged_episodes(settings, pipeline, night.intervals["test"])
    truth = played_returns(settings, players, judged, pipeline=pipeline, n_shoppers=n_shoppers, seed=seed)
    return truth[SELECTED].above(truth[BEHAVIOR]), truth[BEHAVIOR].value()


def _on_columns(policy: Probabilities) -> Player:
    return lambda weeks: weeks.play_on_columns(policy)


def _seed_one(candidate: Candidate) -> dict[str, Any]:
    return candidate.model_dump() | {"seeds": candidate.seeds[:1], "n_checkpoints": 1}


def bench_pipeline(size: Size, **scenario: Any) -> Pipeline:
    """Return the shipped scenario, its budget the same for each shopper; small, with learners of few updates."""
    shipped = promotion_pipeline()
    if shipped.scenario.budget is None:
        raise EvaluationError(f"{shipped.scenario.name} has no budget, so that there is no equal spend")
    changes: dict[str, Any] = {
        "budget": {"weekly": shipped.scenario.budget.weekly * size.n_shoppers / BUDGETED_SHOPPERS}
    }
    changes |= scenario
    if size.is_small:
        changes["candidates"] = [
            {"algorithm": "bc", "seeds": [1], "n_updates": 30},
            {"algorithm": "discrete_cql", "seeds": [1], "n_updates": 30},
        ]
        changes["evaluation"] = {"fqe_updates": 30}
    return promotion_pipeline(**changes)


def _worth(seed: int, name: str, truth: PolicyTruth, above: Mapping[str, TrueValue] | None = None) -> Row:
    profit = truth.mean("profit")
    row: Row = {
        "kind": "worth",
        "seed": seed,
        "policy": name,
        "profit": round(profit.value, 3),
        "profit_error": round(profit.standard_error, 3),
        "committed": round(truth.mean("committed").value, 3),
        "redeemed": round(truth.mean("redeemed").value, 3),
    }
    for key, gain in (above or {}).items():
        row |= {key: round(gain.value, 3), f"{key}_error": round(gain.standard_error, 3)}
    return row


def rounded(value: float | None) -> float | None:
    """Return the value to three digits, where there is one."""
    return None if value is None else round(value, 3)
