"""MIPS: importance weights of an action's category instead of the action, for action sets too large to weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rl.errors import UnsupportedEstimator
from rl.ope.estimators.one_step import ips
from rl.ope.intervals.sums import RatioSums
from rl.ope.samples.sample import EvaluationSample

CategorySource = Literal["queried", "estimated"]


@dataclass(frozen=True)
class CategorySample(EvaluationSample):
    """A sample whose weights are those of the logged actions' categories.

    Attributes:
        n_categories: that actions were merged into.
        category_source: `queried` from the behavior policy, or `estimated` from the log.
    """

    n_categories: int = 0
    category_source: CategorySource = "queried"


def mips(sample: EvaluationSample) -> RatioSums:
    """Return the sums of marginalized IPS: mean of w(x_i, c_i) r_i, with w(x, c) = pi(c|x) / mu(c|x).

    Here c is the logged action's category.

    Unbiased if the action changes the reward through its category alone and every category that the policy takes can
    be in the log; the variance is that of as many actions as there are categories. Where actions of one category earn
    differently, the bias is what the policy's choices within a category add over the behavior policy's: don't trust it
    to tell two policies apart that differ within categories only. `snips` on the same sample is its self-normalised
    form.

    Raises:
        UnsupportedEstimator: the sample's weights aren't those of categories (`category_weights` makes such samples).

    Source: Saito and Joachims (2022), for embeddings that are a function of the action.
    """
    if not isinstance(sample, CategorySample):
        raise UnsupportedEstimator("no categories of actions were given to weight in place of actions")
    return ips(sample)
