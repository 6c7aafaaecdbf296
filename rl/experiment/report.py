"""The report on an experiment: everything cross-fitted by shopper, for the reward and each side metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import structlog

from conf.earnings import earnings_sentence
from conf.paths import Run
from conf.specs.scenario import Scenario
from rl.data.dataset import Dataset
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.experiment.deciles import decile_figures
from rl.experiment.figures import ExperimentFigures, OutcomeFigures
from rl.experiment.judged_policies import LEAST_SHARE, Judge, judge_outcome
from rl.experiment.night_recipe import find_recipe, refitted_probabilities
from rl.experiment.spending import spend_lines
from rl.figures.effects import DecileFigures, SpendLines
from rl.ope.effects.crossfit import CrossFit, crossfit, deal_shoppers
from rl.ope.effects.first_decisions import REWARD, FirstDecisions, first_decisions
from rl.ope.intervals.intervals import Resampling

N_FOLDS = 5
_FIRST_LEARNER = "dr_learner"
_SEED = 0
_MOST_ACTIONS = 20


@dataclass(frozen=True)
class _Arms:
    """The experiment's actions: natural keys, declared costs where there are any, and the one that costs nothing."""

    actions: tuple[str, ...]
    costs: FloatArray | None
    nothing: int | None

    @property
    def told_costs(self) -> tuple[float | None, ...]:
        return (None,) * len(self.actions) if self.costs is None else tuple(self.costs.tolist())


def report_experiment(dataset: Dataset, run: Run, *, horizon: date, code_hash: str) -> ExperimentFigures:
    """Return all figures of the dataset's log, read as an experiment of one decision a shopper.

    Splits are put together again: folds of shoppers take their place. So the report looks at the test episodes that the
    gate looked at, and chooses nothing.

    Args:
        dataset: as `prepare` assembles it.
        run: the night whose selected candidate is refitted, where it was evaluated.
        horizon: date of the night.
        code_hash: of the code that reports.

    Raises:
        UnsupportedEstimator: decisions are implied, or their propensities aren't known, or too few shoppers.
    """
    scenario = dataset.pipeline.scenario
    if not dataset.pipeline.is_logged:
        raise UnsupportedEstimator(
            f"decisions of source {dataset.pipeline.source.name} are implied: nobody made them, and the log holds no "
            "experiment; expected a source with decisions: {kind: logged}"
        )
    episodes = _whole(dataset)
    decisions = _decisions(episodes, scenario, REWARD)
    arms = _arms(dataset, scenario)
    judge = Judge(scenario.evaluation.confidence, Resampling(scenario.evaluation.n_bootstrap, seed=_SEED))
    fold = deal_shoppers(decisions.n, N_FOLDS, _SEED)
    recipe, recipe_refusal = find_recipe(run, dataset)
    night = {} if recipe is None else refitted_probabilities(dataset, recipe, episodes, decisions, fold)
    outcomes = []
    fitted: CrossFit | None = None
    for name in (REWARD, *scenario.metrics):
        structlog.get_logger().info("cross-fitting", outcome=name, n_shoppers=decisions.n)
        of_outcome = decisions if name == REWARD else _decisions(episodes, scenario, name)
        found = crossfit(of_outcome, baseline=arms.nothing or 0, learners=_learners(), n_folds=N_FOLDS, seed=_SEED)
        fitted = fitted or found
        outcomes.append(_outcome(of_outcome, found, judge, name=name, scenario=scenario, arms=arms, night=night))
    spend, spend_refusal, deciles, deciles_refusal = _over_nothing(decisions, fitted, judge, arms)
    return ExperimentFigures(
        source=dataset.pipeline.source.name,
        source_title=dataset.pipeline.source.title,
        scenario=scenario.name,
        scenario_title=scenario.title,
        date=horizon,
        earns=earnings_sentence(scenario.reward),
        n_shoppers=decisions.n,
        n_folds=N_FOLDS,
        level=judge.level,
        steps=int(episodes.lengths.max()),
        least_share=LEAST_SHARE,
        outcomes=tuple(outcomes),
        spend=spend,
        spend_refusal=spend_refusal,
        deciles=deciles,
        deciles_refusal=deciles_refusal,
        recipe=recipe,
        recipe_refusal=recipe_refusal,
        dataset_digest=dataset.digest,
        code_hash=code_hash,
    )


def _learners() -> tuple[str, ...]:
    """Return the learners, the one first whose order curves and tenths follow."""
    return (_FIRST_LEARNER, "t_learner")


def _whole(dataset: Dataset) -> LoggedEpisodes:
    """Return the episodes of all splits, and of the embargoes between them."""
    span = dataset.intervals["train"].up_to(dataset.intervals["test"])
    return replace(dataset, intervals={**dataset.intervals, "test": span}).to_logged_episodes("test")


def _decisions(episodes: LoggedEpisodes, scenario: Scenario, outcome: str) -> FirstDecisions:
    return first_decisions(
        episodes, DiscountFunction.of(scenario.discount), outcome=outcome, steps=scenario.evaluation.steps
    )


def _arms(dataset: Dataset, scenario: Scenario) -> _Arms:
    actions = tuple(dataset.vocabulary.names)
    if len(actions) > _MOST_ACTIONS or dataset.vocabulary.other_index is not None:
        raise UnsupportedEstimator(
            f"the log has {len(actions)} actions ({', '.join(actions[:3])}, ...); an experiment of one decision a "
            f"shopper has at most {_MOST_ACTIONS}, each by itself: raise "
            "action.max_actions, or ask this of a scenario with fewer"
        )
    declared = None if scenario.reward.action_cost is None else scenario.reward.action_cost.declared
    if declared is None or scenario.reward.action_cost is None:
        return _Arms(actions, None, None)
    costs = np.array([declared.get(name, scenario.reward.action_cost.otherwise or 0.0) for name in actions])
    free = np.flatnonzero(costs == 0)
    return _Arms(actions, costs, int(free[0]) if len(free) == 1 else None)


def _outcome(
    decisions: FirstDecisions,
    fitted: CrossFit,
    judge: Judge,
    *,
    name: str,
    scenario: Scenario,
    arms: _Arms,
    night: Mapping[str, FloatArray],
) -> OutcomeFigures:
    is_money = name == REWARD or name in scenario.money_metrics
    return judge_outcome(
        decisions,
        fitted,
        judge,
        name=name,
        unit=scenario.reward.unit if is_money else "events",
        actions=arms.actions,
        costs=arms.told_costs,
        night=night,
    )


def _over_nothing(
    decisions: FirstDecisions, fitted: CrossFit | None, judge: Judge, arms: _Arms
) -> tuple[SpendLines | None, str | None, DecileFigures | None, str | None]:
    """Return curves and tenths over the action that costs nothing, or why there are none."""
    if fitted is None or arms.costs is None or arms.nothing is None:
        why = (
            "The scenario declares no cost of its actions (reward.action_cost.declared)"
            if arms.costs is None
            else "There isn't one action that costs nothing, which others could be held against"
        )
        return None, f"{why}, so that there is no spend to draw it over.", None, f"{why}."
    spend = spend_lines(
        decisions, fitted, actions=arms.actions, costs=arms.costs, nothing=arms.nothing, level=judge.level, seed=_SEED
    )
    name = arms.actions[arms.nothing]
    try:
        tenths = decile_figures(
            decisions, fitted, judge, learner=_FIRST_LEARNER, nothing=arms.nothing, name_of_nothing=name
        )
    except UnsupportedEstimator as error:
        return spend, None, None, f"No tenths: {error}."
    return spend, None, tenths, None
