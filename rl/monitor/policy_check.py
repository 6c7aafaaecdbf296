"""The champion asked again about the decisions that it made: the same propensities, and actions as often as told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from rl.data.availability_sets import masked_rows, unmasked_rows
from rl.data.logged_episodes import IntArray
from rl.monitor.propensity_frequencies import Frequencies, explained, frequencies
from rl.monitor.served_rows import ServedRows
from rl.ope.samples.evaluation_probabilities import row_batches
from rl.policy import StochasticPolicy


@dataclass(frozen=True)
class CheckedDay:
    """A day's decisions of the champion.

    Attributes:
        day: business day.
        n_decisions: of the champion.
        n_explained: whose logged propensity is what the policy gives for the row in the tables.
        found: the comparison of frequencies over these; None where too few were made.
    """

    day: date
    n_decisions: int
    n_explained: int
    found: Frequencies | None


def check_days(
    rows: ServedRows, policy: StochasticPolicy, known_sets: Mapping[str, frozenset[str]] | None
) -> list[CheckedDay]:
    """Return the comparison for each day on which the policy decided, ascending.

    Args:
        rows: whose decisions by this policy version are looked at.
        policy: under the rules that it was served under.
        known_sets: natural keys by availability id; None where every action is always available.
    """
    own = np.flatnonzero(rows.is_by({policy.version}))
    days = rows.row_day[own]
    return [_check_day(rows, own[days == day], policy, known_sets, int(day)) for day in np.unique(days)]


def _check_day(
    rows: ServedRows,
    own: IntArray,
    policy: StochasticPolicy,
    known_sets: Mapping[str, frozenset[str]] | None,
    day: int,
) -> CheckedDay:
    transitions, vocabulary = rows.transitions, policy.vocabulary
    action = vocabulary.index_of_ids(transitions.action_id)
    known = own[(action[own] >= 0) & (action[own] != vocabulary.other_index)]
    if known_sets is None:
        available = unmasked_rows(transitions.n_transitions, vocabulary)
    else:
        available = masked_rows(transitions, action, vocabulary, known_sets)
    parts, chosen, n_explained = [], [], 0
    for batch in row_batches(len(known), policy.n_actions):
        at = known[batch]
        features = policy.encoder.encode({name: column[at] for name, column in transitions.observation.items()})
        mask = policy.ruled(features, available.sets[available.index[at]])
        asked = np.flatnonzero(mask[np.arange(len(at)), action[at]])
        if not len(asked):
            continue
        probabilities = np.asarray(policy.probabilities(features[asked], mask[asked]), dtype=np.float64)
        logged = transitions.propensity[at[asked]]
        fits = explained(logged, probabilities[np.arange(len(asked)), action[at[asked]]])
        n_explained += int(fits.sum())
        parts.append(probabilities[fits])
        chosen.append(action[at[asked]][fits])
    found = frequencies(np.concatenate(parts), np.concatenate(chosen)) if n_explained else None
    return CheckedDay(date.fromordinal(day), len(own), n_explained, found)


def unknown_share(
    rows: ServedRows, day: date, policy: StochasticPolicy, known_sets: Mapping[str, frozenset[str]]
) -> float | None:
    """Return the share of what was on offer on a day that the policy doesn't know; None where no set is named."""
    ids = rows.transitions.availability_ids
    codes = rows.transitions.availability[rows.row_day == day.toordinal()]
    counts = np.bincount(codes[codes >= 0], minlength=len(ids))
    keys = set(policy.vocabulary.keys)
    sets = [known_sets.get(name, frozenset()) for name in ids]
    offered = float(counts @ np.array([len(one) for one in sets], dtype=np.float64)) if len(ids) else 0.0
    unknown = float(counts @ np.array([len(one - keys) for one in sets], dtype=np.float64)) if len(ids) else 0.0
    return unknown / offered if offered else None
