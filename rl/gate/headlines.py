"""What a reader must know of the log before any figure: said first on the page, and held against a promotion.

Each headline is one function of the log's facts that returns a sentence or two in plain words (what it means, what to
do), or nothing; `HEADLINES` names them in the order in which they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.dataset import Dataset
from rl.data.logged_episodes import FloatArray
from rl.data.splits import SPLIT_NAMES
from rl.data.transition_columns import Columns
from rl.ope.propensities.known import KnownPropensities

_COVERED = 0.5
"""Share of decisions by known actions below which a policy chooses among the smaller part of what the shop shows."""
_ATTRIBUTED = 0.5
"""Share of the reward below which most of what shoppers earned the shop teaches nothing."""
_SLIVER = 0.1
"""Share of the reward below which a gain says nothing of the shop's income."""
_ONE_SHOPPER = 0.2
"""Share of decisions by one shopper, who then is no shopper but a robot, a shared account or a test."""
_MOST_OF_THE_LOG = 0.5
"""Share above which resampling shoppers means keeping or losing that one: no interval can be believed."""
_CHANCE = 1e-3
"""Probability, over the whole log, of seeing even one propensity so small; below it they can't be right."""
_TRIED = 0.5
"""Mean weight of a uniform choice below which the probabilities leave half of what is available untried."""
_SHOWN = 5
_SEVERAL_STEPS = 2.0
"""Decisions an episode, on average, from which on a reason at each of them leaves no gain that a shop could see: of
episodes of two, a gain of 13% survived 1.02 times the odds."""


@dataclass(frozen=True)
class LogFacts:
    """What headlines are about.

    Attributes:
        empty_features: that hold one value on all rows, by name.
        n_features: how many features the scenario has.
        n_decisions: in the three splits.
        n_other: of them, by actions without an entry in the vocabulary.
        n_actions: in the vocabulary.
        reward_events: what the events of all dates earned, millionths of the reward's unit; 0 where it isn't known.
        reward_attributed: of it, what decisions were credited with.
        largest_shopper: share of the test decisions by the shopper who has most.
        smallest_propensity: of the test decisions; None where none is logged.
        n_test: test decisions.
        uniform_weight: mean weight of a uniform choice over what was available; None where it can't be computed.
        hidden_reasons: strength of hidden reasons that a gain must survive; 1 where propensities were logged.
        mean_steps: decisions of a test episode that its value runs over.
    """

    empty_features: tuple[str, ...]
    n_features: int
    n_decisions: int
    n_other: int
    n_actions: int
    reward_events: int
    reward_attributed: int
    largest_shopper: float
    smallest_propensity: float | None
    n_test: int
    uniform_weight: float | None
    hidden_reasons: float = 1.0
    mean_steps: float = 1.0


@dataclass(frozen=True)
class Headline:
    """A sentence or two, and whether nothing may be promoted on such a log."""

    text: str
    forbids_promotion: bool = False


def headlines(facts: LogFacts) -> tuple[Headline, ...]:
    """Return the headlines of the log; none for an ordinary log."""
    return tuple(found for headline in HEADLINES if (found := headline(facts)) is not None)


def log_facts(dataset: Dataset, known: KnownPropensities) -> LogFacts:
    """Return the facts about a night's log that headlines are made of.

    Args:
        dataset: prepared for this night's date, scenario and source.
        known: propensities of the test episodes.
    """
    test = known.episodes
    rows = np.bincount(test.unit, weights=np.diff(test.offsets))
    observation, counters = dataset.published.transitions.observation, dataset.published.counters
    vocabulary = dataset.vocabulary
    chosen = np.concatenate([vocabulary.index_of_ids(dataset.transitions(name).action_id) for name in SPLIT_NAMES])
    return LogFacts(
        empty_features=empty_features(observation),
        n_features=len(observation),
        n_decisions=len(chosen),
        n_other=0 if vocabulary.other_index is None else int((chosen == vocabulary.other_index).sum()),
        n_actions=vocabulary.n_actions,
        reward_events=counters.get("reward.events", 0),
        reward_attributed=counters.get("reward.attributed", 0) + counters.get("reward.action_cost", 0),
        largest_shopper=float(rows.max() / rows.sum()),
        smallest_propensity=_smallest_logged(known),
        n_test=test.n_transitions,
        uniform_weight=None if known.check is None else known.check.mean_uniform_weight,
        hidden_reasons=dataset.pipeline.scenario.gate.hidden_reasons if known.trust.is_estimated else 1.0,
        mean_steps=float(np.minimum(test.lengths, dataset.pipeline.scenario.evaluation.steps).mean()),
    )


