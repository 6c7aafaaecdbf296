"""What the gate will ask of a candidate on test episodes, seen from validation episodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from conf.specs.scenario import Scenario

_SPREAD = 0.15
"""Standard deviation, relative to the floor, of effective units on test episodes around those that validation tells."""

_HOPELESS = 0.01
"""Chance of meeting the floors below which no gain tonight can come of a candidate."""

_LIKELY = 0.5
"""Chance of passing from which a candidate is more likely to be promoted tonight than not."""


@dataclass(frozen=True)
class GateAhead:
    """The gate's demands, to the scale of validation episodes.

    Attributes:
        effective_sample_size: floor on units behind the weighted decisions, and on those whose decisions differ.
        effective_rewarded: floor on rewarded units.
        test_share: test episodes for each validation episode.
        alpha: one-sided level of the gate's bound.
    """

    effective_sample_size: float
    effective_rewarded: float
    test_share: float = 1.0
    alpha: float = 0.01

    @classmethod
    def from_scenario(cls, scenario: Scenario, *, alpha: float) -> GateAhead:
        """Return the gate's floors, divided by the test episodes for each validation episode, and its level."""
        share = scenario.splits.test / scenario.splits.validation
        return cls(
            effective_sample_size=scenario.gate.min_effective_sample_size / share,
            effective_rewarded=scenario.gate.min_effective_rewarded / share,
            test_share=share,
            alpha=alpha,
        )

    def chance_of_floors(self, effective: float | None, rewarded: float | None, differing: float | None) -> float:
        """Return the chance that test episodes meet every floor, 0 to 1; what is unknown counts as none.

        Args:
            effective: units behind the weighted decisions of validation episodes.
            rewarded: units behind the weighted rewards.
            differing: units whose decisions differ from the log's.
        """
        asked = (
            (effective, self.effective_sample_size),
            (differing, self.effective_sample_size),
            (rewarded, self.effective_rewarded),
        )
        return math.prod(float(ndtr(((found or 0.0) / floor - 1) / _SPREAD)) for found, floor in asked)

    def is_within_reach(self, chance: float) -> bool:
        """Return whether the log may judge a candidate whose chance of meeting the floors is this."""
        return chance >= _HOPELESS

    def is_likely_to_pass(self, gain: float, error: float, *, floors: float) -> bool:
        """Return whether the gate is more likely to promote a candidate than not.

        Args:
            gain: over the behavior policy, on validation episodes.
            error: its standard error.
            floors: chance of meeting every floor.
        """
        bound = float(ndtr(self._beyond_bound(gain, error, self._of_test(error)))) if error > 0 else float(gain > 0)
        return floors * bound >= _LIKELY

    def gain_to_ship(self, gain: float, error: float, *, estimate_error: float | None = None) -> float:
        """Return the gain to be expected of handing the candidate to the gate: its true gain where the bound passes.

        With gain g and error e the true gain is taken as normal around g, and the test estimate as normal around the
        truth with error t, that of validation episodes over sqrt(test_share); the gate passes it above z t. Then
        E[gain; passed] = g Phi(a) + e^2 / s phi(a), with s^2 = e^2 + t^2 and a = (g - z t) / s. So a large gain that
        may fail stands against a small one that surely passes, for what each would bring.

        Args:
            gain: over the behavior policy, by validation episodes.
            error: its standard error.
            estimate_error: of the estimate that validation episodes give of this policy alone, where the gain is known
                by more than that; None: it is the same.
        """
        if not error > 0:
            return max(gain, 0.0)
        of_test = self._of_test(error if estimate_error is None else estimate_error)
        ahead, spread = self._beyond_bound(gain, error, of_test), math.hypot(error, of_test)
        return float(gain * ndtr(ahead) + error**2 / spread * _normal_density(ahead))

    def _beyond_bound(self, gain: float, error: float, of_test: float) -> float:
        """Return how far beyond the bound the test's gain is to be expected, in its standard deviations."""
        return (gain + float(ndtri(self.alpha)) * of_test) / math.hypot(error, of_test)

    def _of_test(self, error: float) -> float:
        return error / math.sqrt(self.test_share)


def _normal_density(x: float) -> float:
    return math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
