"""Decisions that follow an exploration plan: drawn from a mixture of the champion and the plan's version.

Each decision is drawn anew, by the shares of its stratum, whoever the shopper is. A lot drawn once for a shopper would
keep the shares too, but the later decisions of a session would then tell which lot it was, and the product of the
logged probabilities would not be the session's. Drawn decision by decision it is; and by the inequality of arithmetic
and harmonic means no other way to share out the decisions tells more of the gain. The mixture is a policy of its own,
with its own name in the log, so nothing that compares the champion with others mistakes its decisions for these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import sha256

import numpy as np

from conf.specs.scenario import Scenario
from rl.errors import PolicyError
from rl.exploration.strata import strata_of
from rl.figures.exploration import ExplorationPlan
from rl.policy import StochasticPolicy
from rl.policy.action_probabilities import draw
from rl.policy.stochastic_policy import BoolArray, FeatureArray, FloatArray, IntArray
from rl.serving.decide import ChosenAction, Offer, as_logged

MIXTURE = "explored-"
"""What the names begin with under which mixtures decide."""


@dataclass(frozen=True)
class Explored:
    """A plan in force.

    Attributes:
        plan: approved by a person.
        policy: of the plan's version.
        places: of its actions in its vocabulary.
        max_share: largest share that the spec allows.
    """

    plan: ExplorationPlan
    policy: StochasticPolicy
    places: dict[str, int]
    max_share: float

    @classmethod
    def of(cls, plan: ExplorationPlan, policy: StochasticPolicy, max_share: float) -> Explored:
        """Return the plan with an index of its version's actions."""
        return cls(plan, policy, {key: place for place, key in enumerate(policy.vocabulary.keys)}, max_share)

    def is_over(self, day: date) -> bool:
        """Return whether the plan has ended before a business day."""
        return day > self.plan.last_day

    @cached_property
    def _content(self) -> str:
        shares = {label: min(share, self.max_share) for label, share in self.plan.shares.items()}
        return json.dumps([self.plan.dimension, shares], sort_keys=True)

    def version_beside(self, champion: StochasticPolicy) -> str:
        """Return the name under which decisions of the mixture are logged: a hash of all that they depend on."""
        state = sha256("|".join((champion.version, self.policy.version, self._content)).encode())
        return f"{MIXTURE}{state.hexdigest()[:12]}"

    def shares(self, observation: Mapping[str, IntArray], n_rows: int) -> FloatArray:
        """Return the share of decisions at each observation that follows the plan's version, `(n_rows,)`.

        A stratum that the plan doesn't name isn't explored.
        """
        strata = strata_of(
            {name: values for name, values in observation.items() if values.ndim == 1}, self.plan.dimension
        )
        by_label = [min(self.plan.shares.get(label, 0.0), self.max_share) for label in strata.labels]
        code = np.broadcast_to(strata.code, (n_rows,)) if len(strata.code) == 1 else strata.code
        return np.asarray(np.array([*by_label, 0.0])[code])


def refuse_unseen(explored: Explored, scenario: Scenario) -> None:
    """Raise if what the plan needs to know of a decision isn't observed.

    Raises:
        EvaluationError: its dimension isn't known, or not observed.
        PolicyError: it names strata that the dimension doesn't have.
    """
    observed = {feature.name for feature in scenario.observation.features if feature.length is None}
    probe = {name: np.zeros(1, dtype=np.int64) for name in observed} or {"": np.zeros(1, dtype=np.int64)}
    labels = strata_of(probe, explored.plan.dimension).labels
    if strange := sorted(set(explored.plan.shares) - set(labels)):
        raise PolicyError(f"{explored.plan.dimension} has no {', '.join(strange)}; expected {', '.join(labels)}")


def choose_explored(
    champion: tuple[StochasticPolicy, FeatureArray],
    other: tuple[StochasticPolicy, FeatureArray],
    *,
    offers: tuple[Offer, Offer],
    allowed: BoolArray,
    share: float,
    generator: np.random.Generator,
) -> tuple[ChosenAction, bool] | None:
    """Return a decision drawn from the mixture, and whether it was explored; None where the champion knows no action.

    The propensity is the action's probability under the mixture, whoever it was drawn for: (1 - share) that of the
    champion plus share that of the other. Which of the two it counts as is drawn afterwards, with the probability that
    it was that one's; what the champion's own floor draws counts as explored as well. Where the other knows no action
    that may be chosen, the champion decides alone.

    Args:
        champion: with one observation as it encodes it, `(1, n_features)`.
        other: the plan's version, likewise.
        offers: the same actions, as each of them knows them.
        allowed: which of them the rules of both leave, `(n_keys,)`.
        share: of decisions that follow the other.
        generator: of the draws.
    """
    known = _over_offer(*champion, offers[0], allowed)
    if known is None:
        return None
    follows = _over_offer(*other, offers[1], allowed) if share > 0 else None
    explored = np.zeros_like(known) if follows is None else share * follows
    kept = known if follows is None else (1 - share) * known
    mixed = kept + explored
    place = int(draw(mixed[None], generator)[0])
    floor = (1 if follows is None else 1 - share) * champion[0].exploration_floor / np.count_nonzero(known)
    is_explored = bool(generator.random() < (explored[place] + min(floor, kept[place])) / mixed[place])
    choice = ChosenAction(offers[0].keys[place], as_logged(float(mixed[place])), "champion", champion[0].version)
    return choice, is_explored


def _over_offer(
    policy: StochasticPolicy, features: FeatureArray, offer: Offer, allowed: BoolArray
) -> FloatArray | None:
    """Return the policy's probabilities of the offered actions, `(n_keys,)`; None where it knows none that may be."""
    mask = np.zeros((1, policy.n_actions), dtype=np.bool_)
    usable = allowed & offer.is_known
    mask[0, offer.index[usable]] = True
    mask = policy.ruled(features, mask)
    if not mask.any():
        return None
    found = np.zeros(len(offer.keys))
    found[usable] = policy.probabilities(features, mask)[0, offer.index[usable]]
    return found