def empty_features(observation: Columns) -> tuple[str, ...]:
    """Return the names of the features that hold one and the same value on all rows, in their order."""
    return tuple(name for name, values in observation.items() if len(values) and bool((values == values[0]).all()))


def _smallest_logged(known: KnownPropensities) -> float | None:
    values: FloatArray = known.episodes.propensity
    return float(np.min(values)) if known.source == "logged" and len(values) else None


def _hidden_reasons(facts: LogFacts) -> Headline | None:
    """Return a headline where no gain can survive the hidden reasons that it must, as every decision may have one."""
    if facts.hidden_reasons <= 1 or facts.mean_steps < _SEVERAL_STEPS:
        return None
    return Headline(
        "Never promotes: the log holds no probabilities of its choices, and its episodes have "
        f"{facts.mean_steps:.1f} decisions on average. A hidden reason of {facts.hidden_reasons:g} times the odds at "
        "each of them, as the gate must reckon with, could explain even a large gain. Log the probability of each "
        "decision; or, where you know that all reasons for a choice are in the observation, say so by "
        "gate.hidden_reasons: 1.",
        forbids_promotion=True,
    )


def _features(facts: LogFacts) -> Headline | None:
    if not facts.empty_features:
        return None
    named = _listed(facts.empty_features)
    if len(facts.empty_features) == facts.n_features:
        return Headline(
            f"Every feature is empty: {named} hold one value on all rows, so the policy can't tell shoppers or moments "
            "apart. Check which columns the source maps."
        )
    return Headline(
        f"Empty on all rows: {named} ({len(facts.empty_features)} of {facts.n_features} features). The policy learns "
        "nothing from them. Map the columns that they are made from, or take them out of the scenario."
    )


def _vocabulary(facts: LogFacts) -> Headline | None:
    covered = 1 - facts.n_other / facts.n_decisions if facts.n_decisions else 1.0
    if covered >= _COVERED:
        return None
    return Headline(
        f"The policy knows the actions of {covered:.0%} of the decisions only: its {facts.n_actions:,} entries leave "
        "out the rest. It would hardly ever show what shoppers mostly saw. Raise max_actions, or let actions be "
        "categories (action key: category)."
    )


def _reward(facts: LogFacts) -> Headline | None:
    if not facts.reward_events or facts.reward_attributed >= _ATTRIBUTED * facts.reward_events:
        return None
    share = facts.reward_attributed / facts.reward_events
    return Headline(
        f"{share:.1%} of what the log earned follows from a decision; the rest has none before it, or one too long "
        "ago. Values below are about that part alone. Check that views or impressions are delivered, not purchases "
        "alone, and that the attribution window is as long as shoppers take.",
        forbids_promotion=share < _SLIVER,
    )


def _shopper(facts: LogFacts) -> Headline | None:
    if facts.largest_shopper < _ONE_SHOPPER:
        return None
    return Headline(
        f"One shopper made {facts.largest_shopper:.0%} of the test decisions. That is a robot, a shared account or a "
        "test: reject it in the source, or every figure is about it.",
        forbids_promotion=facts.largest_shopper > _MOST_OF_THE_LOG,
    )


def _small_propensities(facts: LogFacts) -> Headline | None:
    """Return a headline where a logged propensity is too small to be right for so few decisions.

    Among n decisions over a actions, an action of probability p turns up with a chance of n a p at most.
    """
    smallest = facts.smallest_propensity
    if smallest is None or smallest * facts.n_test * facts.n_actions >= _CHANCE:
        return None
    return Headline(
        f"The log holds a decision made with a probability of {smallest:.2g}: among {facts.n_test:,} decisions none so "
        "unlikely can be expected, so the logged probabilities can't be right. Log the probability that the action "
        "was drawn with, exploration included.",
        forbids_promotion=True,
    )


def _large_propensities(facts: LogFacts) -> Headline | None:
    if facts.uniform_weight is None or facts.uniform_weight >= _TRIED:
        return None
    return Headline(
        f"By the logged probabilities only {facts.uniform_weight:.0%} of what was available could have been shown. "
        "Either the shop never shows the rest, and nothing here tells what that would earn, or its probabilities are "
        "written too large: check how they are computed before anything else."
    )


HEADLINES: Sequence[Callable[[LogFacts], Headline | None]] = (
    _hidden_reasons,
    _small_propensities,
    _large_propensities,
    _shopper,
    _reward,
    _vocabulary,
    _features,
)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
