"""What the pipeline will measure on a shop's log: features, rewards and session rules, read off the specs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from conf.observation_features import OBSERVATION_FEATURES
from conf.specs.scenario import Pipeline, load_pipeline

MICROSECONDS = 1_000_000
HOUR = 3600 * MICROSECONDS


@dataclass(frozen=True)
class Measures:
    """The rules under which a log is read.

    Attributes:
        list_lengths: bound of each list feature.
        history_days: business days that features of delay `delivery` look back.
        weights: points for each event type.
        window: attribution window, microseconds.
        gap: inactivity that ends a session, microseconds.
        zone: business-day zone.
    """

    list_lengths: Mapping[str, int]
    history_days: int
    weights: Mapping[str, float]
    window: int
    gap: int
    zone: str

    def weight(self, event_type: str) -> float:
        """Return the points for one event of the type; 0 where the reward doesn't name it."""
        return float(self.weights.get(event_type, 0.0))


def measures_of(pipeline: Pipeline) -> Measures:
    """Return the measures of a scenario on a source; list features that it doesn't name get length 5."""
    scenario = pipeline.scenario
    lengths = {name: 5 for name, feature in OBSERVATION_FEATURES.items() if feature.kind == "list"}
    lengths |= {feature.name: feature.length for feature in scenario.observation.features if feature.length}
    return Measures(
        list_lengths=lengths,
        history_days=scenario.observation.history_days,
        weights={str(name): weight for name, weight in scenario.reward.weights.items()},
        window=scenario.reward.attribution.window_hours * HOUR,
        gap=pipeline.source.session.gap_minutes * 60 * MICROSECONDS,
        zone=pipeline.source.zone,
    )


@cache
def recommendation_measures() -> Measures:
    """Return the measures of the recommendation scenario on the simulated shop's log."""
    return measures_of(load_pipeline("recommendation", "simulated_shop"))
