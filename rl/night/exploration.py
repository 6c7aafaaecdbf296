"""What to explore after a night without a promotion: its samples and verdict made into a plan, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.specs.judging import Gate
from rl.data.dataset import Dataset
from rl.data.logged_episodes import MICROSECONDS_PER_DAY, FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.exploration.planning import ExplorationLimits, NightPlan, plan_night
from rl.exploration.prediction import Tonight
from rl.exploration.rows import GainRows
from rl.exploration.strata import stratifications
from rl.gate.rules import Check, Decision
from rl.night.evaluation import NightEvaluation
from rl.ope.contenders import Contender, evaluated_rows
from rl.ope.samples.evaluation_probabilities import checked_probabilities

SUGGESTED_SHARE = 0.2
"""Largest share of a plan that is only suggested, as the spec allows none."""
_CURED = {
    "effective_sample_size",
    "effective_rewarded_units",
    "effective_differing_units",
    "weights_average_one",
    "better_than_baseline",
}
"""Checks that fail for want of decisions like the candidate's; exploration brings them."""
_ASKED_ROWS = 2_000
_NAMED_ACTIONS = 3


@dataclass(frozen=True)
class ExploredNight:
    """A plan with what the candidate does in its strata.

    Attributes:
        plan: shares, nights and costs.
        parts: of all decisions, by stratum.
        actions: natural keys of what the candidate does more often there, by stratum.
    """

    plan: NightPlan
    parts: tuple[float, ...]
    actions: tuple[tuple[str, ...], ...]


def exploration_of(dataset: Dataset, night: NightEvaluation) -> ExploredNight | str | None:
    """Return what to explore next, or in words why nothing is; None after a promotion, or where nothing is served.

    Args:
        dataset: prepared for this night's date, scenario and source.
        night: its evaluation.
    """
    scenario = dataset.pipeline.scenario
    if night.verdict.decision is Decision.PROMOTE or scenario.clock != "session_step":
        return None
    if not night.evidence.is_logged:
        return "the log records no decisions of the shop: begin to log them, with their probabilities"
    if kept := [check for check in night.verdict.checks if _keeps_back(check)]:
        return f"no exploration cures what keeps the candidate back: {kept[0].sentence.rstrip('.')}"
    candidate = night.samples.contenders[0]
    kept_rows = evaluated_rows(candidate, night.evaluation)
    try:
        ratio = _uniform_ratio(night.propensities.episodes)[kept_rows]
        rows = GainRows.of(night.samples.candidate, night.samples.baseline, ratio)
    except EvaluationError as error:
        return str(error)
    observation = {
        name: column[kept_rows] for name, column in dataset.transitions("test").observation.items() if column.ndim == 1
    }
    limits = ExplorationLimits(scenario.exploration.max_share or SUGGESTED_SHARE, scenario.exploration.max_cost)
    ways = stratifications(observation, int(kept_rows.sum()))
    plan = plan_night(rows, ways, _tonight(scenario.gate, night, rows), limits)
    return plan if isinstance(plan, str) else _told(dataset, night, plan, np.flatnonzero(kept_rows))


def _keeps_back(check: Check) -> bool:
    return check.is_passed is not True and check.name not in _CURED


def _tonight(gate: Gate, night: NightEvaluation, rows: GainRows) -> Tonight:
    """Return what the gate found; it found a gain, or `_keeps_back` had refused."""
    found = night.evidence.difference
    if found is None:
        raise EvaluationError("there is no estimate of the gain")
    start = night.propensities.episodes.start_time
    days = max(1.0, float(np.ptp(start)) / MICROSECONDS_PER_DAY)
    return Tonight(
        gain=found.value,
        standard_error=found.standard_error,
        level=night.level.level,
        floors=(gate.min_effective_sample_size, gate.min_effective_sample_size, gate.min_effective_rewarded),
        episodes_a_night=rows.n_episodes / days,
        baseline_value=rows.baseline_value,
    )


def _uniform_ratio(episodes: LoggedEpisodes) -> FloatArray:
    """Return the ratio of a uniform choice among what was available to each row's propensity, `(n,)`."""
    n_available = episodes.availability.sum(axis=1).astype(np.float64)
    if episodes.lumped is not None:
        n_available += episodes.availability[:, -1] * (episodes.lumped - 1)
    return np.asarray(1 / (n_available[episodes.mask_index] * episodes.propensity))


def _told(dataset: Dataset, night: NightEvaluation, plan: NightPlan, rows: IntArray) -> ExploredNight:
    """Return the plan with what the candidate does more often in each of its strata, by some of their rows."""
    candidate, champion = night.samples.contenders
    n_strata = len(plan.strata.labels)
    n = np.bincount(plan.strata.code, minlength=n_strata)
    return ExploredNight(
        plan,
        tuple((n / n.sum()).tolist()),
        tuple(
            _more_often(dataset, candidate, champion, rows[plan.strata.code == one]) if n[one] else ()
            for one in range(n_strata)
        ),
    )


def _more_often(dataset: Dataset, candidate: Contender, champion: Contender | None, rows: IntArray) -> tuple[str, ...]:
    some = rows[:: max(1, len(rows) // _ASKED_ROWS)]
    more = _shares(candidate, some) - (_logged(candidate, some) if champion is None else _shares(champion, some))
    most = np.argsort(-more)[:_NAMED_ACTIONS]
    return tuple(dataset.vocabulary.names[one] for one in most if more[one] > 0)


def _shares(one: Contender, rows: IntArray) -> FloatArray:
    probabilities = checked_probabilities(one.policy, one.test.features[rows], one.test.mask(rows))
    return np.asarray(probabilities.mean(axis=0))


def _logged(one: Contender, rows: IntArray) -> FloatArray:
    return np.bincount(one.test.action[rows], minlength=one.test.n_actions) / len(rows)
