"""What candidates gain by single decisions: what a log tells where weights over whole episodes tell nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conf.specs.candidate import CLOSED_FORM_ALGORITHMS, Candidate
from conf.specs.scenario import Scenario
from rl.data.discount_function import DiscountFunction
from rl.data.episode_selection import take_episodes
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes
from rl.learning.closed_form.resemblance_regression import solve_resemblances
from rl.learning.replay.replay_columns import columns_of
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import mean_sums
from rl.ope.propensities.shopper_folds import shopper_folds
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches
from rl.policy import StochasticPolicy
from rl.policy.resemblance_network import ResemblanceNetwork

NOTE = (
    "chosen by what single decisions bring, each followed by what the log would have done: over whole episodes too few "
    "shoppers weigh the candidates for one of them to be likely to be promoted"
)
"""Why the spec's estimator did not decide."""

_FOLDS_SEED = 0
_RIDGE = float(Candidate.model_fields["ridge"].default)


@dataclass(frozen=True)
class SingleDecisionGain:
    """The mean over logged decisions of sum_a pi(a|s) Q(s, a) - Q(s, logged a), with Q of the log's own policy.

    It is the first-order term of a policy's gain: exact for a policy that departs once an episode, and silent of what
    departures do to each other, so it serves to rank candidates and is no value. Its bound holds for the given Q: how
    far Q itself is off, it doesn't know.

    Source: Kakade and Langford (2002), Approximately Optimal Approximate Reinforcement Learning, equation 4.1.

    Attributes:
        gain: in the scenario's unit, a decision.
        error: its standard error, clustered by unit.
    """

    gain: float
    error: float

    @property
    def cautious(self) -> float:
        """The gain less one standard error."""
        return self.gain - self.error


@dataclass(frozen=True)
class SingleDecisions:
    """Judge of single decisions, on validation episodes alone: no candidate has learned from them.

    Nor has the Q that judges them: units are dealt into two halves, and each half's decisions are judged by a Q fitted
    on the other half.

    Attributes:
        validation: episodes that Q is fitted on and whose decisions are judged, of at least two units.
        discount: as the spec states it.
    """

    validation: LoggedEpisodes
    discount: DiscountFunction

    @classmethod
    def of(cls, scenario: Scenario, validation: LoggedEpisodes) -> SingleDecisions | None:
        """Return the judge; None where no candidate learns by resemblance, and so nothing fits Q over all actions.

        None as well where there is one unit alone: no Q can be fitted without it.
        """
        learns = any(one.algorithm in CLOSED_FORM_ALGORITHMS for one in scenario.candidates)
        can_split = len(np.unique(validation.unit)) > 1
        return cls(validation, DiscountFunction.of(scenario.discount)) if learns and can_split else None

    def gains(self, policies: Mapping[str, StochasticPolicy]) -> dict[str, SingleDecisionGain]:
        """Return each policy's gain, by name.

        Raises:
            TrainingError: in one half of the units no episode is followed to its end.
            UnsupportedEstimator: there is one unit alone.
        """
        fold = shopper_folds(self.validation, 2, _FOLDS_SEED)
        first = next(iter(policies.values()))
        networks = [self._fitted(first, fold != half) for half in range(2)]
        rows = [np.flatnonzero(fold == half) for half in range(2)]
        logged = self._logged(networks, rows)
        return {name: self._gain(policy, networks, rows, logged) for name, policy in policies.items()}

    def _fitted(self, policy: StochasticPolicy, is_learned: BoolArray) -> ResemblanceNetwork:
        """Return Q of the log's own policy, fitted on the episodes of some rows, `(n,)`."""
        actions = policy.encoder.action_attributes(policy.vocabulary)
        columns = columns_of(take_episodes(self.validation, is_learned[self.validation.offsets[:-1]]))
        return solve_resemblances(
            columns, discount=self.discount, encoder=policy.encoder, actions=actions, lookahead=1.0, ridge=_RIDGE
        )[0]

    def _logged(self, networks: Sequence[ResemblanceNetwork], judged: Sequence[IntArray]) -> FloatArray:
        """Return the value of each logged decision, `(n,)`: of each network's rows by that network."""
        values = np.empty(self.validation.n_transitions)
        for network, own in zip(networks, judged, strict=True):
            for batch in row_batches(len(own), network.n_outputs):
                rows = own[batch]
                found = network.forward(self.validation.features[rows])
                values[rows] = found[np.arange(len(found)), self.validation.action[rows]]
        return values

    def _gain(
        self,
        policy: StochasticPolicy,
        networks: Sequence[ResemblanceNetwork],
        judged: Sequence[IntArray],
        logged: FloatArray,
    ) -> SingleDecisionGain:
        episodes = self.validation
        expected = np.empty(episodes.n_transitions)
        for network, own in zip(networks, judged, strict=True):
            for batch in row_batches(len(own), network.n_outputs):
                rows = own[batch]
                features, mask = episodes.features[rows], episodes.availability[episodes.mask_index[rows]]
                expected[rows] = (checked_probabilities(policy, features, mask) * network.forward(features)).sum(axis=1)
        units, unit = np.unique(np.repeat(episodes.unit, np.diff(episodes.offsets)), return_inverse=True)
        sums = mean_sums(expected - logged, unit, units)
        return SingleDecisionGain(sums.value(), standard_error(sums))
