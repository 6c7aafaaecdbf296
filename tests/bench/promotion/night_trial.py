"""One log of the shop of weekly offers: what its night says, and what is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conf.specs.scenario import Pipeline
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
from rl.shops.promotion.fixed_policies import fixed_policies, over_keys
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.played_shop import encoding, judged_episodes
from rl.shops.promotion.true_value import PolicyTruth, TrueValue, true_policy_value
from rl.shops.promotion.watched_weeks import Player
from tests.bench.promotion.simulated_night import (
    LAST_DATE,
    SimulatedNight,
    promotion_pipeline,
    seen_log,
    shop_of_a_year,
)

Row = dict[str, Any]


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
        selection: on validation episodes.
        evaluation: on test episodes.
        verdict: the gate's.
    """

    seed: int
    size: Size
    night: SimulatedNight
    selection: Selection
    evaluation: PolicyEvaluation
    verdict: Verdict

    @classmethod
    def of(cls, seed: int, size: Size) -> NightTrial:
        """The log is simulated, candidates are trained, and one is chosen and judged."""
        settings, pipeline = shop_of_a_year(seed, size.n_shoppers), _pipeline(size)
        night = SimulatedNight(settings, pipeline, seen_log(settings, pipeline))
        return cls.judged(seed, size, night, night.candidates())

    @classmethod
    def judged(
        cls, seed: int, size: Size, night: SimulatedNight, candidates: dict[str, dict[int, StochasticPolicy]]
    ) -> NightTrial:
        """One of the trained candidates is chosen, and judged."""
        pipeline = night.pipeline
        how = EvaluationSettings.from_scenario(pipeline.scenario)
        train, validation, test = (night.episodes("train"), night.episodes("validation"), night.episodes("test"))
        selection = night.select(candidates, train, validation, how)
        name, policy = selection.best.policy.name, selection.best.policy
        estimator = pipeline.scenario.evaluation.estimator
        judged = replace(how, estimators=(estimator,))
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
        verdict = judge(evidence, gate_rules(pipeline.scenario.gate, alpha=level))
        return cls(seed, size, night, selection, evaluation, verdict)

    @property
    def policy(self) -> StochasticPolicy:
        """The selected one."""
        return self.selection.best.policy

    def estimate(self) -> Row:
        """The estimated gain of an episode over the log's policy with its interval, the true one, and the verdict."""
        settings, pipeline = self.night.settings, self.night.pipeline
        gain = self._estimated_gain()
        behavior, learned = logging_policy(settings), self._over_actions(self.policy)
        players: dict[str, Player] = {
            BEHAVIOR: lambda weeks: weeks.play_on_columns(behavior),
            "selected": lambda weeks: weeks.play(learned),
        }
        judged = judged_episodes(settings, pipeline, self.night.intervals["test"])
        truth = played_returns(
            settings, players, judged, pipeline=pipeline, n_shoppers=self.size.n_truth, seed=self.seed
        )
        true = truth["selected"].above(truth[BEHAVIOR])
        estimator = pipeline.scenario.evaluation.estimator
        return {
            "kind": "estimate",
            "seed": self.seed,
            "candidate": self.policy.name,
            "temperature": self.policy.temperature,
            "verdict": self.verdict.decision.value,
            "gain": round(gain.value, 3),
            "lower": round(gain.lower, 3),
            "upper": round(gain.upper, 3),
            "true_gain": round(true.value, 3),
            "true_error": round(true.standard_error, 3),
            "is_inside": bool(gain.lower <= true.value <= gain.upper),
            "behavior": _rounded(self.evaluation.report(BEHAVIOR, estimator).value),
            "true_behavior": round(truth[BEHAVIOR].value().value, 3),
            "reasons": list(self.verdict.reasons),
        }

    def worths(self) -> list[Row]:
        """What the selected policy and each fixed one earn and spend per shopper-week of the test's weeks.

        Each follows the log's policy at the first test week and goes on to the last week of the log. Beside the
        selected policy stands its network at the lowest temperature: all that was learned, whatever the log can prove.
        """
        coolest = min(self.night.pipeline.scenario.policy.temperatures)
        selected = self._truth(self._over_actions(self.policy), self.night.pipeline)
        cool = self._truth(self._over_actions(self.policy.with_temperature(coolest)), self.night.pipeline)
        rows = [_worth(self.seed, "selected", selected), _worth(self.seed, "coolest", cool)]
        for name, fixed in fixed_policies(self.night.settings).items():
            other = self._truth(fixed, None)
            above = {"selected_above": selected.above(other), "coolest_above": cool.above(other)}
            rows.append(_worth(self.seed, name, other, above))
        return rows

    def _truth(self, probabilities: Probabilities, pipeline: Pipeline | None) -> PolicyTruth:
        """The truth of a policy that sees the pipeline's rows, or the shop's own columns where there is none."""
        settings, first = self.night.settings, self._first_test_week()
        return true_policy_value(
            settings,
            probabilities,
            lead_weeks=first,
            n_weeks=settings.n_weeks - first,
            n_shoppers=self.size.n_truth,
            seed=self.seed,
            pipeline=pipeline,
        )

    def _first_test_week(self) -> int:
        judged = judged_episodes(self.night.settings, self.night.pipeline, self.night.intervals["test"])
        return judged.blocks[0].first

    def _over_actions(self, policy: StochasticPolicy) -> Probabilities:
        return over_keys(self.night.settings, encoding(policy), list(policy.vocabulary.names))

    def _estimated_gain(self) -> Interval:
        scenario, how = self.night.pipeline.scenario, self.evaluation.settings
        estimator = scenario.evaluation.estimator
        paired = difference(
            self.evaluation.sums[self.policy.name, estimator], self.evaluation.sums[BEHAVIOR, estimator]
        )
        return next(iter(reaching_intervals([paired], level=how.confidence, resampling=how.resampling)))


def _pipeline(size: Size) -> Pipeline:
    if not size.is_small:
        return promotion_pipeline()
    candidates = [
        {"algorithm": "bc", "seeds": [1], "n_updates": 30},
        {"algorithm": "discrete_cql", "seeds": [1], "n_updates": 30},
    ]
    return promotion_pipeline(candidates=candidates, evaluation={"fqe_updates": 30})


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


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
