"""Days under an exploration plan: what the champion alone would have earned on them, by importance weights.

Such a day's decisions are drawn from a mixture of the champion and the plan's version, under the mixture's name and
with its exact propensities. Weighed by the champion's probability over the logged one, decision by decision and
multiplied along the episode, they earn in expectation what the champion would have earned (per-decision importance
sampling; Precup, Sutton and Singh 2000). The champion keeps 1 - share of every decision, so that no weight exceeds
1 / (1 - share).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from rl.data.availability_sets import AvailabilityRows, masked_rows, unmasked_rows
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.figures.monitor import ExploredDayFigures
from rl.monitor.propensity_frequencies import explained
from rl.monitor.served_rows import ExploredRows, ServedRows
from rl.ope.samples.evaluation_probabilities import row_batches
from rl.policy import StochasticPolicy
from rl.policy.action_rules import ActionRules
from rl.serving.explored import MIXTURE, Explored

MOST_UNEXPLAINED = 0.01
"""Share of a day's explored decisions whose logged propensity may be another than the two policies give their rows."""


@dataclass(frozen=True)
class FollowedPlan:
    """A plan that decisions followed.

    Attributes:
        arm: of the champion that it was made beside.
        champion: that champion's policy.
        explored: the plan with its version's policy.
    """

    arm: str
    champion: StochasticPolicy
    explored: Explored


def mixtures_in(rows: ServedRows) -> tuple[str, ...]:
    """Return the policy versions under which mixtures decided."""
    return tuple(name for name in rows.transitions.policy_versions if name.startswith(MIXTURE))


def explored_rows(
    rows: ServedRows,
    plans: Mapping[str, FollowedPlan],
    rules: ActionRules,
    known_sets: Mapping[str, frozenset[str]] | None,
) -> ExploredRows:
    """Return the weights of explored decisions, and which days they count on.

    A day counts where all but a hundredth of its explored decisions have the propensity that the champion, the plan's
    version and the plan's share give the row: then these are the champion's probabilities too.

    Args:
        rows: that were served.
        plans: by the policy version of their mixture.
        rules: of the shop, as they hold today.
        known_sets: natural keys by availability id; None where every action is always available.
    """
    n = rows.transitions.n_transitions
    found = ExploredRows(
        rows.is_by(set(mixtures_in(rows))),
        np.zeros(n, dtype=np.bool_),
        np.ones(n),
        {name: plan.arm for name, plan in plans.items()},
        (),
    )
    days = []
    for name in mixtures_in(rows):
        own = np.flatnonzero(rows.is_by({name}))
        plan = plans.get(name)
        fits = np.zeros(len(own), dtype=np.bool_)
        if plan is not None:
            alone, mixed = _probabilities(rows, own, plan, rules, known_sets)
            logged = rows.transitions.propensity[own]
            fits = explained(logged, mixed)
            found.weight[own] = alone / logged
        row_day = rows.row_day[own]
        for day in np.unique(row_day):
            of_day = row_day == day
            is_counted = plan is not None and np.mean(~fits[of_day]) <= MOST_UNEXPLAINED
            found.is_counted[own[of_day]] = is_counted
            days.append(_told(date.fromordinal(int(day)), name, plan, fits[of_day], is_counted=bool(is_counted)))
    return ExploredRows(
        found.is_explored,
        found.is_counted,
        np.where(found.is_counted, found.weight, 1.0),
        found.arms,
        tuple(sorted(days, key=lambda one: (one.day, one.policy_version))),
    )


def _told(day: date, name: str, plan: FollowedPlan | None, fits: BoolArray, *, is_counted: bool) -> ExploredDayFigures:
    why = "" if is_counted else "other features or rules were seen than the tables tell of"
    if plan is None:
        why = "no approved plan that is still registered, under the scenario's max_share, decides under this name"
    return ExploredDayFigures(
        day=day,
        policy_version=name,
        version=None if plan is None else plan.explored.plan.version,
        n_decisions=len(fits),
        n_explained=int(fits.sum()),
        is_counted=is_counted,
        why=why,
    )


def _probabilities(
    rows: ServedRows,
    own: IntArray,
    plan: FollowedPlan,
    rules: ActionRules,
    known_sets: Mapping[str, frozenset[str]] | None,
) -> tuple[FloatArray, FloatArray]:
    """Return the logged actions' probabilities by the champion alone and by the mixture, `(n_own,)` each."""
    other = plan.explored.policy
    champion = _Asked.of(rows, plan.champion.with_rules(rules), known_sets)
    joined = _Asked.of(rows, plan.champion.with_rules(rules).with_rules(other.rules), known_sets)
    following = _Asked.of(rows, other.with_rules(rules).with_rules(plan.champion.rules), known_sets)
    alone, mixed = np.zeros(len(own)), np.zeros(len(own))
    for batch in row_batches(len(own), max(plan.champion.n_actions, other.n_actions)):
        at = own[batch]
        observation = {name: column[at] for name, column in rows.transitions.observation.items()}
        share = plan.explored.shares(observation, len(at))
        alone[batch] = champion.told(observation, at)[0]
        kept, (followed, can_follow) = joined.told(observation, at)[0], following.told(observation, at)
        share = np.where(can_follow, share, 0.0)
        mixed[batch] = (1 - share) * kept + share * followed
    return alone, mixed


@dataclass(frozen=True)
class _Asked:
    """A policy that is asked about rows: its index of their actions, -1 for none of its own, and what was available."""

    policy: StochasticPolicy
    action: IntArray
    available: AvailabilityRows

    @classmethod
    def of(cls, rows: ServedRows, policy: StochasticPolicy, known_sets: Mapping[str, frozenset[str]] | None) -> _Asked:
        transitions, vocabulary = rows.transitions, policy.vocabulary
        action = vocabulary.index_of_ids(transitions.action_id)
        if known_sets is None:
            available = unmasked_rows(transitions.n_transitions, vocabulary)
        else:
            available = masked_rows(transitions, action, vocabulary, known_sets)
        return cls(policy, np.where(action == vocabulary.other_index, -1, action), available)

    def told(self, observation: Mapping[str, IntArray], at: IntArray) -> tuple[FloatArray, BoolArray]:
        """Return the probability of each row's action, and whether there is any action that it may choose there."""
        features = self.policy.encode(observation)
        mask = self.policy.ruled(features, self.available.sets[self.available.index[at]])
        can_choose: BoolArray = np.asarray(mask.any(axis=1))
        asked, found = np.flatnonzero(can_choose), np.zeros(len(at))
        if len(asked):
            told = self.policy.probabilities(features[asked], mask[asked])
            action = self.action[at[asked]]
            found[asked] = np.where(action >= 0, told[np.arange(len(asked)), action], 0.0)
        return found, can_choose
