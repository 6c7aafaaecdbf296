"""What a night's test episodes say beyond the gate's estimate: how returns are spread, and second opinions."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from conf.paths import Lake
from rl.data.dataset import Dataset
from rl.data.transitions_reading import read_item_categories
from rl.night.evaluation import NightEvaluation
from rl.night.second_look.categories import category_opinion
from rl.night.second_look.opinions import SecondOpinion, gate_opinion, state_opinions
from rl.night.second_look.returns import ReturnsReport, night_returns
from rl.ope.policy_value import PolicyValueReport
from rl.policy import StochasticPolicy


@dataclass(frozen=True)
class SecondLook:
    """Evidence that no gate reads.

    Attributes:
        returns: how they are distributed, candidate beside baseline.
        opinions: of other estimators, the gate's own first.
    """

    returns: ReturnsReport
    opinions: tuple[SecondOpinion, ...]

    @property
    def reports(self) -> tuple[PolicyValueReport, ...]:
        """Reports on candidate and baseline by every estimator but the gate's own."""
        return tuple(report for opinion in self.opinions if not opinion.is_gate for report in opinion.reports)


def second_look(dataset: Dataset, lake: Lake, policy: StochasticPolicy, *, night: NightEvaluation) -> SecondLook:
    """Return the second look: distributions of returns, and other estimators' opinions, on the report's weights.

    Args:
        dataset: prepared for this night's date, scenario and source.
        lake: holds the items' categories.
        policy: the selected candidate.
        night: its evaluation.
    """
    started = time.perf_counter()
    others = state_opinions(night, dataset.pipeline.scenario.evaluation.also)
    if int(night.propensities.episodes.lengths.max()) == 1:
        categories = read_item_categories(lake, max(dataset.published.manifests), versions=dataset.versions.items)
        by_category = category_opinion(night, names=dataset.vocabulary.names, categories=categories)
        others = (*others, by_category)
    opinions = (gate_opinion(night), *others) if others else ()
    found = SecondLook(night_returns(night), opinions)
    structlog.get_logger().info("looked again", policy=policy.name, seconds=round(time.perf_counter() - started, 1))
    return found
