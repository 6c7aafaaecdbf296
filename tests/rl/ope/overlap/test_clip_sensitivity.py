from __future__ import annotations

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import student_interval
from rl.ope.intervals.sums import difference
from rl.ope.overlap.clip_sensitivity import clip_sensitivity
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of

HALF = TablePolicy(np.array([[0.5, 0.5]]))
PDIS = ESTIMATORS["pdis"].per_unit_sums


def sample_of(rewards: list[float], propensities: list[float]) -> EvaluationSample:
    log = episodes_of([[reward] for reward in rewards], [[propensity] for propensity in propensities])
    return evaluation_sample(HALF, log, discount=DiscountFunction(1.0))


def test_clip_sensitivity_ends_with_the_plain_estimate() -> None:
    """The last entry has no limit and is the estimate as it stands; limits rise towards it."""
    sample = sample_of([1.0] * 20, np.linspace(0.05, 1.0, 20).tolist())
    found = clip_sensitivity(sample, PDIS)
    plain = student_interval(PDIS(sample), level=0.95)
    assert (found[-1].clip, found[-1].value, found[-1].lower) == (None, plain.value, plain.lower)
    limits = [one.clip for one in found[:-1]]
    assert limits == sorted(limits)  # type: ignore[type-var]
    assert [one.share_clipped for one in found] == sorted((one.share_clipped for one in found), reverse=True)


def test_clip_sensitivity_shows_a_value_that_rests_on_one_decision() -> None:
    """One decision of weight 100 earns nearly everything: clipped, next to nothing is left."""
    sample = sample_of([0.1] * 99 + [10.0], [0.5] * 99 + [0.005])
    clipped, *_, plain = clip_sensitivity(sample, PDIS, quantiles=(0.9,))
    assert plain.value == pytest.approx((99 * 0.1 + 1000) / 100)
    assert clipped.value == pytest.approx((99 * 0.1 + 10) / 100)


def test_clip_sensitivity_of_a_lead_is_paired() -> None:
    """The baseline is subtracted shopper by shopper."""
    sample = sample_of(np.random.default_rng(0).normal(size=30).tolist(), [0.5] * 30)
    baseline = ESTIMATORS["on_policy"].per_unit_sums(sample)
    found = clip_sensitivity(sample, PDIS, baseline=baseline)
    assert found[-1].value == pytest.approx(difference(PDIS(sample), baseline).value())
    assert found[-1].upper == pytest.approx(found[-1].lower)  # all weights are 1: the two are the same policy


def test_clip_sensitivity_refuses_a_log_without_propensities() -> None:
    """The estimator's own reason is given."""
    with pytest.raises(UnsupportedEstimator, match="no propensities"):
        clip_sensitivity(sample_of([1.0, 2.0], [float("nan")] * 2), PDIS)
