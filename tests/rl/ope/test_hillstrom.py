"""A randomised e-mail experiment, in which each policy's value is a mean over the customers who got what it sends.

64,000 customers, drawn at random into three arms: the first e-mail's goods for men, for women, or no e-mail.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.ope.effects.crossfit import arm_means
from rl.ope.effects.first_decisions import first_decisions
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import student_interval
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.one_step_logs import one_step_log
from tests.rl.ope.single_fit import fit_fqe

pytestmark = pytest.mark.real_data

ARMS = ("Mens E-Mail", "Womens E-Mail", "No E-Mail")
MENS, WOMENS, NONE = range(3)
DISCOUNT = DiscountFunction(1.0)


@dataclass(frozen=True)
class Customers:
    """The experiment's columns; `bought_mens` tells who bought goods for men in the year before."""

    arm: IntArray
    spend: FloatArray
    bought_mens: BoolArray
    log: LoggedEpisodes


@dataclass(frozen=True)
class Sends:
    """A policy that sends one e-mail to those who bought goods for men before, another to the rest."""

    to_mens_buyers: int
    to_others: int
    version: str = "sends"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        arm = np.where(features[:, 1] > 0, self.to_mens_buyers, self.to_others)
        return np.where(mask, np.eye(3)[arm], 0.0)


TO_ALL = {arm: Sends(arm, arm) for arm in range(3)}
MENS_TO_BUYERS = Sends(MENS, NONE)


@pytest.fixture(scope="module")
def customers(real_data: Path) -> Customers:
    with gzip.open(real_data / "hillstrom" / "hillstrom.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    arm = np.array([ARMS.index(row["treatment"]) for row in rows], dtype=np.int64)
    spend = np.array([float(row["spend"]) for row in rows])
    bought_mens = np.array([row["mens"] == "1" for row in rows])
    # The design's propensity, not the shares that came of it.
    mask = np.ones((2, 3), dtype=bool)
    log = one_step_log(bought_mens.astype(np.int64), arm, spend, np.full(len(rows), 1 / 3), mask)
    return Customers(arm, spend, bought_mens, log)


def sample(customers: Customers, policy: Sends) -> EvaluationSample:
    """With values that a linear fit on the other half of the customers predicts, for each half."""
    half = np.arange(customers.log.n_episodes) % 2 == 0
    value, action_value = np.zeros((2, len(half)))
    for own in (half, ~half):
        fit = fit_fqe(policy, part(customers.log, ~own), discount=DISCOUNT, settings=FqeSettings(method="linear"))
        found = action_values(fit, policy, part(customers.log, own))
        value[own], action_value[own] = found.value, found.action_value
    values = ActionValues(value, action_value, np.zeros(len(half)))
    return evaluation_sample(policy, customers.log, discount=DISCOUNT, values=values)


def part(log: LoggedEpisodes, chosen: BoolArray) -> LoggedEpisodes:
    """The chosen customers."""
    names = (
        "features",
        "next_features",
        "action",
        "reward",
        "terminal",
        "timeout",
        "propensity",
        "mask_index",
        "next_mask_index",
        "elapsed_microseconds",
        "policy_version",
        "unit",
        "start_time",
    )
    changes = {name: getattr(log, name)[chosen] for name in names}
    return replace(log, **changes, offsets=np.arange(int(chosen.sum()) + 1, dtype=np.int64))


def group_mean(customers: Customers, policy: Sends) -> float:
    """Spend per head of the customers who got what the policy sends, each kind by its share of all customers."""
    total = 0.0
    for is_kind, arm in ((customers.bought_mens, policy.to_mens_buyers), (~customers.bought_mens, policy.to_others)):
        total += float(is_kind.mean() * customers.spend[is_kind & (customers.arm == arm)].mean())
    return total


def test_snips_of_mens_email_to_all_is_the_arm_s_mean(customers: Customers) -> None:
    """With equal propensities SNIPS of one arm to all is that arm's mean spend, to rounding: 1.42."""
    expected = customers.spend[customers.arm == MENS].mean()
    found = ESTIMATORS["snips"].per_unit_sums(sample(customers, TO_ALL[MENS])).value()
    assert found == pytest.approx(expected, rel=1e-9)
    assert round(found, 2) == 1.42


@pytest.mark.parametrize("arm", [MENS, WOMENS, NONE])
def test_snips_of_each_arm_is_its_mean(customers: Customers, arm: int) -> None:
    """Of spend, and of the declared reward, 30% of it less .10 an e-mail: to 1e-9."""
    reward = 0.3 * customers.spend - 0.1 * (customers.arm != NONE)
    for outcome in (customers.spend, reward):
        log = replace(customers.log, reward=outcome)
        found = evaluation_sample(TO_ALL[arm], log, discount=DISCOUNT)
        expected = outcome[customers.arm == arm].mean()
        assert ESTIMATORS["snips"].per_unit_sums(found).value() == pytest.approx(expected, rel=0, abs=1e-9)
        assert arm_means(first_decisions(log, DISCOUNT))[arm] == pytest.approx(expected, rel=0, abs=1e-9)


def test_ips_of_mens_email_to_all_differs_by_the_arm_s_share_alone(customers: Customers) -> None:
    """IPS divides by a third of 64,000 where the arm has 21,307: the mean times .99877."""
    expected = customers.spend[customers.arm == MENS].mean()
    found = ESTIMATORS["ips"].per_unit_sums(sample(customers, TO_ALL[MENS])).value()
    assert found == pytest.approx(expected * 3 * 21_307 / 64_000, rel=1e-9)


@pytest.mark.parametrize("name", ["dr", "sndr", "switch_dr", "dr_os", "clipped_ips", "sg_ips", "dm"])
@pytest.mark.parametrize("arm", [MENS, WOMENS, NONE])
def test_estimator_finds_the_spend_of_one_email_to_all(customers: Customers, arm: int, name: str) -> None:
    """Within half a standard error of the arm's mean, .05 in spend: the same customers made both.

    All weights of one arm are 3, so no level is below the largest and those that limit weights leave them.
    """
    expected = customers.spend[customers.arm == arm].mean()
    found = ESTIMATORS[name].per_unit_sums(sample(customers, TO_ALL[arm])).value()
    assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr", "switch_dr", "dr_os"])
def test_estimator_values_a_policy_by_segment(customers: Customers, name: str) -> None:
    """E-mail to those who bought goods for men, none to the rest: within .05 of the segments' means, added up."""
    found = ESTIMATORS[name].per_unit_sums(sample(customers, MENS_TO_BUYERS)).value()
    assert found == pytest.approx(group_mean(customers, MENS_TO_BUYERS), abs=0.05)


@pytest.mark.parametrize("name", ["snips", "dr", "sndr"])
def test_intervals_tell_mens_email_from_none(customers: Customers, name: str) -> None:
    """The 95% intervals of the two policies' values hold the arms' means and don't overlap."""
    mens, none = (
        student_interval(ESTIMATORS[name].per_unit_sums(sample(customers, TO_ALL[arm])), level=0.95)
        for arm in (MENS, NONE)
    )
    assert none.upper < mens.lower
    assert mens.lower < customers.spend[customers.arm == MENS].mean() < mens.upper


def test_the_mean_weight_is_one_within_its_noise(customers: Customers) -> None:
    """An arm's share is a third within 4 binomial standard errors: the propensities are what they claim."""
    for arm in (MENS, WOMENS, NONE):
        found = sample(customers, TO_ALL[arm])
        error = np.sqrt(2 / 64_000)  # weights are 3 with probability 1/3: variance 2
        assert abs(found.require_weights().mean() - 1) < 4 * error
