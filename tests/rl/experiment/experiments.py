"""Reports on planted experiments, as the page takes them."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np

from rl.experiment.deciles import decile_figures
from rl.experiment.figures import ExperimentFigures, Recipe
from rl.experiment.judged_policies import LEAST_SHARE, Judge, judge_outcome
from rl.experiment.spending import spend_lines
from rl.ope.effects.crossfit import CrossFit, crossfit
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.intervals.intervals import Resampling
from tests.rl.ope.effects.planted_effects import NONE, decisions_of, planted_log

ACTIONS = ("none", "first", "second")
COSTS = np.array([0.0, 0.3, 0.6])
JUDGE = Judge(0.95, Resampling(200))


@cache
def planted(n: int = 3000, *, seed: int = 0, noise: float = 1.0) -> tuple[FirstDecisions, CrossFit]:
    decisions = decisions_of(planted_log(n, seed=seed, noise=noise))
    return decisions, crossfit(decisions, baseline=NONE, learners=("dr_learner", "t_learner"), n_folds=3, seed=seed)


@cache
def report(n: int = 3000, *, noise: float = 1.0) -> ExperimentFigures:
    """With a night's policy that takes each action by chance."""
    decisions, fitted = planted(n, noise=noise)
    night = {"discrete_cql-1": np.full((n, 3), 1 / 3)}
    outcome = judge_outcome(
        decisions,
        fitted,
        JUDGE,
        name="reward",
        unit="USD",
        actions=ACTIONS,
        costs=tuple(COSTS.tolist()),
        night=night,
    )
    return ExperimentFigures(
        source="mail",
        source_title="Mail & more",
        scenario="email_experiment",
        scenario_title="Whom to <mail>",
        date=date(2026, 1, 5),
        earns="A decision earns the margin.",
        n_shoppers=n,
        n_folds=3,
        level=0.95,
        steps=1,
        least_share=LEAST_SHARE,
        outcomes=(outcome,),
        spend=spend_lines(decisions, fitted, actions=ACTIONS, costs=COSTS, nothing=NONE, level=0.95),
        deciles=decile_figures(decisions, fitted, JUDGE, learner="dr_learner", nothing=NONE, name_of_nothing="none"),
        recipe=Recipe(candidate="discrete_cql-1", update=600, temperature=0.1, exploration_floor=0.1),
        dataset_digest="0" * 32,
        code_hash="1" * 16,
    )
